-- What happened leads to where it happened: epics, sprints, tasks, objectives and
-- comments are links in the feed as stories are, and epics go by their key.

CREATE OR REPLACE FUNCTION gnomon.known_as(type text, entity uuid, OUT key text, OUT name text, OUT path text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  CASE type
  WHEN 'story' THEN
    SELECT p.key || '-' || s.number, s.title,
           CASE WHEN s.deleted_at IS NULL THEN format('p/%s/stories/%s-%s', p.key, p.key, s.number) END INTO known_as.key, known_as.name, known_as.path
      FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE s.workspace_id = gnomon.workspace() AND s.id = entity;
  WHEN 'project' THEN
    SELECT p.key, p.name, 'p/' || p.key INTO known_as.key, known_as.name, known_as.path
      FROM public.projects p WHERE p.workspace_id = gnomon.workspace() AND p.id = entity;
  WHEN 'epic' THEN
    SELECT 'E-' || e.number, e.title,
           CASE WHEN e.deleted_at IS NULL THEN format('p/%s/epics/E-%s', p.key, e.number) END INTO known_as.key, known_as.name, known_as.path
      FROM public.epics e JOIN public.projects p ON p.workspace_id = e.workspace_id AND p.id = e.project_id
     WHERE e.workspace_id = gnomon.workspace() AND e.id = entity;
  WHEN 'sprint' THEN
    SELECT s.name, CASE WHEN s.deleted_at IS NULL THEN format('p/%s/sprints/%s', p.key, s.number) END INTO known_as.name, known_as.path
      FROM public.sprints s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE s.workspace_id = gnomon.workspace() AND s.id = entity;
  WHEN 'task' THEN
    SELECT t.title, k.path INTO known_as.name, known_as.path
      FROM public.tasks t CROSS JOIN LATERAL gnomon.known_as('story', t.story_id) k
     WHERE t.workspace_id = gnomon.workspace() AND t.id = entity;
  WHEN 'objective' THEN
    SELECT 'O-' || o.number, o.title, CASE WHEN o.deleted_at IS NULL THEN 'objectives/O-' || o.number END INTO known_as.key, known_as.name, known_as.path
      FROM public.objectives o WHERE o.workspace_id = gnomon.workspace() AND o.id = entity;
  WHEN 'key_result' THEN
    SELECT r.title, k.path INTO known_as.name, known_as.path
      FROM public.key_results r CROSS JOIN LATERAL gnomon.known_as('objective', r.objective_id) k
     WHERE r.workspace_id = gnomon.workspace() AND r.id = entity;
  WHEN 'check_in' THEN
    SELECT 'a check-in on ' || k.name, k.path INTO known_as.name, known_as.path
      FROM public.check_ins c CROSS JOIN LATERAL gnomon.known_as('key_result', c.key_result_id) k
     WHERE c.workspace_id = gnomon.workspace() AND c.id = entity;
  WHEN 'comment' THEN
    SELECT 'a comment on ' || coalesce(k.key, k.name), k.path || '#c-' || c.id INTO known_as.name, known_as.path
      FROM public.comments c CROSS JOIN LATERAL gnomon.known_as(c.entity_type, c.entity_id) k
     WHERE c.workspace_id = gnomon.workspace() AND c.id = entity;
  WHEN 'sprint_item' THEN
    SELECT k.key, k.name, k.path INTO known_as.key, known_as.name, known_as.path
      FROM public.sprint_items i CROSS JOIN LATERAL gnomon.known_as('story', i.story_id) k
     WHERE i.workspace_id = gnomon.workspace() AND i.id = entity;
  WHEN 'dependency' THEN
    SELECT format('%s %s %s', coalesce(a.key, a.name), d.dependency_type, coalesce(b.key, b.name)) INTO known_as.name
      FROM public.dependencies d
     CROSS JOIN LATERAL gnomon.known_as(d.source_type, d.source_id) a
     CROSS JOIN LATERAL gnomon.known_as(d.target_type, d.target_id) b
     WHERE d.workspace_id = gnomon.workspace() AND d.id = entity;
  WHEN 'insight' THEN
    SELECT 'I-' || i.number, i.title, 'insights/I-' || i.number INTO known_as.key, known_as.name, known_as.path
      FROM public.agent_insights i WHERE i.workspace_id = gnomon.workspace() AND i.id = entity;
  ELSE
    NULL;
  END CASE;
  -- Anything else is known by its own history: the title or name it had last.
  IF known_as.name IS NULL THEN
    SELECT coalesce(e.changes #>> '{title,1}', e.changes #>> '{name,1}', e.changes #>> '{agent_key,1}') INTO known_as.name
      FROM public.events e
     WHERE e.workspace_id = gnomon.workspace() AND e.entity_id = entity AND e.entity_type = type
       AND e.changes ?| '{title,name,agent_key}'
     ORDER BY e.rev DESC LIMIT 1;
  END IF;
  known_as.name := coalesce(known_as.name, replace(type, '_', ' '));
END $$;

-- The same of what a notification is about.
CREATE OR REPLACE FUNCTION gnomon.entity(ws uuid, of_type text, of_id uuid, OUT title text, OUT path text, OUT project uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  CASE of_type
  WHEN 'story' THEN
    SELECT p.key || '-' || s.number || ' ' || s.title, '/p/' || p.key || '/stories/' || p.key || '-' || s.number, p.id INTO title, path, project
      FROM public.stories s JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE s.workspace_id = ws AND s.id = of_id;
  WHEN 'task' THEN
    SELECT t.title, '/p/' || p.key || '/stories/' || p.key || '-' || s.number, p.id INTO title, path, project
      FROM public.tasks t JOIN public.stories s ON s.workspace_id = t.workspace_id AND s.id = t.story_id
      JOIN public.projects p ON p.workspace_id = s.workspace_id AND p.id = s.project_id
     WHERE t.workspace_id = ws AND t.id = of_id;
  WHEN 'epic' THEN
    SELECT 'E-' || e.number || ' ' || e.title, '/p/' || p.key || '/epics/E-' || e.number, p.id INTO title, path, project
      FROM public.epics e JOIN public.projects p ON p.workspace_id = e.workspace_id AND p.id = e.project_id
     WHERE e.workspace_id = ws AND e.id = of_id;
  WHEN 'sprint' THEN
    SELECT x.name || ' of ' || p.name, '/p/' || p.key || '/sprints/' || x.number, p.id INTO title, path, project
      FROM public.sprints x JOIN public.projects p ON p.workspace_id = x.workspace_id AND p.id = x.project_id
     WHERE x.workspace_id = ws AND x.id = of_id;
  WHEN 'project' THEN
    SELECT p.name, '/p/' || p.key, p.id INTO title, path, project FROM public.projects p WHERE p.workspace_id = ws AND p.id = of_id;
  WHEN 'insight' THEN
    SELECT i.title, '/insights/I-' || i.number, i.project_id INTO title, path, project
      FROM public.agent_insights i WHERE i.workspace_id = ws AND i.id = of_id;
  WHEN 'objective' THEN
    SELECT 'O-' || o.number || ' ' || o.title, '/objectives/O-' || o.number, o.project_id INTO title, path, project
      FROM public.objectives o WHERE o.workspace_id = ws AND o.id = of_id;
  ELSE NULL;
  END CASE;
END $$;
UPDATE notifications SET path = regexp_replace(path, '/epics/([0-9]+)$', '/epics/E-\1') WHERE path ~ '/epics/[0-9]+$';
UPDATE notifications n SET path = '/insights/I-' || i.number
  FROM agent_insights i WHERE n.path IS NULL AND n.entity_type = 'insight' AND i.workspace_id = n.workspace_id AND i.id = n.entity_id;
