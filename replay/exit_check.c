#include "replay/exit_check.h"

#include "replay/exit_predicate.h"

/* --- The table -------------------------------------------------------------------------------- */

#define A(NAME)	    EXIT_WHAT_AFTER + VMCS_IX_##NAME,
#define B(NAME)	    EXIT_WHAT_BEFORE + VMCS_IX_##NAME,
#define CAP(NAME)   EXIT_WHAT_CAP + VMX_CAP_##NAME,
#define COL(NAME)   EXIT_WHAT_##NAME,
#define ITEM(NAME)  EXIT_WHAT_ITEM_##NAME,
#define LAUNCH	    EXIT_WHAT_LAUNCH,
#define CPU	    EXIT_WHAT_CPU,
#define W(WORD)	    W_##WORD
#define W_PIN	    B(PIN_BASED_CONTROLS)
#define W_PRIMARY   B(PRIMARY_PROC_BASED_CONTROLS)
#define W_SECONDARY B(SECONDARY_PROC_BASED_CONTROLS) W_PRIMARY
#define W_TERTIARY  B(TERTIARY_PROC_BASED_CONTROLS) W_PRIMARY
#define W_EXIT	    B(VM_EXIT_CONTROLS)
#define W_EXIT2	    B(SECONDARY_VM_EXIT_CONTROLS) W_EXIT

#define EXIT_CHECK(ID, WHEN, SOURCES, section, text, READS) \
	static const u16 reads_##ID[] = { READS EXIT_WHAT_NONE };
#include "vmx/exit_checks.def"
#undef EXIT_CHECK

#define EXIT_CHECK(ID, WHEN, SOURCES, title, rule, READS) \
	[EXIT_CHECK_##ID] = { .id = #ID,                  \
			      .section = title,           \
			      .text = rule,               \
			      .sources = #SOURCES,        \
			      .reads = reads_##ID,        \
			      .when = EXIT_CHECK_AT_##WHEN },
const struct exit_check_row exit_check_rows[EXIT_CHECK_COUNT] = {
#include "vmx/exit_checks.def"
};
#undef EXIT_CHECK

static enum tri (*const predicates[EXIT_CHECK_COUNT])(struct exit_checking *x) = {
#define EXIT_CHECK(ID, ...) [EXIT_CHECK_##ID] = exit_check_##ID,
#include "vmx/exit_checks.def"
#undef EXIT_CHECK
};

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

enum exit_check_id exit_check_id_of(const char *id)
{
	for (unsigned int n = 0; n < EXIT_CHECK_COUNT; n++) {
		size_t at = 0;

		while (id[at] && upper(id[at]) == exit_check_rows[n].id[at])
			at++;
		if (!id[at] && !exit_check_rows[n].id[at])
			return (enum exit_check_id)n;
	}
	return EXIT_CHECK_COUNT;
}

/* --- The situation ---------------------------------------------------------------------------- */

static const u64 nothing[VMCS_FIELD_COUNT];

void exit_situation_make(struct exit_situation *situation, const struct trace_event *event,
			 const struct vmx_caps *caps, const struct model_region *region)
{
	const bool exit = event->kind == EV_L2_EXIT;

	situation->event = event;
	situation->caps = caps;
	situation->value = region ? region->value : nothing;
	situation->known = region ? region->known : nothing;
	situation->reason = exit ? ((const struct ev_l2_exit *)event->col)->reason : 0;
	situation->when = !exit						  ? EXIT_CHECK_AT_ENTRY
			  : situation->reason & EXIT_REASON_ENTRY_FAILURE ? EXIT_CHECK_AT_FAILURE
									  : EXIT_CHECK_AT_EXIT;
	situation->any_control = false;
	memset(&situation->fields, 0, sizeof(situation->fields));
	for (u32 i = 0; i < event->item_count; i++) {
		const u32 id = event->items[i].id;
		const int index = id < ITEM_REG ? vmcs_field_index(id) : -1;

		if (index < 0)
			continue;
		situation->slot[index] = (u16)i;
		vmcs_set_add(&situation->fields, index);
		situation->any_control |= vmcs_fields[index].kind == VMCS_KIND_CONTROL ||
					  vmcs_fields[index].kind == VMCS_KIND_HOST;
	}
}

/* --- What predicates ask ---------------------------------------------------------------------- */

enum tri exit_must(struct exit_checking *x, enum tri holds, unsigned int index, u64 mask, u64 want)
{
	if (holds == TRI_NO && x->result)
		*x->result = (struct exit_check_result){
			.field = (int)index,
			.value = exit_value_after(x, index).value,
			.mask = mask,
			.want = want,
		};
	return holds;
}

enum tri exit_keeps(struct exit_checking *x, unsigned int index, u64 mask)
{
	struct word before, after;

	exit_reads(x, EXIT_WHAT_BEFORE + index);
	exit_reads(x, EXIT_WHAT_AFTER + index);
	/* Whatever it is, it is the same as before. */
	if (!exit_situation_item(x->at, index))
		return TRI_YES;
	before = exit_before(x, index);
	after = exit_after(x, index);
	return exit_must(x, word_same(word_and(before, mask), word_and(after, mask)), index, mask,
			 before.value & mask);
}

enum tri exit_bits_are(struct exit_checking *x, unsigned int index, u64 mask, u64 want)
{
	return exit_must(x, word_is(word_and(exit_after(x, index), mask), want), index, mask, want);
}

enum tri exit_control(struct exit_checking *x, enum vmx_word word, u64 mask)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	enum tri active = TRI_YES;

	if (row->by_mask)
		active = exit_control(x, (enum vmx_word)row->by_word, row->by_mask);
	return tri_and(active, word_all(exit_before(x, row->field), mask));
}

struct word exit_cap(struct exit_checking *x, enum vmx_cap cap)
{
	exit_reads(x, EXIT_WHAT_CAP + cap);
	return word_partly(x->at->caps->msr[cap], x->at->caps->known & BIT(cap) ? ~0ull : 0);
}

struct word exit_item(struct exit_checking *x, enum exit_check_what what, u32 id)
{
	const struct trace_event *const event = x->at->event;

	exit_reads(x, what);
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == id)
			return word_of(event->items[i].value);
	return (struct word){ 0 };
}

/* --- Judging ---------------------------------------------------------------------------------- */

enum check_verdict exit_check_run(const struct exit_situation *situation, enum exit_check_id id,
				  struct exit_check_result *result, u8 reads[EXIT_WHAT_COUNT])
{
	struct exit_checking x = { .at = situation, .reads = reads, .result = result };
	enum tri holds;

	if (exit_check_rows[id].when != situation->when)
		return CHECK_NOT_APPLICABLE;
	if (result)
		result->field = -1;
	holds = predicates[id](&x);
	if (holds != TRI_YES)
		return holds == TRI_NO ? CHECK_FAIL : CHECK_UNKNOWN;
	return x.skipped ? CHECK_NOT_APPLICABLE : CHECK_PASS;
}
