/* Charts: inline SVG made by the server from the same rows a table shows. */
#include "view/charts.h"

#include <assert.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "view/humane.h"

/*
 * The frame of the wide charts, in user units (one is a CSS pixel at 640):
 *
 *        LEFT                     right
 *    TOP  ┌─────────────────────────┐
 *  ticks  │                         │  labels at the line (burndown)
 *  BOTTOM └─────────────────────────┘
 *            days or sprints
 */
enum {
	WIDTH = 640,
	HEIGHT = 210,
	LEFT = 48,
	TOP = 24,
	BOTTOM = 182,
	RIGHT = 632,
	RIGHT_BEFORE_LABELS = 576,
	BASELINE = 198, /* of the words under the axis */
	GRIDLINES = 4,
	X_LABELS_MAX = 8,
	LABEL_MAX = 11, /* characters that fit under an eighth */
	NAME_MAX = 60, /* characters of a day or sprint in a finding */
	LINE_HEIGHT = 12,
	CHARACTER_WIDTH = 6, /* at 11 px, amply */
	LABEL_WIDTH = 60, /* of "Forecast" */
	SCOPE_WIDTH = 84, /* of "+13 scope", where letters are largest */
	SCOPE_HEIGHT = 18,
};

static const double amount_max = 1e13;

struct chart {
	struct buf *out;
	void *pad; /* owns what is made on the way; dropped at the end */
	const char *id;
	struct json_object *rows;
	size_t from, n; /* the rows drawn begin at from */
	const char *unit; /* never NULL */
	double top; /* the value at TOP; 0 is at BOTTOM */
	int right;
	struct {
		double x, y;
	} taken[3]; /* where labels at the line stand, so far */
	int n_taken;
};

/* --- Reading rows ------------------------------------------------------ */

static struct json_object *
cell(const struct chart *c, size_t i, const char *key)
{
	struct json_object *row =
	    json_object_array_get_idx(c->rows, c->from + i);
	struct json_object *value = NULL;

	if (json_object_is_type(row, json_type_object))
		json_object_object_get_ex(row, key, &value);
	return value;
}

/* An amount; false when the cell has none. */
static bool
amount(const struct chart *c, size_t i, const char *key, double *out)
{
	struct json_object *value = cell(c, i, key);
	double number;

	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return false;
	number = json_object_get_double(value);
	if (isnan(number))
		return false;
	*out = fmax(-amount_max, fmin(amount_max, number));
	return true;
}

static const char *
words(const struct chart *c, size_t i, const char *key)
{
	struct json_object *value = cell(c, i, key);

	return json_object_is_type(value, json_type_string)
	    ? json_object_get_string(value)
	    : "";
}

static bool
is_set(const struct chart *c, size_t i, const char *key)
{
	struct json_object *value = cell(c, i, key);

	return json_object_is_type(value, json_type_boolean) &&
	    json_object_get_boolean(value);
}

/* What the first row that says anything under key says, or fallback. */
static const char *
first_words(const struct chart *c, const char *key, const char *fallback)
{
	for (size_t i = 0; i < c->n; i++)
		if (*words(c, i, key))
			return words(c, i, key);
	return fallback;
}

static void
raise_to(const struct chart *c, const char *key, double *max)
{
	double value;

	for (size_t i = 0; i < c->n; i++)
		if (amount(c, i, key, &value) && value > *max)
			*max = value;
}

/* --- Words ------------------------------------------------------------- */

/* At most two decimals, and none that are zero: "1,204", "52.5". */
static const char *
plain(const struct chart *c, double value)
{
	int64_t hundredths = llround(fabs(value) * 100);
	const char *minus = value < 0 && hundredths ? "-" : "";
	const char *whole = humane_count(c->pad, hundredths / 100);
	int rest = (int)(hundredths % 100);

	if (rest == 0)
		return mem_fmt(c->pad, "%s%s", minus, whole);
	if (rest % 10 == 0)
		return mem_fmt(c->pad, "%s%s.%d", minus, whole, rest / 10);
	return mem_fmt(c->pad, "%s%s.%02d", minus, whole, rest);
}

static const char *
in_unit(const struct chart *c, double value)
{
	if (strcmp(c->unit, "micros") == 0)
		return humane_budget(c->pad, llround(value));
	if (strcmp(c->unit, "tokens") == 0)
		return humane_tokens(c->pad, llround(value));
	return plain(c, value);
}

