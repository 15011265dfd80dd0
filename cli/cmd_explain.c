/*
 * cli/cmd_explain.c - vmxtape explain: what a number, a name or a rule means
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/explain_page.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "replay/finding.h"
#include "replay/names.h"
#include "vmx/qual.h"

#define DECODED 1024

static struct {
	const char *reason;
	u64 event, level, displacement;
	bool json;
} opt;

static const struct option options[] = {
	{ "reason", 'r', OPTION_TEXT, "REASON", &opt.reason,
	  "the exit reason, by name or number, for\nqualification and instruction" },
	{ "event", 0, OPTION_NUMBER, "INFO", &opt.event,
	  "the interruption information beside an error code,\nor beside the qualification of an "
	  "exception" },
	{ "level", 0, OPTION_NUMBER, "N", &opt.level, "of an EPT entry, 5 to 1; 1 maps 4 KiB" },
	{ "displacement", 0, OPTION_NUMBER, "N", &opt.displacement,
	  "the exit qualification beside instruction information" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "a JSON object a line" },
};

static const struct option_spec spec = {
	.usage = "explain [OPTION]... VALUE KIND | NAME",
	.summary =
		"Decodes a number of the architecture, such as 0x80000b0d injection, 0x2668 cr4 "
		"or\n"
		"0x83 ept_violation (its exit qualification); KIND is a word of the list below, a "
		"VMCS\n"
		"field, an MSR, or an exit reason. Or tells what a name is: a rule of check, a "
		"VMCS field\n"
		"(also by encoding), a control, a capability, an exit reason, an MSR, a check of "
		"VM entry\n"
		"or of exits, an erratum.\n"
		"Without arguments, lists the kinds and the rules.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

enum needs { NEEDS_NONE, NEEDS_REASON, NEEDS_EVENT, NEEDS_LEVEL };

static const struct word_row {
	const char *word;
	u8 kind;
	u8 needs;
} words[] = {
#define EXPLAIN(word, KIND, NEEDS) { #word, VMX_VALUE_##KIND, NEEDS_##NEEDS },
#include "cli/explain.def"
#undef EXPLAIN
};

/* A number and what it is. */
struct subject {
	u64 value;
	const char *title;
	enum vmx_value_kind kind;
	bool split; /* bits 31:0 must be 1 in a control word, bits 63:32 may be */
	struct vmx_decode_context context;
};

/* --- lists ------------------------------------------------------------------------------------ */

static int list_all(void)
{
	if (!opt.json)
		out_text("kinds of values, besides VMCS fields, MSRs and exit reasons:\n");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *const title = vmx_kind_title((enum vmx_value_kind)words[i].kind);

		if (!opt.json) {
			out_format("  %-20s%s\n", words[i].word, title);
			continue;
		}
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "kind");
		json_text("name", words[i].word);
		json_text("title", title);
		json_close('}');
		json_end();
	}
	if (!opt.json)
		out_text("\nrules:\n");
	for (unsigned i = 0; i < FINDING_COUNT; i++) {
		if (opt.json)
			explain_pages(finding_rows[i].rule, true);
		else
			out_format("  %-28s%s\n", finding_rows[i].rule, finding_rows[i].summary);
	}
	out_flush();
	return EXIT_CLEAN;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static u32 reason_of(const char *text)
{
	const struct vmx_exit *const exit = vmx_exit_find(text);
	u64 number;

	if (exit)
		return exit->number;
	if (!options_number(text, &number) || number > ~0u || !vmx_exit_by_reason((u32)number))
		die("no exit reason '%s': give a number or a name such as cpuid", text);
	return (u32)number;
}

