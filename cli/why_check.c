#include "cli/why_check.h"

#include <stdio.h>
#include <string.h>

#include "cli/explain_page.h"
#include "cli/message.h"
#include "cli/moment_arg.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "replay/field_use.h"
#include "replay/symbols.h"
#include "vmx/bits.h"

#define DECODED 512

/* How an entry ends when row @id fails. */
static const char *leads_to(enum check_id id)
{
	static char text[32];

	switch (check_stage(id)) {
	case CHECK_STAGE_BASIC:
		if (!check_rows[id].detail)
			return "VMfailInvalid";
		snprintf(text, sizeof(text), "VMfailValid(%u)", check_rows[id].detail);
		return text;
	case CHECK_STAGE_CONTROL:
		return "VMfailValid(7)";
	case CHECK_STAGE_HOST:
		return "VMfailValid(8)";
	case CHECK_STAGE_GUEST:
		return "exit 0x80000021";
	case CHECK_STAGE_MSR_LOAD:
		return "exit 0x80000022";
	default:
		return "VMX abort";
	}
}

static const char *const state_names[CHECK_STATE_COUNT] = {
	[CHECK_STATE_CURRENT] = "current-VMCS pointer",
	[CHECK_STATE_REVISION] = "revision identifier in the region",
	[CHECK_STATE_LAUNCH] = "launch state",
	[CHECK_STATE_MODE] = "mode of the processor",
	[CHECK_STATE_CR3] = "CR3 of L1",
	[CHECK_STATE_CR4] = "CR4 of L1",
	[CHECK_STATE_RTIT_CTL] = "IA32_RTIT_CTL of L1",
};

static const char *what_name(unsigned what)
{
	if (what < VMCS_FIELD_COUNT)
		return vmcs_fields[what].name;
	if (what >= CHECK_WHAT_CAP && what < CHECK_WHAT_CAP + VMX_CAP_COUNT)
		return vmx_msr_name(MSR_VMX_BASIC + what - CHECK_WHAT_CAP);
	if (what >= CHECK_WHAT_STATE && what < CHECK_WHAT_STATE + CHECK_STATE_COUNT)
		return state_names[what - CHECK_WHAT_STATE];
	return what == CHECK_WHAT_MEMORY ? "memory of L1" : "CPUID";
}

/* The value of a field or a state; false when it is neither. */
static bool value_of(const struct why *why, unsigned what, u64 *value)
{
	if (what < VMCS_FIELD_COUNT)
		*value = why->value[what];
	else if (what >= CHECK_WHAT_STATE && what < CHECK_WHAT_STATE + CHECK_STATE_COUNT)
		*value = why->situation.entry.state[what - CHECK_WHAT_STATE].value;
	else
		return false;
	return true;
}

/* --- bits ------------------------------------------------------------------------------------- */

/* The part of the value of @what that has bit @bit, NULL when none has. */
static const struct vmx_part *part_of(unsigned what, unsigned bit)
{
	const struct vmx_part *parts;
	size_t count;

	if (what >= VMCS_FIELD_COUNT)
		return NULL;
	count = vmx_parts(vmx_field_kind((int)what), &parts);
	for (size_t i = 0; i < count; i++)
		if (bit >= parts[i].low && bit <= parts[i].high)
			return &parts[i];
	return NULL;
}

static const char *bit_name(unsigned what, unsigned bit)
{
	const struct vmx_part *const part = part_of(what, bit);

	return part && *part->name ? part->name : "reserved";
}

/* Whether the bits of @mask stand each for itself, and are not too many to be named. */
static bool are_flags(unsigned what, u64 mask)
{
	const struct vmx_part *part;

	if (what >= VMCS_FIELD_COUNT || __builtin_popcountll(mask) > 8 ||
	    !vmx_parts(vmx_field_kind((int)what), &part))
		return false;
	for (unsigned bit = 0; bit < 64; bit++) {
		part = mask >> bit & 1 ? part_of(what, bit) : NULL;
		if (part && part->style != VMX_STYLE_FLAG)
			return false;
	}
	return true;
}