static const char *
plural(const struct chart *c, double n, const char *one, const char *many)
{
	return mem_fmt(c->pad, "%s %s", plain(c, n), n == 1 ? one : many);
}

static const char *
points(const struct chart *c, double n)
{
	return plural(c, n, "point", "points");
}

/* At most max characters, the last one an ellipsis when there were more. */
static const char *
shortened(const struct chart *c, const char *text, int max)
{
	size_t n = strlen(text), at = 0;

	if (text_utf8_length(text, n) <= (size_t)max)
		return text;
	for (int i = 0; i < max - 1 && at < n; i++) {
		size_t width = text_utf8_width(text + at, n - at);

		at += width ? width : 1;
	}
	return mem_fmt(c->pad, "%.*s…", (int)at, text);
}

/* --- Drawing ----------------------------------------------------------- */

static void
add_escaped(const struct chart *c, const char *text)
{
	buf_html_text(c->out, text, strlen(text));
}

/* A coordinate, to a tenth. */
static void
add_number(const struct chart *c, double value)
{
	int64_t tenths = llround(value * 10);

	if (tenths < 0)
		buf_char(c->out, '-');
	tenths = llabs(tenths);
	buf_int(c->out, tenths / 10);
	if (tenths % 10) {
		buf_char(c->out, '.');
		buf_int(c->out, tenths % 10);
	}
}

/* A command of a path and its coordinate. */
static void
go(const struct chart *c, char command, double to)
{
	buf_char(c->out, command);
	add_number(c, to);
}

static void
go_to(const struct chart *c, char command, double x, double y)
{
	go(c, command, x);
	buf_char(c->out, ' ');
	add_number(c, y);
}

/* Paths are opened, filled with go() and closed; paint is the rest of their
 * attributes. */
static void
open_path(const struct chart *c, const char *class, const char *paint)
{
	buf_fmt(c->out, "<path class=\"%s\" %s d=\"", class, paint);
}

static void
close_path(const struct chart *c)
{
	buf_text(c->out, "\"/>");
}

static const char stroke[] = "fill=\"none\" stroke=\"currentColor\"";
static const char strong_stroke[] =
    "fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.25\"";
static const char dashes[] = "fill=\"none\" stroke=\"currentColor\" "
			     "stroke-width=\"1.5\" stroke-dasharray=\"5 4\"";
static const char fill[] = "fill=\"currentColor\"";
static const char pale_fill[] = "fill=\"currentColor\" fill-opacity=\".15\"";
static const char forecast_fill[] =
    "fill=\"currentColor\" fill-opacity=\".35\"";

static void
add_words(const struct chart *c, const char *class, double x, double y,
    const char *anchor, const char *text)
{
	buf_fmt(
	    c->out, "<text class=\"t2%s\" fill=\"currentColor\" x=\"", class);
	add_number(c, x);
	buf_text(c->out, "\" y=\"");
	add_number(c, y);
	buf_fmt(c->out, "\" text-anchor=\"%s\">", anchor);
	add_escaped(c, text);
	buf_text(c->out, "</text>");
}

static void
add_text(const struct chart *c, double x, double y, const char *anchor,
    const char *text)
{
	add_words(c, "", x, y, anchor, text);
}

static void
add_dot(const struct chart *c, double x, double y)
{
	buf_text(c->out, "<circle class=\"d1\" fill=\"currentColor\" cx=\"");
	add_number(c, x);
	buf_text(c->out, "\" cy=\"");
	add_number(c, y);
	buf_text(c->out, "\" r=\"2.5\"/>");
}

static double
height_of(const struct chart *c, double value)
{
	double share = fmax(0, fmin(1, value / c->top));

	return BOTTOM - share * (BOTTOM - TOP);
}

/* The smallest 1, 2, 2.5 or 5 times a power of ten whose GRIDLINES-fold
 * reaches max; never below a hundredth (a cent). */
static double
grid_step(double max, double one)
{
	static const double nice[] = {1, 2, 2.5, 5, 10};
	double rough = fmax(max / GRIDLINES, one / 100);
	double power = pow(10, floor(log10(rough)));

	for (size_t i = 0; i < nitems(nice); i++)
		if (nice[i] * power >= rough * (1 - 1e-9))
			return nice[i] * power;
	return 10 * power;
}

