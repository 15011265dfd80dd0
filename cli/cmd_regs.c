/*
 * cli/cmd_regs.c - vmxtape regs: the registers of a guest at a moment, as far as they are known
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/place_arg.h"
#include "cli/tape_arg.h"

#define COLUMNS 3

static struct {
	u64 level;
	bool json;
} opt;

static const struct option options[] = {
	{ "level", 'l', OPTION_NUMBER, "N", &opt.level, "of L1 or L2; the level that runs" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "one JSON object" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "regs [OPTION]... @N [TAPE.vxt]",
	.summary = "Prints the registers before event @N. '?' is unknown; '0x1 of 0x9' means that "
		   "only the\n"
		   "bits of 0x9 are known. A tape of capture=lean has few.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

static const char *value_text(const struct registers *registers, enum register_name reg)
{
	static char text[48];
	const struct word *const word = &registers->reg[reg];
	u64 value;

	if (register_known(registers, reg, &value))
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	else if (word->known)
		snprintf(text, sizeof(text), "0x%llx of 0x%llx", (unsigned long long)word->value,
			 (unsigned long long)word->known);
	else
		snprintf(text, sizeof(text), "?");
	return text;
}

static void print_text(struct place *place, const struct registers *registers)
{
	unsigned shown = 0;

	out_format("L%llu at %s%s", (unsigned long long)opt.level, place->name,
		   registers->runs ? "" : ", which does not run");
	if (registers->seen != MEMORY_NEVER)
		out_format("; general registers before %s", place_name(place, registers->seen));
	out_text("\n");
	for (unsigned i = 0; i < REGISTER_COUNT; i++) {
		const enum register_name reg = (enum register_name)i;

		/* A line of '?' for each segment says less than none. */
		if (i >= REGISTER_DR7 && !registers->reg[i].known)
			continue;
		out_format(++shown % COLUMNS ? "%-12s %-20s " : "%-12s %s\n",
			   register_info(reg)->name, value_text(registers, reg));
	}
	if (shown % COLUMNS)
		out_text("\n");
}

static void print_json(struct place *place, const struct registers *registers)
{
	json_open(NULL, '{');
	json_number("schema", 1);
	json_number("n", place->n);
	json_text("at", place->name);
	json_number("level", opt.level);
	json_bool("runs", registers->runs);
	if (registers->seen != MEMORY_NEVER)
		json_text("seen", place_name(place, registers->seen));
	if (registers->stack != ~0ull)
		json_number("stack", registers->stack);
	json_open("registers", '{');
	for (unsigned i = 0; i < REGISTER_COUNT; i++) {
		const enum register_name reg = (enum register_name)i;
		u64 value;

		if (register_known(registers, reg, &value))
			json_hex(register_info(reg)->name, value);
	}
	json_close('}');
	json_close('}');
	json_end();
}

int cmd_regs(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct moment_args args;
	struct registers registers;
	struct place place;

	moment_args_sort(count, argv + 1, 1, &args);
	moment_args_need_place(&args);
	if (opt.level > 2)
		die("'%llu' is no level: 1 or 2", (unsigned long long)opt.level);
	place_open(args.words[0], args.place, &place);
	if (!opt.level)
		opt.level = place.level;
	registers_at(place.timeline, place.cpu, (unsigned)opt.level, &registers);
	if (opt.json)
		print_json(&place, &registers);
	else
		print_text(&place, &registers);
	return place_close(&place, EXIT_CLEAN);
}
