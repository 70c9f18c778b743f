/*
 * Signing in with another service, the half of the worker: a code is exchanged
 * once, and what comes back says who it is.
 *
 * An id token comes straight from the token endpoint over TLS, so its signature
 * adds nothing (OpenID Connect Core 3.1.3.7, item 6); everything else of it is
 * checked. Plain http is for issuers on this machine.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "account/account.h"
#include "account/account_priv.h"
#include "account/oauth_priv.h"
#include "auth/auth.h"
#include "base/log.h"
#include "base/text.h"
#include "gen/queries.h"
#include "net/net.h"

enum { TIMEOUT_MS = 10000, RETRY_SECONDS = 60 };

/* Who it is, as the service says. */
struct said {
	const char *subject, *email, *name;
	bool is_confirmed;
};

static const char *
text_of(struct json_object *o, const char *key)
{
	struct json_object *value = json_object_object_get(o, key);

	return json_object_is_type(value, json_type_string)
	    ? json_object_get_string(value)
	    : NULL;
}

static bool
is_true(struct json_object *o, const char *key)
{
	struct json_object *value = json_object_object_get(o, key);

	return json_object_is_type(value, json_type_boolean)
	    ? json_object_get_boolean(value)
	    : text_of(o, key) && strcmp(text_of(o, key), "true") == 0;
}

/* A JSON document from a service; NULL when it gives none. */
static struct json_object *
ask(struct op *op, const struct net_request *rq)
{
	struct op *aside = op_new(op, op->id, op->db);
	struct net_reply reply = {.status = 0};
	struct json_object *doc = NULL;

	if (net_http(aside, rq, &reply))
		log_warn("sign_in_service", LOG_S("url", rq->url),
		    LOG_S("why", aside->why));
	else if (reply.status != 200)
		log_warn("sign_in_service", LOG_S("url", rq->url),
		    LOG_I("status", reply.status));
	else
		doc = op_json(op, json_tokener_parse(reply.body));
	mem_drop(&aside);
	return doc;
}

/* The code becomes tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5). */
static struct json_object *
exchange(struct op *op, const struct oauth_provider *p, struct rows *flow)
{
	const char *code = auth_decrypt(op, rows_get(op, flow, 0, "code"));
	const char *verifier =
	    auth_decrypt(op, rows_get(op, flow, 0, "verifier"));
	const char *headers[] = {"Accept: application/json",
	    "Content-Type: application/x-www-form-urlencoded",
	    "User-Agent: Gnomon", NULL, NULL};
	const char *url = rows_get(op, flow, 0, "token_url");
	const char *id = http_encode(op, p->client_id);
	const char *secret = http_encode(op, p->client_secret);
	bool is_basic = strcmp(p->name, "oidc") == 0 && *secret;
	char *body;

	if (!code || !verifier || !oauth__is_safe(url))
		return NULL;
	body = mem_fmt(op,
	    "grant_type=authorization_code&code=%s&redirect_uri=%s&"
	    "code_verifier=%s",
	    http_encode(op, code),
	    http_encode(op, rows_get(op, flow, 0, "redirect_uri")), verifier);
	if (is_basic) /* what every server must know (section 2.3.1) */
		headers[3] = mem_fmt(op, "Authorization: Basic %s",
		    auth_base64(op, mem_fmt(op, "%s:%s", id, secret)));
	else
		body = mem_fmt(
		    op, "%s&client_id=%s&client_secret=%s", body, id, secret);
	return ask(op,
	    &(struct net_request){.url = url,
		.headers = headers,
		.body = body,
		.body_n = strlen(body),
		.timeout_ms = TIMEOUT_MS});
}