/* Opens the picture and draws the axis for values from 0 to max. */
static void
open_frame(struct chart *c, const char *title, const char *finding, double max)
{
	double one = strcmp(c->unit, "micros") == 0 ? 1e6 : 1, step;

	buf_fmt(c->out,
	    "<svg class=\"ch\" viewBox=\"0 0 %d %d\" font-size=\"11\" "
	    "role=\"img\" aria-labelledby=\"",
	    WIDTH, HEIGHT);
	add_escaped(c, c->id);
	buf_text(c->out, "-t ");
	add_escaped(c, c->id);
	buf_text(c->out, "-d\"><title id=\"");
	add_escaped(c, c->id);
	buf_text(c->out, "-t\">");
	add_escaped(c, first_words(c, "title", title));
	buf_text(c->out, "</title><desc id=\"");
	add_escaped(c, c->id);
	buf_text(c->out, "-d\">");
	add_escaped(c, finding);
	buf_text(c->out, "</desc>");

	step = max > 0 ? grid_step(max, one) : one;
	c->top = step * GRIDLINES;
	open_path(c, "line", stroke);
	for (int i = 1; i <= GRIDLINES; i++) {
		go_to(c, 'M', LEFT, height_of(c, step * i));
		go(c, 'H', c->right);
	}
	close_path(c);
	open_path(c, "ctl", stroke);
	go_to(c, 'M', LEFT, BOTTOM);
	go(c, 'H', c->right);
	close_path(c);
	for (int i = 0; i <= GRIDLINES; i++)
		add_text(c, LEFT - 6, height_of(c, step * i) + 4, "end",
		    in_unit(c, step * i));
}

static void
close_frame(const struct chart *c)
{
	buf_text(c->out, "</svg>");
}

static void
draw_nothing(struct chart *c, const char *title)
{
	open_frame(c, title, "There is no data yet.", 0);
	add_text(c, (LEFT + c->right) / 2.0, (TOP + BOTTOM) / 2.0, "middle",
	    "No data yet");
	close_frame(c);
}

/* Every how many rows a word under the axis has room. */
static size_t
label_every(const struct chart *c)
{
	return (c->n + X_LABELS_MAX - 1) / X_LABELS_MAX;
}

/* The word under the axis at a row; every other one gives way on a phone. */
static void
add_label(const struct chart *c, size_t row, double x, const char *text)
{
	bool is_other = row / label_every(c) % 2;

	add_words(c, is_other ? " x alt" : " x", x, BASELINE, "middle",
	    shortened(c, text, LABEL_MAX));
}

/* --- Sparkline --------------------------------------------------------- */

static void
draw_sparkline(struct chart *c)
{
	enum { W = 96, H = 24, EDGE = 3 };
	double min = amount_max, max = -amount_max, value;
	double x = 0, y = 0;
	size_t drawn = 0;

	for (size_t i = 0; i < c->n; i++)
		if (amount(c, i, "value", &value)) {
			min = fmin(min, value);
			max = fmax(max, value);
		}
	buf_fmt(c->out,
	    "<svg class=\"ch\" viewBox=\"0 0 %d %d\" width=\"%d\" "
	    "height=\"%d\" aria-hidden=\"true\">",
	    W, H, W, H);
	open_path(c, "d1", stroke);
	for (size_t i = 0; i < c->n; i++) {
		if (!amount(c, i, "value", &value))
			continue;
		x = c->n > 1
		    ? EDGE + (W - 2.0 * EDGE) * (double)i / (double)(c->n - 1)
		    : W / 2.0;
		y = max > min
		    ? H - EDGE - (H - 2.0 * EDGE) * (value - min) / (max - min)
		    : H / 2.0;
		go_to(c, drawn++ ? 'L' : 'M', x, y);
	}
	if (drawn == 0)
		go_to(c, 'M', 0, 0);
	close_path(c);
	if (drawn)
		add_dot(c, x, y);
	buf_text(c->out, "</svg>");
}

/* --- Burndown ---------------------------------------------------------- */

static double
day_x(const struct chart *c, size_t i)
{
	if (c->n < 2)
		return LEFT;
	return LEFT +
	    (double)(c->right - LEFT) * (double)i / (double)(c->n - 1);
}

