-- Replays the half year: one statement per act, at its time, by its person.
DO $replay$
DECLARE
  ws uuid; a record; this uuid; started timestamptz := clock_timestamp(); ignored text;
BEGIN
  IF NOT (SELECT yes FROM demo_fresh) THEN
    RAISE NOTICE 'The workspace acme is there already. Nothing was changed.';
    RETURN;
  END IF;

  ignored := set_config('gnomon.clock', (SELECT (pg_temp.moment(min(first), -30) - interval '20 minutes')::text FROM demo_sprint), true);
  INSERT INTO users (id, email, name, password_hash)
  SELECT id, email, name, nullif(current_setting('gnomon.demo_password_hash', true), '') FROM demo_person ORDER BY place;
  INSERT INTO workspaces (name, slug, plan, timezone) VALUES ('Acme', 'acme', 'team', 'Europe/London') RETURNING id INTO ws;
  INSERT INTO workspace_members (workspace_id, user_id, role, scopes)
  SELECT ws, id, role, CASE WHEN role IN ('owner', 'admin') THEN '{ops}' ELSE '{}' END::text[] FROM demo_person;
  INSERT INTO teams (workspace_id, name) VALUES (ws, 'Platform'), (ws, 'Web');
  INSERT INTO team_members (workspace_id, team_id, user_id, is_lead)
  SELECT ws, t.id, d.id, d.leads FROM demo_person d JOIN teams t ON t.workspace_id = ws AND t.name = d.team;
  ignored := set_config('gnomon.actor', (SELECT id::text FROM demo_person WHERE place = 1), true);
  PERFORM gnomon.seed_workspace(ws);
  UPDATE agent_configs SET enabled = true WHERE workspace_id = ws;
  INSERT INTO projects (workspace_id, key, name, slug, description, team_id, owner_id)
  SELECT ws, v.key, v.name, v.slug, v.description, t.id, o.id
    FROM (VALUES ('AC', 'AC Web', 'ac-web', 'The shop where trades buy and hire tools.', 'Web', 1),
                 ('PL', 'Platform', 'platform', 'What the shop stands on.', 'Platform', 2)) AS v (key, name, slug, description, team, owner)
    JOIN teams t ON t.workspace_id = ws AND t.name = v.team JOIN demo_person o ON o.place = v.owner;

  FOR a IN SELECT c.*, d.id AS person, p.id AS project_id, p.team_id, f.id AS sprint_id
             FROM demo_act c JOIN projects p ON p.workspace_id = ws AND p.key = c.project
             LEFT JOIN demo_person d ON d.place = c.who
             LEFT JOIN demo_sprint f ON f.project = c.project AND f.place = c.sprint
            ORDER BY c.at, c.n LOOP
    ignored := set_config('gnomon.clock', a.at::text, true);
    ignored := set_config('gnomon.actor', coalesce(a.person::text, ''), true);
    this := (SELECT id FROM demo_story WHERE n = a.story);
    CASE a.kind
    WHEN 'epic' THEN
      WITH made AS (INSERT INTO epics (workspace_id, project_id, title, description, priority, position)
                    SELECT ws, a.project_id, e.title, e.description, e.priority, e.epic * 1024
                      FROM demo_epic e WHERE e.project = a.project AND e.epic = a.sprint RETURNING id)
      UPDATE demo_epic SET id = (SELECT id FROM made) WHERE project = a.project AND epic = a.sprint;
    WHEN 'epic status' THEN
      UPDATE epics SET status = a.value
       WHERE workspace_id = ws AND id = (SELECT id FROM demo_epic WHERE project = a.project AND epic = a.sprint);
    WHEN 'story' THEN
      WITH made AS (
        INSERT INTO stories (workspace_id, project_id, team_id, epic_id, title, description, priority, position, acceptance_criteria)
        SELECT ws, a.project_id, a.team_id, e.id, st.title, st.description, st.priority, st.n * 1024,
               CASE WHEN st.kind IN ('story', 'now') AND pg_temp.roll('criteria' || st.title) < 0.92
                    THEN (SELECT jsonb_agg(c.line ORDER BY c.place)
                            FROM (SELECT line, place FROM unnest(e0.criteria) WITH ORDINALITY AS u (line, place)
                                   ORDER BY pg_temp.roll(line || st.title) LIMIT 2 + (pg_temp.roll('lines' || st.title) * 2)::integer) c)
                    ELSE '[]' END
          FROM demo_story st LEFT JOIN demo_epic e ON e.project = st.project AND e.epic = st.epic
          LEFT JOIN demo_epic e0 ON e0.project = st.project AND e0.epic = st.epic
         WHERE st.n = a.story RETURNING id)
      UPDATE demo_story SET id = (SELECT id FROM made) WHERE n = a.story;
    WHEN 'estimate' THEN UPDATE stories SET estimate = a.value::integer WHERE workspace_id = ws AND id = this;
    WHEN 'status' THEN UPDATE stories SET status = a.value WHERE workspace_id = ws AND id = this;
    WHEN 'priority' THEN UPDATE stories SET priority = a.value WHERE workspace_id = ws AND id = this;
    WHEN 'due' THEN UPDATE stories SET due_date = a.value::date WHERE workspace_id = ws AND id = this;
    WHEN 'note' THEN UPDATE stories SET description = concat_ws(E'\n\n', description, a.value) WHERE workspace_id = ws AND id = this;
    WHEN 'assign' THEN
      UPDATE stories SET assignee_id = (SELECT id FROM demo_person WHERE place = a.value::integer) WHERE workspace_id = ws AND id = this;
    WHEN 'sprint' THEN
      INSERT INTO sprints (workspace_id, id, project_id, number, name, goal, start_date, end_date, capacity)
      SELECT ws, f.id, a.project_id, f.number, f.name, f.goal, f.first, f.last,
             (SELECT jsonb_object_agg(d.id, CASE WHEN d.role IN ('owner', 'admin') THEN 8 ELSE 12 END)
                FROM demo_person d WHERE d.team = CASE f.project WHEN 'AC' THEN 'Web' ELSE 'Platform' END)
        FROM demo_sprint f WHERE f.id = a.sprint_id;
    WHEN 'plan' THEN
      INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
      SELECT ws, a.project_id, a.sprint_id, st.id, st.estimate
        FROM demo_stay y JOIN demo_story d ON d.n = y.story JOIN stories st ON st.workspace_id = ws AND st.id = d.id
       WHERE y.project = a.project AND y.sprint = a.sprint AND y.added < 0.1 ORDER BY st.number;
    WHEN 'add' THEN
      INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
      SELECT ws, a.project_id, a.sprint_id, id, estimate FROM stories WHERE workspace_id = ws AND id = this;
    WHEN 'remove' THEN
      UPDATE sprint_items SET removed_at = a.at WHERE workspace_id = ws AND sprint_id = a.sprint_id AND story_id = this;
    WHEN 'start' THEN UPDATE sprints SET status = 'active', started_at = a.at WHERE workspace_id = ws AND id = a.sprint_id;
    WHEN 'complete' THEN
      UPDATE sprint_items i SET final_estimate = st.estimate, completed_at = CASE st.status WHEN 'done' THEN st.status_since END
        FROM stories st WHERE i.workspace_id = ws AND i.sprint_id = a.sprint_id AND i.removed_at IS NULL
         AND st.workspace_id = ws AND st.id = i.story_id;
      UPDATE sprints SET status = 'completed', completed_at = a.at WHERE workspace_id = ws AND id = a.sprint_id;
    WHEN 'wait' THEN
      INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
      SELECT ws, a.project_id, this, id, 'blocks' FROM demo_story WHERE n = a.value::integer;
    WHEN 'go' THEN
      UPDATE dependencies SET removed_at = a.at WHERE workspace_id = ws AND source_id = this AND removed_at IS NULL
         AND target_id = (SELECT id FROM demo_story WHERE n = a.value::integer);
    WHEN 'comment' THEN
      INSERT INTO comments (workspace_id, entity_type, entity_id, author_id, body) VALUES (ws, 'story', this, a.person, a.value);
    WHEN 'objective' THEN
      INSERT INTO objectives (workspace_id, id, project_id, title, description, owner_id, team_id, start_date, end_date)
      SELECT ws, o.id, CASE WHEN o.project IS NOT NULL THEN a.project_id END, o.title, o.description, a.person,
             CASE WHEN o.project IS NOT NULL THEN a.team_id END, pg_temp.today() - o.since, pg_temp.today() - o.since + o.days - 1
        FROM demo_objective o WHERE o.n = a.value::integer;
      INSERT INTO key_results (workspace_id, id, objective_id, title, unit, direction, start_value, current_value, target_value, weight)
      SELECT ws, r.id, o.id, r.title, r.unit, CASE WHEN r.target > r.since THEN 'increase' ELSE 'decrease' END, r.since, r.since, r.target, r.weight
        FROM demo_objective o JOIN demo_result r ON r.objective = o.n WHERE o.n = a.value::integer ORDER BY r.n;
    WHEN 'objective status' THEN
      UPDATE objectives x SET status = o.status FROM demo_objective o WHERE o.n = a.value::integer AND x.workspace_id = ws AND x.id = o.id;
    WHEN 'check in' THEN
      INSERT INTO check_ins (workspace_id, key_result_id, value, confidence, note, author_id)
      SELECT ws, r.id, (a.value::jsonb ->> 'value')::float8, (a.value::jsonb ->> 'confidence')::smallint, a.value::jsonb ->> 'note', a.person
        FROM demo_result r WHERE r.n = (a.value::jsonb ->> 'result')::integer;
    END CASE;
  END LOOP;
  ignored := set_config('gnomon.clock', '', true);
  ignored := set_config('gnomon.actor', '', true);
  RAISE NOTICE 'The workspace acme: % stories, % events, in % s.',
    (SELECT count(*) FROM stories WHERE workspace_id = ws), (SELECT count(*) FROM events WHERE workspace_id = ws),
    round(extract(epoch FROM clock_timestamp() - started)::numeric, 1);
END $replay$;
