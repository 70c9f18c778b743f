#!/bin/sh
# The agents' SQL, run as gnomon_worker over a workspace of which every number
# was worked out by hand (agents_fixture.sql). GNOMON_DB: conninfo of a superuser.
# Makes and drops a database of its own. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
[ -n "${GNOMON_DB-}" ] || { echo 'GNOMON_DB names no database'; exit 77; }

db=gnomon_agents_$$
work=$(mktemp -d)
export PGOPTIONS='-c client_min_messages=warning'
conn=$GNOMON_DB
run() { psql -d "$conn" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
trap 'conn=$GNOMON_DB; run -c "DROP DATABASE IF EXISTS $db"; rm -rf "$work"' EXIT

for role in gnomon_owner gnomon_web gnomon_stream gnomon_worker; do
	[ -n "$(run -c "SELECT 1 FROM pg_roles WHERE rolname = '$role'")" ] ||
		run -c "CREATE ROLE $role LOGIN"
done
run -c "CREATE DATABASE $db OWNER gnomon_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
conn="$GNOMON_DB dbname=$db"
run -c 'ALTER SCHEMA public OWNER TO gnomon_owner' -c 'SET ROLE gnomon_owner' -c \
	'CREATE TABLE migration_versions (version integer PRIMARY KEY)'
for file in sql/migrations/*.sql; do
	{ echo 'SET ROLE gnomon_owner;'; cat "$file"; } | run -1 >/dev/null
done
{ echo 'SET ROLE gnomon_owner;'; cat tests/db/agents_fixture.sql; } | run >/dev/null

# ask AT SQL: the answer gnomon_worker gets in the fixture's workspace at a time.
# AS_OF: the point of time the data is shown at.
ask() {
	{
		echo "BEGIN; SET ROLE gnomon_worker;"
		echo "SELECT set_config('gnomon.workspace', '00000000-0000-7000-8000-000000000001', true),"
		echo "       set_config('gnomon.clock', '$1', true), set_config('gnomon.as_of', '${AS_OF-}', true) \\g /dev/null"
		printf '%s\n;\nCOMMIT;\n' "$2"
	} | run
}

# Parameters as SQL text: :subject and so on are replaced as the worker's are.
text() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }
part() { # agent, part of facts.sql
	awk -v want="$2" '/^-- part: / { on = $3 == want; next } on' "src/agents/$1/facts.sql"
}
thresholds() { sed -n '/"thresholds"/,/}/p' "src/agents/$1/agent.json" | sed '1s/.*/{/; $s/}.*/}/'; }
facts() { # agent, time, subject, native
	ask "$2" "\\set subject $(text "'$3'::uuid")
\\set thresholds $(text "$(text "$(thresholds "$1" | tr -d '\n\t')")::jsonb")
\\set native $(text "$([ -n "$4" ] && text "$4" || echo NULL)::jsonb")
$(part "$1" facts)"
}
findings() { # agent, file of facts, what to select of them, what to join
	ask "$now" "\\set facts $(text "$(text "$(cat "$2")")::jsonb")
\\set thresholds $(text "$(text "$(thresholds "$1" | tr -d '\n\t')")::jsonb")
SELECT $3 FROM ($(cat "src/agents/$1/findings.sql")) f ${4-}"
}