static const char *
day_name(const struct chart *c, size_t i)
{
	const char *day = shortened(c, words(c, i, "day"), NAME_MAX);

	return humane_date(c->pad, day, 0);
}

/* The last row that has an amount under key; false when none has. */
static bool
last_amount(
    const struct chart *c, const char *key, size_t *out_row, double *out_value)
{
	for (size_t i = c->n; i-- > 0;)
		if (amount(c, i, key, out_value)) {
			*out_row = i;
			return true;
		}
	return false;
}

static bool
forecast_at(const struct chart *c, size_t i, double *low, double *high)
{
	double a, b;

	if (!amount(c, i, "forecastLow", &a) ||
	    !amount(c, i, "forecastHigh", &b))
		return false;
	*low = fmin(a, b);
	*high = fmax(a, b);
	return true;
}

static const char *
burndown_finding(const struct chart *c, size_t today, double left)
{
	double ideal, scope = 0, value, low, high;
	struct buf *text = buf_new(c->pad, 1000);

	buf_fmt(text, "%s %s on %s", points(c, left),
	    left == 1 ? "remains" : "remain", day_name(c, today));
	if (amount(c, today, "ideal", &ideal)) {
		double gap = round((left - ideal) * 10) / 10;

		if (gap == 0)
			buf_text(text, ", as the ideal line says");
		else
			buf_fmt(text, ", %s %s than the ideal line",
			    plain(c, fabs(gap)), gap > 0 ? "more" : "fewer");
	}
	buf_text(text, ".");
	for (size_t i = 0; i < c->n; i++)
		if (amount(c, i, "scope", &value))
			scope += value;
	if (scope != 0)
		buf_fmt(text, " Scope %s by %s.", scope > 0 ? "grew" : "shrank",
		    points(c, fabs(scope)));
	for (size_t i = c->n; i-- > today + 1;)
		if (forecast_at(c, i, &low, &high)) {
			buf_fmt(text,
			    " The forecast for %s is %s to %s points.",
			    day_name(c, i), plain(c, fmax(0, low)),
			    plain(c, fmax(0, high)));
			break;
		}
	return text->data;
}

/* A label at the end of its line; it steps up from those already there. */
static void
label_at_line(struct chart *c, double x, double y, const char *text)
{
	for (int i = 0; i < c->n_taken; i++)
		if (fabs(x - c->taken[i].x) < LABEL_WIDTH &&
		    fabs(y - c->taken[i].y) < LINE_HEIGHT - 0.5) {
			y = c->taken[i].y - LINE_HEIGHT;
			i = -1; /* it may have stepped on another */
		}
	assert(c->n_taken < (int)nitems(c->taken));
	c->taken[c->n_taken].x = x;
	c->taken[c->n_taken++].y = y;
	add_text(c, x + 6, y, "start", text);
}

static void
draw_band(struct chart *c, size_t today, double left)
{
	double low, high, x = 0, y = 0;
	size_t drawn = 0;

	open_path(c, "d1", pale_fill);
	go_to(c, 'M', day_x(c, today), height_of(c, left));
	for (size_t i = today + 1; i < c->n; i++)
		if (forecast_at(c, i, &low, &high)) {
			x = day_x(c, i);
			y = (height_of(c, low) + height_of(c, high)) / 2;
			go_to(c, 'L', x, height_of(c, high));
			drawn++;
		}
	for (size_t i = c->n; i-- > today + 1;)
		if (forecast_at(c, i, &low, &high))
			go_to(c, 'L', day_x(c, i), height_of(c, low));
	buf_char(c->out, 'Z');
	close_path(c);
	if (drawn)
		label_at_line(c, x, y + 4, "Forecast");
}

static void
draw_ideal(struct chart *c)
{
	double value, x = 0, y = 0;
	size_t drawn = 0;

	open_path(c, "t3", dashes);
	for (size_t i = 0; i < c->n; i++) {
		if (!amount(c, i, "ideal", &value))
			continue;
		x = day_x(c, i);
		y = height_of(c, value);
		go_to(c, drawn++ ? 'L' : 'M', x, y);
	}
	if (drawn == 0)
		go_to(c, 'M', LEFT, BOTTOM);
	close_path(c);
	if (drawn)
		label_at_line(c, x, y + 4, "Ideal");
}

