/* auth/: tokens, cookies, form tokens and seals, whole and touched. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"

static const char session[] = "01a1f838-4ffc-7864-a820-7b0b98efc9b1";
static const char user[] = "01a1f838-0000-7864-a820-7b0b98efc9b1";
enum { NOW = 1795165302 };

/* A disk that is full after so many bytes. */
static void
let_files_grow_to(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
half_a_key_is_not_left_behind(void **state)
{
	char folder[] = "/tmp/gnomon-test-auth.XXXXXX";
	char *path, *why = NULL;

	assert_non_null(mkdtemp(folder));
	path = mem_fmt(*state, "%s/secret", folder);
	(void)signal(SIGXFSZ, SIG_IGN);
	let_files_grow_to(16);
	assert_false(auth_open(path, &why));
	let_files_grow_to(RLIM_INFINITY);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(auth_open(path, &why));
	unlink(path);
	rmdir(folder);
	mem_drop(&why);
}

static int
open_keys(void **state)
{
	char folder[] = "/tmp/gnomon-test-auth.XXXXXX";
	char *path, *why = NULL;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	path = mem_fmt(NULL, "%s/secret", folder);
	/* made when it is not there, for its owner only */
	assert_true(auth_open(path, &why));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 32);
	/* refused when others may read it, or when it is too short */
	assert_int_equal(chmod(path, 0640), 0);
	assert_false(auth_open(path, &why));
	assert_non_null(strstr(why, "chmod 600"));
	mem_drop(&why);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(write(fd, "short", 5), 5);
	close(fd);
	assert_false(auth_open(path, &why));
	assert_non_null(strstr(why, "32 bytes"));
	mem_drop(&why);
	unlink(path);
	assert_false(auth_open(folder, &why)); /* a folder is no key */
	mem_drop(&why);
	assert_true(auth_open(path, &why));
	unlink(path);
	rmdir(folder);
	mem_drop(&path);
	return 0;
}

static void
a_token_names_its_session_until_it_ends(void **state)
{
	char *token = auth_token_new(*state, session, user, NOW, 3600);

	assert_string_equal(auth_token_session(*state, token, NOW), session);
	assert_string_equal(
	    auth_token_session(*state, token, NOW + 3599), session);
	assert_null(auth_token_session(*state, token, NOW + 3600));
	assert_null(auth_token_session(*state, token, INT64_MAX));
}

/* Every single character changed, added or left out. The last one of a part
 * carries bits that no byte has; a decoder must not accept two spellings. */
static void
no_touched_token_or_seal_passes(void **state)
{
	char *token = auth_token_new(*state, session, user, NOW, 3600);
	char *seal = auth_seal(*state, "[\"newest\",false,\"x\"]");
	static const char others[] = "AQgw.=-_";

	for (size_t i = 0; i < strlen(token); i++) {
		for (const char *c = others; *c; c++) {
			char *touched = mem_dup(*state, token);

			if (touched[i] == *c)
				continue;
			touched[i] = *c;
			if (auth_token_session(*state, touched, NOW))
				fail_msg("%zu %s", i, touched);
		}
		assert_null(auth_token_session(*state,
		    mem_fmt(*state, "%.*s%s", (int)i, token, token + i + 1),
		    NOW));
		assert_null(auth_token_session(
		    *state, mem_dup_n(*state, token, i), NOW));
	}
	for (size_t i = 0; i < strlen(seal); i++) {
		for (const char *c = others; *c; c++) {
			char *touched = mem_dup(*state, seal);

			if (touched[i] == *c)
				continue;
			touched[i] = *c;
			if (auth_unseal(*state, touched))
				fail_msg("%zu %s", i, touched);
		}
		assert_null(auth_unseal(*state, mem_dup_n(*state, seal, i)));
	}
	assert_string_equal(
	    auth_unseal(*state, seal), "[\"newest\",false,\"x\"]");
}

static void
what_is_none_is_refused(void **state)
{
	static const char *const none[] = {"", ".", "..", "...", "x", "a.b",
	    "a.b.c", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
	    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
	    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..",
	    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.",
	    "eyJhbGciOiJub25lIn0.e30.", " ", "\xff\xfe.\x01.\x02"};
	char *huge = mem_array(*state, char, 100000);

	memset(huge, 'A', 99999);
	for (size_t i = 0; i < nitems(none); i++) {
		assert_null(auth_token_session(*state, none[i], NOW));
		assert_null(auth_unseal(*state, none[i]));
		assert_false(auth_csrf_matches("cookie", none[i]));
	}
	assert_null(auth_token_session(*state, huge, NOW));
	assert_null(auth_unseal(*state, huge));
	assert_false(auth_csrf_matches("cookie", huge));
	/* a seal is no token and a token is no seal: their keys differ */
	assert_null(auth_unseal(
	    *state, auth_token_new(*state, session, user, NOW, 3600)));
	assert_null(auth_token_session(*state,
	    auth_seal(*state, "{\"sid\":\"x\",\"exp\":9999999999}"), NOW));
}

