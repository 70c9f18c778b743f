/*
 * A provider that fails again and again is left alone for a while, by all
 * processes at once: what is known of it is one shared word (base/metrics.h).
 *
 *     failures      5 in a row          30 s over, one caller tries
 *   closed ------------------> open ------------------> trying
 *      ^                         ^                          |
 *      +---------- good ---------+--------- failed ---------+
 *
 * A caller that dies while it tries is given up on after a minute.
 */
#include <stdatomic.h>
#include <time.h>

#include "ai/ai_priv.h"
#include "base/metrics.h"

enum {
	FAILURES = 5, /* in a row, then it is left alone */
	REST_MS = 30000,
	TRY_MS = 60000, /* a caller may take to find out */
	TRYING = 1 << 8, /* in the word; below it: failures, */
	UNTIL_SHIFT = 16, /* above it: until when, in ms of CLOCK_BOOTTIME */
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static _Atomic uint64_t *
word_of(enum ai_kind kind)
{
	return metrics_word(METRICS_AI_BREAKERS + kind);
}

/* The machine began anew since: what the word says is of another time. */
static bool
is_stale(uint64_t until, uint64_t now)
{
	return until > now + TRY_MS;
}

bool
ai_breaker_would_let(enum ai_kind kind)
{
	uint64_t until = atomic_load(word_of(kind)) >> UNTIL_SHIFT;
	uint64_t now = now_ms();

	return until <= now || is_stale(until, now);
}

bool
ai_breaker_lets(enum ai_kind kind)
{
	_Atomic uint64_t *word = word_of(kind);
	uint64_t seen = atomic_load(word);

	for (;;) {
		uint64_t now = now_ms(), until = seen >> UNTIL_SHIFT, next;

		if (until == 0)
			return true;
		if (now < until && !is_stale(until, now))
			return false;
		next = (now + TRY_MS) << UNTIL_SHIFT | TRYING | FAILURES;
		if (atomic_compare_exchange_weak(word, &seen, next))
			return true;
	}
}

void
ai_breaker_note(enum ai_kind kind, enum ai_fault fault)
{
	_Atomic uint64_t *word = word_of(kind);
	uint64_t seen = atomic_load(word), next;
	bool trips = fault != AI_GOOD && ai_fault_info(fault)->speaks_against;

	if (fault != AI_GOOD && !trips &&
	    (!(seen & TRYING) || !ai__says_it_lives(fault)))
		return;
	do {
		uint64_t failures = (seen & 0xff) + 1;

		if (!trips) /* it answers, if only to decline */
			next = 0;
		else if (failures < FAILURES)
			next = failures;
		else
			next = (now_ms() + REST_MS) << UNTIL_SHIFT | FAILURES;
	} while (
	    seen != next && !atomic_compare_exchange_weak(word, &seen, next));
	if (next >> UNTIL_SHIFT && (!(seen >> UNTIL_SHIFT) || (seen & TRYING)))
		metrics_count(METRIC_AI_BREAKS, ai_kind_word(kind));
}

const char *
ai_breaker_word(enum ai_kind kind)
{
	uint64_t seen = atomic_load(word_of(kind)), now = now_ms();
	uint64_t until = seen >> UNTIL_SHIFT;

	if (until == 0 || is_stale(until, now))
		return "closed";
	if (seen & TRYING && now < until)
		return "trying";
	return now < until ? "open" : "trying";
}
