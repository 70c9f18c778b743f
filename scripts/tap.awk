# Reads TAP (cmocka's, node:test's), counts single tests and tells the failures.
# Appends "pass", "fail" or "skip" lines to the file `results`; prints each
# failure under its full name with the explanation that follows it. A test that
# only holds other tests is not counted, unless it failed by itself.

function depth(line) { match(line, /^ */); return RLENGTH }
function forget(d, e) { for (e in kids) if (e + 0 > d) { delete kids[e]; delete bad[e] } }

# The explanation of a failure: node:test's YAML, cmocka's comments.
telling && /^ *\.\.\. *$/ { telling = 0 }
telling && /^ *(---|(duration_ms|type|failureType|code|name): .*)$/ { next }
telling && /node:(internal|async_hooks)/ { next }
telling && told < 30 && !/^ *((not )?ok [0-9]|# Subtest: |1\.\.[0-9])/ {
	sub(/^# /, "")
	print "        " substr($0, indent + 1)
	told++
	next
}

/^ *# Subtest: / {
	telling = 0
	path[depth($0)] = substr($0, index($0, "Subtest: ") + 9)
	next
}

/^ *(not )?ok [0-9]+/ {
	d = indent = depth($0)
	failed = $1 == "not"
	name = $0
	sub(/^ *(not )?ok [0-9]+ *(- *)?/, "", name)
	skipped = name ~ /# *(SKIP|skip|TODO|todo)/
	holds = below = 0
	for (e in kids)
		if (e + 0 > d) { holds += kids[e]; below += bad[e] }
	forget(d)
	kids[d]++
	telling = 0
	if (skipped) {
		reason = name
		sub(/.*# *(SKIP|skip|TODO|todo) */, "", reason)
		sub(/ *# *(SKIP|skip|TODO|todo).*/, "", name)
		print "skip" >> results
		printf "    skipped: %s %s\n", name, reason
	} else if (failed) {
		bad[d]++
		if (below == 0) {
			print "fail" >> results
			full = ""
			for (i = 0; i < d; i += 4)
				full = full path[i] " > "
			printf "    FAILED: %s%s\n", full, name
			telling = 1
			told = 0
		}
	} else if (holds == 0)
		print "pass" >> results
	next
}
