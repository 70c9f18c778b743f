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

/* Whether a hash is of an older kind (imported bcrypt), or of weaker limits than
 * a new one would have. */
bool auth_password_is_old(const char *hash);

/* True when the password is the one; argon2id or bcrypt, $2a$ to $2y$. A NULL hash takes the same time and is
 * false, so that an unknown address cannot be told from a wrong password. */
bool auth_password_matches(const char *hash, const char *password);

/* A new random cookie value (43 characters, base64url of 32 bytes). */
char *auth_cookie_new(void *owner);

/* What the database keeps of it: SHA-256, as \x… for a bytea parameter; NULL
 * for a value that is not of that form. */
char *auth_cookie_hash(void *owner, const char *cookie);

/* A new random token: the prefix and 43 characters, as of a cookie. */
enum { AUTH_PREFIXED_CHARS = 47 };
char *auth_prefixed_new(void *owner, const char *prefix);

/* The token that follows a given one: nobody without the master key can tell it,
 * and it is always the same, so that two who ask at once get one answer. */
char *auth_prefixed_next(void *owner, const char *prefix, const char *given);

/* Whether a text has the form of an API key (gnk_…) or refresh token (gnr_…). */
bool auth_is_key(const char *text);
bool auth_is_refresh(const char *text);

/* SHA-256 of any text, as \x… for a bytea parameter. For random tokens only: what
 * people choose, or type, needs auth_keyed_hash. */
char *auth_hash(void *owner, const char *text);

/* A hash that only the holder of the master key can make, likewise. */
char *auth_keyed_hash(void *owner, const char *text);

/* SHA-256 as base64url: the S256 of PKCE (RFC 7636 section 4.2). */
char *auth_challenge(void *owner, const char *verifier);

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

/* Text as standard base64. */
char *auth_base64(void *owner, const char *text);

/* The bytes of base64url without padding, NUL-terminated; NULL when it is not. For
 * the parts of a JWT. */
char *auth_base64url(void *owner, const char *text, size_t length);

/* A keyed hash (SipHash-2-4 of 128 bits) of name and bytes: what we gave away
 * to keep is ours when it comes back. */
enum { AUTH_STAMP_BYTES = 16 };
void auth_stamp(unsigned char out[AUTH_STAMP_BYTES], const char *name,
    const void *bytes, size_t n);

/*
 * One-time codes by the clock (RFC 6238: SHA-1, 30 seconds, 6 digits). A secret is
 * 20 bytes, held as hexadecimal text.
 */
char *auth_totp_secret(void *owner);

/* As apps take it: base32 (RFC 4648). */
char *auth_totp_base32(void *owner, const char *secret);

/* The code of a time step; digits is 6 to 8. NULL when the secret is none. */
char *auth_totp_code(void *owner, const char *secret, int64_t step, int digits);

/* The step, one of this, the one before and the one after, whose code this is and
 * that is later than `after`; 0 when there is none. */
int64_t auth_totp_step(
    const char *secret, const char *code, int64_t now, int64_t after);

/* A code to keep on paper: ten characters in two groups. And what a person typed
 * of one, as it was made: without spaces and dashes, in lower case. */
char *auth_recovery_new(void *owner);
char *auth_recovery_plain(void *owner, const char *typed);

/* SHA-256 of bytes that come piece by piece; its 64 hexadecimal digits. */
struct auth_digest *auth_digest_new(void *owner);
void auth_digest_add(struct auth_digest *d, const void *bytes, size_t n);
char *auth_digest_hex(void *owner, struct auth_digest *d);

/* 128 random bits as 32 hexadecimal digits: request ids. */
char *auth_random_id(void *owner);

#endif
