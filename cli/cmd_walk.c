/*
 * cli/cmd_walk.c - vmxtape walk: how an address of a guest translates, level by level
 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/place_arg.h"
#include "cli/tape_arg.h"
#include "replay/memory_text.h"

static struct {
	const char *space;
	bool json;
} opt;

static const struct option options[] = {
	{ "space", 's', OPTION_TEXT, "SPACE", &opt.space,
	  "whose address it is: l1, l2 (linear), l2p\n(physical); the level that runs, linear" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "one JSON object" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "walk [OPTION]... @N ADDR [TAPE.vxt]",
	.summary = "Prints every entry of page tables and EPT12 that translates ADDR before event "
		   "@N, with\n"
		   "its permissions, and what comes of it. ADDR is a number, a register, or a "
		   "symbol.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

static void print_text(struct place *place, const struct memory_walk *walk)
{
	char text[MEMORY_TEXT_MAX];

	for (unsigned i = 0; i < walk->count; i++) {
		const struct memory_step *const step = &walk->steps[i];

		memory_step_text(step, text, sizeof(text));
		out_text(text);
		if (step->known && step->seen != MEMORY_NEVER)
			out_format("  %s", place_name(place, step->seen));
		out_text("\n");
	}
	memory_walk_text(walk, text, sizeof(text));
	out_format("%s 0x%llx: %s\n", memory_space_name(walk->space),
		   (unsigned long long)walk->address, text);
}

static void print_step(struct place *place, const struct memory_step *step)
{
	static const char *const tables[] = {
		[TABLE_L1] = "l1",
		[TABLE_L2] = "l2",
		[TABLE_EPT12] = "ept12",
	};

	json_open(NULL, '{');
	json_text("table", tables[step->table]);
	json_number("level", step->level);
	json_hex("translates", step->translates);
	json_hex("address", step->address);
	json_hex("gpa1", step->gpa1);
	if (step->known)
		json_hex("entry", step->entry);
	else
		json_null("entry");
	if (step->seen != MEMORY_NEVER)
		json_text("seen", place_name(place, step->seen));
	json_close('}');
}

static void print_json(struct place *place, const struct memory_walk *walk)
{
	json_open(NULL, '{');
	json_number("schema", 1);
	json_number("n", place->n);
	json_text("at", place->name);
	json_text("space", memory_space_name(walk->space));
	json_hex("address", walk->address);
	json_text("end", memory_walk_end_name(walk->end));
	json_open("steps", '[');
	for (unsigned i = 0; i < walk->count; i++)
		print_step(place, &walk->steps[i]);
	json_close(']');
	if (walk->end == WALK_UNKNOWN_REGISTER)
		json_text("unknown", walk->unknown);
	if (walk->end == WALK_MAPPED) {
		json_hex("gpa1", walk->gpa1);
		json_hex("page_size", walk->page_size);
		json_bool("write", walk->rights & WALK_WRITE);
		json_bool("user", walk->rights & WALK_USER);
		json_bool("execute", walk->rights & WALK_EXECUTE);
	}
	if (walk->end == WALK_MAPPED && walk->ept)
		json_number("ept_rights", walk->ept_rights);
	json_close('}');
	json_end();
}

int cmd_walk(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct moment_args args;
	struct memory_walk walk;
	enum memory_space space;
	struct place place;

	moment_args_sort(count, argv + 1, 2, &args);
	moment_args_need_place(&args);
	if (!args.count)
		die("which address? give a number, or a register such as rip");
	place_open(args.words[1], args.place, &place);
	space = place_space(&place, opt.space);
	if (memory_walk(place.timeline, place.cpu, space,
			place_address(&place, space, args.words[0]), &walk) != ST_OK)
		die("out of memory");
	if (opt.json)
		print_json(&place, &walk);
	else
		print_text(&place, &walk);
	return place_close(&place, EXIT_CLEAN);
}
