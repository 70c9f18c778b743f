/*
 * Accounts: what others than the web need of them. The handlers of the web are
 * named in sql/api/account.sql.
 */
#ifndef GNOMON_ACCOUNT_ACCOUNT_H
#define GNOMON_ACCOUNT_ACCOUNT_H

#include <stdbool.h>

#include "base/op.h"

/* Refuses a new password that is too easy to guess: one of the commonest, one
 * repeated letter, the address or the name. field: its JSON Pointer. */
enum err account_check_password(struct op *op, const char *field,
    const char *password, const char *email, const char *name) MUST_CHECK;

/* Whether signing in with another service is configured at all. */
bool account_oauth_is_wanted(void);

/*
 * Ends what browsers began: exchanges the codes that have arrived, asks who it is,
 * and says so to whoever waits. Also reads, once a day, where the configured
 * issuer has its addresses. For the worker, for the web reaches nothing outside.
 */
enum err account_oauth_work(struct op *op) MUST_CHECK;

#endif
