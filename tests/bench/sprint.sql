-- A sprint of 60 stories in BIG that began ten days ago, and what happened in it
-- every day since, by the functions and triggers that people's work goes through.
-- Part of data.sql and scale.sql; ws is the workspace.
SELECT id AS big FROM projects WHERE workspace_id = :'ws' AND key = 'BIG' \gset
SELECT set_config('gnomon.workspace', :'ws', true), set_config('gnomon.project', :'big', true),
       set_config('gnomon.clock', (now() - interval '10 days')::text, true) \g /dev/null
INSERT INTO sprints (workspace_id, project_id, name, start_date, end_date)
VALUES (:'ws', :'big', 'Sprint 1', current_date - 10, current_date + 4) RETURNING id AS sprint \gset
SELECT count(*) FROM gnomon.add_to_sprint(:'sprint', ARRAY(
  SELECT id FROM stories WHERE workspace_id = :'ws' AND project_id = :'big' AND number <= 100 AND status NOT IN ('backlog', 'done'))) \g /dev/null
SELECT count(*) FROM gnomon.start_sprint(:'sprint', 1) \g /dev/null
DO $$
DECLARE ids uuid[] := ARRAY(SELECT i.story_id FROM sprint_items i WHERE i.workspace_id = gnomon.workspace() ORDER BY i.story_id); d integer; ignored text;
BEGIN
  FOR d IN 1 .. 10 LOOP
    ignored := set_config('gnomon.clock', (now() - (10 - d) * interval '1 day' - interval '1 minute')::text, true);
    UPDATE stories SET status = 'done' WHERE workspace_id = gnomon.workspace() AND id = ANY (ids[d * 4 - 3 : d * 4]);
    UPDATE stories SET estimate = 1 + (estimate::integer + d) % 8 WHERE workspace_id = gnomon.workspace() AND id = ANY (ids[d * 5 : d * 5 + 2]);
    UPDATE stories SET status = CASE status WHEN 'in_progress' THEN 'review' ELSE 'in_progress' END
     WHERE workspace_id = gnomon.workspace() AND id = ANY (ids[41 : 60]);
  END LOOP;
  ignored := set_config('gnomon.clock', '', true);
END $$;
