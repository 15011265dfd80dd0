#include "cli/repeat.h"

#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "replay/reader.h"
#include "replay/stat.h"

/* One recording: what counts of it. */
struct side {
	const char *path;
	struct reader *reader;
	struct stat *stat;
	char **lines; /* of the console */
	size_t line_count;
	u64 end_why;
	bool ended;
};

/* --- reading ---------------------------------------------------------------------------------- */

static void add_line(struct side *side, const struct trace_event *event)
{
	/* Room doubles at each power of two. */
	if (!(side->line_count & (side->line_count - 1)))
		side->lines = realloc(side->lines,
				      MAX(2 * side->line_count, (size_t)1) * sizeof(*side->lines));
	if (!side->lines)
		die("out of memory");
	side->lines[side->line_count] = strndup((const char *)event->bytes, event->byte_count);
	if (!side->lines[side->line_count++])
		die("out of memory");
}

/* Every L1 exits, at the latest by the port that ends it. */
static bool counts_exits(const struct stat *stat)
{
	for (unsigned i = 0; i <= STAT_REASONS; i++)
		if (stat->hv[0][i].exits)
			return true;
	return false;
}

static struct side read_side(const char *path)
{
	struct side side = { .path = path, .stat = stat_new() };
	const struct trace_event *event;
	char error[512];
	u64 n;

	if (!side.stat)
		die("out of memory");
	if (reader_open(path, &side.reader, error, sizeof(error)) != ST_OK)
		die("%s", error);
	for (n = 0; reader_next(side.reader, &event) == ST_OK; n++) {
		if (event->kind == EV_CONSOLE)
			add_line(&side, event);
		if (event->kind == EV_END) {
			side.ended = true;
			side.end_why = ((const struct ev_end *)event->col)->why;
		}
		if (stat_event(side.stat, event, n) != ST_OK)
			die("out of memory");
	}
	if (!counts_exits(side.stat))
		die("'%s' does not tell how often L1 and L2 exited: an older hv recorded it", path);
	if (reader_info(side.reader)->gaps)
		die("'%s' lacks events: what is missing cannot be compared", path);
	if (!side.ended || side.end_why == END_ASKED)
		die("'%s' was stopped from outside: where is not the same each time", path);
	return side;
}

static void free_side(struct side *side)
{
	for (size_t i = 0; i < side->line_count; i++)
		free(side->lines[i]);
	free(side->lines);
	stat_free(side->stat);
	reader_close(side->reader);
}

/* --- comparing -------------------------------------------------------------------------------- */

/*
 * Exits that come when it is time, or when L2 can take what came: L1 may see more time pass. And
 * those by LGDT and its like, which hv wants for itself again after a number of entries.
 */
static bool is_by_time(unsigned reason)
{
	switch (reason) {
	case EXIT_EXTERNAL_INTERRUPT:
	case EXIT_INTERRUPT_WINDOW:
	case EXIT_HLT:
	case EXIT_PREEMPTION_TIMER:
	case EXIT_GDTR_IDTR:
	case EXIT_LDTR_TR:
		return true;
	default:
		return false;
	}
}

/* Behind the time that Linux puts before a line, "[   12.345678] ". */
static const char *behind_time(const char *line)
{
	const char *at = line;

	if (*at++ != '[')
		return line;
	while (*at && strchr(" 0123456789.", *at))
		at++;
	return at[0] == ']' && at[1] == ' ' ? at + 2 : line;
}

/* Whether the lines differ in numbers alone. */
static bool same_but_numbers(const char *x, const char *y)
{
	static const char digits[] = "0123456789";

	for (;;) {
		const bool numbers = strchr(digits, *x) && strchr(digits, *y);

		if (!*x || !*y)
			return *x == *y;
		if (!numbers && *x != *y)
			return false;
		x += numbers ? strspn(x, digits) : 1;
		y += numbers ? strspn(y, digits) : 1;
	}
}

/* The first line that differs, or how many there are. */
static size_t first_difference(const struct side *a, const struct side *b, bool times)
{
	size_t i = 0;

	for (; i < a->line_count && i < b->line_count; i++) {
		const char *const x = a->lines[i], *const y = b->lines[i];

		if (times ? strcmp(x, y) : strcmp(behind_time(x), behind_time(y)))
			break;
	}
	return i;
}

