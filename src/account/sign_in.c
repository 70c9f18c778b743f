/* Signing in: waits, passwords, sessions; what all ways in have in common. */
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "account/account_priv.h"
#include "auth/auth.h"
#include "base/config.h"
#include "base/text.h"
#include "gen/queries.h"
#include "http/limit.h"

enum {
	TOKEN_SECONDS = 3600,
	YEAR = 31536000,
	ONCE_SECONDS = 60,
	SETTLE_MS = 60, /* a renewal's answer leaves later than it counts */
};

/* Who renews by the same token within it did so at once. */
static const char settles[] = "50 ms";
static const char program_lifetime[] = "30 days";
static const char cookie_lifetime[] = "14 days";

const char account__tries[] = "10";
const char account__code_tries[] = "5";

/* The passwords found most often where some were stolen, of those that are long
 * enough here; letters small. */
static const char *const common[] = {"0123456789", "0987654321", "1111111111",
    "1122334455", "11223344556677", "12345678900", "123456789a", "1234567890",
    "12345678910", "123456789101112", "12345678901", "123456789012",
    "123456789123", "1234567891", "1234567899", "123456789q", "123456qwerty",
    "1234554321", "123qwe123qwe", "123qweasdzxc", "147258369a", "147852369a",
    "1q2w3e4r5t", "1q2w3e4r5t6y", "1qaz2wsx3edc", "1qazxsw23edc", "9876543210",
    "987654321a", "a123456789", "a1b2c3d4e5", "abc1234567", "abc123456789",
    "abcd123456", "abcdefghij", "abcdefghijk", "adminadmin", "administrator",
    "asdfasdfasdf", "asdfghjkl1", "asdfghjkl123", "asdfghjkl;", "changeme123",
    "changemenow", "charlie123", "chocolate1", "christopher", "computer123",
    "correcthorse", "correcthorsebatterystaple", "december2023", "dragon1234",
    "elizabeth1", "football123", "football12", "helloworld", "iloveyou12",
    "iloveyou123", "iloveyou1234", "iloveyousomuch", "jordan1234", "letmein123",
    "letmein1234", "liverpool1", "manchester", "michael123", "michelle123",
    "minecraft1", "monkey1234", "monkey12345", "p@ssw0rd123", "p@ssword123",
    "pa$$word123", "pass123456", "passw0rd12", "passw0rd123", "password01",
    "password10", "password11", "password12", "password123", "password1234",
    "password12345", "password123456", "password!1", "password1!",
    "passwordpassword", "princess12", "princess123", "q1w2e3r4t5",
    "q1w2e3r4t5y6", "qazwsxedc1", "qazwsxedcrfv", "qwe123456789", "qwer123456",
    "qwerasdfzxcv", "qwerty1234", "qwerty12345", "qwerty123456",
    "qwerty123456789", "qwertyqwerty", "qwertyuiop", "qwertyuiop1",
    "qwertyuiop123", "qwertyuiop[]", "sunshine12", "sunshine123", "superman12",
    "superman123", "trustno1trustno1", "welcome123", "welcome1234",
    "welcome2gnomon", "whatever123", "zaq12wsxcde3", "zxcvbnm123",
    "zxcvbnm1234", "zxcvbnm,./"};

const char *
account__network_tries(void)
{
	return config_int(CONFIG_SIGN_IN_LIMIT) ? "100" : "-1";
}

const char *
account__network(struct op *op, const struct http_req *rq)
{
	return limit_network(op, rq->address);
}

enum err
account__refuse(struct op *op, enum err e, const char *sentence)
{
	(void)op_fail(op, e, "%s", sentence);
	(void)op_invalid(op, "", "%s", sentence); /* the first failure stays */
	return e;
}

enum err
account__wait(struct op *op, struct http_resp *rs, int64_t seconds)
{
	if (seconds == 0)
		return ERR_OK;
	http_header(rs, "Retry-After", "%lld", (long long)seconds);
	return account__refuse(op, ERR_RATE_LIMITED,
	    mem_fmt(op, "Too many tries. Try again in %lld second%s.",
		(long long)seconds, seconds == 1 ? "" : "s"));
}

/* Small letters and digits of a text: what a guesser would try first. */
static char *
bare(struct op *op, const char *text, size_t n)
{
	char *out = mem_array(op, char, n + 1);
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != ' ' && c != '.' && c != '-' && c != '_')
			out[at++] = c;
	}
	return out;
}

