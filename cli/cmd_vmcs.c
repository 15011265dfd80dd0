/*
 * cli/cmd_vmcs.c - vmxtape vmcs: a VMCS at a moment, or what differs between two
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/place_arg.h"
#include "cli/tape_arg.h"
#include "replay/field_use.h"
#include "vmx/bits.h"
#include "vmx/vmcs_area.h"

#define DECODED	   1024
#define GREY	   "\033[90m"
#define GREY_END   "\033[0m"
#define NAME_WIDTH 38

static struct {
	const char *diff;
	struct option_list vmcs;
	bool json, all, writers;
} opt;

static const struct option options[] = {
	{ "diff", 'd', OPTION_TEXT, "@M", &opt.diff, "what differs between the two moments" },
	{ "vmcs", 0, OPTION_LIST, "ADDR", &opt.vmcs,
	  "this VMCS, not the current one; given twice:\nwhat differs between the two" },
	{ "writers", 'w', OPTION_FLAG, NULL, &opt.writers, "with the event that wrote each field" },
	{ "all", 'a', OPTION_FLAG, NULL, &opt.all,
	  "also fields that do not exist on this processor" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "one JSON object" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "vmcs [OPTION]... @N [TAPE.vxt]",
	.summary = "Prints the VMCS that is current before event @N, every field decoded. '?' is "
		   "unknown; a\n"
		   "field whose control is 0 is marked as unused: the processor does not look at "
		   "it.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

/* --- one field -------------------------------------------------------------------------------- */

static bool is_known(const struct model_region *region, int index)
{
	return region->known[index] == vmcs_width_mask(vmcs_fields[index].width);
}

/* "0x12", "?", or the bits that are known. */
static const char *value_text(const struct model_region *region, int index)
{
	static char texts[2][64];
	static unsigned turn;
	char *const text = texts[turn++ % ARRAY_SIZE(texts)];
	const u64 known = region->known[index];

	if (!known)
		return "?";
	if (is_known(region, index))
		snprintf(text, sizeof(texts[0]), "0x%llx",
			 (unsigned long long)region->value[index]);
	else
		snprintf(text, sizeof(texts[0]), "0x%llx of 0x%llx",
			 (unsigned long long)(region->value[index] & known),
			 (unsigned long long)known);
	return text;
}

static bool colours(void)
{
	return !opt.json && isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
}

static void field_text(const struct model_region *region, int index)
{
	const struct vmx_control *const unused_by = field_unused_by(region, index);
	const bool grey = unused_by && colours();
	char decoded[DECODED] = "";

	if (is_known(region, index))
		field_decode(region, index, region->value[index], decoded, sizeof(decoded));
	out_format("%s  %-*s", grey ? GREY : "", NAME_WIDTH, vmcs_fields[index].name);
	if (opt.writers)
		out_format("%-14s", moment_place(&region->writer[index]));
	out_format("%s%s%s", value_text(region, index), *decoded ? "  " : "", decoded);
	if (unused_by)
		out_format("  (unused: %s is 0)", unused_by->name);
	out_format("%s\n", grey ? GREY_END : "");
}

static void json_value(const char *key, const struct model_region *region, int index)
{
	if (is_known(region, index))
		json_hex(key, region->value[index]);
	else
		json_null(key);
}

static void field_json(const struct model_region *region, int index)
{
	static const char *const used[] = {
		[MODEL_UNKNOWN] = "unknown",
		[MODEL_NO] = "no",
		[MODEL_YES] = "yes",
	};
	char decoded[DECODED] = "";

	json_open(NULL, '{');
	json_text("field", vmcs_fields[index].name);
	json_hex("encoding", vmcs_fields[index].encoding);
	json_text("area", vmcs_area_title(vmcs_area(index)));
	json_value("value", region, index);
	if (!is_known(region, index) && region->known[index]) {
		json_hex("partial", region->value[index] & region->known[index]);
		json_hex("known", region->known[index]);
	}
	if (is_known(region, index))
		field_decode(region, index, region->value[index], decoded, sizeof(decoded));
	json_text("text", *decoded ? decoded : NULL);
	json_text("used", used[field_used(region, index)]);
	if (opt.writers)
		json_place("writer", &region->writer[index]);
	json_close('}');
}

/* --- a VMCS ----------------------------------------------------------------------------------- */

static const char *launch_name(const struct model_region *region)
{
	return region->launch == LAUNCH_CLEAR	   ? "clear"
	       : region->launch == LAUNCH_LAUNCHED ? "launched"
						   : "unknown";
}

static bool is_shown(const struct place *place, int index)
{
	return opt.all || !vmx_caps_field_known(&timeline_model(place->timeline)->shown, index) ||
	       vmx_caps_field_exists(&timeline_model(place->timeline)->shown, index);
}

