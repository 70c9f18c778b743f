/*
 * The formats of draft 2020-12 (Validation, section 7.3), for schemas that
 * want them asserted. Each is the grammar its RFC gives; names in other
 * scripts (idn-*, iri) are checked for shape, not against IDNA's tables.
 */
#include "schema/schema_priv.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "base/text.h"

/* What is left to read. */
struct reader {
	const char *at, *end;
};

static bool
is_at(const struct reader *r, char c)
{
	return r->at < r->end && *r->at == c;
}

static bool
skip(struct reader *r, char c)
{
	if (!is_at(r, c))
		return false;
	r->at++;
	return true;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Exactly n digits, no more than max. */
static bool
number(struct reader *r, int n, int max, int *out)
{
	int value = 0;

	if (r->end - r->at < n)
		return false;
	for (int i = 0; i < n; i++) {
		if (!digit(r->at[i]))
			return false;
		value = value * 10 + (r->at[i] - '0');
	}
	r->at += n;
	if (value > max)
		return false;
	*out = value;
	return true;
}

static size_t
digits(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && digit(*r->at))
		r->at++;
	return (size_t)(r->at - start);
}

/* RFC 3339 full-date. */
static bool
full_date(struct reader *r)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day;
	bool leap;

	if (!number(r, 4, 9999, &year) || !skip(r, '-') ||
	    !number(r, 2, 12, &month) || !skip(r, '-') ||
	    !number(r, 2, 31, &day) || month == 0 || day == 0)
		return false;
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return day <= days[month - 1] + (month == 2 && leap);
}

/* RFC 3339 full-time; a leap second is one only at 23:59 UTC. */
static bool
full_time(struct reader *r)
{
	int hour, minute, second, off_hour = 0, off_minute = 0, sign = 0;
	int utc;

	if (!number(r, 2, 23, &hour) || !skip(r, ':') ||
	    !number(r, 2, 59, &minute) || !skip(r, ':') ||
	    !number(r, 2, 60, &second))
		return false;
	if (skip(r, '.') && digits(r) == 0)
		return false;
	if (!skip(r, 'Z') && !skip(r, 'z')) {
		sign = is_at(r, '-') ? 1 : -1;
		if (!skip(r, '-') && !skip(r, '+'))
			return false;
		if (!number(r, 2, 23, &off_hour) || !skip(r, ':') ||
		    !number(r, 2, 59, &off_minute))
			return false;
	}
	utc = hour * 60 + minute + sign * (off_hour * 60 + off_minute);
	return second < 60 || (utc + 1440) % 1440 == 1439;
}

static bool
is_date(const char *text, size_t n)
{
	struct reader r = {text, text + n};

	return full_date(&r) && r.at == r.end;
}

static bool
is_time(const char *text, size_t n)
{
	struct reader r = {text, text + n};

	return full_time(&r) && r.at == r.end;
}

static bool
is_date_time(const char *text, size_t n)
{
	struct reader r = {text, text + n};

	return full_date(&r) && (skip(&r, 'T') || skip(&r, 't')) &&
	    full_time(&r) && r.at == r.end;
}

/* Numbers with units, in the order of units and without a gap (RFC 3339
 * appendix A: a year is followed by months, not by days). */
static bool
amounts(struct reader *r, const char *units)
{
	const char *next = NULL;

	while (r->at < r->end && digit(*r->at)) {
		const char *unit;

		digits(r);
		if (r->at == r->end || !one_of(*r->at, units))
			return false;
		unit = strchr(units, *r->at++);
		if (next && unit != next)
			return false;
		next = unit + 1;
	}
	return next != NULL;
}

static bool
is_duration(const char *text, size_t n)
{
	struct reader r = {text, text + n}, weeks;

	if (!skip(&r, 'P'))
		return false;
	weeks = r;
	if (amounts(&weeks, "W") && weeks.at == weeks.end)
		return true;
	if (!is_at(&r, 'T') && !amounts(&r, "YMD"))
		return false;
	if (skip(&r, 'T') && !amounts(&r, "HMS"))
		return false;
	return r.at == r.end;
}

