/* Shared inside account/ only. */
#ifndef GNOMON_ACCOUNT_PRIV_H
#define GNOMON_ACCOUNT_PRIV_H

#include "account/account.h"
#include "db/db.h"
#include "http/http.h"

enum { LINK_TEXT_MAX = 200 };

/* How often a password or code may be wrong within an hour before who guesses
 * waits, by account and by network, as text for a statement. */
extern const char account__tries[];
extern const char account__code_tries[];
const char *account__network_tries(void);

/* Whose network a request comes from. */
const char *account__network(struct op *op, const struct http_req *rq);

/* Refuses with Retry-After when there is something to wait for. */
enum err
account__wait(struct op *op, struct http_resp *rs, int64_t seconds) MUST_CHECK;

/* A failure that is not the fault of a field, and its sentence for people. */
enum err
account__refuse(struct op *op, enum err e, const char *sentence) MUST_CHECK;

/* Somebody proved who they are: asks for the second factor, where there is one, or
 * signs in. A browser gets a cookie and goes to next (NULL: where its form's block
 * says), a program gets tokens. */
struct account__somebody {
	const char *user;
	const char *theme; /* their preference, or NULL */
	const char
	    *proof; /* the hash their password was compared with, or NULL */
	bool has_second_factor;
	bool is_browser;
	const char *next;
};
enum err account__let_in(struct op *op, const struct http_req *rq,
    struct http_resp *rs, const struct account__somebody *who) MUST_CHECK;
enum err account__sign_in(struct op *op, const struct http_req *rq,
    struct http_resp *rs, const struct account__somebody *who) MUST_CHECK;

/* The signed-in user proves a change by the password `given`, or, where the account
 * has none, by a fresh sign-in. out_user may be NULL; its row has id, email, name. */
enum err
account__prove(struct op *op, const struct http_req *rq, struct http_resp *rs,
    const char *field, const char *given, struct rows **out_user) MUST_CHECK;

/* The row's id in a link: "reset:<uuid>", sealed. NULL when it is not one of this
 * kind. */
const char *account__link(struct op *op, const char *kind, const char *sealed);

/* Keeps a text for the next page of this browser, hidden, for a minute; and takes
 * it out again. For what is shown once. */
void account__keep_once(struct op *op, const struct http_req *rq,
    struct http_resp *rs, const char *text);
char *account__take_once(
    struct op *op, const struct http_req *rq, struct http_resp *rs);

#endif
