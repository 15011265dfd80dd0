/*
 * cli/cmd_why.c - vmxtape why: why an instruction or a VM entry ended as it did
 */
#include <string.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/place_arg.h"
#include "cli/tape_arg.h"
#include "cli/why_check.h"
#include "cli/why_insn.h"

#define LEGAL_TEXT 1024

static struct {
	bool json, unknown;
} opt;

static const struct option options[] = {
	{ "unknown", 'u', OPTION_FLAG, NULL, &opt.unknown,
	  "also the checks that the tape does not decide" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "one JSON object" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "why [OPTION]... @N [TAPE.vxt]",
	.summary = "Says why the VMX instruction or the VM entry at @N ended as it did: what the "
		   "SDM lets it\n"
		   "end with, every check that fails with the bits that are wrong, the capability "
		   "MSR that\n"
		   "demands them and whether L1 read it, who wrote them, and the smallest edit of "
		   "the VMCS\n"
		   "that passes, judged again.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

static void print_head(struct reader *reader, const struct why *why, const struct legal_set *set,
		       enum legal_verdict verdict)
{
	char legal[LEGAL_TEXT], observed[128];

	why_legal_text(set, legal, sizeof(legal));
	legal_text(&why->observed, observed, sizeof(observed));
	if (opt.json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_place("at", &why->place);
		json_text("observed", observed);
		json_place("seen_at", why->has_end ? &why->end : &why->place);
		json_text("legal", legal);
		json_text("verdict", why_verdict_name(verdict));
		return;
	}
	out_format("%s\n", moment_event_line(reader, why->n));
	if (why->has_end)
		out_format("%s\n", moment_event_line(reader, why->end.n));
	out_format("  ended with     %s\n  SDM allows     %s\n", observed, legal);
	if (verdict == LEGAL_DIVERGE)
		out_text("  so             L0 did not do what the SDM says\n");
	else if (verdict == LEGAL_UNKNOWN)
		out_text("  so             it may be right; the tape does not tell all\n");
}

static void print_remedy(const struct why *why, unsigned count, const struct why_change *changes)
{
	if (opt.json)
		json_open("remedy", '[');
	else if (count)
		out_text("\nsmallest edit after which no check fails (judged again):\n");
	else
		out_text("\nno edit of VMCS fields alone makes every check pass\n");
	for (unsigned i = 0; i < count; i++) {
		const char *const name = vmcs_fields[changes[i].index].name;

		if (opt.json) {
			json_open(NULL, '{');
			json_text("field", name);
			json_hex("old", why->value[changes[i].index]);
			json_hex("value", changes[i].value);
			json_close('}');
		} else {
			out_format("  %s 0x%llx -> 0x%llx\n", name,
				   (unsigned long long)why->value[changes[i].index],
				   (unsigned long long)changes[i].value);
		}
	}
	if (opt.json) {
		json_close(']');
	} else if (count) {
		out_format("  vmxtape whatif %s", moment_place(&why->place));
		for (unsigned i = 0; i < count; i++)
			out_format(" %s=0x%llx", vmcs_fields[changes[i].index].name,
				   (unsigned long long)changes[i].value);
		out_text("\n");
	}
}

static void print_failing(const struct why_print *print, const u8 *verdicts)
{
	if (opt.json)
		json_open("checks", '[');
	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (verdicts[id] == CHECK_FAIL)
			why_print_check(print, (enum check_id)id);
	if (opt.json)
		json_close(']');
}

static void print_undecided(const struct why_print *print, const u8 *verdicts)
{
	unsigned count = 0;

	for (unsigned id = 0; id < CHECK_COUNT; id++)
		count += verdicts[id] == CHECK_UNKNOWN;
	if (opt.json)
		json_open("unknown", '[');
	else if (count)
		out_format("\n%u checks are not decided by the tape%s\n", count,
			   opt.unknown ? ":" : "; --unknown lists them");
	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (verdicts[id] == CHECK_UNKNOWN && (opt.unknown || opt.json))
			why_print_unknown(print, (enum check_id)id);
	if (opt.json)
		json_close(']');
}

static void explain_entry(const struct place *place, struct why *why)
{
	static struct why_print print;
	struct why_change changes[WHY_MAX_CHANGES];
	u8 verdicts[CHECK_COUNT];
	const unsigned fails = why_check(why, verdicts);

	print.timeline = place->timeline;
	print.reader = place->reader;
	print.why = why;
	print.json = opt.json;
	if (why_find_evidence(&print, verdicts) == ST_NO_MEMORY)
		die("out of memory");
	if (!opt.json)
		out_format("  checks         %u of %u %s\n", fails, (unsigned)CHECK_COUNT,
			   fails == 1 ? "fails" : "fail");
	print_failing(&print, verdicts);
	if (fails)
		print_remedy(why, why_remedy(why, changes), changes);
	else if (opt.json)
		print_remedy(why, 0, changes);
	if (opt.unknown || opt.json || why->observed.kind != LEGAL_SUCCEED || fails)
		print_undecided(&print, verdicts);
}

int cmd_why(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	static struct why why;
	struct legal_set set;
	struct moment_args args;
	struct place place;
	enum status status;

	moment_args_sort(count, argv + 1, 1, &args);
	if (!args.place)
		die("why what? give a position such as @c0:123");
	place_find(args.words[0], args.place, &place);
	status = why_find(place.timeline, place.n, &why);
	if (status == ST_NOT_FOUND)
		die("'%s' is no VMX instruction, and no entry or exit of L2 that one led to",
		    args.place);
	if (status != ST_OK)
		die("'%s': %s", args.place, status_text(status));
	why_judge(&why, &set);
	print_head(place.reader, &why, &set, legal_judge(&set, &why.observed, NULL));
	if (why.entry && why.insn->vmcs != MODEL_NO_POINTER)
		explain_entry(&place, &why);
	else
		why_print_insn(&why, opt.json);
	if (opt.json) {
		json_close('}');
		json_end();
	}
	return place_close(&place, EXIT_CLEAN);
}
