/* JSON values as JSON Schema sees them: types, numbers, equality. */
#include "schema/schema_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double TWO_64 = 18446744073709551616.0;

enum schema_type
schema__type_of(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return SCHEMA_NULL;
	case json_type_boolean:
		return SCHEMA_BOOLEAN;
	case json_type_int:
		return SCHEMA_INTEGER;
	case json_type_double: {
		double real = json_object_get_double(value);

		return real == trunc(real) ? SCHEMA_INTEGER : SCHEMA_NUMBER;
	}
	case json_type_string:
		return SCHEMA_STRING;
	case json_type_array:
		return SCHEMA_ARRAY;
	case json_type_object:
		return SCHEMA_OBJECT;
	}
	return SCHEMA_NULL;
}

struct num
schema__num_of(struct json_object *number)
{
	struct num n = {.whole = true};

	if (json_object_is_type(number, json_type_int)) {
		int64_t value = json_object_get_int64(number);

		/* Above INT64_MAX json-c keeps the number unsigned. */
		n.negative = value < 0;
		n.magnitude = n.negative ? -(uint64_t)value
					 : json_object_get_uint64(number);
		return n;
	}
	n.real = json_object_get_double(number);
	n.whole = fabs(n.real) < TWO_64 && n.real == trunc(n.real);
	if (n.whole) {
		n.negative = n.real < 0;
		n.magnitude = (uint64_t)fabs(n.real);
		n.real = 0;
	}
	return n;
}

static int
compare_whole(struct num a, struct num b)
{
	if (a.negative != b.negative)
		return a.negative ? -1 : 1;
	if (a.magnitude == b.magnitude)
		return 0;
	return (a.magnitude < b.magnitude) != a.negative ? -1 : 1;
}

/* A whole number against a double with a fraction, or outside 64 bits. */
static int
compare_mixed(struct num whole, double real)
{
	struct num below = {.whole = true, .negative = real <= -1};
	int order;

	if (fabs(real) >= TWO_64)
		return real > 0 ? -1 : 1;
	below.magnitude = (uint64_t)fabs(real);
	order = compare_whole(whole, below);
	if (order != 0)
		return order;
	return real > 0 ? -1 : 1;
}

int
schema__num_compare(struct num a, struct num b)
{
	if (a.whole && b.whole)
		return compare_whole(a, b);
	if (a.whole)
		return compare_mixed(a, b.real);
	if (b.whole)
		return -compare_mixed(b, a.real);
	return (a.real > b.real) - (a.real < b.real);
}

/* digits times ten to the power, without the sign; digits do not end in 0. */
struct decimal {
	uint64_t digits;
	int power;
};

/* A double is the shortest decimal that reads back as the same double: that is
 * what its author wrote, 0.1 and not 0.1000000000000000055. */
static struct decimal
decimal_of(struct num n)
{
	struct decimal d = {n.magnitude, 0};

	if (!n.whole) {
		char text[40];
		const char *s = text;
		int places = 13;

		do {
			places++;
			snprintf(
			    text, sizeof(text), "%.*e", places, fabs(n.real));
		} while (places < 16 && strtod(text, NULL) != fabs(n.real));
		for (; *s != 'e'; s++)
			if (*s >= '0' && *s <= '9')
				d.digits = d.digits * 10 + (uint64_t)(*s - '0');
		d.power = (int)strtol(s + 1, NULL, 10) - places;
	}
	for (; d.digits != 0 && d.digits % 10 == 0; d.digits /= 10)
		d.power++;
	return d;
}

/* In whole numbers: is a.digits * 10^shift divisible by b.digits? */
bool
schema__num_is_multiple(struct num n, struct num divisor)
{
	struct decimal a = decimal_of(n), b = decimal_of(divisor);
	int shift = a.power - b.power;
	unsigned __int128 rest, modulus = b.digits;

	if (a.digits == 0)
		return true;
	if (shift < -19) /* 10^20 is more than any digits */
		return false;
	for (; shift < 0; shift++)
		modulus *= 10;
	rest = a.digits % modulus;
	for (; shift > 0 && rest != 0; shift--)
		rest = rest * 10 % modulus;
	return rest == 0;
}

