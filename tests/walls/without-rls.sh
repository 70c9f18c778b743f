#!/bin/sh
# Tenancy has two walls: the predicate in every statement, and row-level security
# beneath. Here the second one is taken away, and the walk of all routes must
# find that the first one holds alone.
set -eu
cd "$(dirname "$0")/../.."

tables="SELECT format('ALTER TABLE %s %s ROW LEVEL SECURITY', c.oid::regclass, :'what')
	FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
wall() { # ENABLE or DISABLE
	printf '%s AND %s \\gexec\n' "$tables" "$2" |
		psql -qX -v ON_ERROR_STOP=1 -v what="$1" -d "$GNOMON_DB" >/dev/null
}
had=$(psql -qXAt -d "$GNOMON_DB" -c "SELECT string_agg(quote_literal(c.oid::regclass::text), ',') FROM pg_class c
	WHERE c.relrowsecurity AND c.relnamespace = 'public'::regnamespace")
trap 'wall ENABLE "c.oid::regclass::text IN ($had)"' EXIT
wall DISABLE "c.relrowsecurity"
[ "$(psql -qXAt -d "$GNOMON_DB" -c "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relnamespace = 'public'::regnamespace")" = 0 ]
GNOMON_WALK=isolation node --test --test-reporter=tap tests/http/routes.test.mjs
