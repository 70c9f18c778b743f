/* Proofs of who somebody is: passwords, tokens, cookies, form tokens. */
#include "auth/auth.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum {
	KEY_BYTES = 32,
	MAC_BYTES = 32,
	COOKIE_CHARS = 43,
	CSRF_BYTES = 32,
	SEALED_MAX = 4096,
	TOKEN_MAX = 2048,
};

enum purpose {
	FOR_TOKENS = 1,
	FOR_FORMS = 2,
	FOR_SEALS = 3,
	FOR_STAMPS = 4,
	FOR_SECRETS = 5,
	FOR_CODES = 6,
	FOR_REFRESH = 7,
	PURPOSES
};

/* Set once by auth_open, before any process is forked. */
static unsigned char keys[PURPOSES][KEY_BYTES];
/* A hash to spend the time of a comparison on, where there is no account; what
 * it is the hash of does not matter. Made once, with the limits that accounts
 * have: making one takes longer than all the rest of a start. */
static const char nobody[] =
    "$argon2id$v=19$m=65536,t=2,p=1$8+S1kBfxgXBusUU/dvSkmA$"
    "8PT+/7Cygr+hPdiIfz04mSAltCOMsKMw1lBHf8D9+IQ";

/* The JWT header we write, and the only one we accept. */
static const char token_header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/* The folders above a file, closed to others; those that exist stay. */
static void
make_folders(const char *path)
{
	char *folder = mem_dup(NULL, path);

	for (char *slash = folder; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		(void)mkdir(folder, 0700);
		*slash = '/';
	}
	mem_drop(&folder);
}

/* Half a key would stop every later start: all of it, or no file. */
static bool
make_file(const char *path, unsigned char *key)
{
	int fd;
	bool good;

	make_folders(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return false;
	randombytes_buf(key, KEY_BYTES);
	good = write(fd, key, KEY_BYTES) == KEY_BYTES && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (!good)
		(void)unlink(path);
	return good;
}

static bool
read_file(const char *path, unsigned char *key, char **out_why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0) {
		*out_why = mem_fmt(
		    NULL, "%s cannot be read: %s", path, strerror(errno));
		return false;
	}
	if (fstat(fd, &st) == 0 && (st.st_mode & 077) != 0) {
		close(fd);
		*out_why = mem_fmt(
		    NULL, "%s can be read by others; chmod 600 it", path);
		return false;
	}
	n = read(fd, key, KEY_BYTES);
	close(fd);
	if (n == KEY_BYTES)
		return true;
	*out_why = mem_fmt(NULL, "%s has fewer than 32 bytes", path);
	return false;
}

bool
auth_open(const char *secret_file, char **out_why)
{
	unsigned char master[KEY_BYTES];
	bool good;

	if (sodium_init() < 0) {
		*out_why = mem_dup(NULL, "libsodium does not start");
		return false;
	}
	good = (access(secret_file, F_OK) != 0 && errno == ENOENT &&
		   make_file(secret_file, master)) ||
	    read_file(secret_file, master, out_why);
	for (uint64_t i = FOR_TOKENS; good && i < PURPOSES; i++)
		crypto_kdf_derive_from_key(
		    keys[i], KEY_BYTES, i, "gnomon01", master);
	sodium_memzero(master, sizeof(master));
	return good;
}