static bool
is_common(const char *word)
{
	size_t i = 0;

	while (word[i] && word[i] == word[0])
		i++;
	if (!word[i]) /* one character over and over */
		return true;
	for (i = 0; i < nitems(common); i++)
		if (strcmp(common[i], word) == 0)
			return true;
	return false;
}

enum err
account_check_password(struct op *op, const char *field, const char *password,
    const char *email, const char *name)
{
	char *word = bare(op, password, strlen(password));
	size_t local = strcspn(email, "@");

	if (is_common(word) || is_common(password))
		return op_invalid(op, field,
		    "This password is among those tried first. Choose "
		    "another, such as four words that do not belong "
		    "together.");
	if (strcmp(word, bare(op, email, strlen(email))) == 0 ||
	    strcmp(word, bare(op, email, local)) == 0 ||
	    strcmp(word, bare(op, name, strlen(name))) == 0)
		return op_invalid(op, field,
		    "Choose a password that is not your name or e-mail "
		    "address.");
	return ERR_OK;
}

/* The next pages look as this person likes them. */
static void
put_theme(const struct http_req *rq, struct http_resp *rs, const char *theme)
{
	if (theme &&
	    (strcmp(theme, "light") == 0 || strcmp(theme, "dark") == 0))
		http_set_cookie(rq, rs, "theme", theme, YEAR);
}

/* While the password was looked at, the account was deleted or got another. */
static enum err
is_gone(struct op *op)
{
	return op_fail(op, ERR_BAD_CREDENTIALS, "gone, or changed meanwhile");
}

/* A browser gets a cookie whose hash we keep. */
static enum err
sign_browser_in(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const struct account__somebody *who)
{
	char *cookie = auth_cookie_new(op);
	struct rows *opened;
	enum err e;

	if (!http_may_sign_in(rq))
		return op_fail(op, ERR_FORBIDDEN, "cookies need TLS here");
	e = q_open_session(op, who->user, "web", auth_cookie_hash(op, cookie),
	    rq->user_agent, cookie_lifetime, account__network(op, rq),
	    who->proof, &opened);
	if (e)
		return e;
	if (rows_is_null(opened, 0, 0))
		return is_gone(op);
	http_set_session(rq, rs, cookie);
	put_theme(rq, rs, who->theme);
	if (who->next)
		rs->location = who->next;
	return ERR_OK;
}

static void
put_tokens(struct op *op, struct http_resp *rs, const char *session,
    const char *user, const char *refresh)
{
	rs->type = "application/json";
	buf_fmt(rs->body,
	    "{\"accessToken\":\"%s\",\"tokenType\":\"Bearer\","
	    "\"expiresIn\":%d,\"refreshToken\":\"%s\"}",
	    auth_token_new(op, session, user, time(NULL), TOKEN_SECONDS),
	    TOKEN_SECONDS, refresh);
}

/* A program gets an access token that names its session, and a refresh token
 * for when that has expired. */
static enum err
sign_program_in(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const struct account__somebody *who)
{
	const char *refresh = auth_prefixed_new(op, "gnr_"), *session;
	struct rows *opened;
	enum err e = q_open_session(op, who->user, "api", NULL, rq->user_agent,
	    program_lifetime, account__network(op, rq), who->proof, &opened);

	if (e)
		return e;
	session = rows_get(op, opened, 0, "id");
	if (!session)
		return is_gone(op);
	e = q_add_refresh(op, session, auth_hash(op, refresh), NULL);
	if (!e)
		put_tokens(op, rs, session, who->user, refresh);
	return e;
}

enum err
account__sign_in(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const struct account__somebody *who)
{
	return who->is_browser ? sign_browser_in(op, rq, rs, who)
			       : sign_program_in(op, rq, rs, who);
}

