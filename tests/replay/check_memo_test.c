#include "tests/replay/machine.h"
#include "replay/check_memo.h"

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void assert_up_to_date(const struct check_memo *memo, const struct machine *m)
{
	u8 verdicts[CHECK_COUNT];

	check_run_all(&m->input, verdicts);
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		const bool open = verdicts[id] == CHECK_FAIL || verdicts[id] == CHECK_UNKNOWN;

		assert_row(check_rows[id].id, memo->verdict[id], verdicts[id]);
		assert_row(check_rows[id].id, memo->open.bits[id / 64] >> id % 64 & 1, open);
	}
}

static void change_something(struct machine *m, u64 *random, struct vmcs_set *changed)
{
	const unsigned int ix = next_random(random) % VMCS_FIELD_COUNT;
	const u64 bit = BIT(next_random(random) % 64);
	struct word *const state = &m->input.state[next_random(random) % CHECK_STATE_COUNT];

	vmcs_set_add(changed, (int)ix);
	switch (next_random(random) % 8) {
	case 0:
		m->known[ix] ^= bit;
		break;
	case 1:
		*state =
			word_partly(state->value ^ bit, state->known ^ (next_random(random) & bit));
		break;
	case 2:
		m->memory[0].value = next_random(random);
		break;
	default:
		m->value[ix] ^= bit;
	}
}

static void verdicts_are_those_of_judging_anew(void **state)
{
	static struct check_plan plan;
	static struct check_memo memo;
	struct vmcs_set changed = { { 0 } };
	u64 random = 0x2545f4914f6cdd1d;
	struct machine m;

	(void)state;
	check_plan_init(&plan);
	machine_init(&m);
	m.memory[m.memory_count].gpa = 0x80;
	m.memory[m.memory_count++].size = 1;
	m.value[VMCS_IX_PRIMARY_PROC_BASED_CONTROLS] |= PRIMARY_TPR_SHADOW;
	for (unsigned int round = 0; round < 3000; round++) {
		check_memo_update(&plan, &memo, &m.input, &changed);
		assert_up_to_date(&memo, &m);
		changed = (struct vmcs_set){ { 0 } };
		for (u64 n = next_random(&random) % 4; n; n--)
			change_something(&m, &random, &changed);
		if (round % 100 == 0) {
			machine_init(&m);
			m.memory[m.memory_count].gpa = 0x80;
			m.memory[m.memory_count++].size = 1;
			changed = vmcs_set_all();
		}
	}
}

static void few_rows_are_judged_again(void **state)
{
	static struct check_plan plan;
	static struct check_memo memo;
	const struct vmcs_set any = vmcs_set_all();
	struct machine m;

	(void)state;
	check_plan_init(&plan);
	memo.valid = false;
	machine_init(&m);
	assert_int_equal(check_memo_update(&plan, &memo, &m.input, &any), CHECK_COUNT);
	assert_int_equal(check_memo_update(&plan, &memo, &m.input, &any), 0);
	m.value[VMCS_IX_GUEST_RIP] += 2;
	assert_int_equal(check_memo_update(&plan, &memo, &m.input, &any), 0);
	m.value[VMCS_IX_GUEST_RIP] ^= BIT(63);
	assert_int_equal(check_memo_update(&plan, &memo, &m.input, &any), 2);
	m.value[VMCS_IX_GUEST_RSP] += 8;
	assert_int_equal(check_memo_update(&plan, &memo, &m.input, &any), 0);
	m.value[VMCS_IX_VPID] = 0;
	assert_int_equal(check_memo_update(&plan, &memo, &m.input, &any), 1);
	assert_int_equal(memo.verdict[CHECK_VPID_ZERO], CHECK_FAIL);
}

/* Which MSR an entry of a list names says whether a rule about one of them applies. */
static void rows_that_memory_makes_apply_are_judged_again(void **state)
{
	static struct check_plan plan;
	static struct check_memo memo;
	const struct vmcs_set none = { { 0 } };
	struct machine m;

	(void)state;
	check_plan_init(&plan);
	memo.valid = false;
	machine_init(&m);
	m.value[VMCS_IX_VM_ENTRY_MSR_LOAD_COUNT] = 1;
	m.value[VMCS_IX_VM_ENTRY_MSR_LOAD_ADDRESS] = 0x3000;
	m.memory[0].gpa = 0x3000;
	m.memory[0].size = m.memory[1].size = 8;
	m.memory[0].value = MSR_SYSENTER_CS;
	m.memory[1].gpa = 0x3008;
	m.memory_count = 2;
	check_memo_update(&plan, &memo, &m.input, &none);
	assert_int_equal(memo.verdict[CHECK_MSR_LOAD_EFER], CHECK_NOT_APPLICABLE);
	m.memory[0].value = MSR_EFER;
	check_memo_update(&plan, &memo, &m.input, &none);
	assert_int_equal(memo.verdict[CHECK_MSR_LOAD_EFER], CHECK_FAIL);
	assert_up_to_date(&memo, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_those_of_judging_anew),
		cmocka_unit_test(few_rows_are_judged_again),
		cmocka_unit_test(rows_that_memory_makes_apply_are_judged_again),
	};
	return cmocka_run_group_tests_name("replay/check_memo", tests, NULL, NULL);
}
