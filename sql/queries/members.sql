-- What invitations need outside any workspace, and what gnomonctl asks of the audit log.

-- name: invitation_of
-- What the holder of a link is told; cookie is the browser's, or NULL.
-- args: invitation uuid, cookie bytea
SELECT is_open, email, role, workspace, slug, project, project_role, inviter, is_known, me, my_email
  FROM gnomon.invitation_of(:invitation, :cookie)

-- name: accept_invitation
-- Lets the user of a session in.
-- args: invitation uuid, session uuid
SELECT slug, project_key FROM gnomon.accept_invitation(:invitation, :session)

-- name: register_invited
-- The account of somebody invited, with the address invited.
-- args: invitation uuid, name text, hash text
SELECT id FROM gnomon.register_invited(:invitation, :name, :hash)

-- name: audit_verify
-- Walks the audit chains; slug is '' for every workspace.
-- args: slug text
SELECT slug, entries, encode(head, 'hex') AS head, broken, why FROM gnomon.audit_verify(nullif(:slug, ''))

-- name: audit_holds
-- Whether an entry with this hash, noted when it was the last, is still there.
-- args: slug text, hash text
SELECT EXISTS (SELECT FROM audit_log a JOIN workspaces w ON w.id = a.workspace_id
                WHERE w.slug = :slug AND encode(a.hash, 'hex') = lower(:hash)) AS holds

-- name: audit_heads
-- How many audit chains do not end as they should.
-- args:
SELECT gnomon.audit_heads_broken() AS broken
