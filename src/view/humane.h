/*
 * How values are shown to people: one way for each kind, in every page, chart
 * and mail. English, whatever the locale of the process.
 *
 * Results belong to owner. None of these can fail: what has no reasonable form
 * (no number, no date) has a stated one.
 */
#ifndef GNOMON_VIEW_HUMANE_H
#define GNOMON_VIEW_HUMANE_H

#include <stdint.h>

/* A word of the database as people read it: "in_progress" is "In progress". */
char *humane_word(void *owner, const char *word);

/* "3,526" */
char *humane_count(void *owner, int64_t n);

/* "3,526", and from a million on "48.2 M", from a thousand million "1.3 B". */
char *humane_tokens(void *owner, int64_t n);

/*
 * Money, from millionths of a dollar: "$812.40", "$1,204.50", "-$3.00". What
 * is below ten cents has a tenth of a cent, "$0.021", and what would vanish
 * there has every digit it needs, "$0.00042". Nothing is "$0.00".
 */
char *humane_money(void *owner, int64_t micros);

/* As humane_money, but whole dollars stay whole, for budgets and axes:
 * "$1,200", "$37.50". */
char *humane_budget(void *owner, int64_t micros);

/* From milliseconds: "310 ms", "2.3 s", "4 min 12 s", "1 h 5 min", "2 d 3 h". */
char *humane_duration(void *owner, int64_t ms);

/* A share of one as whole percent: 0.676 is "68%". No number: "0%". */
char *humane_share(void *owner, double share);

/*
 * Instants are microseconds since the Unix epoch (UTC), shown in an IANA zone
 * ("Europe/Berlin"); a zone this machine does not know is UTC.
 *
 * These set TZ and call tzset when the zone is another than the last time,
 * which costs a file: right for our processes, each of which is one thread.
 */

/* "20 Nov"; "20 Nov 2025" when that is not the year of now. */
char *humane_day(void *owner, int64_t at, const char *zone, int64_t now);

/* "20 Nov 2026, 08:14" */
char *humane_time(void *owner, int64_t at, const char *zone);

/* A plain date, "2026-11-20", as humane_day shows one; this_year 0 leaves the
 * year out. Text that does not begin with a date is returned as it is. */
char *humane_date(void *owner, const char *date, int this_year);

/* The year of an instant in a zone; for humane_date. */
int humane_year(int64_t at, const char *zone);

#endif
