-- A second, small workspace: whoever works in one of the two sees nothing of the
-- other.
DO $northwind$
DECLARE
  ws uuid; who uuid; project uuid; sprint uuid; epic uuid; i record; ignored text;
  monday constant date := pg_temp.today() - (extract(isodow FROM pg_temp.today())::integer - 1) - 7;
BEGIN
  IF NOT (SELECT yes FROM demo_fresh) THEN RETURN; END IF;
  ignored := set_config('gnomon.clock', pg_temp.moment(monday, -10)::text, true);
  INSERT INTO users (email, name, password_hash)
  VALUES ('dana@northwind.example', 'Dana Whitaker', nullif(current_setting('gnomon.demo_password_hash', true), '')) RETURNING id INTO who;
  INSERT INTO workspaces (name, slug, timezone) VALUES ('Northwind', 'northwind', 'America/New_York') RETURNING id INTO ws;
  INSERT INTO workspace_members (workspace_id, user_id, role) VALUES (ws, who, 'owner');
  ignored := set_config('gnomon.actor', who::text, true);
  PERFORM gnomon.seed_workspace(ws);
  INSERT INTO projects (workspace_id, key, name, slug, description, owner_id)
  VALUES (ws, 'NW', 'Harbour desk', 'harbour-desk', 'Berths, pilots and paperwork of a small port.', who) RETURNING id INTO project;
  INSERT INTO epics (workspace_id, project_id, title, description, status) VALUES (ws, project, 'Berth plan', 'Who lies where, and until when.', 'active')
  RETURNING id INTO epic;
  FOR i IN SELECT * FROM (VALUES
      (1, 'Show the tide on the berth plan', 'Pilots ask for it before anything else.', 3),
      (2, 'Move a ship to another berth', 'With the reason, and a message to the agent.', 5),
      (3, 'Print the watch list', 'One sheet, large type, by six in the morning.', 2),
      (4, 'Warn when two ships overlap', 'In time and in metres.', 5),
      (5, 'Import arrivals from the agents'' e-mails', 'Three agents, three formats.', 8),
      (6, 'Berth fees by length and hour', 'The table of 2024, with the rebate for regulars.', 3),
      (7, 'Sign-off by the harbour master', 'A plan counts from the moment it is signed.', 2),
      (8, 'History of a berth', 'Who lay there last year, for disputes.', NULL)) AS v (n, title, description, estimate) ORDER BY n LOOP
    ignored := set_config('gnomon.clock', pg_temp.moment(monday, -9 + 0.3 * i.n)::text, true);
    INSERT INTO stories (workspace_id, project_id, epic_id, title, description, estimate, assignee_id, status, position)
    VALUES (ws, project, epic, i.title, i.description, i.estimate, who, CASE WHEN i.n < 6 THEN 'ready' ELSE 'backlog' END, i.n * 1024);
  END LOOP;
  ignored := set_config('gnomon.clock', pg_temp.moment(monday, 0.02)::text, true);
  INSERT INTO sprints (workspace_id, project_id, number, name, goal, start_date, end_date, status, started_at)
  VALUES (ws, project, 3, 'Sprint 3', 'The berth plan replaces the whiteboard', monday, monday + 18, 'active', gnomon.now()) RETURNING id INTO sprint;
  INSERT INTO sprint_items (workspace_id, project_id, sprint_id, story_id, original_estimate)
  SELECT ws, project, sprint, id, estimate FROM stories WHERE workspace_id = ws AND status = 'ready' ORDER BY number;
  FOR i IN SELECT * FROM (VALUES (0.2, 1, 'in_progress'), (2.1, 1, 'done'), (2.3, 2, 'in_progress'), (3.4, 3, 'in_progress'), (4.2, 3, 'done')) AS v (at, n, status)
            ORDER BY v.at LOOP
    ignored := set_config('gnomon.clock', pg_temp.moment(monday, i.at)::text, true);
    UPDATE stories SET status = i.status WHERE workspace_id = ws AND number = i.n;
  END LOOP;
  ignored := set_config('gnomon.clock', '', true);
  ignored := set_config('gnomon.actor', '', true);
END $northwind$;
