/* The services one may sign in with, as they are configured. */
#include "account/account.h"
#include "account/oauth_priv.h"

#include <string.h>

#include "base/config.h"
#include "base/text.h"

static const struct {
	const char *name, *label, *scope;
	enum config_key id, secret;
} known[OAUTH_PROVIDERS] = {
    {"google", "Google", "openid email profile", CONFIG_OAUTH_GOOGLE_CLIENT_ID,
	CONFIG_OAUTH_GOOGLE_CLIENT_SECRET},
    {"github", "GitHub", "read:user user:email", CONFIG_OAUTH_GITHUB_CLIENT_ID,
	CONFIG_OAUTH_GITHUB_CLIENT_SECRET},
    {"oidc", NULL, "openid email profile", CONFIG_OAUTH_OIDC_CLIENT_ID,
	CONFIG_OAUTH_OIDC_CLIENT_SECRET},
};

bool
oauth__is_safe(const char *url)
{
	static const char *const here[] = {
	    "http://127.0.0.1", "http://localhost", "http://[::1]"};

	for (const char *s = url; *s; s++)
		if ((unsigned char)*s <= ' ')
			return false; /* it goes into a header */
	if (text_starts(url, "https://"))
		return true;
	for (size_t i = 0; i < nitems(here); i++)
		if (text_starts(url, here[i]) &&
		    strchr("/:", url[strlen(here[i])]))
			return true; /* the end of the text counts, too */
	return false;
}

bool
oauth__provider_at(struct op *op, size_t i, struct oauth_provider *out)
{
	*out = (struct oauth_provider){.name = known[i].name,
	    .label = known[i].label,
	    .client_id = config_get(known[i].id),
	    .client_secret = config_get(known[i].secret),
	    .scope = known[i].scope};
	if (!*out->client_id)
		return false;
	if (strcmp(out->name, "google") == 0) {
		out->issuer = "https://accounts.google.com";
		out->authorize_url =
		    "https://accounts.google.com/o/oauth2/v2/auth";
		out->token_url = "https://oauth2.googleapis.com/token";
	} else if (strcmp(out->name, "github") == 0) {
		out->issuer = config_get(CONFIG_OAUTH_GITHUB_URL);
		out->api_url = config_get(CONFIG_OAUTH_GITHUB_API_URL);
		out->authorize_url =
		    mem_fmt(op, "%s/login/oauth/authorize", out->issuer);
		out->token_url =
		    mem_fmt(op, "%s/login/oauth/access_token", out->issuer);
	} else {
		out->issuer = config_get(CONFIG_OAUTH_OIDC_ISSUER);
		out->label = config_get(CONFIG_OAUTH_OIDC_NAME);
	}
	return oauth__is_safe(out->issuer);
}

bool
oauth__provider(struct op *op, const char *name, struct oauth_provider *out)
{
	for (size_t i = 0; i < OAUTH_PROVIDERS; i++)
		if (strcmp(known[i].name, name) == 0)
			return oauth__provider_at(op, i, out);
	return false;
}

bool
account_oauth_is_wanted(void)
{
	for (size_t i = 0; i < OAUTH_PROVIDERS; i++)
		if (*config_get(known[i].id))
			return true;
	return false;
}