static void print_bits(unsigned what, u64 value, u64 mask, u64 want)
{
	if (!are_flags(what, mask)) {
		out_format("      bits 0x%llx are 0x%llx; 0x%llx would do\n",
			   (unsigned long long)mask, (unsigned long long)(value & mask),
			   (unsigned long long)(want & mask));
		return;
	}
	for (unsigned bit = 0; bit < 64; bit++)
		if (mask >> bit & 1)
			out_format("      bit %u (%s) is %u and must be %u\n", bit,
				   bit_name(what, bit), (unsigned)(value >> bit & 1),
				   (unsigned)(want >> bit & 1));
}

/* --- who demands it --------------------------------------------------------------------------- */

static bool read_value(const struct why_print *print, const struct model_place *place, u64 *value)
{
	const struct trace_event *event;
	u64 n;

	if (!model_place_is(place) ||
	    reader_find(print->reader, place->cpu, place->seq, &n) != ST_OK ||
	    reader_next(print->reader, &event) != ST_OK || event->kind != EV_MSR_READ)
		return false;
	*value = ((const struct ev_msr_read *)event->col)->value;
	return true;
}

static void print_demand(const struct why_print *print, const struct check_item *item)
{
	const u32 msr = MSR_VMX_BASIC + item->cap;
	const u64 value = print->why->situation.insn.caps->msr[item->cap];
	const struct model_place place = print->why->model->cap_read[item->cap];
	u64 seen = 0;
	const bool read = read_value(print, &place, &seen);

	if (print->json) {
		json_text("msr", vmx_msr_name(msr));
		json_hex("msr_bits", item->cap_mask);
		json_hex("msr_value", value);
		json_place("msr_read", &place);
		if (read)
			json_hex("msr_seen", seen);
		return;
	}
	out_format("      demanded by %s = 0x%llx,", vmx_msr_name(msr), (unsigned long long)value);
	if (__builtin_popcountll(item->cap_mask) == 1)
		out_format(" bit %u", (unsigned)__builtin_ctzll(item->cap_mask));
	else
		out_format(" bits 0x%llx", (unsigned long long)item->cap_mask);
	if (read)
		out_format("; L1 read it at %s and saw 0x%llx\n", moment_place(&place),
			   (unsigned long long)seen);
	else
		out_text("; L1 never read it\n");
}

/* --- who wrote it ----------------------------------------------------------------------------- */

/* The bits of @item that are wrong: of two operands that contradict each other all. */
static u64 wrong_bits(const struct why *why, const struct check_item *item)
{
	u64 value;

	if (!value_of(why, item->what, &value) || !((value ^ item->want) & item->mask))
		return item->mask;
	return (value ^ item->want) & item->mask;
}

/* Whether @what is a field that no edit changed. */
static bool is_of_tape(const struct why *why, unsigned what)
{
	const struct model_region *const region = model_region(why->model, why->insn->vmcs);

	return what < VMCS_FIELD_COUNT && region &&
	       why->value[what] == (region->value[what] & region->known[what]);
}

/* Who made the bad bits of @item so. */
static enum status find_writer(struct why_print *print, const struct check_item *item)
{
	struct history_question question = {
		.index = item->what,
		.mask = wrong_bits(print->why, item),
	};
	enum status status;

	if (item->role != CHECK_BAD || !is_of_tape(print->why, item->what) ||
	    print->writer_count == WHY_MAX_WRITERS)
		return ST_OK;
	status = timeline_answer(print->timeline, print->why->insn->vmcs, print->why->n, &question);
	print->writers[print->writer_count++] = question;
	return status;
}

