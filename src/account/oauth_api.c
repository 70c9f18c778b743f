/*
 * Signing in with another service, the half of the web: it sends the browser there
 * and takes back what it brings. The worker does the rest (oauth_job.c), for the
 * web reaches nothing outside; the browser waits for it.
 *
 *   GET /api/v1/auth/oauth/{provider}            to the service, with state, nonce
 *                                                and the challenge of PKCE
 *   GET /api/v1/auth/oauth/{provider}/callback   back, with a code
 *   GET /login/wait                              until it is known who it is
 */
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "account/account_priv.h"
#include "account/oauth_priv.h"
#include "auth/auth.h"
#include "gen/queries.h"

enum { FLOW_SECONDS = 600, WAIT_MS = 5000, LOOK_MS = 100 };

endpoint_handler account_oauth_begin;
endpoint_handler account_oauth_callback;
endpoint_handler account_oauth_wait;
endpoint_handler account_providers;

/* A parameter of the query, or NULL. */
static const char *
given(struct op *op, const struct http_req *rq, const char *name)
{
	const char *value = http_query(op, rq, name);

	return *value ? value : NULL;
}

/* The hash of what ties an attempt to the browser that began it, or NULL. */
static const char *
browser_of(struct op *op, const struct http_req *rq)
{
	return auth_cookie_hash(op, http_cookie(op, rq, "o"));
}

static enum err
find(struct op *op, const struct http_req *rq, struct oauth_provider *out)
{
	struct rows *known;
	enum err e;

	if (!oauth__provider(op, http_segment(rq, "provider"), out))
		return op_fail(op, ERR_NOT_FOUND, "no such service");
	if (out->authorize_url)
		return ERR_OK;
	e = q_oauth_issuer(op, out->issuer, &known);
	if (e)
		return e;
	if (rows_count(known) == 0)
		return op_fail(op, ERR_SIGN_IN_UNAVAILABLE,
		    "the issuer's addresses are not known yet");
	out->authorize_url = rows_get(op, known, 0, "authorize_url");
	out->token_url = rows_get(op, known, 0, "token_url");
	return ERR_OK;
}

/* GET /api/v1/auth/oauth/{provider} */
enum err
account_oauth_begin(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *nonce = auth_cookie_new(op),
		   *verifier = auth_cookie_new(op);
	const char *browser = http_cookie(op, rq, "o"), *back;
	const char *next = given(op, rq, "next");
	struct oauth_provider to;
	struct rows *begun;
	enum err e = find(op, rq, &to);

	if (!e && !http_may_sign_in(rq))
		e = op_fail(op, ERR_FORBIDDEN, "cookies need TLS here");
	if (e)
		return e;
	if (!auth_cookie_hash(op, browser)) /* one for all its tabs */
		browser = auth_cookie_new(op);
	back = mem_fmt(
	    op, "%s/api/v1/auth/oauth/%s/callback", http_site(op, rq), to.name);
	e = q_begin_oauth(op, to.name, to.issuer, auth_cookie_hash(op, browser),
	    nonce, auth_encrypt(op, verifier), back, to.token_url,
	    next && http_is_local(next) ? next : "/", &begun);
	if (e)
		return e;
	http_set_cookie(rq, rs, "o", browser, FLOW_SECONDS);
	http_header(rs, "Cache-Control", "no-store");
	http_header(rs, "Location",
	    "%s%cresponse_type=code&client_id=%s&redirect_uri=%s&scope=%s&"
	    "state=%s&nonce=%s&code_challenge=%s&code_challenge_method=S256",
	    to.authorize_url, strchr(to.authorize_url, '?') ? '&' : '?',
	    http_encode(op, to.client_id), http_encode(op, back),
	    http_encode(op, to.scope),
	    http_encode(op,
		auth_seal(op,
		    mem_fmt(op, "oauth:%s", rows_get(op, begun, 0, "flow")))),
	    nonce, auth_challenge(op, verifier));
	return ERR_OK;
}

static enum err
bad_state(struct op *op, const char *why)
{
	return op_fail(op, ERR_BAD_STATE, "%s", why);
}