struct difference {
	bool exits, exits_by_time;
	bool end;
	size_t line; /* the first line that differs, times aside */
	bool console, console_times;
};

static struct difference compare(const struct side *a, const struct side *b)
{
	struct difference differ = { .end = a->end_why != b->end_why };
	const size_t lines = MAX(a->line_count, b->line_count);

	for (unsigned i = 0; i <= STAT_REASONS; i++) {
		if (a->stat->hv[1][i].exits == b->stat->hv[1][i].exits)
			continue;
		if (is_by_time(i))
			differ.exits_by_time = true;
		else
			differ.exits = true;
	}
	differ.line = first_difference(a, b, false);
	differ.console = differ.line != lines;
	differ.console_times = first_difference(a, b, true) != lines;
	return differ;
}

/* --- printing --------------------------------------------------------------------------------- */

static const char *line_of(const struct side *side, size_t line)
{
	return line < side->line_count ? side->lines[line] : "(none)";
}

static const char *verdict(const struct difference *differ)
{
	if (differ->exits || differ->console || differ->end)
		return "different";
	return differ->exits_by_time || differ->console_times ? "the same but for time"
							      : "the same";
}

static void print_exits(const struct side *a, const struct side *b, const char *words, bool json)
{
	if (json)
		json_open("l2_exits", '[');
	else
		out_format("%-24s%14s  %14s\n", "exits of L2, by reason", "recorded", words);
	for (unsigned i = 0; i <= STAT_REASONS; i++) {
		const u64 x = a->stat->hv[1][i].exits, y = b->stat->hv[1][i].exits;
		const char *const name = i < STAT_REASONS ? vmx_exit_name(i) : "unknown";

		if (!x && !y)
			continue;
		if (!json) {
			out_format("%-24s%14llu  %14llu%s\n", name, (unsigned long long)x,
				   (unsigned long long)y,
				   x == y	   ? ""
				   : is_by_time(i) ? "  differ: it comes by time"
						   : "  differ");
			continue;
		}
		json_open(NULL, '{');
		json_text("reason", name);
		json_number("recorded", x);
		json_number("again", y);
		json_bool("by_time", is_by_time(i));
		json_close('}');
	}
	if (json)
		json_close(']');
}

static void print_text(const struct side *a, const struct side *b, const struct difference *differ)
{
	const u64 x = a->stat->last_tsc - a->stat->first_tsc;
	const u64 y = b->stat->last_tsc - b->stat->first_tsc;

	if (differ->console)
		out_format("\nconsole: line %zu differs%s: '%s', then '%s'\n", differ->line + 1,
			   same_but_numbers(line_of(a, differ->line), line_of(b, differ->line))
				   ? " in numbers"
				   : "",
			   line_of(a, differ->line), line_of(b, differ->line));
	else
		out_format("\nconsole: %zu lines, the same%s\n", a->line_count,
			   differ->console_times ? " but for the times in them" : "");
	if (differ->end)
		out_text("the machine ended in another way\n");
	out_format("ticks: %llu, then %llu: %.2f %%\n", (unsigned long long)x,
		   (unsigned long long)y, x ? 100 * (double)y / (double)x : 0);
	out_format("result: %s\n", verdict(differ));
}

static void print_json(const struct side *a, const struct side *b, const struct difference *differ)
{
	json_number("lines", a->line_count);
	json_number("lines_again", b->line_count);
	if (differ->console)
		json_number("line_differs", differ->line + 1);
	else
		json_null("line_differs");
	json_number("ticks", a->stat->last_tsc - a->stat->first_tsc);
	json_number("ticks_again", b->stat->last_tsc - b->stat->first_tsc);
	json_text("result", verdict(differ));
}

int repeat_compare(const char *first, const char *again, const char *words, bool json)
{
	struct side a = read_side(first), b = read_side(again);
	const struct difference differ = compare(&a, &b);

	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
	}
	print_exits(&a, &b, words, json);
	if (json) {
		print_json(&a, &b, &differ);
		json_close('}');
		json_end();
	} else {
		print_text(&a, &b, &differ);
	}
	free_side(&a);
	free_side(&b);
	out_flush();
	return differ.exits || differ.console || differ.end ? EXIT_FINDINGS : EXIT_CLEAN;
}