char *
auth_password_hash(void *owner, const char *password)
{
	char *hash = mem_array(owner, char, crypto_pwhash_STRBYTES);

	if (crypto_pwhash_str(hash, password, strlen(password),
		crypto_pwhash_OPSLIMIT_INTERACTIVE,
		crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return NULL;
	return hash;
}

static bool
is_bcrypt(const char *hash)
{
	return text_starts(hash, "$2a$") || text_starts(hash, "$2b$") ||
	    text_starts(hash, "$2y$");
}

/* libcrypt reads 72 bytes of a password, as every bcrypt does. */
static bool
bcrypt_matches(const char *hash, const char *password)
{
	struct crypt_data *data = mem_new(NULL, struct crypt_data);
	const char *made = crypt_r(password, hash, data);
	bool same = made && strlen(made) == strlen(hash) &&
	    sodium_memcmp(made, hash, strlen(hash)) == 0;

	sodium_memzero(data, sizeof(*data));
	mem_drop(&data);
	return same;
}

bool
auth_password_is_old(const char *hash)
{
	return is_bcrypt(hash) ||
	    crypto_pwhash_str_needs_rehash(hash,
		crypto_pwhash_OPSLIMIT_INTERACTIVE,
		crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0;
}

bool
auth_password_matches(const char *hash, const char *password)
{
	bool same;

	if (hash && is_bcrypt(hash))
		return bcrypt_matches(hash, password);
	same = crypto_pwhash_str_verify(
		   hash ? hash : nobody, password, strlen(password)) == 0;
	return same && hash;
}

static char *
encode(void *owner, const void *bytes, size_t n)
{
	size_t room = sodium_base64_encoded_len(
	    n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *text = mem_array(owner, char, room);

	return sodium_bin2base64(
	    text, room, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* The bytes of base64url text, NUL-terminated; NULL when it is not. */
static unsigned char *
decode(void *owner, const char *text, size_t length, size_t *out_n)
{
	unsigned char *bytes = mem_array(owner, unsigned char, length + 1);

	if (sodium_base642bin(bytes, length, text, length, NULL, out_n, NULL,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return NULL;
	return bytes;
}

static void
mac(enum purpose purpose, const char *text, size_t n, unsigned char *out)
{
	crypto_auth_hmacsha256(
	    out, (const unsigned char *)text, n, keys[purpose]);
}

char *
auth_cookie_new(void *owner)
{
	unsigned char bytes[KEY_BYTES];

	randombytes_buf(bytes, sizeof(bytes));
	return encode(owner, bytes, sizeof(bytes));
}

char *
auth_cookie_hash(void *owner, const char *cookie)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	if (!cookie || strlen(cookie) != COOKIE_CHARS)
		return NULL;
	crypto_hash_sha256(hash, (const unsigned char *)cookie, COOKIE_CHARS);
	return mem_fmt(owner, "\\x%s", text_hex(owner, hash, sizeof(hash)));
}

char *
auth_prefixed_new(void *owner, const char *prefix)
{
	return mem_fmt(owner, "%s%s", prefix, auth_cookie_new(owner));
}

char *
auth_prefixed_next(void *owner, const char *prefix, const char *given)
{
	unsigned char bytes[MAC_BYTES];

	mac(FOR_REFRESH, given, strlen(given), bytes);
	return mem_fmt(
	    owner, "%s%s", prefix, encode(owner, bytes, sizeof(bytes)));
}

bool
auth_is_key(const char *text)
{
	return text_starts(text, "gnk_") && strlen(text) == AUTH_PREFIXED_CHARS;
}

bool
auth_is_refresh(const char *text)
{
	return text_starts(text, "gnr_") && strlen(text) == AUTH_PREFIXED_CHARS;
}

char *
auth_hash(void *owner, const char *text)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
	return mem_fmt(owner, "\\x%s", text_hex(owner, hash, sizeof(hash)));
}

char *
auth_keyed_hash(void *owner, const char *text)
{
	unsigned char hash[MAC_BYTES];

	mac(FOR_CODES, text, strlen(text), hash);
	return mem_fmt(owner, "\\x%s", text_hex(owner, hash, sizeof(hash)));
}

char *
auth_challenge(void *owner, const char *verifier)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(
	    hash, (const unsigned char *)verifier, strlen(verifier));
	return encode(owner, hash, sizeof(hash));
}

char *
auth_token_new(void *owner, const char *session, const char *user, int64_t now,
    int64_t lifetime_s)
{
	unsigned char signature[MAC_BYTES];
	char *payload = mem_fmt(owner,
	    "{\"sid\":\"%s\",\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
	    session, user, (long long)now, (long long)(now + lifetime_s));
	char *signed_part = mem_fmt(owner, "%s.%s", token_header,
	    encode(owner, payload, strlen(payload)));

	mac(FOR_TOKENS, signed_part, strlen(signed_part), signature);
	return mem_fmt(owner, "%s.%s", signed_part,
	    encode(owner, signature, sizeof(signature)));
}

/* The text before the last dot of "text.mac", when the mac is ours. */
static bool
is_ours(
    void *owner, enum purpose purpose, const char *token, const char *last_dot)
{
	unsigned char expected[MAC_BYTES], *given;
	size_t n;

	given = decode(owner, last_dot + 1, strlen(last_dot + 1), &n);
	mac(purpose, token, (size_t)(last_dot - token), expected);
	return given && n == MAC_BYTES &&
	    sodium_memcmp(given, expected, MAC_BYTES) == 0;
}

char *
auth_token_session(void *owner, const char *token, int64_t now)
{
	const char *dot = strrchr(token, '.');
	size_t header = sizeof(token_header) - 1, n;
	const unsigned char *payload;
	struct json_object *claims;
	const char *sid;
	char *session = NULL;

	if (strlen(token) > TOKEN_MAX || !text_starts(token, token_header) ||
	    token[header] != '.' || !dot || dot < token + header + 1 ||
	    !is_ours(owner, FOR_TOKENS, token, dot))
		return NULL;
	payload = decode(
	    owner, token + header + 1, (size_t)(dot - token) - header - 1, &n);
	claims = payload ? json_tokener_parse((const char *)payload) : NULL;
	sid = json_object_get_string(json_object_object_get(claims, "sid"));
	if (sid && text_is_uuid(sid) &&
	    json_object_get_int64(json_object_object_get(claims, "exp")) > now)
		session = mem_dup(owner, sid);
	json_object_put(claims);
	return session;
}

char *
auth_csrf_new(void *owner, const char *cookie)
{
	unsigned char token[2 * CSRF_BYTES];

	mac(FOR_FORMS, cookie, strlen(cookie), token + CSRF_BYTES);
	randombytes_buf(token, CSRF_BYTES);
	for (size_t i = 0; i < CSRF_BYTES; i++)
		token[CSRF_BYTES + i] ^= token[i];
	return encode(owner, token, sizeof(token));
}

bool
auth_csrf_matches(const char *cookie, const char *given)
{
	void *scratch = mem_scope(NULL, "csrf");
	unsigned char expected[CSRF_BYTES], *token;
	size_t n;
	bool same = false;

	token = decode(scratch, given, strlen(given), &n);
	if (token && n == 2 * CSRF_BYTES) {
		mac(FOR_FORMS, cookie, strlen(cookie), expected);
		for (size_t i = 0; i < CSRF_BYTES; i++)
			token[CSRF_BYTES + i] ^= token[i];
		same = sodium_memcmp(
			   token + CSRF_BYTES, expected, CSRF_BYTES) == 0;
	}
	mem_drop(&scratch);
	return same;
}

char *
auth_seal(void *owner, const char *text)
{
	unsigned char signature[MAC_BYTES];
	char *body = encode(owner, text, strlen(text));

	mac(FOR_SEALS, body, strlen(body), signature);
	return mem_fmt(
	    owner, "%s.%s", body, encode(owner, signature, MAC_BYTES));
}

char *
auth_unseal(void *owner, const char *sealed)
{
	const char *dot = strrchr(sealed, '.');
	size_t n;

	if (strlen(sealed) > SEALED_MAX || !dot ||
	    !is_ours(owner, FOR_SEALS, sealed, dot))
		return NULL;
	return (char *)decode(owner, sealed, (size_t)(dot - sealed), &n);
}

char *
auth_encrypt(void *owner, const char *text)
{
	size_t n = strlen(text),
	       room =
		   crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + n;
	unsigned char *box = mem_array(owner, unsigned char, room);

	randombytes_buf(box, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES,
	    (const unsigned char *)text, n, box, keys[FOR_SECRETS]);
	return encode(owner, box, room);
}

char *
auth_decrypt(void *owner, const char *encrypted)
{
	enum {
		LEAST = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES
	};
	unsigned char *box;
	char *text;
	size_t n;

	if (!encrypted || strlen(encrypted) > SEALED_MAX)
		return NULL;
	box = decode(owner, encrypted, strlen(encrypted), &n);
	if (!box || n < LEAST)
		return NULL;
	text = mem_array(owner, char, n - LEAST + 1);
	if (crypto_secretbox_open_easy((unsigned char *)text,
		box + crypto_secretbox_NONCEBYTES,
		n - crypto_secretbox_NONCEBYTES, box, keys[FOR_SECRETS]) != 0)
		return NULL;
	return text;
}

static const char hook_prefix[] = "whsec_";

static char *
encode_standard(void *owner, const void *bytes, size_t n)
{
	size_t room =
	    sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
	char *text = mem_array(owner, char, room);

	return sodium_bin2base64(
	    text, room, bytes, n, sodium_base64_VARIANT_ORIGINAL);
}

char *
auth_hook_secret_new(void *owner)
{
	unsigned char bytes[KEY_BYTES];

	randombytes_buf(bytes, sizeof(bytes));
	return mem_fmt(owner, "%s%s", hook_prefix,
	    encode_standard(owner, bytes, sizeof(bytes)));
}

char *
auth_hook_sign(void *owner, const char *secret, const char *id,
    int64_t timestamp, const void *body, size_t n)
{
	enum { SECRET_MAX = 64 };
	unsigned char key[SECRET_MAX], signature[MAC_BYTES];
	char *head = mem_fmt(owner, "%s.%lld.", id, (long long)timestamp);
	crypto_auth_hmacsha256_state hmac;
	size_t key_n;

	if (!secret || !text_starts(secret, hook_prefix) ||
	    sodium_base642bin(key, sizeof(key),
		secret + sizeof(hook_prefix) - 1,
		strlen(secret) - sizeof(hook_prefix) + 1, NULL, &key_n, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0)
		return NULL;
	crypto_auth_hmacsha256_init(&hmac, key, key_n);
	crypto_auth_hmacsha256_update(
	    &hmac, (const unsigned char *)head, strlen(head));
	crypto_auth_hmacsha256_update(&hmac, body, n);
	crypto_auth_hmacsha256_final(&hmac, signature);
	sodium_memzero(key, sizeof(key));
	return mem_fmt(
	    owner, "v1,%s", encode_standard(owner, signature, MAC_BYTES));
}

char *
auth_base64(void *owner, const char *text)
{
	return encode_standard(owner, text, strlen(text));
}

char *
auth_base64url(void *owner, const char *text, size_t length)
{
	size_t n;

	return length > SEALED_MAX * 2
	    ? NULL
	    : (char *)decode(owner, text, length, &n);
}

void
auth_stamp(unsigned char out[AUTH_STAMP_BYTES], const char *name,
    const void *bytes, size_t n)
{
	unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];

	/* a key for the name, so that name and bytes cannot flow together;
	 * SipHash, for BLAKE2b was a quarter of the time of a board */
	crypto_shorthash_siphashx24(
	    key, (const unsigned char *)name, strlen(name), keys[FOR_STAMPS]);
	crypto_shorthash_siphashx24(out, bytes, n, key);
}

char *
auth_random_id(void *owner)
{
	unsigned char bytes[16];

	randombytes_buf(bytes, sizeof(bytes));
	return text_hex(owner, bytes, sizeof(bytes));
}

struct auth_digest {
	crypto_hash_sha256_state state;
};

struct auth_digest *
auth_digest_new(void *owner)
{
	struct auth_digest *d = mem_new(owner, struct auth_digest);

	crypto_hash_sha256_init(&d->state);
	return d;
}

void
auth_digest_add(struct auth_digest *d, const void *bytes, size_t n)
{
	crypto_hash_sha256_update(&d->state, bytes, n);
}

char *
auth_digest_hex(void *owner, struct auth_digest *d)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(&d->state, hash);
	return text_hex(owner, hash, sizeof(hash));
}
