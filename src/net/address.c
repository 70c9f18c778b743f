/* Which addresses are public: the registries of special addresses (RFC 6890
 * and its successors at IANA), as blocks. */
#include "net/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

struct block {
	unsigned char prefix[16];
	unsigned bits;
};

static const struct block not_public_v4[] = {{{0}, 8}, {{10}, 8},
    {{100, 64}, 10}, {{127}, 8}, {{169, 254}, 16}, {{172, 16}, 12},
    {{192, 0, 0}, 24}, {{192, 0, 2}, 24}, {{192, 88, 99}, 24}, {{192, 168}, 16},
    {{198, 18}, 15}, {{198, 51, 100}, 24}, {{203, 0, 113}, 24}, {{224}, 4},
    {{240}, 4}};

/* Only 2000::/3 is given out; these are the exceptions in it. */
static const struct block given_v6 = {{0x20}, 3};
static const struct block not_public_v6[] = {
    {{0x20, 0x01, 0}, 23}, {{0x20, 0x01, 0x0d, 0xb8}, 32}, {{0x3f, 0xff}, 20}};

/* IPv6 addresses that stand for an IPv4 address, and where it stands. */
static const struct {
	struct block block;
	unsigned at;
} embedded[] = {{{{[10] = 0xff, [11] = 0xff}, 96}, 12},
    {{{0, 0x64, 0xff, 0x9b}, 96}, 12}, {{{0x20, 0x02}, 16}, 2}};

static bool
is_in(const unsigned char *address, const struct block *b)
{
	unsigned whole = b->bits / 8, rest = b->bits % 8;

	return memcmp(address, b->prefix, whole) == 0 &&
	    (rest == 0 ||
		((address[whole] ^ b->prefix[whole]) >> (8 - rest)) == 0);
}

static bool
is_public_v4(const unsigned char *address)
{
	for (size_t i = 0; i < nitems(not_public_v4); i++)
		if (is_in(address, &not_public_v4[i]))
			return false;
	return true;
}

static bool
is_public_v6(const unsigned char *address)
{
	for (size_t i = 0; i < nitems(embedded); i++)
		if (is_in(address, &embedded[i].block))
			return is_public_v4(address + embedded[i].at);
	if (!is_in(address, &given_v6))
		return false;
	for (size_t i = 0; i < nitems(not_public_v6); i++)
		if (is_in(address, &not_public_v6[i]))
			return false;
	return true;
}

/* The bytes of an address; *out_n is 4 or 16, NULL when it is neither. An
 * IPv4 address in IPv6 clothes is the IPv4 address. */
static const unsigned char *
bytes_of(const struct sockaddr *address, size_t *out_n)
{
	const void *any = address;
	const unsigned char *b;

	if (address->sa_family == AF_INET) {
		*out_n = 4;
		return (const unsigned char *)&((const struct sockaddr_in *)any)
		    ->sin_addr;
	}
	if (address->sa_family != AF_INET6)
		return NULL;
	b = ((const struct sockaddr_in6 *)any)->sin6_addr.s6_addr;
	if (is_in(b, &embedded[0].block)) {
		*out_n = 4;
		return b + 12;
	}
	*out_n = 16;
	return b;
}

bool
net_is_public(const struct sockaddr *address)
{
	size_t n;
	const unsigned char *b = bytes_of(address, &n);

	if (!b)
		return false;
	return n == 4 ? is_public_v4(b) : is_public_v6(b);
}

/* "10.1.0.0/16", "::1": false when it is neither address nor block. */
static bool
read_block(char *item, struct block *out, size_t *out_n)
{
	char *slash = strchr(item, '/');
	int64_t bits;

	*out = (struct block){0};
	if (slash)
		*slash = '\0';
	if (inet_pton(AF_INET, item, out->prefix) == 1)
		*out_n = 4;
	else if (inet_pton(AF_INET6, item, out->prefix) == 1)
		*out_n = 16;
	else
		return false;
	if (!slash) {
		out->bits = (unsigned)(8 * *out_n);
		return true;
	}
	if (!text_int(slash + 1, &bits) || bits < 0 ||
	    bits > 8 * (int64_t)*out_n)
		return false;
	out->bits = (unsigned)bits;
	return true;
}

static bool
item_matches(char *item, const char *host, const struct sockaddr *address)
{
	struct block block;
	size_t n, have = 0;
	const unsigned char *b = address ? bytes_of(address, &have) : NULL;

	if (host && strcasecmp(item, host) == 0)
		return true;
	return b && read_block(item, &block, &n) && n == have &&
	    is_in(b, &block);
}

bool
net_is_listed(
    const char *list, const char *host, const struct sockaddr *address)
{
	bool found = false;

	while (list && *list && !found) {
		size_t n = strcspn(list, ",");
		char *item = mem_dup_n(NULL, list, n);

		found = n > 0 && item_matches(item, host, address);
		mem_drop(&item);
		list += n + (list[n] == ',');
	}
	return found;
}