enum status why_find_evidence(struct why_print *print, const u8 verdicts[CHECK_COUNT])
{
	struct check_result result;
	enum status status = ST_OK;

	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (verdicts[id] != CHECK_FAIL)
			continue;
		check_run(&print->why->situation.entry, (enum check_id)id, &result);
		for (unsigned i = 0; i < result.count && status == ST_OK; i++)
			status = find_writer(print, &result.item[i]);
	}
	return status;
}

static void writer_json(const struct why_print *print, const struct history_question *question)
{
	const struct history_write *const write = &question->write;

	json_open("writer", '{');
	json_text("origin", question->found ? history_origin_name(write->origin) : NULL);
	if (question->found) {
		json_place("at", &write->place);
		json_rip(reader_names(print->reader)->symbols, model_place_level(&write->place),
			 write->place.rip);
		json_hex("value", write->value);
	}
	json_close('}');
}

static void writer_text(const struct why_print *print, const struct history_question *question)
{
	char rip[SYMBOLS_MAX_NAME];
	const struct history_write *const write = &question->write;

	if (!question->found)
		out_text("      no event of the tape wrote it\n");
	else if (write->origin == HISTORY_GAP)
		out_format("      who wrote it is lost: events are missing at %s\n",
			   moment_place(&write->place));
	else if (write->since_tsc)
		out_format("      made so by L1 (%s) between @tsc:0x%llx and %s, to 0x%llx\n",
			   history_origin_name(write->origin), (unsigned long long)write->since_tsc,
			   moment_place(&write->place), (unsigned long long)write->value);
	else
		out_format("      made so by %s (%s), rip %s, which wrote 0x%llx\n",
			   moment_place(&write->place), history_origin_name(write->origin),
			   symbols_rip(reader_names(print->reader)->symbols,
				       model_place_level(&write->place), write->place.rip, rip),
			   (unsigned long long)write->value);
}

static void print_writer(const struct why_print *print, unsigned index, u64 mask)
{
	for (unsigned i = 0; i < print->writer_count; i++) {
		const struct history_question *const question = &print->writers[i];

		if (question->index != (int)index || question->mask != mask)
			continue;
		if (print->json)
			writer_json(print, question);
		else
			writer_text(print, question);
		return;
	}
}

/* --- items ------------------------------------------------------------------------------------ */

static void print_launch(const struct why_print *print)
{
	const struct model_region *const region =
		model_region(print->why->model, print->why->insn->vmcs);
	const bool launched =
		print->why->situation.entry.state[CHECK_STATE_LAUNCH].value & CHECK_LAUNCHED;

	out_format("    the launch state is %s, since %s: %s\n", launched ? "launched" : "clear",
		   region ? moment_place(&region->launch_place) : "?",
		   launched ? "use VMRESUME, or VMCLEAR the region first" : "use VMLAUNCH");
}

static void print_bad(const struct why_print *print, const struct check_item *item)
{
	const u64 wrong = wrong_bits(print->why, item);
	u64 value = 0;
	const struct model_region *const region =
		model_region(print->why->model, print->why->insn->vmcs);
	char decoded[DECODED] = "";

	value_of(print->why, item->what, &value);
	if (print->json) {
		json_open(NULL, '{');
		json_text("what", what_name(item->what));
		json_hex("value", value);
		json_hex("mask", wrong);
		json_hex("want", item->want & wrong);
		if (item->cap != CHECK_NO_CAP)
			print_demand(print, item);
		if (item->what < VMCS_FIELD_COUNT)
			print_writer(print, item->what, wrong);
		json_close('}');
		return;
	}
	if (item->what == CHECK_WHAT_STATE + CHECK_STATE_LAUNCH) {
		print_launch(print);
		return;
	}
	if (item->what < VMCS_FIELD_COUNT) {
		if (region)
			field_decode(region, item->what, value, decoded, sizeof(decoded));
	}
	out_format("    %s = 0x%llx%s%s\n", what_name(item->what), (unsigned long long)value,
		   *decoded ? "  " : "", decoded);
	print_bits(item->what, value, wrong, item->want);
	if (item->cap != CHECK_NO_CAP)
		print_demand(print, item);
	if (item->what < VMCS_FIELD_COUNT)
		print_writer(print, item->what, wrong);
}