/* Work is finished in steps; between two days nothing is known. */
static void
draw_actual(struct chart *c, size_t today, double left)
{
	double value;
	size_t drawn = 0;

	open_path(c, "d1", strong_stroke);
	for (size_t i = 0; i <= today; i++) {
		if (!amount(c, i, "remaining", &value))
			continue;
		if (drawn++ == 0) {
			go_to(c, 'M', day_x(c, i), height_of(c, value));
			continue;
		}
		go(c, 'H', day_x(c, i));
		go(c, 'V', height_of(c, value));
	}
	close_path(c);
	add_dot(c, day_x(c, today), height_of(c, left));
	label_at_line(c, day_x(c, today), height_of(c, left) - 6,
	    mem_fmt(c->pad, "%s left", plain(c, left)));
}

/* Where a label stands, as wide and high as it gets on the smallest screen,
 * where the style sheet makes the letters larger. */
struct place {
	double left, right, y;
};

static bool
is_free(const struct place *p, const struct place *others, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p->left < others[i].right && others[i].left < p->right &&
		    fabs(p->y - others[i].y) < SCOPE_HEIGHT)
			return false;
	return true;
}

/* Steps up from the line until nothing is in the way, then down from it; false
 * when there is no room at all: the table has the number. */
static bool
find_room(struct place *p, const struct place *others, size_t n)
{
	double wanted = p->y;

	for (; p->y >= TOP; p->y -= SCOPE_HEIGHT / 3.0)
		if (is_free(p, others, n))
			return true;
	for (p->y = wanted; p->y < BOTTOM; p->y += SCOPE_HEIGHT / 3.0)
		if (is_free(p, others, n))
			return true;
	return false;
}

static void
draw_scope(const struct chart *c)
{
	size_t n = 0;
	struct place *places =
	    mem_array(c->pad, struct place, c->n + nitems(c->taken));
	double value, base;

	for (int i = 0; i < c->n_taken; i++)
		places[n++] = (struct place){c->taken[i].x + 6,
		    c->taken[i].x + 6 + SCOPE_WIDTH, c->taken[i].y};
	for (size_t i = 0; i < c->n; i++) {
		double x = day_x(c, i);
		const char *anchor = x > c->right - SCOPE_WIDTH / 2.0 ? "end"
		    : x < LEFT + SCOPE_WIDTH / 2.0                    ? "start"
						   : "middle";
		double left = x -
		    (*anchor == 'e'          ? SCOPE_WIDTH
			    : *anchor == 's' ? 0
					     : SCOPE_WIDTH / 2.0);
		struct place p = {left, left + SCOPE_WIDTH, TOP + LINE_HEIGHT};

		if (!amount(c, i, "scope", &value) || value == 0)
			continue;
		if (amount(c, i, "remaining", &base))
			p.y = fmax(p.y, height_of(c, base) - 8);
		if (!find_room(&p, places, n))
			continue;
		places[n++] = p;
		add_text(c, x, p.y, anchor,
		    mem_fmt(c->pad, "%s%s scope", value > 0 ? "+" : "−",
			plain(c, fabs(value))));
	}
}

static void
draw_today(const struct chart *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!is_set(c, i, "isToday"))
			continue;
		open_path(c, "ctl", stroke);
		go_to(c, 'M', day_x(c, i), TOP - 4);
		go(c, 'V', BOTTOM);
		close_path(c);
		add_text(c, day_x(c, i), TOP - 10, "middle", "Today");
		return;
	}
}

static void
draw_burndown(struct chart *c)
{
	double left, max = 0;
	size_t today;

	c->right = RIGHT_BEFORE_LABELS;
	if (!last_amount(c, "remaining", &today, &left)) {
		draw_nothing(c, "Burndown");
		return;
	}
	raise_to(c, "remaining", &max);
	raise_to(c, "ideal", &max);
	raise_to(c, "forecastLow", &max);
	raise_to(c, "forecastHigh", &max);
	open_frame(c, "Burndown", burndown_finding(c, today, left), max);
	for (size_t i = 0; i < c->n; i += label_every(c))
		add_label(c, i, day_x(c, i), day_name(c, i));
	draw_band(c, today, left);
	draw_ideal(c);
	draw_today(c);
	draw_actual(c, today, left);
	draw_scope(c);
	close_frame(c);
}

/* --- Bars -------------------------------------------------------------- */

