/* Small questions about text: UTF-8, numbers, identifiers. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

size_t
text_utf8_width(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t width;

	if (n == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		width = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		width = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		width = 4;
	else
		return 0;
	if (n < width)
		return 0;
	for (size_t i = 1; i < width; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return width;
}

bool
text_is_storable(const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t width = text_utf8_width(text + i, n - i);

		if (width == 0 || text[i] == '\0')
			return false;
		i += width;
	}
	return true;
}

size_t
text_utf8_length(const char *text, size_t n)
{
	size_t length = 0;

	for (size_t i = 0; i < n; i++)
		length += ((unsigned char)text[i] & 0xC0) != 0x80;
	return length;
}

bool
text_is_uuid(const char *text)
{
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return text[36] == '\0';
}

static int
digits(const char *text, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

bool
text_is_date(const char *text)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day;
	bool leap;

	for (const char *c = "0000-00-00", *t = text; *c; c++, t++)
		if (*c == '0' ? !isdigit((unsigned char)*t) : *t != *c)
			return false;
	year = digits(text, 4);
	month = digits(text + 5, 2);
	day = digits(text + 8, 2);
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 &&
	    day <= days[month - 1] + (month == 2 && leap);
}

bool
text_int(const char *text, int64_t *out)
{
	char *end;
	long long value;

	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '-' && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	*out = value;
	return true;
}

bool
text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
text_ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

char *
text_hex(void *owner, const void *bytes, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const unsigned char *b = bytes;
	char *hex = mem_array(owner, char, 2 * n + 1);

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digit[b[i] >> 4];
		hex[2 * i + 1] = digit[b[i] & 15];
	}
	return hex;
}