static bool
is_address(int family, const char *text, size_t n)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (n >= sizeof(copy) || memchr(text, '\0', n))
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	return inet_pton(family, copy, &address) == 1;
}

static bool
is_ipv4(const char *text, size_t n)
{
	return is_address(AF_INET, text, n);
}

static bool
is_ipv6(const char *text, size_t n)
{
	return is_address(AF_INET6, text, n);
}

/* The bytes of a dot between labels, also the ideographic ones; 0: no dot. */
static size_t
dot_width(const struct reader *r, bool idn)
{
	static const char *const dots[] = {
	    "\xE3\x80\x82", "\xEF\xBC\x8E", "\xEF\xBD\xA1"};

	if (is_at(r, '.'))
		return 1;
	for (size_t i = 0; idn && i < nitems(dots); i++)
		if (r->end - r->at >= 3 && memcmp(r->at, dots[i], 3) == 0)
			return 3;
	return 0;
}

/* RFC 1123 labels: letters, digits and inner hyphens, 63 at most. "--" in the
 * third place is kept for A-labels (RFC 5891). */
static bool
label(struct reader *r, bool idn)
{
	const char *start = r->at;
	size_t n;

	while (r->at < r->end && dot_width(r, idn) == 0) {
		size_t width = text_utf8_width(r->at, (size_t)(r->end - r->at));

		if (width == 0 || (width > 1 && !idn))
			return false;
		if (width == 1 && !alpha(*r->at) && !digit(*r->at) &&
		    *r->at != '-')
			return false;
		r->at += width;
	}
	n = (size_t)(r->at - start);
	if (n == 0 || n > 63 || start[0] == '-' || start[n - 1] == '-')
		return false;
	if (n < 4 || start[2] != '-' || start[3] != '-')
		return true;
	return n > 4 && (start[0] | 32) == 'x' && (start[1] | 32) == 'n';
}

static bool
is_host(const char *text, size_t n, bool idn)
{
	struct reader r = {text, text + n};

	if (n > 253)
		return false;
	for (;;) {
		if (!label(&r, idn))
			return false;
		if (r.at == r.end)
			return true;
		r.at += dot_width(&r, idn);
	}
}

static bool
is_hostname(const char *text, size_t n)
{
	return is_host(text, n, false);
}

static bool
is_idn_hostname(const char *text, size_t n)
{
	return is_host(text, n, true);
}

/* RFC 5321 Local-part up to the last "@": a dotted or a quoted string. */
static bool
is_local_part(const char *text, size_t n, bool idn)
{
	bool quoted = n >= 2 && text[0] == '"' && text[n - 1] == '"';

	if (n == 0 || n > 64)
		return false;
	for (size_t i = quoted; i < n - quoted; i++) {
		size_t width = text_utf8_width(text + i, n - i);
		char c = text[i];

		if (width == 0 || (width > 1 && !idn))
			return false;
		if (width > 1) {
			i += width - 1;
		} else if (quoted) {
			if (c == '\\' && ++i >= n - 1)
				return false;
			if (c == '"' || (unsigned char)text[i] < ' ' ||
			    text[i] == 127)
				return false;
		} else if (c == '.') {
			if (i == 0 || i == n - 1 || text[i - 1] == '.')
				return false;
		} else if (!alpha(c) && !digit(c) &&
		    !one_of(c, "!#$%&'*+-/=?^_`{|}~")) {
			return false;
		}
	}
	return true;
}

static bool
is_mailbox(const char *text, size_t n, bool idn)
{
	size_t local = n, len;
	const char *host;

	while (local > 0 && text[local - 1] != '@')
		local--;
	if (local == 0 || n > 254 || !is_local_part(text, local - 1, idn))
		return false;
	host = text + local;
	len = n - local;
	if (len < 2 || host[0] != '[' || host[len - 1] != ']')
		return is_host(host, len, idn);
	if (len > 7 && memcmp(host, "[IPv6:", 6) == 0)
		return is_ipv6(host + 6, len - 7);
	return is_ipv4(host + 1, len - 2);
}

