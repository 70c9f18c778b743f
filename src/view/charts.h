/*
 * Charts: inline SVG made by the server from the same rows a table shows.
 *
 * Every chart is one <svg class="ch"> of classes and presentation attributes
 * only (no style=, so the page's policy holds), with role="img", a <title> that
 * says what it is and a <desc> that says the finding in sentences computed
 * from the rows. All text is escaped. A missing, null or odd value is left
 * out; no rows give an empty frame that says "No data yet".
 *
 * rows is a JSON list of objects, as SQL returns them, oldest first; the last
 * CHART_ROWS_MAX are drawn and amounts are held within ±10^13. Keys:
 *
 *   sparkline  96×24, aria-hidden: the words beside it carry the meaning
 *     value          number
 *   burndown   640×210, one row a day of the sprint
 *     day            "2026-11-09"
 *     remaining      points open at the end of the day; null in the future
 *     ideal          where the straight line is
 *     scope          points added (or, below 0, taken out) on the day
 *     isToday        true on one row
 *     forecastLow, forecastHigh   the band, on days after the last remaining
 *   bars       640×210, one row a day
 *     every          "week" when it is one row a week, on its first day
 *     label          "1 Nov"
 *     value          number, not below 0
 *     forecast       true: not yet happened, drawn at 35%
 *     pace           the dashed line; the first row that has one gives it
 *     unit           "micros" (millionths of a dollar), "tokens", or nothing
 *                    for a plain count; the first row that has one gives it
 *   velocity   640×210, one row a sprint
 *     label          "Sprint 41"
 *     committed, completed   points; completed null while the sprint runs
 *
 * Any row may carry "title" to name the chart; the first one does.
 *
 * Marks are painted with currentColor, so the style sheet gives each token a
 * class that sets only color, and nothing else is needed:
 *   .ch .d1{color:var(--d1)}   likewise line ctl t2 t3 amb
 */
#ifndef GNOMON_VIEW_CHARTS_H
#define GNOMON_VIEW_CHARTS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct json_object;

enum { CHART_ROWS_MAX = 400 };

/* True for "sparkline", "burndown", "bars", "velocity". */
bool chart_is_kind(const char *kind);

/*
 * Appends the chart to out. id is unique in its page and has no space in it:
 * title and desc get the ids <id>-t and <id>-d. rows may be NULL.
 * ERR_INTERNAL: there is no such kind, or out is full.
 */
enum err chart_draw(const char *kind, struct json_object *rows, const char *id,
    struct buf *out) MUST_CHECK;

#endif
