/* The second factor: codes by the clock (RFC 6238) and codes on paper. */
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "account/account_priv.h"
#include "auth/auth.h"
#include "base/text.h"
#include "gen/queries.h"
#include "view/qr.h"

enum { RECOVERY_CODES = 10 };

endpoint_handler account_login_second;
endpoint_handler account_factor_begin;
endpoint_handler account_factor_confirm;
endpoint_handler account_factor_codes;
endpoint_handler account_factor_end;
endpoint_handler account_show_factor;

/* What somebody typed as a code: the time step it belongs to, or the hash of one
 * for recovery. */
struct typed {
	const char *step; /* or NULL */
	const char *hash; /* or NULL */
};

static enum err
read_code(struct op *op, const char *hidden, const char *given, int64_t after,
    struct typed *out)
{
	const char *secret = auth_decrypt(op, hidden);
	const char *plain = auth_recovery_plain(op, given);
	int64_t step;

	if (!secret)
		return op_fail(op, ERR_INTERNAL,
		    "a secret was hidden with another master key");
	step = auth_totp_step(secret, plain, time(NULL), after);
	*out = (struct typed){.step = NULL};
	if (step)
		out->step = mem_fmt(op, "%lld", (long long)step);
	else
		out->hash = auth_keyed_hash(op, plain);
	return ERR_OK;
}

static enum err
bad_code(struct op *op)
{
	(void)op_fail(op, ERR_BAD_CODE, "second factor");
	return account__refuse(op, ERR_BAD_CODE,
	    "This code is not right, or was used before. Wait for the next "
	    "one, or use a recovery code.");
}

/* POST /api/v1/auth/login/second, and the form of /login/second */
enum err
account_login_second(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *ticket =
	    account__link(op, "second", http_text(rq, "ticket"));
	const char *network = account__network(op, rq);
	struct account__somebody who = {
	    .is_browser = rq->is_form, .next = rq->next};
	struct rows *found, *done;
	struct typed code;
	enum err e = ticket
	    ? q_second_factor_of(op, ticket, network, account__code_tries,
		  account__network_tries(), &found)
	    : ERR_OK;

	if (e)
		return e;
	if (!ticket || rows_count(found) == 0)
		return account__refuse(op, ERR_LINK_OVER,
		    "This sign-in took too long. Begin it again.");
	e = account__wait(op, rs, rows_int(found, 0, 0));
	if (!e)
		e = read_code(op, rows_get(op, found, 0, "secret"),
		    http_text(rq, "code"), rows_int(found, 0, 3), &code);
	if (e)
		return e;
	who.user = rows_get(op, found, 0, "id");
	who.theme = rows_get(op, found, 0, "theme");
	e = q_use_code(op, ticket, who.user, code.step, code.hash, &done);
	if (e)
		return e;
	if (!rows_bool(done, 0, 0))
		return bad_code(op);
	e = q_forget_tries(op, "second", who.user, network, NULL);
	return e ? e : account__sign_in(op, rq, rs, &who);
}

/* The second factor of who is signed in; refuses when there is none, or when it
 * is not as it must be. tries: counts one. */
static enum err
mine(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const char *tries, bool in_force, struct rows **out)
{
	const char *const values[] = {tries};
	enum err e = http_run_as(op, rq, &stmt_my_second_factor, values, out);

	if (e)
		return e;
	if (rows_count(*out) == 0 || rows_is_null(*out, 0, 3) == in_force)
		return account__refuse(op, ERR_ILLEGAL_STATE,
		    in_force ? "Two-step sign-in is off."
			     : "Two-step sign-in is on already.");
	return account__wait(op, rs, rows_int(*out, 0, 0));
}

/* otpauth://totp/Gnomon:<address>?secret=…&issuer=Gnomon (Key URI format) */
static char *
uri_of(struct op *op, const char *email, const char *secret)
{
	return mem_fmt(op,
	    "otpauth://totp/Gnomon:%s?secret=%s&issuer=Gnomon&algorithm=SHA1&"
	    "digits=6&period=30",
	    http_encode(op, email), auth_totp_base32(op, secret));
}