static bool
is_email(const char *text, size_t n)
{
	return is_mailbox(text, n, false);
}

static bool
is_idn_email(const char *text, size_t n)
{
	return is_mailbox(text, n, true);
}

/*
 * RFC 3986 (and 3987 when iri): up to the first byte in stop, only characters
 * of a URI that are unreserved, percent-encoded, sub-delims or in extra.
 */
static bool
characters(struct reader *r, const char *extra, const char *stop, bool iri)
{
	while (r->at < r->end && !one_of(*r->at, stop)) {
		size_t width = text_utf8_width(r->at, (size_t)(r->end - r->at));
		char c = *r->at;

		if (c == '%') {
			if (r->end - r->at < 3 ||
			    !isxdigit((unsigned char)r->at[1]) ||
			    !isxdigit((unsigned char)r->at[2]))
				return false;
			width = 3;
		} else if (width == 0 || (width > 1 && !iri)) {
			return false;
		} else if (width == 1 && !alpha(c) && !digit(c) &&
		    !one_of(c, "-._~!$&'()*+,;=") && !one_of(c, extra)) {
			return false;
		}
		r->at += width;
	}
	return true;
}

static bool
authority(struct reader *r, bool iri)
{
	const char *end = r->at, *user = NULL;
	struct reader part;

	while (end < r->end && !one_of(*end, "/?#")) {
		if (*end == '@')
			user = end;
		end++;
	}
	if (user) {
		part = (struct reader){r->at, user};
		if (!characters(&part, ":", "", iri))
			return false;
		r->at = user + 1;
	}
	part = (struct reader){r->at, end};
	if (is_at(&part, '[')) {
		const char *close =
		    memchr(part.at, ']', (size_t)(end - part.at));

		if (!close ||
		    !is_ipv6(part.at + 1, (size_t)(close - part.at - 1)))
			return false;
		part.at = close + 1;
	} else if (!characters(&part, "", ":", iri)) {
		return false;
	}
	if (skip(&part, ':'))
		digits(&part);
	r->at = end;
	return part.at == part.end;
}

static bool
is_uri_like(const char *text, size_t n, bool relative, bool iri)
{
	struct reader r = {text, text + n};
	size_t scheme = 0;

	while (scheme < n &&
	    (alpha(text[scheme]) ||
		(scheme > 0 &&
		    (digit(text[scheme]) || one_of(text[scheme], "+-.")))))
		scheme++;
	if (scheme > 0 && scheme < n && text[scheme] == ':') {
		r.at += scheme + 1;
	} else {
		/* Without a scheme the first segment has no colon. */
		size_t first = 0;

		while (first < n && !one_of(text[first], "/?#"))
			if (text[first++] == ':')
				return false;
		if (!relative)
			return false;
	}
	if (r.end - r.at >= 2 && r.at[0] == '/' && r.at[1] == '/') {
		r.at += 2;
		if (!authority(&r, iri))
			return false;
	}
	if (!characters(&r, ":@/", "?#", iri))
		return false;
	if (skip(&r, '?') && !characters(&r, ":@/?", "#", iri))
		return false;
	if (skip(&r, '#') && !characters(&r, ":@/?", "", iri))
		return false;
	return r.at == r.end;
}

static bool
is_uri(const char *text, size_t n)
{
	return is_uri_like(text, n, false, false);
}

static bool
is_uri_reference(const char *text, size_t n)
{
	return is_uri_like(text, n, true, false);
}

static bool
is_iri(const char *text, size_t n)
{
	return is_uri_like(text, n, false, true);
}

static bool
is_iri_reference(const char *text, size_t n)
{
	return is_uri_like(text, n, true, true);
}