/* Whether an audience is us and nobody else who would have to be trusted. */
static bool
is_for_us(struct json_object *claims, const char *client)
{
	struct json_object *aud = json_object_object_get(claims, "aud");
	const char *party = text_of(claims, "azp");
	bool found = false;

	if (party && strcmp(party, client) != 0)
		return false;
	if (json_object_is_type(aud, json_type_string))
		return strcmp(json_object_get_string(aud), client) == 0;
	if (!json_object_is_type(aud, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(aud); i++) {
		struct json_object *one = json_object_array_get_idx(aud, i);

		found = found ||
		    (json_object_is_type(one, json_type_string) &&
			strcmp(json_object_get_string(one), client) == 0);
	}
	return found && (json_object_array_length(aud) == 1 || party);
}

/* The claims of an id token; NULL when it is no JWT. */
static struct json_object *
claims_of(struct op *op, const char *token)
{
	const char *first = token ? strchr(token, '.') : NULL;
	const char *second = first ? strchr(first + 1, '.') : NULL;
	const char *text = second && !strchr(second + 1, '.')
	    ? auth_base64url(op, first + 1, (size_t)(second - first) - 1)
	    : NULL;
	struct json_object *claims =
	    text ? op_json(op, json_tokener_parse(text)) : NULL;

	return json_object_is_type(claims, json_type_object) ? claims : NULL;
}

/* What is wrong with an id token, in a word; NULL: nothing. */
static const char *
fault_of(struct json_object *claims, const struct oauth_provider *p,
    const char *nonce)
{
	const char *issuer = text_of(claims, "iss");
	const char *said = text_of(claims, "nonce");
	const char *subject = text_of(claims, "sub");
	bool is_google = strcmp(p->name, "google") == 0;

	if (!issuer ||
	    (strcmp(issuer, p->issuer) != 0 &&
		!(is_google && strcmp(issuer, "accounts.google.com") == 0)))
		return "issuer";
	if (!is_for_us(claims, p->client_id))
		return "audience";
	if (json_object_get_int64(json_object_object_get(claims, "exp")) <=
	    time(NULL))
		return "expired";
	if (!said || strcmp(said, nonce) != 0)
		return "nonce";
	if (!subject || !*subject || strlen(subject) > 255)
		return "subject";
	return NULL;
}

static const char *
read_id_token(struct op *op, const struct oauth_provider *p,
    struct json_object *tokens, const char *nonce, struct said *out)
{
	struct json_object *claims = claims_of(op, text_of(tokens, "id_token"));
	const char *fault = claims ? fault_of(claims, p, nonce) : "id_token";

	if (fault)
		return fault;
	*out = (struct said){.subject = text_of(claims, "sub"),
	    .email = text_of(claims, "email"),
	    .name = text_of(claims, "name"),
	    .is_confirmed = is_true(claims, "email_verified")};
	return NULL;
}

/* GitHub has no id token: it is asked who the access token is of. */
static const char *
ask_github(struct op *op, const struct oauth_provider *p,
    struct json_object *tokens, struct said *out)
{
	const char *access = text_of(tokens, "access_token");
	const char *headers[] = {"Accept: application/vnd.github+json",
	    "User-Agent: Gnomon", NULL, NULL};
	struct net_request rq = {.headers = headers, .timeout_ms = TIMEOUT_MS};
	struct json_object *user, *emails, *id;

	if (!access || !oauth__is_safe(p->api_url))
		return "access_token";
	headers[2] = mem_fmt(op, "Authorization: Bearer %s", access);
	rq.url = mem_fmt(op, "%s/user", p->api_url);
	user = ask(op, &rq);
	rq.url = mem_fmt(op, "%s/user/emails", p->api_url);
	emails = ask(op, &rq);
	id = json_object_object_get(user, "id");
	if (!json_object_is_type(id, json_type_int))
		return "subject";
	*out = (struct said){
	    .subject = json_object_get_string(id), /* logins change hands */
	    .name = text_of(user, "name") ? text_of(user, "name")
					  : text_of(user, "login")};
	for (size_t i = 0; json_object_is_type(emails, json_type_array) &&
	     i < json_object_array_length(emails);
	     i++) {
		struct json_object *one = json_object_array_get_idx(emails, i);

		if (!is_true(one, "primary"))
			continue;
		out->email = text_of(one, "email");
		out->is_confirmed = is_true(one, "verified");
	}
	return NULL;
}

/* A name as people could have typed it: control characters are spaces. */
static const char *
line_of(struct op *op, const char *name)
{
	char *line = name ? mem_dup(op, name) : NULL;

	for (char *c = line; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return line;
}

/* Ends one attempt, well or not. */
static enum err
work_one(struct op *op, struct rows *flow)
{
	const char *id = rows_get(op, flow, 0, "id"), *fault = NULL;
	const char *issuer = rows_get(op, flow, 0, "issuer");
	struct oauth_provider p;
	struct json_object *tokens;
	struct said said = {.subject = NULL};

	if (!oauth__provider(op, rows_get(op, flow, 0, "provider"), &p) ||
	    strcmp(p.issuer, issuer) != 0)
		return q_fail_oauth(op, id, "refused", NULL);
	tokens = exchange(op, &p, flow);
	if (!tokens)
		fault = "exchange";
	else if (p.api_url)
		fault = ask_github(op, &p, tokens, &said);
	else
		fault = read_id_token(
		    op, &p, tokens, rows_get(op, flow, 0, "nonce"), &said);
	/* plain ASCII: letters that fold to others would be somebody else's */
	if (!fault && (!said.email || !net_mail_address(op, said.email)))
		said.is_confirmed = false;
	if (fault) {
		log_warn("sign_in_refused", LOG_S("provider", p.name),
		    LOG_S("why", fault));
		return q_fail_oauth(op, id, fault, NULL);
	}
	return q_finish_oauth(op, id, said.subject, said.email,
	    said.is_confirmed ? "true" : "false", line_of(op, said.name), NULL);
}

/* Where an issuer is (OpenID Connect Discovery 1.0, section 4). */
static enum err
discover(struct op *op, const struct oauth_provider *p)
{
	static time_t tried;
	const char *authorize, *token, *issuer;
	struct json_object *doc;
	struct rows *known;
	enum err e = q_oauth_issuer(op, p->issuer, &known);

	if (e || (rows_count(known) && rows_bool(known, 0, 2)) ||
	    (tried && time(NULL) - tried < RETRY_SECONDS))
		return e;
	tried = time(NULL);
	doc = ask(op,
	    &(struct net_request){.timeout_ms = TIMEOUT_MS,
		.url = mem_fmt(op, "%s%s.well-known/openid-configuration",
		    p->issuer, text_ends(p->issuer, "/") ? "" : "/")});
	issuer = text_of(doc, "issuer");
	authorize = text_of(doc, "authorization_endpoint");
	token = text_of(doc, "token_endpoint");
	if (!issuer || strcmp(issuer, p->issuer) != 0 || !authorize || !token ||
	    !oauth__is_safe(authorize) || !oauth__is_safe(token)) {
		log_warn("sign_in_service", LOG_S("issuer", p->issuer),
		    LOG_S("why", "its configuration cannot be used"));
		return ERR_OK;
	}
	return q_remember_issuer(op, p->issuer, authorize, token, NULL);
}

enum err
account_oauth_work(struct op *op)
{
	struct oauth_provider p;
	struct rows *flow;
	enum err e =
	    oauth__provider(op, "oidc", &p) ? discover(op, &p) : ERR_OK;

	while (!e) {
		struct op *part = op_new(op, "sign-in", op->db);

		e = q_claim_oauth(part, &flow);
		if (!e && rows_count(flow) == 0) {
			mem_drop(&part);
			break;
		}
		if (!e)
			e = work_one(part, flow);
		if (e)
			op_fail(op, e, "%s", part->why);
		mem_drop(&part);
	}
	return e;
}
