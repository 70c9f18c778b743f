-- What wrk sends. Settings come by the environment (run.mjs): TOKEN, ETAG; for a
-- reorder IDS, a file of stories, which every request puts into an order by chance;
-- for other writes FIRST, STORIES: each thread walks through a share of the stories
-- FIRST .. FIRST + STORIES - 1 again and again. Nobody else writes to them, so the
-- version of a story is one more with each pass and no write is ever refused.
local threads = 0

function setup(thread)
	thread:set("share", threads)
	threads = threads + 1
end

wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")
wrk.headers["If-None-Match"] = os.getenv("ETAG")

if os.getenv("FIRST") then
	local first, stories = tonumber(os.getenv("FIRST")), tonumber(os.getenv("STORIES"))
	local each, i = math.floor(stories / tonumber(os.getenv("THREADS")))
	wrk.method = "PATCH"
	wrk.headers["Content-Type"] = "application/json"
	request = function()
		-- the first thread is asked once in advance, and that request is not sent
		i = i or (share == 0 and -1 or 0)
		local story = first + share * each + i % each
		local version = 1 + math.floor(i / each)
		i = i + 1
		return wrk.format(nil, wrk.path .. story, nil,
			string.format('{"version":%d,"estimate":%d}', version, 100 + version))
	end
end

if os.getenv("IDS") then
	local ids = {}
	for id in io.lines(os.getenv("IDS")) do ids[#ids + 1] = id end
	wrk.method = "PATCH"
	wrk.headers["Content-Type"] = "application/json"
	request = function()
		for i = #ids, 2, -1 do
			local j = math.random(i)
			ids[i], ids[j] = ids[j], ids[i]
		end
		return wrk.format(nil, wrk.path, nil, '{"ids":["' .. table.concat(ids, '","') .. '"]}')
	end
end

function init()
	math.randomseed(os.time() + (share or 0))
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format(
		'\nresult {"requests":%d,"seconds":%.6f,"bytes":%d,"refused":%d,"broken":%d,"p50":%.3f,"p99":%.3f}\n',
		summary.requests, summary.duration / 1e6, summary.bytes, e.status,
		e.connect + e.read + e.write + e.timeout,
		latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