static void
a_form_token_is_new_each_time_and_good_for_one_cookie(void **state)
{
	char *cookie = auth_cookie_new(*state),
	     *other = auth_cookie_new(*state);
	char *a = auth_csrf_new(*state, cookie);
	char *b = auth_csrf_new(*state, cookie);

	assert_string_not_equal(a, b);
	assert_true(auth_csrf_matches(cookie, a));
	assert_true(auth_csrf_matches(cookie, b));
	assert_false(auth_csrf_matches(other, a));
	assert_false(auth_csrf_matches("", a));
	for (size_t i = 0; i < strlen(a); i++) {
		char *touched = mem_dup(*state, a);

		touched[i] = touched[i] == 'A' ? 'Q' : 'A';
		assert_false(auth_csrf_matches(cookie, touched));
	}
	/* half of one with half of another */
	memcpy(a, b, strlen(a) / 2);
	assert_false(auth_csrf_matches(cookie, a));
}

static void
a_cookie_is_kept_as_its_hash(void **state)
{
	char *cookie = auth_cookie_new(*state);
	char *hash = auth_cookie_hash(*state, cookie);

	assert_int_equal(strlen(cookie), 43);
	assert_int_equal(strspn(cookie,
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789-_"),
	    43);
	assert_string_not_equal(cookie, auth_cookie_new(*state));
	assert_int_equal(strlen(hash), 66);
	assert_memory_equal(hash, "\\x", 2);
	assert_string_equal(hash, auth_cookie_hash(*state, cookie));
	assert_null(auth_cookie_hash(*state, NULL));
	assert_null(auth_cookie_hash(*state, ""));
	assert_null(auth_cookie_hash(*state, cookie + 1));
	assert_null(auth_cookie_hash(*state, mem_fmt(*state, "%sA", cookie)));
}

static void
passwords_are_argon2id_with_a_salt_of_their_own(void **state)
{
	char *hash = auth_password_hash(*state, "correct horse");

	assert_memory_equal(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31);
	assert_string_not_equal(
	    hash, auth_password_hash(*state, "correct horse"));
	assert_true(auth_password_matches(hash, "correct horse"));
	assert_false(auth_password_matches(hash, "correct horsf"));
	assert_false(auth_password_matches(hash, "correct horse "));
	assert_false(auth_password_matches(hash, ""));
	assert_false(auth_password_matches(NULL, "correct horse"));
	assert_false(auth_password_matches(NULL, ""));
	assert_false(auth_password_matches("", ""));
	assert_false(auth_password_matches("$argon2id$nonsense", "x"));
}

static void
request_ids_are_random(void **state)
{
	char *a = auth_random_id(*state), *b = auth_random_id(*state);

	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
}

static void
a_secret_is_kept_encrypted_and_comes_back_whole(void **state)
{
	char *box = auth_encrypt(*state, "whsec_abc"), *other;

	assert_null(strstr(box, "whsec"));
	assert_string_equal(auth_decrypt(*state, box), "whsec_abc");
	assert_string_equal(auth_decrypt(*state, auth_encrypt(*state, "")), "");
	other = auth_encrypt(*state, "whsec_abc");
	assert_string_not_equal(box, other);
	box[30] = box[30] == 'A' ? 'B' : 'A';
	assert_null(auth_decrypt(*state, box));
	assert_null(auth_decrypt(*state, ""));
	assert_null(auth_decrypt(*state, NULL));
	assert_null(auth_decrypt(*state, "not ours"));
}

static void
webhooks_sign_as_the_specification_says(void **state)
{
	/* the example of the specification's own libraries */
	static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	static const char body[] = "{\"test\": 2432232314}";

	assert_string_equal(
	    auth_hook_sign(*state, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek",
		1614265330, body, strlen(body)),
	    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	assert_null(auth_hook_sign(*state, "secret", "a", 1, body, 1));
	assert_null(auth_hook_sign(*state, "whsec_*", "a", 1, body, 1));
	assert_int_equal(strlen(auth_hook_secret_new(*state)), 6 + 44);
	assert_non_null(auth_hook_sign(
	    *state, auth_hook_secret_new(*state), "a", 1, body, 1));
}

/* RFC 6238, appendix B: the rows of SHA-1; the secret is "12345678901234567890". */
static void
codes_by_the_clock_are_those_of_rfc_6238(void **state)
{
	static const char secret[] = "3132333435363738393031323334353637383930";
	static const struct {
		int64_t time;
		const char *code;
	} cases[] = {
	    {59, "94287082"},
	    {1111111109, "07081804"},
	    {1111111111, "14050471"},
	    {1234567890, "89005924"},
	    {2000000000, "69279037"},
	    {20000000000, "65353130"},
	};

	for (size_t i = 0; i < nitems(cases); i++)
		assert_string_equal(
		    auth_totp_code(*state, secret, cases[i].time / 30, 8),
		    cases[i].code);
	assert_string_equal(auth_totp_base32(*state, secret),
	    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
	assert_null(auth_totp_code(*state, "no secret", 1, 6));
	assert_null(auth_totp_code(*state, secret, 1, 9));
	/* 20000000000 / 30 is the step; a code counts a step either way */
	assert_int_equal(
	    auth_totp_step(secret, "353130", 20000000000, 0), 666666666);
	assert_int_equal(
	    auth_totp_step(secret, "353130", 20000000000 + 30, 0), 666666666);
	assert_int_equal(
	    auth_totp_step(secret, "353130", 20000000000 + 60, 0), 0);
	assert_int_equal(
	    auth_totp_step(secret, "353130", 20000000000, 666666666), 0);
	assert_int_equal(auth_totp_step(secret, "35313", 20000000000, 0), 0);
	assert_int_equal(auth_totp_step(secret, "", 20000000000, 0), 0);
}

static void
a_recovery_code_is_the_same_however_it_is_typed(void **state)
{
	const char *code = auth_recovery_new(*state);

	assert_int_equal(strlen(code), 11);
	assert_int_equal(code[5], '-');
	assert_string_equal(auth_recovery_plain(*state, "ABCDE-fghij"),
	    auth_recovery_plain(*state, " abcde fghij "));
	assert_string_not_equal(
	    auth_keyed_hash(*state, "a"), auth_hash(*state, "a"));
}

/* The vector of bcrypt's authors (crypt_blowfish, wrapper.c). */
static void
imported_bcrypt_passwords_match(void **state)
{
	static const char hash[] =
	    "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

	(void)state;
	assert_true(auth_password_matches(hash, "U*U"));
	assert_false(auth_password_matches(hash, "U*u"));
	assert_false(auth_password_matches("$2b$05$short", "U*U"));
	assert_false(auth_password_matches("$2b$", "*0"));
	assert_true(auth_password_is_old(hash));
	assert_false(
	    auth_password_is_old(auth_password_hash(*state, "a phrase")));
}

static void
keys_and_refresh_tokens_are_told_apart(void **state)
{
	const char *key = auth_prefixed_new(*state, "gnk_");

	assert_true(auth_is_key(key));
	assert_false(auth_is_refresh(key));
	assert_true(auth_is_refresh(auth_prefixed_new(*state, "gnr_")));
	assert_false(auth_is_key(auth_cookie_new(*state)));
	assert_null(auth_cookie_hash(*state, key));
	/* RFC 7636, appendix B */
	assert_string_equal(auth_challenge(*state,
				"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
	    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    unit(a_secret_is_kept_encrypted_and_comes_back_whole),
	    unit(webhooks_sign_as_the_specification_says),
	    unit(a_token_names_its_session_until_it_ends),
	    unit(no_touched_token_or_seal_passes),
	    unit(what_is_none_is_refused),
	    unit(a_form_token_is_new_each_time_and_good_for_one_cookie),
	    unit(a_cookie_is_kept_as_its_hash),
	    unit(passwords_are_argon2id_with_a_salt_of_their_own),
	    unit(codes_by_the_clock_are_those_of_rfc_6238),
	    unit(a_recovery_code_is_the_same_however_it_is_typed),
	    unit(imported_bcrypt_passwords_match),
	    unit(keys_and_refresh_tokens_are_told_apart),
	    unit(request_ids_are_random),
	    unit(half_a_key_is_not_left_behind),
	};

	return cmocka_run_group_tests(tests, open_keys, NULL);
}
