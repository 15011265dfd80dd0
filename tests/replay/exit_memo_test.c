#include "tests/replay/exit_fixture.h"
#include "replay/exit_memo.h"

#define ROUNDS 20000

/* The first row that fails, as if there were no memo. */
static enum check_verdict judge_anew(const struct exit_situation *at, enum exit_check_id *failed)
{
	enum check_verdict verdict = CHECK_PASS;

	for (unsigned int id = 0; id < EXIT_CHECK_COUNT; id++) {
		switch (exit_check_run(at, (enum exit_check_id)id, NULL, NULL)) {
		case CHECK_FAIL:
			*failed = (enum exit_check_id)id;
			return CHECK_FAIL;
		case CHECK_UNKNOWN:
			verdict = CHECK_UNKNOWN;
			break;
		default:
			break;
		}
	}
	return verdict;
}

static const u8 reasons[] = { EXIT_CPUID,
			      EXIT_IO,
			      EXIT_EPT_VIOLATION,
			      EXIT_CR_ACCESS,
			      EXIT_RDMSR,
			      EXIT_EXCEPTION_NMI,
			      EXIT_HLT,
			      EXIT_EPT_MISCONFIGURATION,
			      EXIT_NMI_WINDOW,
			      EXIT_INTERRUPT_WINDOW,
			      EXIT_PREEMPTION_TIMER,
			      127 };

/* An exit, seldom a failed entry or an L2_ENTRY, that brings some fields and items. */
static void next_event(struct exit_machine *x, u64 *random)
{
	static const u32 notes[] = { ITEM_REG + REG_RCX, ITEM_MSR_BITMAP, ITEM_IO_BITMAP,
				     ITEM_EPT12 + 1 };
	const u64 reason = reasons[exit_random(random) % ARRAY_SIZE(reasons)];
	u64 *const column = &x->col[EV_COLUMN(l2_exit, reason)];

	x->event.kind = exit_random(random) % 16 ? EV_L2_EXIT : EV_L2_ENTRY;
	if (exit_random(random) % 2 || x->event.kind == EV_L2_ENTRY || *column > UINT16_MAX)
		*column = x->event.kind == EV_L2_ENTRY ? 0
			  : exit_random(random) % 16   ? reason
						       : FAILED_ENTRY(EXIT_INVALID_GUEST_STATE);
	x->event.item_count = 0;
	for (u64 n = exit_random(random) % 3; n; n--) {
		const unsigned int index = exit_random(random) % VMCS_FIELD_COUNT;

		x->items[x->event.item_count++] = (struct trace_item){
			.id = vmcs_fields[index].encoding,
			.value = x->m.value[index] ^ BIT(exit_random(random) % 32),
		};
	}
	x->items[x->event.item_count++] = (struct trace_item){
		.id = notes[exit_random(random) % ARRAY_SIZE(notes)],
		.value = exit_random(random),
	};
}

/* What the event brought is in the VMCS; then L1 changes something, or it is forgotten. */
static void go_on(struct exit_machine *x, u64 *random, struct vmcs_set *changed)
{
	*changed = (struct vmcs_set){ { 0 } };
	for (u32 i = 0; i < x->event.item_count; i++) {
		const int index = x->items[i].id < ITEM_REG ? vmcs_field_index(x->items[i].id) : -1;

		if (index < 0)
			continue;
		x->m.value[index] = x->items[i].value;
		x->m.known[index] = ~0ull;
		vmcs_set_add(changed, index);
	}
	for (u64 n = exit_random(random) % 2; n; n--) {
		const unsigned int index = exit_random(random) % VMCS_FIELD_COUNT;

		if (exit_random(random) % 4)
			x->m.value[index] ^= BIT(exit_random(random) % 32);
		else
			x->m.known[index] ^= BIT(exit_random(random) % 32);
		vmcs_set_add(changed, (int)index);
	}
}

static void verdicts_are_those_of_judging_anew(void **state)
{
	static struct exit_plan plan;
	static struct exit_memo memo;
	static struct exit_machine x;
	u64 random = 0x2545f4914f6cdd1d;
	unsigned seen[CHECK_NOT_APPLICABLE] = { 0 };

	(void)state;
	exit_plan_init(&plan);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		enum exit_check_id failed = EXIT_CHECK_COUNT, wanted = EXIT_CHECK_COUNT;
		enum check_verdict verdict;
		struct vmcs_set changed;

		if (round % 16 == 0) {
			machine_init(&x.m);
			x.event.col = x.col;
			x.event.items = x.items;
			changed = vmcs_set_all();
			exit_memo_changed(&memo, &changed);
		}
		next_event(&x, &random);
		exit_machine_settle(&x);
		verdict = judge_anew(&x.at, &wanted);
		assert_int_equal(exit_memo_judge(&plan, &memo, &x.at, &failed), verdict);
		assert_int_equal(failed, wanted);
		seen[verdict]++;
		go_on(&x, &random, &changed);
		exit_memo_changed(&memo, &changed);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		assert_in_range(seen[i], ROUNDS / 1000, ROUNDS);
}

/* Else a row might not be judged when the reason changes to one that it is about. */
static void a_row_that_is_about_few_reasons_looks_at_the_reason(void **state)
{
	static struct exit_plan plan;

	(void)state;
	exit_plan_init(&plan);
	for (unsigned int reason = 0; reason < EXIT_MEMO_REASONS; reason++)
		assert_u64(plan.about[EXIT_MEMO_REASONS] & ~plan.about[reason] & ~plan.reason, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_those_of_judging_anew),
		cmocka_unit_test(a_row_that_is_about_few_reasons_looks_at_the_reason),
	};

	(void)run_exit_cases;
	return cmocka_run_group_tests_name("replay/exit_memo", tests, NULL, NULL);
}
