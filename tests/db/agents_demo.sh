#!/bin/sh
# The demo loads, twice, and is what the agents and the pages are shown with.
# GNOMON_DB: conninfo of a superuser. Makes and drops databases of its own.
set -eu
cd "$(dirname "$0")/../.."
[ -n "${GNOMON_DB-}" ] || { echo 'GNOMON_DB names no database'; exit 77; }

work=$(mktemp -d)
conn=$GNOMON_DB
run() { psql -d "$conn" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
trap 'conn=$GNOMON_DB; for n in 1 2; do run -c "DROP DATABASE IF EXISTS gnomon_demo_$$_$n"; done 2>/dev/null; rm -rf "$work"' EXIT

for role in gnomon_owner gnomon_web gnomon_stream gnomon_worker; do
	[ -n "$(run -c "SELECT 1 FROM pg_roles WHERE rolname = '$role'")" ] ||
		run -c "CREATE ROLE $role LOGIN"
done
demo() { # what it says
	{
		echo "SET ROLE gnomon_owner; SELECT set_config('gnomon.demo_today', '2026-11-20', true), set_config('gnomon.demo_password_hash', 'hash', true) \\g /dev/null"
		cat sql/demo/*.sql
	} | run -1 2>&1 | sed 's/.*NOTICE: *//; s/, in .*//'
}
dump() {
	run <<-'END'
	SELECT w.slug, p.key, s.number, s.title, s.description, s.status, s.priority, s.estimate, s.due_date, s.created_at, s.status_since, u.name
	  FROM stories s JOIN projects p ON p.id = s.project_id JOIN workspaces w ON w.id = s.workspace_id LEFT JOIN users u ON u.id = s.assignee_id ORDER BY 1, 2, 3;
	SELECT rev, entity_type, action, created_at FROM events ORDER BY created_at, rev, entity_type, action;
	END
}
for n in 1 2; do
	conn=$GNOMON_DB
	run -c "CREATE DATABASE gnomon_demo_$$_$n OWNER gnomon_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
	conn="$GNOMON_DB dbname=gnomon_demo_$$_$n"
	run -c 'ALTER SCHEMA public OWNER TO gnomon_owner' -c 'SET ROLE gnomon_owner' -c \
		'CREATE TABLE migration_versions (version integer PRIMARY KEY)'
	for file in sql/migrations/*.sql; do
		{ echo 'SET client_min_messages = warning; SET ROLE gnomon_owner;'; cat "$file"; } | run -1 >/dev/null
	done
	demo >"$work/said$n"
	dump >"$work/dump$n"
done

tests=0
failed=0
is() { # sentence, got, wanted
	tests=$((tests + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tests - $1"
	else
		failed=$((failed + 1))
		printf 'not ok %s - %s\n# got:    %s\n# wanted: %s\n' $tests "$1" "$2" "$3"
	fi
}
echo TAP version 13
is 'the same day gives the same demo' "$(cmp "$work/dump1" "$work/dump2" && echo same)" same
is 'a second load changes nothing and says so' "$(demo; dump | cmp - "$work/dump2" && echo same)" \
	'The workspace acme is there already. Nothing was changed.
same'
is 'between 300 and 400 stories in two projects' \
	"$(run -c "SELECT count(*) BETWEEN 300 AND 400, count(DISTINCT project_id), count(DISTINCT title) = count(*) FROM stories WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = 'acme')")" 't|2|t'
is 'ten people, all roles' "$(run -c "SELECT count(*), count(DISTINCT role) FROM workspace_members m JOIN workspaces w ON w.id = m.workspace_id WHERE slug = 'acme'")" '10|4'
is 'seven sprints of each project are completed with 40 to 60 points, one is active' \
	"$(run -c "SELECT count(*) FILTER (WHERE v.points BETWEEN 40 AND 60), count(*) FILTER (WHERE s.status = 'active') FROM sprints s
	     JOIN workspaces w ON w.id = s.workspace_id CROSS JOIN LATERAL (SELECT sum(final_estimate) AS points FROM sprint_items i
	      WHERE i.sprint_id = s.id AND i.completed_at IS NOT NULL AND i.completed_at BETWEEN s.started_at AND s.completed_at) v WHERE slug = 'acme'")" '14|2'
is 'people work on working days, from morning to evening, and not yet today' \
	"$(run -c "SELECT count(*) FROM events e JOIN workspaces w ON w.id = e.workspace_id CROSS JOIN LATERAL (SELECT e.created_at AT TIME ZONE 'Europe/London' AS at) l
	     WHERE slug = 'acme' AND (extract(isodow FROM l.at) > 5 OR l.at::time NOT BETWEEN '08:30' AND '18:00' OR l.at >= '2026-11-20')")" 0
is 'every act has a person' "$(run -c 'SELECT count(*) FROM events WHERE actor_id IS NULL')" 0
is 'what is in progress or in review is in the active sprint and has a person' \
	"$(run -c "SELECT count(*) FROM stories s WHERE s.status IN ('in_progress', 'review') AND (s.assignee_id IS NULL OR NOT EXISTS (
	     SELECT FROM sprint_items i JOIN sprints p ON p.id = i.sprint_id WHERE i.story_id = s.id AND p.status = 'active'))")" 0
is 'the policy is off, the agents are on' \
	"$(run -c "SELECT p.enabled, string_agg(c.agent_key, ' ' ORDER BY c.agent_key) FROM ai_workspace_policies p JOIN workspaces w ON w.id = p.workspace_id AND slug = 'acme'
	     JOIN agent_configs c ON c.workspace_id = w.id AND c.enabled AND c.created_at < '2026-06-01' GROUP BY 1")" 'f|backlog_hygiene sprint_risk'
echo "1..$tests"
[ "$failed" = 0 ]
