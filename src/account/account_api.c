/* Accounts: what is left for C to do at sign-up, sign-in and sign-out. */
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "auth/auth.h"
#include "gen/queries.h"
#include "http/http.h"

enum { TOKEN_SECONDS = 3600 };
static const char token_lifetime[] = "1 hour";
static const char cookie_lifetime[] = "14 days";

endpoint_handler account_register;
endpoint_handler account_login;
endpoint_handler account_logout;

/* POST /api/v1/auth/register, declared in sql/api/account.sql */
enum err
account_register(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	char *hash = auth_password_hash(op, http_text(rq, "password"));
	struct rows *made;
	enum err e;

	if (!hash)
		return op_fail(op, ERR_UNAVAILABLE, "no memory for argon2");
	e = q_register(
	    op, http_text(rq, "email"), http_text(rq, "name"), hash, &made);
	if (e)
		return e;
	rs->type = "application/json";
	buf_fmt(rs->body, "{\"id\":\"%s\",\"workspace\":{\"slug\":\"%s\"}}",
	    rows_get(op, made, 0, "id"),
	    rows_get(op, made, 0, "workspace_slug"));
	return ERR_OK;
}

/* A browser gets a cookie whose hash we keep. */
static enum err
sign_browser_in(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const char *user)
{
	char *cookie = auth_cookie_new(op);
	enum err e;

	if (!http_may_sign_in(rq))
		return op_fail(op, ERR_FORBIDDEN, "cookies need TLS here");
	e = q_open_session(op, user, "web", auth_cookie_hash(op, cookie),
	    rq->user_agent, cookie_lifetime, NULL);
	if (!e)
		http_set_session(rq, rs, cookie);
	return e;
}

/* A program gets an access token that names its session. */
static enum err
sign_program_in(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const char *user)
{
	struct rows *session;
	enum err e = q_open_session(
	    op, user, "api", NULL, rq->user_agent, token_lifetime, &session);

	if (e)
		return e;
	rs->type = "application/json";
	buf_fmt(rs->body,
	    "{\"accessToken\":\"%s\",\"tokenType\":\"Bearer\","
	    "\"expiresIn\":%d}",
	    auth_token_new(op, rows_get(op, session, 0, "id"), user, time(NULL),
		TOKEN_SECONDS),
	    TOKEN_SECONDS);
	return ERR_OK;
}

/* POST /api/v1/auth/login, and the form of /login */
enum err
account_login(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct rows *found;
	const char *user, *hash;
	enum err e = q_password_of(op, http_text(rq, "email"), &found);

	if (e)
		return e;
	user = rows_count(found) ? rows_get(op, found, 0, "id") : NULL;
	hash = user ? rows_get(op, found, 0, "password_hash") : NULL;
	if (!auth_password_matches(hash, http_text(rq, "password")))
		return op_fail(op, ERR_BAD_CREDENTIALS, "sign-in");
	return rq->is_form ? sign_browser_in(op, rq, rs, user)
			   : sign_program_in(op, rq, rs, user);
}

/* POST /api/v1/auth/logout, and the form of /logout */
enum err
account_logout(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *session = rows_get(op, rq->who, 0, "session_id");
	const char *const close_values[] = {session};
	const char *enter_values[7] = {
	    [0] = auth_cookie_hash(op, rq->cookie), [5] = "0", [6] = "false"};
	struct db_call calls[2] = {
	    {.stmt = &stmt_enter, .values = enter_values},
	    {.stmt = &stmt_close_session, .values = close_values},
	};
	enum err e;

	if (!enter_values[0])
		enter_values[1] = session;
	e = db_run(op, calls, 2, false);
	if (!e && rq->is_form)
		http_set_session(rq, rs, "");
	return e;
}