/* RFC 6570: after "{", an operator, and names with modifiers up to "}". */
static bool
expression(struct reader *r)
{
	if (r->at < r->end && one_of(*r->at, "+#./;?&=,!@|"))
		r->at++;
	do {
		const char *start = r->at;

		while (r->at < r->end &&
		    (alpha(*r->at) || digit(*r->at) || one_of(*r->at, "_.%")))
			r->at++;
		if (r->at == start)
			return false;
		if (skip(r, ':')) {
			size_t n = digits(r);

			if (n == 0 || n > 4)
				return false;
		} else {
			skip(r, '*');
		}
	} while (skip(r, ','));
	return skip(r, '}');
}

static bool
is_uri_template(const char *text, size_t n)
{
	struct reader r = {text, text + n};

	while (r.at < r.end) {
		size_t width = text_utf8_width(r.at, (size_t)(r.end - r.at));

		if (skip(&r, '{')) {
			if (!expression(&r))
				return false;
			continue;
		}
		if (width == 0 || (unsigned char)*r.at <= ' ' ||
		    one_of(*r.at, "\"'<>\\^`|}\x7f"))
			return false;
		if (*r.at == '%' &&
		    (r.end - r.at < 3 || !isxdigit((unsigned char)r.at[1]) ||
			!isxdigit((unsigned char)r.at[2])))
			return false;
		r.at += width;
	}
	return true;
}

static bool
is_json_pointer(const char *text, size_t n)
{
	if (n > 0 && text[0] != '/')
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] == '~' &&
		    (i + 1 == n || !one_of(text[i + 1], "01")))
			return false;
	return true;
}

static bool
is_relative_json_pointer(const char *text, size_t n)
{
	struct reader r = {text, text + n};
	size_t count = digits(&r);

	if (count == 0 || (count > 1 && text[0] == '0'))
		return false;
	if (skip(&r, '#'))
		return r.at == r.end;
	return is_json_pointer(r.at, (size_t)(r.end - r.at));
}

static bool
is_uuid(const char *text, size_t n)
{
	return n == 36 && strlen(text) == n && text_is_uuid(text);
}

static bool
is_regex(const char *text, size_t n)
{
	void *scope = mem_scope(NULL, "regex");
	const char *why;
	bool good = schema__pattern_new(scope, text, n, &why) != NULL;

	mem_drop(&scope);
	return good;
}

const struct format *
schema__format(const char *name)
{
	static const struct format formats[] = {
	    {"date-time", is_date_time,
		"Enter a date and time like 2026-03-31T09:30:00Z."},
	    {"date", is_date, "Enter a date like 2026-03-31."},
	    {"time", is_time, "Enter a time like 09:30:00Z."},
	    {"duration", is_duration, "Enter a duration like P3DT4H."},
	    {"email", is_email, "Enter an e-mail address."},
	    {"idn-email", is_idn_email, "Enter an e-mail address."},
	    {"hostname", is_hostname, "Enter the name of a host."},
	    {"idn-hostname", is_idn_hostname, "Enter the name of a host."},
	    {"ipv4", is_ipv4, "Enter an address like 192.0.2.1."},
	    {"ipv6", is_ipv6, "Enter an address like 2001:db8::1."},
	    {"uri", is_uri, "Enter an address like https://example.org/."},
	    {"uri-reference", is_uri_reference, "Enter a link or a path."},
	    {"iri", is_iri, "Enter an address like https://example.org/."},
	    {"iri-reference", is_iri_reference, "Enter a link or a path."},
	    {"uuid", is_uuid,
		"Enter an id like 0190a3c2-7f00-7abc-8def-0123456789ab."},
	    {"uri-template", is_uri_template,
		"Enter a link template like /stories/{id}."},
	    {"json-pointer", is_json_pointer,
		"Enter a JSON Pointer like /title."},
	    {"relative-json-pointer", is_relative_json_pointer,
		"Enter a relative JSON Pointer like 1/title."},
	    {"regex", is_regex, "Enter a regular expression."},
	};

	for (size_t i = 0; i < nitems(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