/* The middle of a row's share of the axis, and how wide that share is. */
static double
slot(const struct chart *c, size_t i, double *out_width)
{
	*out_width = (double)(c->right - LEFT) / (double)c->n;
	return LEFT + *out_width * ((double)i + 0.5);
}

static void
go_bar(const struct chart *c, double x, double width, double value)
{
	go_to(c, 'M', x, BOTTOM);
	go(c, 'V', height_of(c, value));
	go(c, 'h', width);
	go(c, 'V', BOTTOM);
	buf_char(c->out, 'z');
}

/* The bars that are, or are not, forecast. */
static void
draw_bars_that(const struct chart *c, bool is_forecast)
{
	double value, room;

	open_path(c, "d1", is_forecast ? forecast_fill : fill);
	go_to(c, 'M', LEFT, BOTTOM);
	for (size_t i = 0; i < c->n; i++) {
		double middle = slot(c, i, &room);
		double width = fmin(36, room * 0.7);

		if (amount(c, i, "value", &value) &&
		    is_set(c, i, "forecast") == is_forecast)
			go_bar(c, middle - width / 2, width, value);
	}
	close_path(c);
}

/* What the rows say, for the finding. */
struct bars {
	double sum, highest, forecast;
	size_t n, n_forecast, highest_row, n_above;
};

static struct bars
add_up(const struct chart *c, bool has_pace, double pace)
{
	struct bars b = {0};
	double value;

	for (size_t i = 0; i < c->n; i++) {
		if (!amount(c, i, "value", &value))
			continue;
		if (is_set(c, i, "forecast")) {
			b.forecast += value;
			b.n_forecast++;
			continue;
		}
		if (b.n++ == 0 || value > b.highest) {
			b.highest = value;
			b.highest_row = i;
		}
		b.sum += value;
		b.n_above += has_pace && value > pace;
	}
	return b;
}

static bool
is_weekly(const struct chart *c)
{
	return strcmp(first_words(c, "every", "day"), "week") == 0;
}

static const char *
bars_finding(const struct chart *c, bool has_pace, double pace)
{
	struct bars b = add_up(c, has_pace, pace);
	struct buf *text = buf_new(c->pad, 2000);

	if (b.n)
		buf_fmt(text, "%s over %s.", in_unit(c, b.sum),
		    is_weekly(c) ? plural(c, (double)b.n, "week", "weeks")
				 : plural(c, (double)b.n, "day", "days"));
	if (b.n && b.highest > 0)
		buf_fmt(text, " The highest is %s %s %s.",
		    in_unit(c, b.highest),
		    is_weekly(c) ? "in the week from" : "on",
		    shortened(c, words(c, b.highest_row, "label"), NAME_MAX));
	if (b.n && has_pace)
		buf_fmt(text, " %s above the pace of %s a day.",
		    plural(c, (double)b.n_above, "day is", "days are"),
		    in_unit(c, pace));
	if (b.n_forecast)
		buf_fmt(text, "%sThe forecast for %s is %s.", b.n ? " " : "",
		    plural(c, (double)b.n_forecast, "more day", "more days"),
		    in_unit(c, b.forecast));
	return text->data;
}

/* The label stands at the right end of its line, but above the bars there:
 * on them it could not be read. */
static void
draw_pace(const struct chart *c, double pace)
{
	bool is_money = strcmp(c->unit, "micros") == 0;
	const char *label = mem_fmt(c->pad, "%s a day %s", in_unit(c, pace),
	    is_money ? "fits the budget" : "is the pace");
	double begin = c->right - CHARACTER_WIDTH * (double)strlen(label);
	double highest = pace, value, room;

	for (size_t i = c->n; i-- > 0;) {
		if (slot(c, i, &room) + room / 2 < begin)
			break;
		if (amount(c, i, "value", &value))
			highest = fmax(highest, value);
	}
	open_path(c, "amb", dashes);
	go_to(c, 'M', LEFT, height_of(c, pace));
	go(c, 'H', c->right);
	close_path(c);
	add_text(c, c->right, height_of(c, highest) - 5, "end", label);
}

