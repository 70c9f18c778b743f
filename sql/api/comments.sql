-- What is done with comments is the same on whatever they are. These are the words for
-- it, which watchers and pages use as well.
-- words story:     one = story; a = a story; all = stories; key = key(story); here = AND s.project_id = gnomon.project()
-- words epic:      one = epic; a = an epic; all = epics; key = key(E); here = AND s.project_id = gnomon.project()
-- words sprint:    one = sprint; a = a sprint; all = sprints; key = key; here = AND s.project_id = gnomon.project()
-- words objective: one = objective; a = an objective; all = objectives; key = key(O); here =
-- words story:     path = format('/w/%s/p/%s/stories/%s-%s', w.slug, p.key, p.key, s.number)
-- words epic:      path = format('/w/%s/p/%s/epics/E-%s', w.slug, p.key, s.number)
-- words sprint:    path = format('/w/%s/p/%s/sprints/%s', w.slug, p.key, s.number)
-- words objective: path = format('/w/%s/objectives/O-%s', w.slug, s.number)

-- GET /api/v1/workspaces/{ws}/comments/{comment}                   get_comment
-- One comment, wherever it stands: a notification or a hit of the search leads
-- here.
-- role:   viewer
-- path:   {comment} uuid
-- reply:  200 PlacedComment
SELECT c.id, c.entity_type AS "entity.type", c.entity_id AS "entity.id", c.author_id AS "author.id", c.author_name AS "author.name",
       c.body, c.mentions, c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM comment_lines c
 CROSS JOIN LATERAL gnomon.thing(c.entity_type, c.entity_id) t    -- no row when it is gone
 WHERE c.workspace_id = gnomon.workspace() AND c.id = :comment

-- GET /api/v1/projects/{project}/stories/{story}/comments       list_story_comments       with story
-- GET /api/v1/projects/{project}/epics/{epic}/comments          list_epic_comments        with epic
-- GET /api/v1/projects/{project}/sprints/{sprint}/comments      list_sprint_comments      with sprint
-- GET /api/v1/workspaces/{ws}/objectives/{objective}/comments   list_objective_comments   with objective
-- What was said about <a>, newest first.
-- role:   viewer
-- path:   {<one>} <key>
-- order:  newest = c.id uuid desc; oldest = c.id uuid asc
-- reply:  200 page of Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM <all> s
  JOIN comment_lines c ON c.workspace_id = s.workspace_id AND c.entity_id = s.id
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number} {page}

-- part: <one> needed
SELECT s.id FROM <all> s
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}

-- POST /api/v1/projects/{project}/stories/{story}/comments       create_story_comment       with story
-- POST /api/v1/projects/{project}/epics/{epic}/comments          create_epic_comment        with epic
-- POST /api/v1/projects/{project}/sprints/{sprint}/comments      create_sprint_comment      with sprint
-- POST /api/v1/workspaces/{ws}/objectives/{objective}/comments   create_objective_comment   with objective
-- Says something about <a>. The body is Markdown; @Mira Okafor, @mira.okafor or,
-- when nobody else is called so, @mira names a member. Whoever comments watches.
-- role:   member
-- path:   {<one>} <key>
-- body:   CommentCreate
-- reply:  201 Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM <all> s
 CROSS JOIN LATERAL gnomon.add_comment('<one>', s.id, :body ->> 'body') c
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}

-- PATCH /api/v1/projects/{project}/stories/{story}/comments/{comment}       update_story_comment       with story
-- PATCH /api/v1/projects/{project}/epics/{epic}/comments/{comment}          update_epic_comment        with epic
-- PATCH /api/v1/projects/{project}/sprints/{sprint}/comments/{comment}      update_sprint_comment      with sprint
-- PATCH /api/v1/workspaces/{ws}/objectives/{objective}/comments/{comment}   update_objective_comment   with objective
-- Changes the words of your own comment. The version must be the one you saw.
-- role:   member
-- path:   {<one>} <key>, {comment} uuid
-- body:   CommentPatch
-- errors: version_conflict, forbidden
-- reply:  200 Comment
SELECT c.refused AS "!", (c.line).id, (c.line).author_id AS "author.id", (c.line).author_name AS "author.name", (c.line).body, (c.line).mentions,
       (c.line).edited_at AS "editedAt", (c.line).created_at AS "createdAt", (c.line).updated_at AS "updatedAt", (c.line).version
  FROM <all> s
 CROSS JOIN LATERAL gnomon.edit_comment(s.id, :comment, :body ->> 'body', (:body ->> 'version')::integer) c
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}

-- DELETE /api/v1/projects/{project}/stories/{story}/comments/{comment}       delete_story_comment       with story
-- DELETE /api/v1/projects/{project}/epics/{epic}/comments/{comment}          delete_epic_comment        with epic
-- DELETE /api/v1/projects/{project}/sprints/{sprint}/comments/{comment}      delete_sprint_comment      with sprint
-- DELETE /api/v1/workspaces/{ws}/objectives/{objective}/comments/{comment}   delete_objective_comment   with objective
-- Deletes a comment: your own, or, as an admin, anybody's.
-- role:   member
-- path:   {<one>} <key>, {comment} uuid
-- errors: forbidden
-- reply:  204
SELECT c AS id
  FROM <all> s
 CROSS JOIN LATERAL gnomon.delete_comment(s.id, :comment) c
 WHERE s.workspace_id = gnomon.workspace() <here> AND s.deleted_at IS NULL
   AND {<one>: s.id = :<one> | s.number = :<one>_number}