static void vmcs_text(const struct place *place, const struct model_region *region)
{
	out_format("VMCS 0x%llx before %s, launch state %s", (unsigned long long)region->pointer,
		   place->name, launch_name(region));
	if (region->active == MODEL_YES)
		out_format(", active on CPU %u", region->active_cpu);
	out_text("\n");
	for (unsigned area = 0; area < VMCS_AREA_COUNT; area++) {
		out_format("\n%s\n", vmcs_area_title((enum vmcs_area)area));
		for (int i = 0; i < VMCS_FIELD_COUNT; i++)
			if (vmcs_area(i) == area && is_shown(place, i))
				field_text(region, i);
	}
}

static void vmcs_json(const struct place *place, const struct model_region *region)
{
	json_open(NULL, '{');
	json_number("schema", 1);
	json_place("at", &place->at);
	json_hex("vmcs", region->pointer);
	json_text("launch_state", launch_name(region));
	json_open("fields", '[');
	for (int i = 0; i < VMCS_FIELD_COUNT; i++)
		if (is_shown(place, i))
			field_json(region, i);
	json_close(']');
	json_close('}');
	json_end();
}

/* --- the difference --------------------------------------------------------------------------- */

/* "+vmxe -pae" for the flags that differ, "" where the value has none. */
static void changed_flags(int index, u64 from, u64 to, char *text, size_t size)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts(vmx_field_kind(index), &parts);
	size_t length = 0;

	*text = 0;
	for (size_t i = 0; i < count && length < size; i++) {
		const u64 mask = vmx_part_mask(&parts[i]);

		if (parts[i].style != VMX_STYLE_FLAG || !((from ^ to) & mask) || !*parts[i].name)
			continue;
		length += (size_t)snprintf(text + length, size - length, " %c%s",
					   to & mask ? '+' : '-', parts[i].name);
	}
}

static void diff_text(const struct model_region *from, const struct model_region *to, int index)
{
	char flags[DECODED] = "";

	if (is_known(from, index) && is_known(to, index))
		changed_flags(index, from->value[index], to->value[index], flags, sizeof(flags));
	out_format("  %-*s%s -> %s %s", NAME_WIDTH, vmcs_fields[index].name,
		   value_text(from, index), value_text(to, index), flags);
	if (opt.writers)
		out_format("  %s", moment_place(&to->writer[index]));
	if (field_unused_by(from, index) && field_unused_by(to, index))
		out_format("  (unused: %s is 0)", field_unused_by(to, index)->name);
	out_text("\n");
}

static void diff_json(const struct model_region *from, const struct model_region *to, int index)
{
	char flags[DECODED] = "";

	if (is_known(from, index) && is_known(to, index))
		changed_flags(index, from->value[index], to->value[index], flags, sizeof(flags));
	json_open(NULL, '{');
	json_text("field", vmcs_fields[index].name);
	json_value("old", from, index);
	json_value("value", to, index);
	json_text("flags", *flags ? flags + 1 : NULL);
	if (opt.writers)
		json_place("writer", &to->writer[index]);
	json_close('}');
}

static void print_diff(const struct model_place *a, const struct model_region *from,
		       const struct model_place *b, const struct model_region *to)
{
	unsigned count = 0;

	if (opt.json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_place("from", a);
		json_hex("from_vmcs", from->pointer);
		json_place("to", b);
		json_hex("to_vmcs", to->pointer);
		json_open("fields", '[');
	} else {
		out_format("VMCS 0x%llx before %s -> 0x%llx before %s\n",
			   (unsigned long long)from->pointer, moment_place(a),
			   (unsigned long long)to->pointer, moment_place(b));
	}
	for (int i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (from->known[i] == to->known[i] &&
		    !((from->value[i] ^ to->value[i]) & to->known[i]))
			continue;
		count++;
		if (opt.json)
			diff_json(from, to, i);
		else
			diff_text(from, to, i);
	}
	if (opt.json) {
		json_close(']');
		json_close('}');
		json_end();
	} else if (!count) {
		out_text("  no field differs\n");
	}
}

int cmd_vmcs(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	static struct model_region first;
	const struct model_region *second;
	const char *names[2] = { NULL };
	struct model_place before;
	struct moment_args args;
	struct place place;

	moment_args_sort(count, argv + 1, 1, &args);
	moment_args_need_place(&args);
	if (opt.vmcs.count > 2)
		die("'%s' is too much: --vmcs can be given twice", opt.vmcs.values[2]);
	names[0] = opt.vmcs.count ? opt.vmcs.values[0] : NULL;
	names[1] = opt.vmcs.count > 1 ? opt.vmcs.values[1] : names[0];
	place_open(args.words[0], args.place, &place);
	first = *place_vmcs(&place, names[0]);
	before = place.at;
	if (opt.diff)
		place_go(&place, opt.diff);
	if (opt.diff || opt.vmcs.count > 1) {
		second = place_vmcs(&place, names[1]);
		print_diff(&before, &first, &place.at, second);
	} else if (opt.json) {
		vmcs_json(&place, &first);
	} else {
		vmcs_text(&place, &first);
	}
	return place_close(&place, EXIT_CLEAN);
}