static void print_because(const struct why_print *print, const struct check_item *item)
{
	const unsigned bit = item->mask ? (unsigned)__builtin_ctzll(item->mask) : 0;

	if (print->json) {
		json_open(NULL, '{');
		json_text("what", what_name(item->what));
		json_hex("mask", item->mask);
		json_hex("value", item->want & item->mask);
		json_close('}');
		return;
	}
	/* Which instruction it is stands in the line of the event. */
	if (item->what >= CHECK_WHAT_STATE)
		return;
	if (__builtin_popcountll(item->mask) == 1)
		out_format("    applies since %s bit %u (%s) is %u\n", what_name(item->what), bit,
			   bit_name(item->what, bit), (unsigned)(item->want >> bit & 1));
	else
		out_format("    applies since %s bits 0x%llx are 0x%llx\n", what_name(item->what),
			   (unsigned long long)item->mask,
			   (unsigned long long)(item->want & item->mask));
}

static void print_items(const struct why_print *print, const struct check_result *result,
			enum check_role role, const char *key)
{
	if (print->json)
		json_open(key, '[');
	for (unsigned i = 0; i < result->count; i++) {
		if (result->item[i].role != role)
			continue;
		if (role == CHECK_BAD)
			print_bad(print, &result->item[i]);
		else
			print_because(print, &result->item[i]);
	}
	if (print->json)
		json_close(']');
}

/* --- rows ------------------------------------------------------------------------------------- */

void why_print_check(const struct why_print *print, enum check_id id)
{
	struct check_result result;

	check_run(&print->why->situation.entry, id, &result);
	if (print->json) {
		json_open(NULL, '{');
		json_text("check", check_rows[id].id);
		json_text("text", check_rows[id].text);
		json_text("section", check_section(id));
		json_text("leads_to", leads_to(id));
	} else {
		out_format("\n%s, leads to %s\n", check_rows[id].id, leads_to(id));
		explain_paragraph("demands", check_rows[id].text);
		explain_paragraph("SDM", check_section(id));
	}
	print_items(print, &result, CHECK_BECAUSE, "because");
	print_items(print, &result, CHECK_BAD, "bad");
	if (print->json)
		json_close('}');
}

void why_print_unknown(const struct why_print *print, enum check_id id)
{
	struct check_result result;

	check_run(&print->why->situation.entry, id, &result);
	if (print->json) {
		json_open(NULL, '{');
		json_text("check", check_rows[id].id);
		json_open("missing", '[');
	} else {
		out_format("  %s:", check_rows[id].id);
	}
	for (unsigned i = 0; i < result.count; i++) {
		if (result.item[i].role != CHECK_MISSING)
			continue;
		if (print->json)
			json_text(NULL, what_name(result.item[i].what));
		else
			out_format(" %s", what_name(result.item[i].what));
	}
	if (!print->json) {
		out_text("\n");
		return;
	}
	json_close(']');
	json_close('}');
}

char *why_legal_text(const struct legal_set *set, char *text, size_t size)
{
	size_t length = 0;

	*text = 0;
	for (unsigned i = 0; i < set->count; i++) {
		char one[128];

		legal_text(&set->of[i], one, sizeof(one));
		/* Several checks may lead to the same end. */
		if (strstr(text, one))
			continue;
		if (length < size)
			length += (size_t)snprintf(text + length, size - length, "%s%s",
						   length ? " or " : "", one);
	}
	return text;
}

const char *why_verdict_name(enum legal_verdict verdict)
{
	return verdict == LEGAL_AGREE ? "agree" : verdict == LEGAL_DIVERGE ? "diverge" : "unknown";
}