/* GET /api/v1/auth/oauth/{provider}/callback */
enum err
account_oauth_callback(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *sealed = given(op, rq, "state");
	const char *code = given(op, rq, "code");
	const char *issuer = given(op, rq, "iss");
	const char *flow = sealed ? account__link(op, "oauth", sealed) : NULL;
	const char *browser = browser_of(op, rq);
	struct oauth_provider from;
	struct rows *taken;
	enum err e;

	if (!oauth__provider(op, http_segment(rq, "provider"), &from))
		return op_fail(op, ERR_NOT_FOUND, "no such service");
	if (!flow || !browser)
		return bad_state(op, "not begun in this browser");
	if (issuer && strcmp(issuer, from.issuer) != 0) /* RFC 9207 */
		return bad_state(op, "from another issuer");
	if (!code && !given(op, rq, "error"))
		return bad_state(op, "neither code nor error");
	e = q_receive_oauth(op, flow, from.name, browser,
	    code ? auth_encrypt(op, code) : NULL, &taken);
	if (e)
		return e;
	if (!rows_bool(taken, 0, 0))
		return bad_state(op, "over, or of another browser");
	http_header(rs, "Cache-Control", "no-store");
	http_header(
	    rs, "Location", "/login/wait?flow=%s", http_encode(op, sealed));
	return ERR_OK;
}

static const char *
sentence(const char *failure)
{
	static const struct {
		const char *word, *sentence;
	} all[] = {
	    {"refused", "The service, or you, refused it."},
	    {"unverified",
		"The service has not confirmed your e-mail address. Confirm "
		"it there first."},
	    {"unreachable", "The service did not answer."},
	};

	for (size_t i = 0; i < nitems(all); i++)
		if (failure && strcmp(all[i].word, failure) == 0)
			return all[i].sentence;
	return "What the service answered could not be trusted.";
}

/* Looks until it is known who it is, or the patience of a browser is over. */
static enum err
look(struct op *op, const char *flow, const char *browser, struct rows **out,
    const char **out_state)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
	enum err e = ERR_OK;

	for (int ms = 0; !e; ms += LOOK_MS) {
		e = q_take_oauth(op, flow, browser, out);
		if (e)
			break;
		if (rows_count(*out) == 0)
			return bad_state(op, "over, or of another browser");
		*out_state = rows_get(op, *out, 0, "state");
		if ((strcmp(*out_state, "received") != 0 &&
			strcmp(*out_state, "running") != 0) ||
		    ms >= WAIT_MS)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return e;
}

/* GET /login/wait */
enum err
account_oauth_wait(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *sealed = given(op, rq, "flow"), *state = "";
	const char *flow = sealed ? account__link(op, "oauth", sealed) : NULL;
	const char *browser = browser_of(op, rq);
	struct account__somebody who = {.is_browser = true};
	struct rows *found;
	enum err e;

	if (!flow || !browser)
		return bad_state(op, "not begun in this browser");
	e = look(op, flow, browser, &found, &state);
	if (e)
		return e;
	who.next = rows_get(op, found, 0, "next");
	if (strcmp(state, "over") == 0) /* loaded again */
		return http_see_other(rs, who.next);
	if (strcmp(state, "known") == 0) {
		who.user = rows_get(op, found, 0, "user_id");
		who.theme = rows_get(op, found, 0, "theme");
		who.has_second_factor = rows_bool(found, 0, 4);
		e = account__let_in(op, rq, rs, &who);
		return e ? e : http_see_other(rs, rs->location);
	}
	rs->type = "application/json";
	if (strcmp(state, "failed") == 0)
		buf_fmt(rs->body, "{\"failure\":\"%s\"}",
		    sentence(rows_get(op, found, 0, "failure")));
	else
		buf_text(rs->body, "{\"isWaiting\":true}");
	return ERR_OK;
}

/* GET /login and /register: the services there are */
enum err
account_providers(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct json_object *doc = op_json(op, json_object_new_object());
	struct json_object *list = json_object_new_array();
	struct oauth_provider p;

	(void)rq;
	json_object_object_add(doc, "providers", list);
	for (size_t i = 0; i < OAUTH_PROVIDERS; i++) {
		struct json_object *row;

		if (!oauth__provider_at(op, i, &p))
			continue;
		row = json_object_new_object();
		json_object_object_add(
		    row, "name", json_object_new_string(p.name));
		json_object_object_add(
		    row, "label", json_object_new_string(p.label));
		json_object_array_add(list, row);
	}
	rs->type = "application/json";
	buf_text(rs->body, json_object_to_json_string(doc));
	return ERR_OK;
}
