-- GET /api/v1/workspaces/{ws}/comments/{comment}                   get_comment
-- One comment, wherever it stands: a notification or a hit of the search leads
-- here.
-- role:   viewer
-- path:   {comment} uuid
-- reply:  200 PlacedComment
SELECT c.id, c.entity_type AS "entity.type", c.entity_id AS "entity.id", c.author_id AS "author.id", c.author_name AS "author.name",
       c.body, c.mentions, c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM comment_lines c
 WHERE c.workspace_id = gnomon.workspace() AND c.id = :comment

-- GET /api/v1/projects/{project}/stories/{story}/comments          list_story_comments
-- What was said about a story, newest first.
-- role:   viewer
-- path:   {story} key(story)
-- order:  newest = c.id uuid desc; oldest = c.id uuid asc
-- reply:  200 page of Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM stories s
  JOIN comment_lines c ON c.workspace_id = s.workspace_id AND c.entity_id = s.id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number} {page}

-- part: story needed
SELECT s.id FROM stories s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- POST /api/v1/projects/{project}/stories/{story}/comments         create_story_comment
-- Says something about a story. The body is Markdown; @Mira Okafor, @mira.okafor or,
-- when nobody else is called so, @mira names a member. Whoever comments watches.
-- role:   member
-- path:   {story} key(story)
-- body:   CommentCreate
-- reply:  201 Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM stories s
 CROSS JOIN LATERAL gnomon.add_comment('story', s.id, :body ->> 'body') c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- PATCH /api/v1/projects/{project}/stories/{story}/comments/{comment} update_story_comment
-- Changes the words of your own comment. The version must be the one you saw.
-- role:   member
-- path:   {story} key(story), {comment} uuid
-- body:   CommentPatch
-- errors: version_conflict, forbidden
-- reply:  200 Comment
SELECT c.refused AS "!", (c.line).id, (c.line).author_id AS "author.id", (c.line).author_name AS "author.name", (c.line).body, (c.line).mentions,
       (c.line).edited_at AS "editedAt", (c.line).created_at AS "createdAt", (c.line).updated_at AS "updatedAt", (c.line).version
  FROM stories s
 CROSS JOIN LATERAL gnomon.edit_comment(s.id, :comment, :body ->> 'body', (:body ->> 'version')::integer) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- DELETE /api/v1/projects/{project}/stories/{story}/comments/{comment} delete_story_comment
-- Deletes a comment: your own, or, as an admin, anybody's.
-- role:   member
-- path:   {story} key(story), {comment} uuid
-- errors: forbidden
-- reply:  204
SELECT c AS id
  FROM stories s
 CROSS JOIN LATERAL gnomon.delete_comment(s.id, :comment) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {story: s.id = :story | s.number = :story_number}

-- GET /api/v1/projects/{project}/epics/{epic}/comments             list_epic_comments
-- What was said about an epic, newest first.
-- role:   viewer
-- path:   {epic} key(E)
-- order:  newest = c.id uuid desc; oldest = c.id uuid asc
-- reply:  200 page of Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM epics s
  JOIN comment_lines c ON c.workspace_id = s.workspace_id AND c.entity_id = s.id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number} {page}

-- part: epic needed
SELECT s.id FROM epics s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}

-- POST /api/v1/projects/{project}/epics/{epic}/comments            create_epic_comment
-- Says something about an epic. The body is Markdown; @Mira Okafor, @mira.okafor or,
-- when nobody else is called so, @mira names a member. Whoever comments watches.
-- role:   member
-- path:   {epic} key(E)
-- body:   CommentCreate
-- reply:  201 Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM epics s
 CROSS JOIN LATERAL gnomon.add_comment('epic', s.id, :body ->> 'body') c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}

-- PATCH /api/v1/projects/{project}/epics/{epic}/comments/{comment} update_epic_comment
-- Changes the words of your own comment. The version must be the one you saw.
-- role:   member
-- path:   {epic} key(E), {comment} uuid
-- body:   CommentPatch
-- errors: version_conflict, forbidden
-- reply:  200 Comment
SELECT c.refused AS "!", (c.line).id, (c.line).author_id AS "author.id", (c.line).author_name AS "author.name", (c.line).body, (c.line).mentions,
       (c.line).edited_at AS "editedAt", (c.line).created_at AS "createdAt", (c.line).updated_at AS "updatedAt", (c.line).version
  FROM epics s
 CROSS JOIN LATERAL gnomon.edit_comment(s.id, :comment, :body ->> 'body', (:body ->> 'version')::integer) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}

-- DELETE /api/v1/projects/{project}/epics/{epic}/comments/{comment} delete_epic_comment
-- Deletes a comment: your own, or, as an admin, anybody's.
-- role:   member
-- path:   {epic} key(E), {comment} uuid
-- errors: forbidden
-- reply:  204
SELECT c AS id
  FROM epics s
 CROSS JOIN LATERAL gnomon.delete_comment(s.id, :comment) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {epic: s.id = :epic | s.number = :epic_number}