static void
put_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void
put_body(struct http_resp *rs, struct json_object *doc)
{
	rs->type = "application/json";
	buf_text(rs->body,
	    json_object_to_json_string_ext(
		doc, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* POST /api/v1/users/me/second-factor, and a form of /account/security */
enum err
account_factor_begin(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *secret = auth_totp_secret(op);
	const char *const values[] = {auth_encrypt(op, secret)};
	struct json_object *doc;
	struct rows *user, *begun;
	enum err e = account__prove(
	    op, rq, rs, "/password", http_text(rq, "password"), &user);

	if (!e)
		e = http_run_as(
		    op, rq, &stmt_begin_second_factor, values, &begun);
	if (e)
		return e;
	if (!rows_bool(begun, 0, 0))
		return account__refuse(
		    op, ERR_ILLEGAL_STATE, "Two-step sign-in is on already.");
	doc = op_json(op, json_object_new_object());
	put_text(doc, "secret", auth_totp_base32(op, secret));
	put_text(
	    doc, "uri", uri_of(op, rows_get(op, user, 0, "email"), secret));
	put_body(rs, doc);
	return ERR_OK;
}

/* Ten new codes: as people keep them, one a line, and as the database does. */
static struct json_object *
new_codes(struct op *op, const char **out_lines, const char **out_hashes)
{
	struct json_object *list = json_object_new_array();
	struct buf *lines = buf_new(op, 1000), *hashes = buf_new(op, 2000);

	for (size_t i = 0; i < RECOVERY_CODES; i++) {
		const char *code = auth_recovery_new(op);
		const char *hash =
		    auth_keyed_hash(op, auth_recovery_plain(op, code));

		json_object_array_add(list, json_object_new_string(code));
		buf_fmt(lines, "%s%s", i ? " " : "", code);
		buf_fmt(hashes, "%s\"\\%s\"", i ? "," : "{", hash);
	}
	buf_char(hashes, '}');
	*out_lines = lines->data;
	*out_hashes = hashes->data;
	return list;
}

/* Tells the codes, this once. */
static void
tell_codes(struct op *op, const struct http_req *rq, struct http_resp *rs,
    struct json_object *list, const char *lines)
{
	struct json_object *doc = op_json(op, json_object_new_object());

	json_object_object_add(doc, "recoveryCodes", list);
	if (rq->is_form)
		account__keep_once(op, rq, rs, lines);
	else
		put_body(rs, doc);
}

/* POST /api/v1/users/me/second-factor/confirm, and a form of /account/security */
enum err
account_factor_confirm(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *lines, *values[2];
	struct json_object *list;
	struct rows *found, *done;
	struct typed code;
	enum err e = mine(op, rq, rs, account__code_tries, false, &found);

	if (!e)
		e = read_code(op, rows_get(op, found, 0, "secret"),
		    http_text(rq, "code"), 0, &code);
	if (e)
		return e;
	if (!code.step)
		return bad_code(op);
	list = op_json(op, new_codes(op, &lines, &values[1]));
	values[0] = code.step;
	e = http_run_as(op, rq, &stmt_confirm_second_factor, values, &done);
	if (e)
		return e;
	if (!rows_bool(done, 0, 0))
		return bad_code(op);
	tell_codes(op, rq, rs, json_object_get(list), lines);
	return q_forget_tries(op, "second", rows_get(op, found, 0, "user_id"),
	    account__network(op, rq), NULL);
}

/* Takes a code of whoever is signed in. */
static enum err
take_code(struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	struct rows *found, *done;
	struct typed code;
	const char *user;
	enum err e = mine(op, rq, rs, account__code_tries, true, &found);

	if (!e)
		e = read_code(op, rows_get(op, found, 0, "secret"),
		    http_text(rq, "code"), rows_int(found, 0, 4), &code);
	if (e)
		return e;
	user = rows_get(op, found, 0, "user_id");
	e = q_use_code(op, NULL, user, code.step, code.hash, &done);
	if (e)
		return e;
	if (!rows_bool(done, 0, 0))
		return bad_code(op);
	return q_forget_tries(
	    op, "second", user, account__network(op, rq), NULL);
}

/* POST /api/v1/users/me/second-factor/recovery-codes, and its form */
enum err
account_factor_codes(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *lines, *values[1];
	struct json_object *list;
	enum err e = take_code(op, rq, rs);

	if (e)
		return e;
	list = op_json(op, new_codes(op, &lines, &values[0]));
	e = http_run_as(op, rq, &stmt_new_recovery_codes, values, NULL);
	if (!e)
		tell_codes(op, rq, rs, json_object_get(list), lines);
	return e;
}

/* DELETE /api/v1/users/me/second-factor, and its form */
enum err
account_factor_end(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	enum err e = take_code(op, rq, rs);

	return e ? e : http_run_as(op, rq, &stmt_end_second_factor, NULL, NULL);
}

/* GET /account/security */
enum err
account_show_factor(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	static const char *const looks[] = {"-1"};
	struct json_object *doc = op_json(op, json_object_new_object());
	const char *kept = account__take_once(op, rq, rs), *secret, *uri;
	struct rows *found, *user;
	enum err e = http_run_as(op, rq, &stmt_my_second_factor, looks, &found);

	if (!e)
		e = http_run_as(op, rq, &stmt_my_proof, looks, &user);
	if (e)
		return e;
	if (kept && !auth_is_key(kept)) {
		struct json_object *list = json_object_new_array();

		for (const char *s = kept; *s;) {
			size_t n = strcspn(s, " ");

			json_object_array_add(
			    list, json_object_new_string_len(s, (int)n));
			s += n + (s[n] == ' ');
		}
		json_object_object_add(doc, "newCodes", list);
		json_object_object_add(
		    doc, "hasNewCodes", json_object_new_boolean(true));
	}
	secret = rows_count(found) && rows_is_null(found, 0, 3)
	    ? auth_decrypt(op, rows_get(op, found, 0, "secret"))
	    : NULL;
	if (secret) {
		uri = uri_of(op, rows_get(op, user, 0, "email"), secret);
		put_text(doc, "secret", auth_totp_base32(op, secret));
		put_text(doc, "uri", uri);
		put_text(doc, "qrSvg",
		    qr_svg(op, uri, "QR code for an authenticator app"));
	}
	put_body(rs, doc);
	return ERR_OK;
}