enum err
account__let_in(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const struct account__somebody *who)
{
	struct rows *asked;
	char *ticket;
	enum err e;

	if (!who->has_second_factor)
		return account__sign_in(op, rq, rs, who);
	e = q_ask_second_factor(op, who->user, &asked);
	if (e)
		return e;
	ticket = auth_seal(
	    op, mem_fmt(op, "second:%s", rows_get(op, asked, 0, "ticket")));
	if (who->is_browser) {
		rs->location = mem_fmt(op, "/login/second?ticket=%s&next=%s",
		    http_encode(op, ticket),
		    http_encode(op, who->next ? who->next : "/"));
		return ERR_OK;
	}
	op->details = op_json(op, json_object_new_object());
	json_object_object_add(
	    op->details, "ticket", json_object_new_string(ticket));
	return op_fail(op, ERR_SECOND_FACTOR_REQUIRED, "asked for a code");
}

endpoint_handler account_login;
endpoint_handler account_refresh;
endpoint_handler account_logout;

static bool
asks_to_verify(void)
{
	const char *word = config_get(CONFIG_REQUIRE_VERIFICATION);

	return strcmp(word, "on") == 0 ||
	    (strcmp(word, "auto") == 0 && *config_get(CONFIG_SMTP_URL));
}

/* A password that was right, kept in an older way, is kept in today's. */
static void
renew(struct op *op, struct account__somebody *who, const char *password)
{
	struct op *aside = op_new(op, op->id, op->db);
	char *fresh = auth_password_hash(op, password);

	/* where it fails, the next sign-in tries again */
	if (fresh && !q_renew_hash(aside, who->user, who->proof, fresh, NULL))
		who->proof = fresh;
	mem_drop(&aside);
}

/* POST /api/v1/auth/login, and the form of /login */
enum err
account_login(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	struct account__somebody who = {
	    .is_browser = rq->is_form, .next = rq->next};
	const char *email = http_text(rq, "email");
	const char *password = http_text(rq, "password"), *hash;
	struct rows *found;
	enum err e = q_begin_sign_in(op, email, account__network(op, rq),
	    account__tries, account__network_tries(), &found);

	if (!e)
		e = account__wait(op, rs, rows_int(found, 0, 0));
	if (e)
		return e;
	who.user = rows_get(op, found, 0, "id");
	hash = rows_get(op, found, 0, "password_hash");
	if (!auth_password_matches(hash, password))
		return op_fail(op, ERR_BAD_CREDENTIALS, "sign-in");
	e = q_forget_tries(
	    op, "account", email, account__network(op, rq), NULL);
	if (e)
		return e;
	who.proof = hash;
	if (auth_password_is_old(hash))
		renew(op, &who, password);
	if (asks_to_verify() && !rows_bool(found, 0, 3))
		return op_fail(op, ERR_UNVERIFIED, "sign-in");
	who.has_second_factor = rows_bool(found, 0, 4);
	who.theme = rows_get(op, found, 0, "theme");
	return account__let_in(op, rq, rs, &who);
}

/* POST /api/v1/auth/refresh */
enum err
account_refresh(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const struct timespec pause = {.tv_nsec = SETTLE_MS * 1000000};
	const char *given = http_text(rq, "refreshToken");
	const char *next = auth_prefixed_next(op, "gnr_", given), *outcome;
	struct rows *turned;
	enum err e;

	if (!auth_is_refresh(given))
		return op_fail(op, ERR_UNAUTHENTICATED, "no refresh token");
	e = q_rotate_refresh(op, auth_hash(op, given), auth_hash(op, next),
	    program_lifetime, account__network(op, rq), rq->arrived, settles,
	    &turned);
	if (e)
		return e;
	outcome = rows_get(op, turned, 0, "outcome");
	if (strcmp(outcome, "renewed") != 0)
		return op_fail(
		    op, ERR_UNAUTHENTICATED, "refresh token: %s", outcome);
	(void)nanosleep(&pause, NULL);
	put_tokens(op, rs, rows_get(op, turned, 0, "session_id"),
	    rows_get(op, turned, 0, "user_id"), next);
	return ERR_OK;
}

/* POST /api/v1/auth/logout, and the form of /logout */
enum err
account_logout(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *const values[] = {rows_get(op, rq->who, 0, "session_id")};
	enum err e = http_run_as(op, rq, &stmt_close_session, values, NULL);

	if (!e && rq->is_form)
		http_set_session(rq, rs, "");
	return e;
}

/* ---- signing up, and links in mails */

endpoint_handler account_register;
endpoint_handler account_verify;
endpoint_handler account_verify_send;
endpoint_handler account_forgot;
endpoint_handler account_reset;
endpoint_handler account_login_page;

