/* Shared by the two halves of signing in with another service. */
#ifndef GNOMON_ACCOUNT_OAUTH_PRIV_H
#define GNOMON_ACCOUNT_OAUTH_PRIV_H

#include "base/op.h"

/* A service that is configured. Its texts belong to the op. */
struct oauth_provider {
	const char *name; /* in addresses: google, github, oidc */
	const char *label; /* for people */
	const char *client_id, *client_secret;
	const char *issuer; /* whose subjects its people are */
	const char *authorize_url, *token_url; /* NULL: not known yet */
	const char *api_url; /* of GitHub; else NULL: there is an id token */
	const char *scope;
};

enum { OAUTH_PROVIDERS = 3 };

/* The one with this name, from the settings alone: an issuer's addresses are
 * read from the database. False when it is not configured. */
bool
oauth__provider(struct op *op, const char *name, struct oauth_provider *out);
bool oauth__provider_at(struct op *op, size_t i, struct oauth_provider *out);

/* https, or plain http on this machine. */
bool oauth__is_safe(const char *url);

#endif
