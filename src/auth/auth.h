/*
 * Proofs of who somebody is: passwords, tokens, cookies, form tokens, sealed
 * texts. The only room that sees libsodium; no cryptography of our own.
 *
 * One master key (32 bytes) from a file; every use has a subkey of its own
 * (crypto_kdf, BLAKE2b, libsodium manual "Key derivation").
 */
#ifndef GNOMON_AUTH_AUTH_H
#define GNOMON_AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Reads the master key; a file that does not exist is made (mode 0600). False:
 * *out_why says in a sentence what is wrong. Call once, before forking. */
bool auth_open(const char *secret_file, char **out_why);

/* argon2id, libsodium's interactive limits (64 MiB): 20 to 80 ms. */
char *auth_password_hash(void *owner, const char *password);

/* True when the password is the one. A NULL hash takes the same time and is
 * false, so that an unknown address cannot be told from a wrong password. */
bool auth_password_matches(const char *hash, const char *password);

/* A new random cookie value (43 characters, base64url of 32 bytes). */
char *auth_cookie_new(void *owner);

/* What the database keeps of it: SHA-256, as \x… for a bytea parameter; NULL
 * for a value that is not of that form. */
char *auth_cookie_hash(void *owner, const char *cookie);

/* An access token: JWT (RFC 7519), HS256, with sid, sub and exp. */
char *auth_token_new(void *owner, const char *session, const char *user,
    int64_t now, int64_t lifetime_s);

/* Checks signature and expiry. The session's id, or NULL. */
char *auth_token_session(void *owner, const char *token, int64_t now);

/*
 * Form tokens. The secret of a session is derived from its cookie; each page
 * carries it XOR-masked with fresh random bytes, so that a compressed page
 * does not leak it (BREACH).
 */
char *auth_csrf_new(void *owner, const char *cookie);
bool auth_csrf_matches(const char *cookie, const char *given);

/* A short text sealed against changes (not hidden): base64url, for cursors. */
char *auth_seal(void *owner, const char *text);
char *auth_unseal(void *owner, const char *sealed); /* NULL when touched */

/* A text encrypted, for secrets that the database keeps (XSalsa20-Poly1305,
 * base64url), and the text again; NULL when it was touched or is not ours. */
char *auth_encrypt(void *owner, const char *text);
char *auth_decrypt(void *owner, const char *encrypted);

/*
 * Webhooks sign as Standard Webhooks has it: the secret is "whsec_" and base64
 * of 32 random bytes; the signature is "v1," and base64 of HMAC-SHA256 over
 * "id.timestamp.body". NULL when the secret is none.
 */
char *auth_hook_secret_new(void *owner);
char *auth_hook_sign(void *owner, const char *secret, const char *id,
    int64_t timestamp, const void *body, size_t n);

/* A keyed hash (SipHash-2-4 of 128 bits) of name and bytes: what we gave away
 * to keep is ours when it comes back. */
enum { AUTH_STAMP_BYTES = 16 };
void auth_stamp(unsigned char out[AUTH_STAMP_BYTES], const char *name,
    const void *bytes, size_t n);

/* 128 random bits as 32 hexadecimal digits: request ids. */
char *auth_random_id(void *owner);

#endif