tests=0
failed=0
is() { # sentence, got, wanted
	tests=$((tests + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tests - $1"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $1"
		printf '%s\n' "$2" | sed 's/^/# got:    /'
		printf '%s\n' "$3" | sed 's/^/# wanted: /'
	fi
}

now='2026-11-20 08:00+00'        # a Friday, before work
sprint=00000000-0000-7000-8000-000000000042
project=00000000-0000-7000-8000-00000000000a
facts sprint_risk "$now" $sprint '' >"$work/risk"
metric() { # names
	ask "$now" "SELECT concat_ws(' ', $(for n; do printf "m ->> '%s', " "$n"; done | sed 's/, $//')) FROM (SELECT $(text "$(cat "$work/risk")")::jsonb -> 'metrics' AS m) x"
}

echo TAP version 13
is 'the active sprint is the only subject' "$(ask "$now" "$(part sprint_risk subjects)")" \
	"$sprint|Fixture, Sprint 42|$project|$sprint"

# Working days: 9-13, 16-20, 23-24 November = 12. Before today, the 20th: 9. Left, today
# counted: 20, 23, 24 = 3. 9 / 12 = 75%.
is 'time is counted in working days, today still to come' \
	"$(metric days daysElapsed daysLeft timeShare)" '12 9 3 75'

# In the sprint are F-1 to F-12 (F-13 was taken out):
#   F-1 5, F-2 3, F-3 2, F-4 5 done = 15
#   F-5 8, F-6 3, F-7 5, F-8 3, F-9 2, F-10 1, F-11 5, F-12 none = 27
# 15 / 42 = 35.7%. Not started: F-8 to F-12, 3 + 2 + 1 + 5 = 11.
is 'points remaining are those of what is not done' \
	"$(metric stories unfinished total remaining doneShare unstarted unstartedPoints unestimated)" '12 8 42 27 36 5 11 1'

# The last five full working days are 13, 16, 17, 18, 19: F-2 (3) and F-3 (2) = 5, so 1 a day.
# F-1 was earlier, F-4 is of today. 1 x 3 days = 3 of 27; 24 are left over.
is 'burn and forecast come from the last five working days' \
	"$(metric burnDays burnSince burn canFinish shortfall)" '5 2026-11-13 1 3 24'

# Completed sprints: 40 finished 30; 41 finished F-14 (20), not F-15. (30 + 20) / 2 = 25.
is 'velocity is what completed sprints finished' "$(metric velocitySprints velocity)" '2 25'

# Committed: 5 + 3 + 2 + 5 + 5 (F-5 before it grew) + 3 + 5 + 3 + 2 + 4 (F-13) = 37.
# Added after 9 November 10:00: F-10 1, F-11 5 = 6. Taken out: F-13 4. 6 / 37 = 16.2%.
is 'scope growth is what came in over what was committed' \
	"$(metric committed addedStories added removedStories removed growth)" '37 2 6 1 4 16'

# Due before the 20th: F-1 (12th, done), F-7 (18th), F-12 (19th). 2 of 3 = 66.7%.
is 'the overdue ratio is of what was due by now' "$(metric due overdue overdueShare)" '3 2 67'

# Started: F-5 (last update 16th: 16, 17, 18, 19 = 4 days), F-6 (18th: 2), F-7 (10th: 10 to 13
# and 16 to 19 = 8; the move on the board of the 18th is no update). From 3 on: F-7 5, F-5 8.
is 'a story is stalled from three working days without an update' \
	"$(metric started stalled stalledPoints)" '3 2 13'
list() { ask "$now" "SELECT f #>> '{ref,key}', f ->> 'value' FROM jsonb_array_elements($(text "$(cat "$work/risk")")::jsonb -> 'facts') f WHERE f ->> 'key' = '$1'" | tr '\n' ' '; }
is 'stalled stories are listed, the quietest first' "$(list story_quiet)" 'F-7|8 F-5|4 '

# F-8 waits for F-7 since the 11th: 11 to 13, 16 to 19 = 7. F-9 requires F-8 since the 17th: 3.
is 'waiting counts from the day the dependency was made' "$(list story_waits)" 'F-8|7 F-9|3 '
is 'what the waiting comes from in the end holds up both' "$(list story_blocks)" 'F-7|2 '

# Unfinished: Mira F-5 to F-9 = 5, Jon F-10 and F-12 = 2, Priya F-11 = 1; the median is 2.
is 'everybody in the sprint counts for the median' "$(list person_holds)$(metric people heldMedian)" 'Mira|5 Jon|2 Priya|1 3 2'

# Pace: 24 / 42 = 57% and 3 days: critical; confidence 5/5 days x 11/12 estimated = 92.
# Overdue 67% but two stories: medium. Stalled 13 of 27 = 48%: high. F-7 holds up 3 + 2 = 5 of 42
# = 12%: medium. Mira 5 >= 2 x 2: medium. Growth 16%: medium. Unassigned: none.
is 'findings have the severity and confidence of their rules' \
	"$(findings sprint_risk "$work/risk" "split_part(fingerprint, ':', 2), insight_type, severity, confidence, title")" \
	'pace|velocity|critical|92|Sprint 42 is likely to miss its goal by about 24 points
stalled|risk|high|100|2 started stories in Sprint 42 had no update for 3 working days or more
blocked|blocker|medium|92|F-7 holds up 2 stories (5 points) in Sprint 42
load|risk|medium|100|Mira holds 5 of 8 unfinished stories in Sprint 42; the median is 2
overdue|risk|medium|100|2 stories in Sprint 42 are past their due date
scope|scope_creep|medium|92|Sprint 42 grew by 16% after it started'
citations() { # agent, file of facts: are [1], [2], … in order, and is each a fact?
	findings "$1" "$2" 'bool_and(c.place = r.m[1]::integer AND c.place <= jsonb_array_length(f.evidence))' \
		"CROSS JOIN LATERAL regexp_matches(f.body, '\\[(\\d+)\\]', 'g') WITH ORDINALITY AS c (m, place) CROSS JOIN LATERAL (SELECT c.m) r"
}
is 'bodies cite their evidence in order' "$(citations sprint_risk "$work/risk")" t
is 'every finding brings facts and names what it is about' \
	"$(findings sprint_risk "$work/risk" 'bool_and(jsonb_array_length(evidence) > 0 AND jsonb_array_length(entity_refs) > 0 AND jsonb_array_length(recommendations) > 0)')" t
is 'the same data and clock give the same bytes' \
	"$(facts sprint_risk "$now" $sprint '' | cmp - "$work/risk" && echo same)" same

# Backlog hygiene, with the duplicates as the native search would report them:
# F-8 and F-9 repeat F-6, F-16 repeats F-15, and F-11 repeats what is done.
id() { ask "$now" "SELECT id FROM stories WHERE number = $1"; }
native=$(tr -d '\n\t' <<-END
	{"groups":[{"keep":"$(id 6)","duplicates":[{"id":"$(id 8)","score":0.93},{"id":"$(id 9)","score":0.914}]},
	{"keep":"$(id 15)","duplicates":[{"id":"$(id 16)","score":0.8}]},
	{"keep":"$(id 1)","duplicates":[{"id":"$(id 11)","score":0.99}]}]}
	END
)
facts backlog_hygiene "$now" $project "$native" >"$work/hygiene"
# Open are 12: F-5 to F-16. F-1 is done, so its group is gone. In a sprint or ready: all.
# Nobody wrote descriptions, criteria or epics; only F-12 has no estimate (below missingMin).
is 'hygiene counts what is open and what it lacks' \
	"$(ask "$now" "SELECT f ->> 'key', f ->> 'value' FROM jsonb_array_elements($(text "$(cat "$work/hygiene")")::jsonb -> 'facts') f
	    WHERE f ->> 'key' IN ('open', 'no_estimate', 'no_description', 'no_criteria', 'no_epic', 'duplicate_groups')" | tr '\n' ' ')" \
	'open|12 no_estimate|1 no_description|12 no_criteria|12 no_epic|12 duplicate_groups|2 '
is 'a group of duplicates keeps one and closes the others' \
	"$(findings backlog_hygiene "$work/hygiene" "severity, confidence, title, recommendations ->> 0" "WHERE fingerprint LIKE '%:twins:%'")" \
	'medium|91|F-6, F-8 and F-9 say the same|Keep F-6. Close F-8 and F-9 as duplicates.
medium|80|F-15 and F-16 seem to say the same|Keep F-15. Close F-16 as a duplicate.'
is 'what lacks the same thing is one finding' \
	"$(findings backlog_hygiene "$work/hygiene" title "WHERE fingerprint NOT LIKE '%:twins:%'")" \
	'No open story in Fixture has acceptance criteria
No open story in Fixture has a description
No open story in Fixture has an epic'
is 'hygiene bodies cite their evidence in order' "$(citations backlog_hygiene "$work/hygiene")" t
is 'without duplicates there are no groups' \
	"$(facts backlog_hygiene "$now" $project '' >"$work/plain"; findings backlog_hygiene "$work/plain" 'count(*)' "WHERE fingerprint LIKE '%twins%'")" 0
is 'the native search reads every open story, the fullest first' \
	"$(ask "$now" "\\set subject $(text "'$project'::uuid")
SELECT count(*), (array_agg(title))[1] FROM ($(part backlog_hygiene documents)) d")" '12|Explain a refusal'

# Priorities and age: on 3 June of the next year nothing was touched for months.
later='2027-06-03 08:00+00'
facts backlog_hygiene "$later" $project '' >"$work/later"
is 'old and forgotten stories are told once they are in no sprint' \
	"$(now=$later; findings backlog_hygiene "$work/later" 'title' "WHERE fingerprint LIKE '%:old:%'")" \
	'4 backlog stories in Fixture waiting for 180 days or more'

# The past: whatever happens afterwards, 20 November stays what it was.
{
	cat <<-'END'
	SET ROLE gnomon_owner;
	SELECT set_config('gnomon.workspace', '00000000-0000-7000-8000-000000000001', false);
	SELECT set_config('gnomon.clock', '2026-11-20 09:00+00', false);
	UPDATE stories SET status = 'done', title = title || ' at last', assignee_id = NULL, estimate = 13, due_date = NULL WHERE number IN (5, 7, 8);
	UPDATE stories SET deleted_at = gnomon.now() WHERE number = 6;
	UPDATE sprint_items SET removed_at = NULL, added_at = gnomon.now() WHERE story_id = (SELECT id FROM stories WHERE number = 13);
	UPDATE dependencies SET removed_at = gnomon.now();
	INSERT INTO stories (workspace_id, project_id, title, estimate) VALUES (gnomon.workspace(), '00000000-0000-7000-8000-00000000000a', 'Later', 8);
	INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id) SELECT workspace_id, project_id, '00000000-0000-7000-8000-000000000042', id FROM stories WHERE title = 'Later';
	UPDATE sprints SET status = 'completed', completed_at = gnomon.now(), name = 'Closed', end_date = '2026-11-20' WHERE number = 42;
	UPDATE projects SET key = 'G', name = 'Renamed';
	END
} | run >/dev/null
is 'the present has changed' "$(facts sprint_risk "$now" $sprint '' | cmp -s - "$work/risk" || echo differs)" differs
AS_OF=$now
is 'facts at a past time equal the facts stored when it was the present' \
	"$(facts sprint_risk "$now" $sprint '' | cmp - "$work/risk" && echo same)" same
is 'so do those of the backlog' "$(facts backlog_hygiene "$now" $project "$native" | cmp - "$work/hygiene" && echo same)" same
is 'the sprint is a subject in the past' "$(ask "$now" "$(part sprint_risk subjects)")" "$sprint|Fixture, Sprint 42|$project|$sprint"
AS_OF=
is 'and none in the present' "$(ask "$now" "$(part sprint_risk subjects)")" ''

# Another tenant.
is 'another workspace sees no subject' \
	"$(ask "$now" "SELECT set_config('gnomon.workspace', gen_random_uuid()::text, true) \\g /dev/null
$(part backlog_hygiene subjects)")" ''

echo "1..$tests"
[ "$failed" = 0 ]