-- GET /api/v1/projects/{project}/sprints/{sprint}/comments         list_sprint_comments
-- What was said about a sprint, newest first.
-- role:   viewer
-- path:   {sprint} key
-- order:  newest = c.id uuid desc; oldest = c.id uuid asc
-- reply:  200 page of Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM sprints s
  JOIN comment_lines c ON c.workspace_id = s.workspace_id AND c.entity_id = s.id
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number} {page}

-- part: sprint needed
SELECT s.id FROM sprints s
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- POST /api/v1/projects/{project}/sprints/{sprint}/comments        create_sprint_comment
-- Says something about a sprint. The body is Markdown; @Mira Okafor, @mira.okafor or,
-- when nobody else is called so, @mira names a member. Whoever comments watches.
-- role:   member
-- path:   {sprint} key
-- body:   CommentCreate
-- reply:  201 Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM sprints s
 CROSS JOIN LATERAL gnomon.add_comment('sprint', s.id, :body ->> 'body') c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- PATCH /api/v1/projects/{project}/sprints/{sprint}/comments/{comment} update_sprint_comment
-- Changes the words of your own comment. The version must be the one you saw.
-- role:   member
-- path:   {sprint} key, {comment} uuid
-- body:   CommentPatch
-- errors: version_conflict, forbidden
-- reply:  200 Comment
SELECT c.refused AS "!", (c.line).id, (c.line).author_id AS "author.id", (c.line).author_name AS "author.name", (c.line).body, (c.line).mentions,
       (c.line).edited_at AS "editedAt", (c.line).created_at AS "createdAt", (c.line).updated_at AS "updatedAt", (c.line).version
  FROM sprints s
 CROSS JOIN LATERAL gnomon.edit_comment(s.id, :comment, :body ->> 'body', (:body ->> 'version')::integer) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- DELETE /api/v1/projects/{project}/sprints/{sprint}/comments/{comment} delete_sprint_comment
-- Deletes a comment: your own, or, as an admin, anybody's.
-- role:   member
-- path:   {sprint} key, {comment} uuid
-- errors: forbidden
-- reply:  204
SELECT c AS id
  FROM sprints s
 CROSS JOIN LATERAL gnomon.delete_comment(s.id, :comment) c
 WHERE s.workspace_id = gnomon.workspace() AND s.project_id = gnomon.project() AND s.deleted_at IS NULL
   AND {sprint: s.id = :sprint | s.number = :sprint_number}

-- GET /api/v1/workspaces/{ws}/objectives/{objective}/comments      list_objective_comments
-- What was said about an objective, newest first.
-- role:   viewer
-- path:   {objective} key(O)
-- order:  newest = c.id uuid desc; oldest = c.id uuid asc
-- reply:  200 page of Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM objectives s
  JOIN comment_lines c ON c.workspace_id = s.workspace_id AND c.entity_id = s.id
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number} {page}

-- part: objective needed
SELECT s.id FROM objectives s
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}

-- POST /api/v1/workspaces/{ws}/objectives/{objective}/comments     create_objective_comment
-- Says something about an objective. The body is Markdown; @Mira Okafor, @mira.okafor or,
-- when nobody else is called so, @mira names a member. Whoever comments watches.
-- role:   member
-- path:   {objective} key(O)
-- body:   CommentCreate
-- reply:  201 Comment
SELECT c.id, c.author_id AS "author.id", c.author_name AS "author.name", c.body, c.mentions,
       c.edited_at AS "editedAt", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.version
  FROM objectives s
 CROSS JOIN LATERAL gnomon.add_comment('objective', s.id, :body ->> 'body') c
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}

-- PATCH /api/v1/workspaces/{ws}/objectives/{objective}/comments/{comment} update_objective_comment
-- Changes the words of your own comment. The version must be the one you saw.
-- role:   member
-- path:   {objective} key(O), {comment} uuid
-- body:   CommentPatch
-- errors: version_conflict, forbidden
-- reply:  200 Comment
SELECT c.refused AS "!", (c.line).id, (c.line).author_id AS "author.id", (c.line).author_name AS "author.name", (c.line).body, (c.line).mentions,
       (c.line).edited_at AS "editedAt", (c.line).created_at AS "createdAt", (c.line).updated_at AS "updatedAt", (c.line).version
  FROM objectives s
 CROSS JOIN LATERAL gnomon.edit_comment(s.id, :comment, :body ->> 'body', (:body ->> 'version')::integer) c
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}

-- DELETE /api/v1/workspaces/{ws}/objectives/{objective}/comments/{comment} delete_objective_comment
-- Deletes a comment: your own, or, as an admin, anybody's.
-- role:   member
-- path:   {objective} key(O), {comment} uuid
-- errors: forbidden
-- reply:  204
SELECT c AS id
  FROM objectives s
 CROSS JOIN LATERAL gnomon.delete_comment(s.id, :comment) c
 WHERE s.workspace_id = gnomon.workspace() AND s.deleted_at IS NULL
   AND {objective: s.id = :objective | s.number = :objective_number}