/* POST /api/v1/auth/register, and the form of /register */
enum err
account_register(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *email = http_text(rq, "email"),
		   *name = http_text(rq, "name");
	const char *password = http_text(rq, "password");
	struct account__somebody who = {
	    .is_browser = true, .next = rq->next ? rq->next : "/"};
	struct rows *made;
	char *hash;
	enum err e =
	    account_check_password(op, "/password", password, email, name);

	if (e)
		return e;
	hash = auth_password_hash(op, password);
	if (!hash)
		return op_fail(op, ERR_UNAVAILABLE, "no memory for argon2");
	e = q_register(op, email, name, hash, "false",
	    asks_to_verify() ? "true" : "false", &made);
	if (e == ERR_CONFLICT)
		(void)op_invalid(op, "/email",
		    "There is an account with this e-mail address.");
	if (e)
		return e;
	who.user = rows_get(op, made, 0, "id");
	if (rq->is_form && asks_to_verify())
		rs->location =
		    mem_fmt(op, "/verify?email=%s", http_encode(op, email));
	if (rq->is_form)
		return asks_to_verify() ? ERR_OK
					: account__sign_in(op, rq, rs, &who);
	rs->type = "application/json";
	buf_fmt(rs->body, "{\"id\":\"%s\",\"workspace\":{\"slug\":\"%s\"}}",
	    who.user, rows_get(op, made, 0, "workspace_slug"));
	return ERR_OK;
}

const char *
account__link(struct op *op, const char *kind, const char *sealed)
{
	const char *text = auth_unseal(op, sealed);
	size_t n = strlen(kind);

	return text && text_starts(text, kind) && text[n] == ':' &&
		text_is_uuid(text + n + 1)
	    ? text + n + 1
	    : NULL;
}

static enum err
link_is_over(struct op *op)
{
	return account__refuse(op, ERR_LINK_OVER,
	    "This link was used before or has expired. Ask for a new one.");
}

/* POST /api/v1/auth/verify, and the form of /verify */
enum err
account_verify(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *token = account__link(op, "verify", http_text(rq, "token"));
	struct rows *done;
	enum err e = token ? q_verify_address(op, token, &done) : ERR_OK;

	(void)rs;
	if (e)
		return e;
	return token && rows_count(done) ? ERR_OK : link_is_over(op);
}

/* POST /api/v1/auth/verify/send: known or unknown, the answer is the same */
enum err
account_verify_send(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	(void)rs;
	return q_ask_again(op, http_text(rq, "email"), NULL);
}

/* POST /api/v1/auth/forgot-password, likewise */
enum err
account_forgot(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	(void)rs;
	return q_forgot_password(op, http_text(rq, "email"), NULL);
}

/* POST /api/v1/auth/reset-password, and the form of /reset */
enum err
account_reset(struct op *op, struct http_req *rq, struct http_resp *rs)
{
	const char *token = account__link(op, "reset", http_text(rq, "token"));
	const char *password = http_text(rq, "password");
	struct rows *who, *done;
	char *hash;
	enum err e = token ? q_reset_of(op, token, &who) : ERR_OK;

	(void)rs;
	if (e)
		return e;
	if (!token || rows_count(who) == 0)
		return link_is_over(op);
	e = account_check_password(op, "/password", password,
	    rows_get(op, who, 0, "email"), rows_get(op, who, 0, "name"));
	if (e)
		return e;
	hash = auth_password_hash(op, password);
	if (!hash)
		return op_fail(op, ERR_UNAVAILABLE, "no memory for argon2");
	e = q_reset_password(op, token, hash, &done);
	if (e)
		return e;
	return rows_bool(done, 0, 0) ? ERR_OK : link_is_over(op);
}

/* ---- shown once */

void
account__keep_once(struct op *op, const struct http_req *rq,
    struct http_resp *rs, const char *text)
{
	http_set_cookie(rq, rs, "k", auth_encrypt(op, text), ONCE_SECONDS);
}

char *
account__take_once(
    struct op *op, const struct http_req *rq, struct http_resp *rs)
{
	const char *hidden = http_cookie(op, rq, "k");

	if (!hidden)
		return NULL;
	http_set_cookie(rq, rs, "k", "", 0);
	return auth_decrypt(op, hidden);
}
