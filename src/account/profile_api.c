/* One's own account: password, preferences, API keys, its end. */
#include <json-c/json.h>
#include <stdio.h>

#include "account/account_priv.h"
#include "auth/auth.h"
#include "gen/queries.h"

enum { YEAR = 31536000 };

endpoint_handler account_change_password;
endpoint_handler account_delete;
endpoint_handler account_preferences;
endpoint_handler account_key;
endpoint_handler account_show_keys;

enum err
account__prove(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const char *field, const char *given, struct rows **out_user)
{
	const char *const values[] = {account__tries};
	const char *hash;
	struct rows *found;
	enum err e = http_run_as(op, rq, &stmt_my_proof, values, &found);

	if (!e)
		e = account__wait(op, rs, rows_int(found, 0, 0));
	if (e)
		return e;
	hash = rows_get(op, found, 0, "password_hash");
	if (hash && !auth_password_matches(hash, given))
		return op_invalid(op, field, "This is not your password.");
	if (!hash && !rows_bool(found, 0, 5))
		return op_invalid(op, "",
		    "Sign in again and do this within ten minutes: your "
		    "account has no password to ask for.");
	e = q_forget_tries(op, "account", rows_get(op, found, 0, "email"),
	    account__network(op, rq), NULL);
	if (!e && out_user)
		*out_user = found;
	return e;
}

/* POST /api/v1/users/me/password, and a form of /account */
enum err
account_change_password(
    struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *wanted = http_text(rq, "newPassword");
	const char *values[1];
	struct rows *user;
	enum err e = account__prove(
	    op, rq, rs, "/password", http_text(rq, "password"), &user);

	if (!e)
		e = account_check_password(op, "/newPassword", wanted,
		    rows_get(op, user, 0, "email"),
		    rows_get(op, user, 0, "name"));
	if (e)
		return e;
	values[0] = auth_password_hash(op, wanted);
	if (!values[0])
		return op_fail(op, ERR_UNAVAILABLE, "no memory for argon2");
	return http_run_as(op, rq, &stmt_change_password, values, NULL);
}

/* DELETE /api/v1/users/me, and the form of /account/delete */
enum err
account_delete(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct rows *kept;
	enum err e = account__prove(
	    op, rq, rs, "/password", http_text(rq, "password"), NULL);

	if (!e)
		e = http_run_as(op, rq, &stmt_delete_me, NULL, &kept);
	if (e)
		return e;
	if (rows_count(kept)) {
		(void)op_fail(op, ERR_LAST_OWNER, "account");
		for (size_t i = 0; i < rows_count(kept); i++)
			(void)op_invalid(op, "",
			    "You are the last owner of %s (%s). Make another "
			    "member its owner first.",
			    rows_get(op, kept, i, "name"),
			    rows_get(op, kept, i, "slug"));
		return op->err;
	}
	if (rq->is_form)
		http_set_session(rq, rs, "");
	return ERR_OK;
}

/* PATCH /api/v1/users/me/preferences, and a form of /account */
enum err
account_preferences(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct json_object *body = op_json(op, json_object_new_object());
	const char *values[1], *theme = http_text(rq, "theme");
	struct rows *made;
	enum err e;

	json_object_object_add(body, "preferences", json_object_get(rq->json));
	values[0] = json_object_to_json_string(body);
	e = http_run_as(op, rq, &stmt_update_me, values, &made);
	if (e)
		return e;
	if (rq->is_form && strcmp(theme, "system") == 0)
		http_set_cookie(rq, rs, "theme", "", 0);
	else if (rq->is_form && *theme) /* one of the schema's words */
		http_set_cookie(rq, rs, "theme", theme, YEAR);
	rs->type = "application/json";
	buf_text(rs->body, rows_get(op, made, 0, "preferences"));
	return ERR_OK;
}

/* POST /api/v1/users/me/tokens, and the form of /account/tokens */
enum err
account_key(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *key = auth_prefixed_new(op, "gnk_");
	const char *days = http_text(rq, "expiresInDays");
	const char *const values[] = {auth_hash(op, key), http_text(rq, "name"),
	    http_text(rq, "scope"), *days ? days : NULL};
	struct json_object *doc;
	struct rows *made;
	struct buf *b;
	enum err e = http_run_as(op, rq, &stmt_make_key, values, &made);

	if (e)
		return e;
	if (rq->is_form) {
		account__keep_once(op, rq, rs, key);
		return ERR_OK;
	}
	b = buf_new(op, 10000);
	if (!rows_json_all(made, b))
		return op_fail(op, ERR_INTERNAL, "make_key");
	doc = json_object_array_get_idx(
	    op_json(op, json_tokener_parse(b->data)), 0);
	json_object_object_add(doc, "token", json_object_new_string(key));
	rs->type = "application/json";
	buf_text(rs->body,
	    json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN));
	return ERR_OK;
}

/* GET /account/tokens: the key that was just made is shown, this once */
enum err
account_show_keys(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *key = account__take_once(op, rq, rs);

	if (key && auth_is_key(key))
		buf_fmt(rs->body, "{\"newKey\":\"%s\"}", key);
	else
		buf_text(rs->body, "{}");
	return ERR_OK;
}