static void
draw_bars(struct chart *c)
{
	double max = 0, pace = 0, room, value;
	bool has_pace = false, has_value = false;
	const char *title = "Count per day";

	c->unit = first_words(c, "unit", "");
	if (strcmp(c->unit, "micros") == 0)
		title = "Cost per day";
	else if (strcmp(c->unit, "tokens") == 0)
		title = "Tokens per day";
	for (size_t i = 0; i < c->n; i++) {
		has_value = has_value || amount(c, i, "value", &value);
		has_pace = has_pace || amount(c, i, "pace", &pace);
	}
	if (!has_value) {
		draw_nothing(c, title);
		return;
	}
	raise_to(c, "value", &max);
	max = fmax(max, pace);
	open_frame(c, title, bars_finding(c, has_pace, pace), max);
	for (size_t i = 0; i < c->n; i += label_every(c))
		add_label(c, i, slot(c, i, &room), words(c, i, "label"));
	draw_bars_that(c, false);
	draw_bars_that(c, true);
	if (has_pace)
		draw_pace(c, pace);
	close_frame(c);
}

/* --- Velocity ---------------------------------------------------------- */

static const char *
velocity_finding(const struct chart *c)
{
	struct buf *text = buf_new(c->pad, 2000);
	double sum = 0, value, committed;
	size_t last = 0, n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (amount(c, i, "completed", &value)) {
			sum += value;
			last = i;
			n++;
		}
	if (n == 0)
		return "No sprint is complete yet.";
	buf_fmt(text, "%s completed ",
	    shortened(c, words(c, last, "label"), NAME_MAX));
	if (amount(c, last, "completed", &value) &&
	    amount(c, last, "committed", &committed) && committed > 0)
		buf_fmt(text, "%s of %s committed, %s.", plain(c, value),
		    points(c, committed),
		    humane_share(c->pad, value / committed));
	else
		buf_fmt(text, "%s.", points(c, value));
	if (n > 1)
		buf_fmt(text, " The mean of %zu sprints is %s.", n,
		    points(c, round(sum / (double)n * 10) / 10));
	return text->data;
}

static void
draw_velocity(struct chart *c)
{
	double max = 0, value, room;
	bool has_value = false;

	for (size_t i = 0; i < c->n; i++)
		has_value = has_value || amount(c, i, "committed", &value) ||
		    amount(c, i, "completed", &value);
	if (!has_value) {
		draw_nothing(c, "Velocity");
		return;
	}
	raise_to(c, "committed", &max);
	raise_to(c, "completed", &max);
	open_frame(c, "Velocity", velocity_finding(c), max);
	add_text(c, LEFT, TOP - 10, "start",
	    "Points a sprint: committed in outline, completed filled");
	for (size_t i = 0; i < c->n; i++) {
		double middle = slot(c, i, &room), width = fmin(24, room * 0.3);

		if (amount(c, i, "committed", &value)) {
			open_path(c, "ctl", stroke);
			go_bar(c, middle - width - 1, width, value);
			close_path(c);
		}
		if (amount(c, i, "completed", &value)) {
			open_path(c, "d1", fill);
			go_bar(c, middle + 1, width, value);
			close_path(c);
			if (c->n <= 2 * X_LABELS_MAX)
				add_text(c, middle + 1 + width / 2,
				    height_of(c, value) - 4, "middle",
				    plain(c, value));
		}
		if (i % label_every(c) == 0)
			add_label(c, i, middle, words(c, i, "label"));
	}
	close_frame(c);
}

/* --- All kinds --------------------------------------------------------- */

static const struct kind {
	const char *name;
	void (*draw)(struct chart *c);
} kinds[] = {
    {"sparkline", draw_sparkline},
    {"burndown", draw_burndown},
    {"bars", draw_bars},
    {"velocity", draw_velocity},
};

static const struct kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < nitems(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

bool
chart_is_kind(const char *kind)
{
	return find_kind(kind) != NULL;
}

enum err
chart_draw(
    const char *kind, struct json_object *rows, const char *id, struct buf *out)
{
	const struct kind *k = find_kind(kind);
	struct chart c = {
	    .out = out, .id = id, .rows = rows, .unit = "", .right = RIGHT};
	size_t n = json_object_is_type(rows, json_type_array)
	    ? json_object_array_length(rows)
	    : 0;

	if (!k)
		return ERR_INTERNAL;
	c.n = n < CHART_ROWS_MAX ? n : CHART_ROWS_MAX;
	c.from = n - c.n;
	c.pad = mem_scope(out, "chart");
	k->draw(&c);
	mem_drop(&c.pad);
	return out->full ? ERR_INTERNAL : ERR_OK;
}
