/*
 * cli/cmd_blame.c - vmxtape blame: who wrote a VMCS field, back through time
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/place_arg.h"
#include "cli/tape_arg.h"
#include "replay/field_use.h"
#include "replay/history.h"
#include "replay/symbols.h"

#define DECODED 512

static struct {
	u64 count;
	const char *vmcs, *bits;
	bool json;
} opt = { .count = 10 };

static const struct option options[] = {
	{ "count", 'n', OPTION_NUMBER, "N", &opt.count, "how many writes, newest first; 10" },
	{ "bits", 'b', OPTION_TEXT, "MASK", &opt.bits,
	  "only writes that changed one of these bits" },
	{ "vmcs", 0, OPTION_TEXT, "ADDR", &opt.vmcs, "of this VMCS, not the current one" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "a JSON object a write" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "blame [OPTION]... FIELD @N [TAPE.vxt]",
	.summary = "Names what wrote a field of the VMCS that is current before event @N, from the "
		   "last write\n"
		   "back: VMWRITEs, VM entries and exits, writes to the region's memory, and key "
		   "frames where\n"
		   "they show what no event told.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

/* A write, and what the field was before it. */
struct change {
	struct history_write write;
	u64 old;
	u64 old_known;
};

static void print_text(const struct symbols *symbols, const struct model_region *region, int index,
		       const struct change *change)
{
	const struct history_write *const write = &change->write;
	const u64 mask = write->mask;
	char decoded[DECODED] = "", rip[SYMBOLS_MAX_NAME];

	if (write->origin == HISTORY_GAP) {
		out_format("%-14s  events are missing here: what was before is unknown\n",
			   moment_place(&write->place));
		return;
	}
	field_decode(region, index, write->value, decoded, sizeof(decoded));
	out_format("%-14s  %-10s%s  ", moment_place(&write->place),
		   history_origin_name(write->origin),
		   write->place.rip ? symbols_rip(symbols, model_place_level(&write->place),
						  write->place.rip, rip)
				    : "?               ");
	if ((change->old_known & mask) == mask)
		out_format("0x%llx -> ", (unsigned long long)(change->old & mask));
	else
		out_text("? -> ");
	out_format("0x%llx%s%s%s%s", (unsigned long long)write->value, *decoded ? "  " : "",
		   decoded,
		   mask == vmcs_width_mask(vmcs_fields[index].width) ? "" : "  (bits 63:32)",
		   (change->old_known & mask) == mask && !((change->old ^ write->value) & mask)
			   ? "  (no change)"
			   : "");
	if (write->since_tsc)
		out_format("  (between @tsc:0x%llx and %s)", (unsigned long long)write->since_tsc,
			   moment_place(&write->place));
	out_text("\n");
}

static void print_json(const struct symbols *symbols, const struct model_region *region, int index,
		       const struct change *change)
{
	const struct history_write *const write = &change->write;

	json_open(NULL, '{');
	json_number("schema", 1);
	json_place("at", &write->place);
	json_number("n", write->place.n);
	json_text("origin", history_origin_name(write->origin));
	json_hex("vmcs", region->pointer);
	json_text("field", vmcs_fields[index].name);
	if (write->place.rip)
		json_rip(symbols, model_place_level(&write->place), write->place.rip);
	if (write->since_tsc)
		json_hex("since_tsc", write->since_tsc);
	if (write->origin != HISTORY_GAP) {
		if ((change->old_known & write->mask) == write->mask)
			json_hex("old", change->old & write->mask);
		else
			json_null("old");
		json_hex("value", write->value);
		json_hex("mask", write->mask);
	}
	json_close('}');
	json_end();
}

/* Whether @change is one of those asked for. */
static bool matters(const struct change *change, u64 bits)
{
	if (change->write.origin == HISTORY_GAP || bits == ~0ull)
		return true;
	return (change->write.mask & bits) &&
	       ((change->write.value ^ change->old) & change->write.mask & bits ||
		(change->write.mask & bits & ~change->old_known));
}

/* The value before a write is what older writes made of it; those are not taken away. */
static void print_all(const struct place *place, const struct model_region *region, int index,
		      u64 bits)
{
	const struct symbols *const symbols = reader_names(place->reader)->symbols;
	struct history *history;
	struct history_write next;
	enum status status;
	u64 shown = 0;

	status = timeline_history(place->timeline, region->pointer, index, place->n, &history);
	if (status == ST_OK)
		status = history_next(history, &next);
	while (status == ST_OK && shown < opt.count) {
		struct change change = { .write = next };

		status = history_next(history, &next);
		if (status == ST_OK && next.origin != HISTORY_GAP) {
			change.old = next.value;
			change.old_known = next.mask;
		}
		if (!matters(&change, bits))
			continue;
		shown++;
		if (opt.json)
			print_json(symbols, region, index, &change);
		else
			print_text(symbols, region, index, &change);
	}
	if (status == ST_NO_MEMORY)
		die("out of memory");
	history_free(history);
	if (!shown && !opt.json)
		out_format("no event before %llu wrote %s of VMCS 0x%llx\n",
			   (unsigned long long)place->n, vmcs_fields[index].name,
			   (unsigned long long)region->pointer);
}

int cmd_blame(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct moment_args args;
	struct place place;
	u64 bits = ~0ull;
	int index;

	moment_args_sort(count, argv + 1, 2, &args);
	if (!args.count)
		die("which VMCS field? give a name such as guest_cr4, or an encoding");
	moment_args_need_place(&args);
	if (opt.bits && (!options_number(opt.bits, &bits) || !bits))
		die("'%s' is no mask of bits: give a number such as 0x2000", opt.bits);
	index = moment_field(args.words[0]);
	place_open(args.words[1], args.place, &place);
	print_all(&place, place_vmcs(&place, opt.vmcs), index, bits);
	return place_close(&place, EXIT_CLEAN);
}
