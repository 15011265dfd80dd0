/*
 * cli/cmd_dump.c - vmxtape dump: events as text or JSON lines
 */
#include <string.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/tape_arg.h"
#include "replay/event_json.h"
#include "replay/event_text.h"
#include "replay/put.h"
#include "replay/query.h"

/* Old values of fields are known when the model has seen this many events before a range. */
#define WARM_UP 500000

static struct {
	const char *filter;
	bool json, expand, console, count;
} opt;

static const struct option options[] = {
	{ "filter", 'f', OPTION_TEXT, "EXPR", &opt.filter,
	  "only events that match, such as\n'kind==vmread && field~guest_', 'reason==cpuid',\n"
	  "'outcome!=succeed && rip>=0xffffffff81000000'" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "a JSON object a line" },
	{ "expand", 'e', OPTION_FLAG, NULL, &opt.expand,
	  "each VMCS field that an entry or exit changed\non a line of its own" },
	{ "console", 'c', OPTION_FLAG, NULL, &opt.console, "only the lines of L1's console" },
	{ "count", 0, OPTION_FLAG, NULL, &opt.count, "only how many events match" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "dump [OPTION]... [TAPE.vxt] [RANGE]",
	.summary = "Prints events, one a line. RANGE is @c0:100..@c0:200, @100..@200, @100.., "
		   "..@50%,\n"
		   "@entry:5 and the like; both ends belong to it. In filters go: kind n cpu seq "
		   "tsc level\n"
		   "rip text, the columns of the events, VMCS fields and registers by name; == != "
		   "< <= > >=,\n"
		   "~ (contains), & (bits), && || ! ( ).",
	.options = options,
	.count = ARRAY_SIZE(options),
};

struct dump {
	struct reader *reader;
	struct query *query;
	struct model *model; /* NULL: nobody needs it */
	u64 matches;
};

static void print_console(const struct trace_event *event)
{
	char *to = out_room(EVENT_TEXT_MAX);

	if (event->kind != EV_CONSOLE)
		return;
	to = put_bytes(to, (const char *)event->bytes, event->byte_count);
	out_took(put_char(to, '\n'));
}

static void print_writes(const struct dump *dump, const struct trace_event *event, u64 n)
{
	if (trace_event_fails_valid(event)) {
		char *const to = out_room(EVENT_JSON_MAX);

		out_took(opt.json ? event_json_error(to, event, n, dump->model)
				  : event_text_error(to, event, dump->model));
	}
	if (event->kind != EV_L2_ENTRY && event->kind != EV_L2_EXIT)
		return;
	for (u32 i = 0; i < event->item_count; i++) {
		char *const to = out_room(EVENT_JSON_MAX);

		out_took(opt.json ? event_json_item(to, event, n, i, dump->model)
				  : event_text_item(to, event, i, dump->model));
	}
}

static void print_event(const struct dump *dump, const struct trace_event *event, u64 n)
{
	char *to;

	if (opt.console) {
		print_console(event);
		return;
	}
	to = out_room(EVENT_JSON_MAX);
	out_took(opt.json ? event_json(to, reader_names(dump->reader), event, n, dump->model)
			  : event_text(to, reader_names(dump->reader), event, dump->model));
	if (opt.expand)
		print_writes(dump, event, n);
}

static bool wants_model(const struct dump *dump)
{
	if (opt.console || opt.count)
		return false;
	return opt.expand || !dump->query || query_wants(dump->query, EV_VMWRITE);
}

static void dump_range(struct dump *dump, const struct position_range *range)
{
	const struct trace_event *event;
	u64 n = range->first;

	if (dump->model && n)
		n = n > WARM_UP ? n - WARM_UP : 0;
	if (reader_seek(dump->reader, n) != ST_OK)
		return;
	while ((n = reader_tell(dump->reader)) < range->end &&
	       reader_next(dump->reader, &event) == ST_OK) {
		if (n >= range->first && (!dump->query || query_match(dump->query, event, n))) {
			dump->matches++;
			if (!opt.count)
				print_event(dump, event, n);
		}
		if (dump->model && model_step(dump->model, event, n) != ST_OK)
			die("out of memory");
	}
}

int cmd_dump(int argc, char **argv)
{
	struct position_range range;
	struct dump dump = { 0 };
	char error[512];
	int count;

	count = options_parse(&spec, argc, argv);
	if (opt.console && (opt.json || opt.expand))
		die("--console goes alone; for JSON use --json -f kind==console");
	dump.reader = tape_arg_open(count, argv + 1, &range);
	if (opt.filter && query_compile(opt.filter, reader_schema(dump.reader), &dump.query, error,
					sizeof(error)) != ST_OK)
		die("%s", error);
	if (wants_model(&dump)) {
		dump.model = model_new();
		if (!dump.model)
			die("out of memory");
	}
	dump_range(&dump, &range);
	if (opt.count)
		out_format("%llu\n", (unsigned long long)dump.matches);
	query_free(dump.query);
	model_free(dump.model);
	return tape_arg_close(dump.reader, EXIT_CLEAN);
}