/* Capability MSRs that are no list of named bits of their own. */
static void set_msr_kind(struct subject *subject, u32 msr)
{
	const unsigned cap = msr - MSR_VMX_BASIC;

	subject->title = vmx_msr_title(msr);
	subject->kind = vmx_msr_kind(msr);
	if (!MSR_IS_VMX_CAP(msr))
		return;
	if (cap == VMX_CAP_CR0_FIXED0 || cap == VMX_CAP_CR0_FIXED1)
		subject->kind = VMX_VALUE_CR0;
	if (cap == VMX_CAP_CR4_FIXED0 || cap == VMX_CAP_CR4_FIXED1)
		subject->kind = VMX_VALUE_CR4;
	for (unsigned word = 0; word < VMX_WORD_COUNT; word++) {
		if (vmx_control_words[word].cap != cap && vmx_control_words[word].true_cap != cap)
			continue;
		subject->kind = (enum vmx_value_kind)(VMX_VALUE_WORD_PIN + word);
		subject->split = vmx_control_words[word].layout == VMX_LAYOUT_SPLIT;
	}
}

static void need_option(const struct word_row *row)
{
	if (row->needs == NEEDS_REASON && !opt.reason)
		die("'%s' means something only with its exit reason: add --reason", row->word);
	if (row->needs == NEEDS_LEVEL && (opt.level < 1 || opt.level > 5))
		die("'%s' means something only with its level: add --level, 1 to 5", row->word);
	if (row->needs == NEEDS_EVENT && !opt.event)
		die("'%s' means something only with its event: add --event, such as 0x80000b0e",
		    row->word);
}

static void set_qualification(struct subject *subject, u32 reason)
{
	subject->kind = VMX_VALUE_EXIT_QUALIFICATION;
	subject->context.exit_reason = reason;
	explain_qualification(reason, &subject->title);
}

static bool set_kind(struct subject *subject, const char *name)
{
	const int index = vmcs_field_find(name);
	const s64 msr = name_msr_find(name);
	const struct vmx_exit *const exit = vmx_exit_find(name);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i].word, name))
			continue;
		need_option(&words[i]);
		subject->kind = (enum vmx_value_kind)words[i].kind;
		subject->title = vmx_kind_title(subject->kind);
		if (subject->kind == VMX_VALUE_EXIT_QUALIFICATION)
			set_qualification(subject, subject->context.exit_reason);
		return true;
	}
	if (index >= 0) {
		subject->kind = vmx_field_kind(index);
		subject->title = vmcs_fields[index].title;
	} else if (msr >= 0) {
		set_msr_kind(subject, (u32)msr);
	} else if (exit) {
		set_qualification(subject, exit->number);
	} else {
		return false;
	}
	return true;
}

/* --- values ----------------------------------------------------------------------------------- */

/* The kind whose parts the bits of @subject are, where code prints it otherwise. */
static enum vmx_value_kind kind_of_parts(const struct subject *subject)
{
	const char *title;
	const u8 level = subject->context.ept_level;

	if (subject->kind == VMX_VALUE_EXIT_QUALIFICATION)
		return explain_qualification(subject->context.exit_reason, &title);
	if (subject->kind == VMX_VALUE_EPT_ENTRY)
		return level == 1 || (level <= 3 && (subject->value & BIT(7)))
			       ? VMX_VALUE_EPT_PAGE_ENTRY
			       : VMX_VALUE_EPT_TABLE_ENTRY;
	return subject->kind;
}

static void print_part(const struct vmx_part *part, u64 value)
{
	const u64 number = vmx_part_get(part, value);
	const char *const choice = vmx_choice_text((enum vmx_style)part->style, number);
	char bits[16], text[64];

	if (part->high == part->low)
		snprintf(bits, sizeof(bits), "%u", part->high);
	else
		snprintf(bits, sizeof(bits), "%u:%u", part->high, part->low);
	if (choice)
		snprintf(text, sizeof(text), "%s", choice);
	else if (part->style == VMX_STYLE_PLACE)
		snprintf(text, sizeof(text), "0x%llx",
			 (unsigned long long)(value & vmx_part_mask(part)));
	else if (part->style == VMX_STYLE_REG)
		snprintf(text, sizeof(text), "%s", vmx_reg_name((unsigned)number));
	else
		snprintf(text, sizeof(text), part->style == VMX_STYLE_HEX ? "0x%llx" : "%llu",
			 (unsigned long long)number + (part->style == VMX_STYLE_LESS1));
	if (opt.json) {
		json_open(NULL, '{');
		json_text("name", part->name);
		json_number("high", part->high);
		json_number("low", part->low);
		json_hex("value", number);
		json_text("text", text);
		json_text("title", part->title);
		json_close('}');
		return;
	}
	out_format("  %5s  %-28s%-14s%s\n", bits, part->name, text, part->title);
}

