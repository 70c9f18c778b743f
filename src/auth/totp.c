/*
 * One-time codes by the clock (RFC 6238 over RFC 4226), and codes to keep on
 * paper. HMAC-SHA-1 is libcrypto's: libsodium has none.
 */
#include <ctype.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdio.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "base/text.h"

enum { SECRET_BYTES = 20, STEP_SECONDS = 30, DIGITS = 6, RECOVERY_CHARS = 10 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* The bytes of a secret; false when it is not one. */
static bool
secret_bytes(const char *secret, unsigned char bytes[64], size_t *out_n)
{
	return sodium_hex2bin(
		   bytes, 64, secret, strlen(secret), NULL, out_n, NULL) == 0 &&
	    *out_n > 0;
}

char *
auth_totp_secret(void *owner)
{
	unsigned char bytes[SECRET_BYTES];

	randombytes_buf(bytes, sizeof(bytes));
	return text_hex(owner, bytes, sizeof(bytes));
}

char *
auth_totp_base32(void *owner, const char *secret)
{
	unsigned char bytes[64];
	size_t n, at = 0;
	unsigned held = 0;
	uint32_t bits = 0;
	char *text;

	if (!secret_bytes(secret, bytes, &n))
		return NULL;
	text = mem_array(owner, char, (n * 8 + 4) / 5 + 1);
	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 5; held -= 5)
			text[at++] = alphabet[bits >> (held - 5) & 31];
	}
	if (held)
		text[at] = alphabet[bits << (5 - held) & 31];
	return text;
}

char *
auth_totp_code(void *owner, const char *secret, int64_t step, int digits)
{
	static const uint32_t powers[] = {1000000, 10000000, 100000000};
	unsigned char key[64], hash[EVP_MAX_MD_SIZE], counter[8];
	unsigned hash_n = 0, at;
	uint32_t number;
	size_t n;

	if (digits < 6 || digits > 8 || !secret_bytes(secret, key, &n))
		return NULL;
	for (int i = 0; i < 8; i++)
		counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
	if (!HMAC(EVP_sha1(), key, (int)n, counter, sizeof(counter), hash,
		&hash_n))
		return NULL;
	at = hash[hash_n - 1] & 15;
	number = (uint32_t)(hash[at] & 127) << 24 |
	    (uint32_t)hash[at + 1] << 16 | (uint32_t)hash[at + 2] << 8 |
	    hash[at + 3];
	return mem_fmt(
	    owner, "%0*" PRIu32, digits, number % powers[digits - 6]);
}

int64_t
auth_totp_step(const char *secret, const char *code, int64_t now, int64_t after)
{
	void *scratch = mem_scope(NULL, "totp");
	int64_t middle = now / STEP_SECONDS, found = 0;

	for (int64_t step = middle - 1; step <= middle + 1; step++) {
		const char *good =
		    auth_totp_code(scratch, secret, step, DIGITS);

		if (good && strlen(code) == DIGITS && step > after &&
		    sodium_memcmp(good, code, DIGITS) == 0)
			found = step;
	}
	mem_drop(&scratch);
	return found;
}

char *
auth_recovery_new(void *owner)
{
	char *text = mem_array(owner, char, RECOVERY_CHARS + 2);
	size_t at = 0;

	for (size_t i = 0; i < RECOVERY_CHARS; i++) {
		if (i == RECOVERY_CHARS / 2)
			text[at++] = '-';
		text[at++] = (char)tolower(
		    (unsigned char)alphabet[randombytes_uniform(32)]);
	}
	return text;
}

char *
auth_recovery_plain(void *owner, const char *typed)
{
	char *text = mem_array(owner, char, strlen(typed) + 1);
	size_t at = 0;

	for (; *typed; typed++)
		if (isalnum((unsigned char)*typed))
			text[at++] = (char)tolower((unsigned char)*typed);
	return text;
}
