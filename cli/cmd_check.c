/*
 * cli/cmd_check.c - vmxtape check: what is wrong on a tape
 */
#include <string.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/tape_arg.h"
#include "replay/check.h"
#include "replay/report.h"

static struct {
	const char *least;
	bool json, list;
} opt = { .least = "note" };

static const struct option options[] = {
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "a JSON object a finding" },
	{ "least", 0, OPTION_TEXT, "SEVERITY", &opt.least, "note (all), warning or error" },
	{ "list", 0, OPTION_FLAG, NULL, &opt.list, "the rules, without a tape" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "check [OPTION]... [TAPE.vxt] [RANGE]",
	.summary = "Follows a tape by the rules of the SDM and prints what is wrong, or legal and "
		   "known to\n"
		   "bite, with its evidence. With a range such as @c0:100..@c0:200, only what "
		   "happens there;\n"
		   "rules about the end of the tape then need a range that has it. Exit status: 0 "
		   "nothing\n"
		   "found, 1 findings, 2 usage or I/O, 3 the tape is damaged.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

static void write_out(void *owner, const char *text, size_t length)
{
	(void)owner;
	while (length) {
		const size_t part = MIN(length, (size_t)OUT_BUFFER);
		char *const to = out_room(part);

		memcpy(to, text, part);
		out_took(to + part);
		text += part;
		length -= part;
	}
}

static char *event_line(void *owner, const struct model_place *place, char *to)
{
	struct reader *const reader = owner;
	const struct trace_event *event;

	if (reader_seek(reader, place->n) != ST_OK || reader_next(reader, &event) != ST_OK)
		return to;
	return event_text(to, reader_names(reader), event, NULL);
}

static unsigned severity_find(const char *name)
{
	for (unsigned i = SEVERITY_NOTE; i <= SEVERITY_ERROR; i++)
		if (!strcmp(finding_severity_name(i), name))
			return i;
	die("no severity '%s': note, warning or error", name);
}

static int list_rules(void)
{
	for (unsigned i = 0; i < FINDING_COUNT; i++)
		out_format("%-9s%-28s%s\n", finding_severity_name(finding_rows[i].severity),
			   finding_rows[i].rule, finding_rows[i].summary);
	out_flush();
	return EXIT_CLEAN;
}

static unsigned print(const struct check *check, struct reader *reader, unsigned least)
{
	static const struct report_ops ops = { .write = write_out, .event = event_line };
	const struct findings *const findings = check_findings(check);
	unsigned shown = 0;

	for (unsigned i = 0; i < findings->count; i++) {
		if (findings->list[i]->severity < least)
			continue;
		if (shown++ && !opt.json)
			out_text("\n");
		if (opt.json)
			report_json(&ops, reader, findings->list[i], i + 1);
		else
			report_text(&ops, reader, findings->list[i], i + 1);
	}
	return shown;
}

static void print_summary(const struct reader *reader, const struct check *check, unsigned shown)
{
	const struct judge_counts *const judged = check_counts(check);
	const u64 dropped = check_findings(check)->dropped;

	out_format("%s%u finding%s; judged events: %llu agree with the SDM, %llu do not, %llu "
		   "undecided\n",
		   shown ? "\n" : "", shown, shown == 1 ? "" : "s",
		   (unsigned long long)judged->agree, (unsigned long long)judged->diverge,
		   (unsigned long long)judged->unknown);
	if (judged->explained)
		out_format("%llu more that do not are known errata of the platform\n",
			   (unsigned long long)judged->explained);
	if (reader_boot(reader, 0)->processor.capture == CAPTURE_OFF)
		out_text("the tape was recorded with capture=off: it has nothing to judge\n");
	if (dropped)
		out_format("%llu more findings were too many to keep\n",
			   (unsigned long long)dropped);
}

int cmd_check(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	const unsigned least = severity_find(opt.least);
	struct position_range range;
	struct reader *reader;
	struct check *check;
	unsigned shown;

	if (opt.list)
		return list_rules();
	reader = tape_arg_open(count, argv + 1, &range);
	check = check_new(reader_info(reader)->path);
	if (!check)
		die("out of memory");
	if (check_tape(check, reader, range.first, range.end) != ST_OK)
		die("out of memory");
	shown = print(check, reader, least);
	if (!opt.json)
		print_summary(reader, check, shown);
	check_free(check);
	return tape_arg_close(reader, shown ? EXIT_FINDINGS : EXIT_CLEAN);
}