static bool
pay(uint64_t *steps, size_t n)
{
	if (*steps < n) {
		*steps = 0;
		return false;
	}
	*steps -= n;
	return true;
}

static bool
objects_equal(struct json_object *a, struct json_object *b, uint64_t *steps)
{
	int n = json_object_object_length(a);

	if (n != json_object_object_length(b) || !pay(steps, (size_t)n))
		return false;
	json_object_object_foreach (a, key, mine) {
		struct json_object *theirs;

		if (!json_object_object_get_ex(b, key, &theirs) ||
		    !schema__equal(mine, theirs, steps))
			return false;
	}
	return true;
}

bool
schema__equal(struct json_object *a, struct json_object *b, uint64_t *steps)
{
	enum schema_type type = schema__type_of(a);

	if (type != schema__type_of(b))
		return false;
	switch (type) {
	case SCHEMA_BOOLEAN:
		return json_object_get_boolean(a) == json_object_get_boolean(b);
	case SCHEMA_INTEGER:
	case SCHEMA_NUMBER:
		return schema__num_compare(
			   schema__num_of(a), schema__num_of(b)) == 0;
	case SCHEMA_STRING: {
		int n = json_object_get_string_len(a);

		return n == json_object_get_string_len(b) &&
		    memcmp(json_object_get_string(a), json_object_get_string(b),
			(size_t)n) == 0;
	}
	case SCHEMA_ARRAY: {
		size_t n = json_object_array_length(a);

		if (n != json_object_array_length(b) || !pay(steps, n))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!schema__equal(json_object_array_get_idx(a, i),
				json_object_array_get_idx(b, i), steps))
				return false;
		return true;
	}
	case SCHEMA_OBJECT:
		return objects_equal(a, b, steps);
	case SCHEMA_NULL:
	case SCHEMA_NONE:
	case SCHEMA_ANY:
		break;
	}
	return true;
}

/* FNV-1a, 64 bits. */
static uint64_t
hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ b[i]) * 0x100000001b3u;
	return hash;
}

uint64_t
schema__hash(struct json_object *value)
{
	enum schema_type type = schema__type_of(value);
	uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)type;

	switch (type) {
	case SCHEMA_BOOLEAN:
		hash += (uint64_t)json_object_get_boolean(value);
		break;
	case SCHEMA_INTEGER:
	case SCHEMA_NUMBER: {
		struct num n = schema__num_of(value);

		hash ^= n.negative;
		hash = hash_bytes(hash, &n.magnitude, sizeof(n.magnitude));
		hash = hash_bytes(hash, &n.real, sizeof(n.real));
		break;
	}
	case SCHEMA_STRING:
		hash = hash_bytes(hash, json_object_get_string(value),
		    (size_t)json_object_get_string_len(value));
		break;
	case SCHEMA_ARRAY:
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			uint64_t item =
			    schema__hash(json_object_array_get_idx(value, i));

			hash = hash_bytes(hash, &item, sizeof(item));
		}
		break;
	case SCHEMA_OBJECT: {
		json_object_object_foreach (value, key, member) {
			uint64_t item = schema__hash(member);

			/* A sum, because members have no order. */
			hash += hash_bytes(item, key, strlen(key));
		}
		break;
	}
	case SCHEMA_NULL:
	case SCHEMA_NONE:
	case SCHEMA_ANY:
		break;
	}
	return hash;
}

size_t
schema__depth(struct json_object *value, size_t max)
{
	enum schema_type type = schema__type_of(value);
	size_t deepest = 0, n;

	if (type != SCHEMA_ARRAY && type != SCHEMA_OBJECT)
		return 0;
	if (max == 0)
		return 1;
	if (type == SCHEMA_OBJECT) {
		json_object_object_foreach (value, key, member) {
			(void)key;
			n = schema__depth(member, max - 1);
			deepest = n > deepest ? n : deepest;
		}
		return deepest + 1;
	}
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		n = schema__depth(json_object_array_get_idx(value, i), max - 1);
		deepest = n > deepest ? n : deepest;
	}
	return deepest + 1;
}
