/* How values are shown to people. */
#include "view/humane.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

static const int64_t micros_per_dollar = 1000000;

static uint64_t
magnitude(int64_t n)
{
	return n < 0 ? -(uint64_t)n : (uint64_t)n;
}

static const char *
sign(int64_t n)
{
	return n < 0 ? "-" : "";
}

/* Thousands by comma; 20 digits and 6 commas fit. Returns out. */
static const char *
grouped(char out[32], uint64_t n)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *p = out;

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return out;
}

char *
humane_word(void *owner, const char *word)
{
	char *text = mem_dup(owner, word);

	for (char *c = text; *c; c++)
		if (*c == '_')
			*c = ' ';
	if (*text >= 'a' && *text <= 'z')
		*text = (char)(*text - 'a' + 'A');
	return text;
}

char *
humane_count(void *owner, int64_t n)
{
	char digits[32];

	return mem_fmt(owner, "%s%s", sign(n), grouped(digits, magnitude(n)));
}

char *
humane_tokens(void *owner, int64_t n)
{
	const uint64_t million = 1000000;
	uint64_t value = magnitude(n), tenths;
	char digits[32];
	char unit = 'M';

	if (value < million)
		return humane_count(owner, n);
	tenths = (value + million / 20) / (million / 10);
	if (tenths >= 10000) {
		tenths = (value / 2 + million * 25) / (million * 50);
		unit = 'B';
	}
	return mem_fmt(owner, "%s%s.%d %c", sign(n),
	    grouped(digits, tenths / 10), (int)(tenths % 10), unit);
}

char *
humane_money(void *owner, int64_t micros)
{
	uint64_t value = magnitude(micros);
	uint64_t cents = value / 10000 + (value % 10000 >= 5000);
	uint64_t mills = value / 1000 + (value % 1000 >= 500);
	char digits[32];

	if (value == 0 || mills >= 100)
		return mem_fmt(owner, "%s$%s.%02d", sign(micros),
		    grouped(digits, cents / 100), (int)(cents % 100));
	if (value >= 1000)
		return mem_fmt(owner, "%s$0.%03d", sign(micros), (int)mills);
	snprintf(digits, sizeof(digits), "%06d", (int)value);
	for (int last = 5; digits[last] == '0'; last--)
		digits[last] = '\0';
	return mem_fmt(owner, "%s$0.%s", sign(micros), digits);
}

char *
humane_budget(void *owner, int64_t micros)
{
	char digits[32];

	if (micros % micros_per_dollar)
		return humane_money(owner, micros);
	return mem_fmt(owner, "%s$%s", sign(micros),
	    grouped(digits, magnitude(micros / micros_per_dollar)));
}

/* "4 min 12 s", "4 min" */
static char *
two_units(void *owner, const char *minus, uint64_t n, uint64_t per,
    const char *large, const char *small)
{
	char digits[32];

	grouped(digits, n / per);
	if (n % per == 0)
		return mem_fmt(owner, "%s%s %s", minus, digits, large);
	return mem_fmt(owner, "%s%s %s %d %s", minus, digits, large,
	    (int)(n % per), small);
}

char *
humane_duration(void *owner, int64_t ms)
{
	uint64_t value = magnitude(ms);
	uint64_t tenths = value / 100 + (value % 100 >= 50);
	uint64_t seconds = value / 1000 + (value % 1000 >= 500);
	uint64_t minutes = (seconds + 30) / 60, hours = (minutes + 30) / 60;

	if (value < 1000)
		return mem_fmt(owner, "%s%d ms", sign(ms), (int)value);
	if (tenths < 600)
		return mem_fmt(owner, "%s%d.%d s", sign(ms), (int)(tenths / 10),
		    (int)(tenths % 10));
	if (seconds < 3600)
		return two_units(owner, sign(ms), seconds, 60, "min", "s");
	if (minutes < 24 * 60)
		return two_units(owner, sign(ms), minutes, 60, "h", "min");
	return two_units(owner, sign(ms), hours, 24, "d", "h");
}

char *
humane_share(void *owner, double share)
{
	double percent = round(share * 100);

	if (!isfinite(percent) || percent == 0)
		percent = 0; /* and never "-0%" */
	return mem_fmt(owner, "%.0f%%", percent);
}

/* --- Days and times ---------------------------------------------------- */

/* Zone names are letters, digits and _ + - with slashes between: nothing that
 * could leave the folder they are kept in. */
static bool
is_zone(const char *zone)
{
	char path[128];

	if (!isalpha((unsigned char)zone[0]))
		return false;
	for (const char *c = zone; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_+-/", *c))
			return false;
	return snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone) <
	    (int)sizeof(path) &&
	    access(path, R_OK) == 0;
}

static void
enter_zone(const char *zone)
{
	static char entered[64];
	static bool has_entered;
	char tz[66];

	if (has_entered && strcmp(zone, entered) == 0)
		return;
	if (strlen(zone) >= sizeof(entered))
		zone = "UTC";
	snprintf(entered, sizeof(entered), "%s", zone);
	snprintf(tz, sizeof(tz), ":%s", is_zone(entered) ? entered : "UTC");
	setenv("TZ", tz, 1);
	tzset();
	has_entered = true;
}

static struct tm
local(int64_t at, const char *zone)
{
	const int64_t second = 1000000;
	time_t t = at / second - (at % second < 0);
	struct tm tm = {0};

	enter_zone(zone);
	localtime_r(&t, &tm);
	return tm;
}

static const char *
month_name(int month)
{
	static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

	return names[month - 1];
}

static char *
day_text(void *owner, int day, int month, int year, bool has_year)
{
	if (!has_year)
		return mem_fmt(owner, "%d %s", day, month_name(month));
	return mem_fmt(owner, "%d %s %d", day, month_name(month), year);
}

char *
humane_day(void *owner, int64_t at, const char *zone, int64_t now)
{
	struct tm day = local(at, zone);
	int this_year = humane_year(now, zone);

	return day_text(owner, day.tm_mday, day.tm_mon + 1, day.tm_year + 1900,
	    day.tm_year + 1900 != this_year);
}

char *
humane_time(void *owner, int64_t at, const char *zone)
{
	struct tm tm = local(at, zone);

	return mem_fmt(owner, "%d %s %d, %02d:%02d", tm.tm_mday,
	    month_name(tm.tm_mon + 1), tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min);
}

int
humane_year(int64_t at, const char *zone)
{
	return local(at, zone).tm_year + 1900;
}

char *
humane_date(void *owner, const char *date, int this_year)
{
	int year, month, day;

	if (!isdigit((unsigned char)date[0]) ||
	    sscanf(date, "%4d-%2d-%2d", &year, &month, &day) != 3 ||
	    month < 1 || month > 12 || day < 1 || day > 31)
		return mem_dup(owner, date);
	return day_text(
	    owner, day, month, year, this_year != 0 && year != this_year);
}