/* The parts that are not 0, and what is in no part. */
static void print_parts(const struct subject *subject, u64 value)
{
	const enum vmx_value_kind kind = kind_of_parts(subject);
	const struct vmx_part *parts;
	const size_t count = vmx_parts(kind, &parts);
	u64 rest = value;

	for (size_t i = 0; i < count; i++) {
		if (vmx_part_get(&parts[i], value) || parts[i].high != parts[i].low)
			print_part(&parts[i], value);
		rest &= ~vmx_part_mask(&parts[i]);
	}
	for (unsigned bit = 0; count && bit < 64; bit++) {
		const struct vmx_part reserved = { "reserved", "no meaning, or always 1", (u8)bit,
						   (u8)bit, VMX_STYLE_FLAG };

		if (rest >> bit & 1)
			print_part(&reserved, value);
	}
}

static void print_split(const struct subject *subject)
{
	const u64 must = subject->value & MASK(31, 0), may = subject->value >> 32;

	if (opt.json) {
		json_open("must_be_1", '[');
		print_parts(subject, must);
		json_close(']');
		json_open("may_be_1", '[');
		print_parts(subject, may & ~must);
		json_close(']');
		return;
	}
	out_text(" must be 1:\n");
	print_parts(subject, must);
	out_text(" may be 1:\n");
	print_parts(subject, may & ~must);
}

static void print_value(const struct subject *subject)
{
	char text[DECODED];

	vmx_decode(text, sizeof(text), subject->kind, subject->value, &subject->context);
	if (!opt.json) {
		out_format("0x%llx  %s%s%s\n", (unsigned long long)subject->value, subject->title,
			   subject->split ? "" : ": ", subject->split ? "" : text);
		if (subject->split)
			print_split(subject);
		else
			print_parts(subject, subject->value);
		return;
	}
	json_open(NULL, '{');
	json_number("schema", 1);
	json_text("what", "value");
	json_hex("value", subject->value);
	json_text("title", subject->title);
	if (subject->split) {
		print_split(subject);
	} else {
		json_text("text", text);
		json_open("parts", '[');
		print_parts(subject, subject->value);
		json_close(']');
	}
	json_close('}');
	json_end();
}

int cmd_explain(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct subject subject = { 0 };

	if (!count)
		return list_all();
	if (count > 2)
		die("'%s' is too much: give VALUE and KIND, or a name", argv[3]);
	subject.context.exit_reason = opt.reason ? reason_of(opt.reason) : 0;
	subject.context.interruption_info = (u32)opt.event;
	subject.context.ept_level = (u8)opt.level;
	subject.context.qualification = opt.displacement;
	if (count == 2) {
		if (!options_number(argv[1], &subject.value))
			die("'%s' is no number; 'vmxtape explain' lists what can be asked",
			    argv[1]);
		if (!set_kind(&subject, argv[2]))
			die("no kind '%s'; 'vmxtape explain' lists them", argv[2]);
		print_value(&subject);
	} else if (!explain_pages(argv[1], opt.json)) {
		if (options_number(argv[1], &subject.value))
			die("what kind of number is '%s'? 'vmxtape explain' lists them", argv[1]);
		die("nothing is called '%s'; 'vmxtape explain' lists kinds and rules", argv[1]);
	}
	out_flush();
	return EXIT_CLEAN;
}
