/* Invitations: what a link that came by mail opens. The link carries the id
 * under the installation's seal; everything else stands in the database. */
#include <json-c/json.h>
#include <stdio.h>

#include "account/account.h"
#include "auth/auth.h"
#include "base/text.h"
#include "db/db.h"
#include "gen/queries.h"
#include "http/http.h"
#include "http/limit.h"

static const char cookie_lifetime[] = "14 days";

endpoint_handler invitation_show;
endpoint_handler invitation_accept;
endpoint_handler invitation_register;

/* The id under the seal; NULL: nobody here made this token. */
static const char *
invitation_id(struct op *op, const char *token)
{
	static const char what[] = "invite:";
	const char *text = auth_unseal(op, token);

	return text && text_starts(text, what) ? text + strlen(what) : NULL;
}

static void
put(struct json_object *o, const char *key, const char *text)
{
	if (text)
		json_object_object_add(o, key, json_object_new_string(text));
}

static void
put_flag(struct json_object *o, const char *key, bool is_so)
{
	if (is_so)
		json_object_object_add(o, key, json_object_new_boolean(true));
}

static void
put_invitation(struct op *op, const struct rows *found, struct json_object *doc)
{
	static const struct {
		const char *key, *column;
	} texts[] = {
	    {"email", "email"},
	    {"role", "role"},
	    {"workspaceName", "workspace"},
	    {"slug", "slug"},
	    {"projectName", "project"},
	    {"projectRole", "project_role"},
	    {"inviter", "inviter"},
	    {"myName", "me"},
	    {"myEmail", "my_email"},
	};

	for (size_t i = 0; i < nitems(texts); i++)
		put(doc, texts[i].key, rows_get(op, found, 0, texts[i].column));
	put_flag(doc, "isKnown",
	    rows_bool(found, 0, (size_t)rows_find(found, "is_known")));
	put_flag(doc, "isOpen",
	    rows_bool(found, 0, (size_t)rows_find(found, "is_open")));
}

/* GET /invite, the page: token in the query, or (a form shown again) its field */
enum err
invitation_show(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct json_object *doc = op_json(op, json_object_new_object());
	const char *token = http_query(op, rq, "token"), *id;
	struct rows *found;
	enum err e = ERR_OK;

	if (!*token)
		token = http_text(rq, "token");
	id = invitation_id(op, token);
	if (id)
		e = q_invitation_of(
		    op, id, auth_cookie_hash(op, rq->cookie), &found);
	if (e)
		return e;
	put(doc, "token", token);
	if (id && rows_count(found))
		put_invitation(op, found, doc);
	if (*rq->cookie)
		put(doc, "csrf", auth_csrf_new(op, rq->cookie));
	buf_text(rs->body, json_object_to_json_string(doc));
	return ERR_OK;
}

static void
answer(struct op *op, struct http_resp *rs, const struct rows *joined)
{
	const char *project = rows_get(op, joined, 0, "project_key");

	rs->type = "application/json";
	buf_fmt(rs->body, "{\"workspace\":{\"slug\":\"%s\"},\"project\":",
	    rows_get(op, joined, 0, "slug"));
	if (project)
		buf_fmt(rs->body, "{\"key\":\"%s\"}}", project);
	else
		buf_text(rs->body, "null}");
}

/* POST /api/v1/invitations/accept, and the form of /invite */
enum err
invitation_accept(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *id = invitation_id(op, http_text(rq, "token"));
	struct rows *joined;
	enum err e;

	if (!id)
		return op_fail(op, ERR_INVITATION_OVER, "the seal is not ours");
	e = q_accept_invitation(
	    op, id, rows_get(op, rq->who, 0, "session_id"), &joined);
	if (!e)
		answer(op, rs, joined);
	return e;
}

/* A session of the new account: it joins, and a browser stays signed in. */
static enum err
join(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const char *invitation, const char *user, struct rows **out_joined)
{
	char *cookie = auth_cookie_new(op);
	struct rows *session;
	enum err e = q_open_session(op, user, "web",
	    auth_cookie_hash(op, cookie), rq->user_agent, cookie_lifetime,
	    limit_network(op, rq->address), NULL, &session);

	if (!e)
		e = q_accept_invitation(
		    op, invitation, rows_get(op, session, 0, "id"), out_joined);
	if (!e && rq->is_form)
		http_set_session(rq, rs, cookie);
	return e;
}

/* The password of somebody invited, whose address stands in the invitation. */
static enum err
check_password(
    struct op *op, const char *id, const char *password, const char *name)
{
	struct rows *found = NULL;
	enum err e = id ? q_invitation_of(op, id, NULL, &found) : ERR_OK;

	if (e)
		return e;
	if (!found || rows_count(found) == 0)
		return op_fail(op, ERR_INVITATION_OVER, "no such invitation");
	return account_check_password(
	    op, "/password", password, rows_get(op, found, 0, "email"), name);
}

/* POST /api/v1/auth/invitation, and the form of /invite/register */
enum err
invitation_register(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *id = invitation_id(op, http_text(rq, "token"));
	const char *password = http_text(rq, "password");
	struct rows *made, *joined = NULL;
	struct db_tx *tx;
	char *hash;
	enum err e;

	if (rq->is_form && !http_may_sign_in(rq))
		return op_fail(op, ERR_FORBIDDEN, "cookies need TLS here");
	e = check_password(op, id, password, http_text(rq, "name"));
	if (e)
		return e;
	hash = auth_password_hash(op, password);
	if (!hash)
		return op_fail(op, ERR_UNAVAILABLE, "no memory for argon2");
	e = db_begin(op, &tx);
	if (!e)
		e = q_register_invited(
		    op, id, http_text(rq, "name"), hash, &made);
	if (!e)
		e = join(op, rq, rs, id, rows_get(op, made, 0, "id"), &joined);
	if (!e)
		e = db_commit(op, &tx);
	if (!e)
		answer(op, rs, joined);
	return e;
}
