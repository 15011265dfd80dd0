/*
 * cli/cmd_whatif.c - vmxtape whatif: a VM entry judged again with edited fields
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
#include "cli/why_check.h"

#define LEGAL_TEXT 1024
#define MAX_NAME   64

static struct {
	bool json;
} opt;

static const struct option options[] = {
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "one JSON object" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "whatif [OPTION]... @N EDIT... [TAPE.vxt]",
	.summary = "Judges the VM entry at @N again with other values in the VMCS. EDIT is "
		   "FIELD=VALUE,\n"
		   "FIELD+=BITS (set them), FIELD-=BITS (clear them), or CONTROL=0 or 1 by the "
		   "name of a\n"
		   "control, such as entry_load_efer=1. Exit status 1 when a check fails.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

/* --- edits ------------------------------------------------------------------------------------ */

/* A control by its own name, which no other control shares. */
static const struct vmx_control *find_control(const char *name)
{
	const struct vmx_control *control = NULL;

	while ((control = vmx_control_find(name, control)))
		if (!strcmp(control->name, name))
			return control;
	return NULL;
}

static void edit_control(struct why *why, const char *edit, const struct vmx_control *control,
			 u64 value)
{
	const u64 mask = BIT(control->bit);

	if (value > 1)
		die("'%s': a control is 0 or 1", edit);
	why_edit(why, vmx_control_words[control->word].field, mask, value ? mask : 0);
}

static void apply(struct why *why, const char *edit)
{
	const char *const equals = strchr(edit, '=');
	size_t length = (size_t)(equals - edit);
	const struct vmx_control *control;
	char name[MAX_NAME], sign = 0;
	int index;
	u64 value;

	if (length && (edit[length - 1] == '+' || edit[length - 1] == '-'))
		sign = edit[--length];
	if (!length || length >= sizeof(name) || !options_number(equals + 1, &value))
		die("'%s' is no edit: use FIELD=VALUE, FIELD+=BITS or FIELD-=BITS", edit);
	snprintf(name, sizeof(name), "%.*s", (int)length, edit);
	index = vmcs_field_find(name);
	control = find_control(name);
	if (index < 0) {
		if (control && !sign)
			edit_control(why, edit, control, value);
		else
			die("'%s': no VMCS field and no control is called '%s'", edit, name);
		return;
	}
	if (value & ~vmcs_width_mask(vmcs_fields[index].width))
		die("'%s': %s has only %u bits", edit, name,
		    vmcs_width_bits(vmcs_fields[index].width));
	if (sign == '+')
		why_edit(why, index, value, value);
	else if (sign == '-')
		why_edit(why, index, value, 0);
	else
		why_edit(why, index, ~0ull, value);
}

/* --- what is printed -------------------------------------------------------------------------- */

static void print_legal(const char *key, const struct legal_set *set)
{
	char text[LEGAL_TEXT];

	why_legal_text(set, text, sizeof(text));
	if (opt.json)
		json_text(key, text);
	else
		out_format("  %-15s%s\n", key, text);
}

static void print_checks(const struct why_print *print, const u8 *before, const u8 *after)
{
	unsigned fails = 0, unknown = 0;

	if (opt.json)
		json_open("checks", '[');
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (after[id] == CHECK_FAIL) {
			fails++;
			why_print_check(print, (enum check_id)id);
		}
		unknown += after[id] == CHECK_UNKNOWN;
	}
	if (opt.json) {
		json_close(']');
		json_open("passes_now", '[');
	}
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (before[id] != CHECK_FAIL || after[id] == CHECK_FAIL)
			continue;
		if (opt.json)
			json_text(NULL, check_rows[id].id);
		else
			out_format("  passes now     %s\n", check_rows[id].id);
	}
	if (opt.json) {
		json_close(']');
		json_number("fails", fails);
		json_number("unknown", unknown);
	} else if (!fails) {
		out_format("  no check fails; %u are not decided by the tape\n", unknown);
	}
}

/* Edits have a =; the tape is what has none. */
static const char *sort_words(const struct moment_args *args, const char **edits, unsigned *count)
{
	const char *path = NULL;

	*count = 0;
	for (unsigned i = 0; i < args->count; i++) {
		if (strchr(args->words[i], '='))
			edits[(*count)++] = args->words[i];
		else if (path)
			die("'%s' is no edit, and one tape is named already", args->words[i]);
		else
			path = args->words[i];
	}
	return path;
}

int cmd_whatif(int argc, char **argv)
{
	const int words = options_parse(&spec, argc, argv);
	const char *edits[MOMENT_MAX_WORDS], *path;
	u8 before[CHECK_COUNT], after[CHECK_COUNT];
	static struct why why;
	static struct why_print print;
	struct legal_set was, is;
	struct moment_args args;
	struct place place;
	unsigned count, fails;
	enum status status;

	moment_args_sort(words, argv + 1, MOMENT_MAX_WORDS, &args);
	path = sort_words(&args, edits, &count);
	if (!args.place || !count)
		die("what if what? give a position such as @c0:123 and an edit such as vpid=1");
	print.why = &why;
	print.json = opt.json;
	place_find(path, args.place, &place);
	print.timeline = place.timeline;
	print.reader = place.reader;
	status = why_find(place.timeline, place.n, &why);
	if (status != ST_OK && status != ST_NOT_FOUND)
		die("'%s': %s", args.place, status_text(status));
	if (status == ST_NOT_FOUND || !why.entry)
		die("'%s' is no VM entry: give the position of a vmlaunch or vmresume", args.place);
	why_judge(&why, &was);
	why_check(&why, before);
	for (unsigned i = 0; i < count; i++)
		apply(&why, edits[i]);
	why_judge(&why, &is);
	fails = why_check(&why, after);
	if (why_find_evidence(&print, after) == ST_NO_MEMORY)
		die("out of memory");
	if (opt.json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_place("at", &why.place);
	} else {
		out_format("%s\n", moment_event_line(print.reader, why.n));
	}
	print_legal("before", &was);
	print_legal("then", &is);
	print_checks(&print, before, after);
	if (opt.json) {
		json_close('}');
		json_end();
	}
	return place_close(&place, fails ? EXIT_FINDINGS : EXIT_CLEAN);
}
