#include "hv/nested/ept02.h"
#include "hv/ept.h"
#include "tests/hv/nested_play.h"

#define EPTP_INDEX 7
#define LIST	   PLAY_PAGE

static u64 *list;
static u64 eptp, other;

/* L2 runs with @functions and an EPTP list that has two tables. */
static void run_with(void **state, u64 functions, u64 address)
{
	play_good_ept_vmcs(state);
	eptp = play_ept12();
	other = eptp + 0x20000;
	list = stub_at(LIST);
	list[0] = eptp;
	list[EPTP_INDEX] = other;
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS,
	      SECONDARY_EPT | SECONDARY_VPID | SECONDARY_VM_FUNCTIONS);
	set12(VMCS_VM_FUNCTION_CONTROLS, functions);
	set12(VMCS_EPTP_LIST_ADDRESS, address);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

static void l2_vmfunc(u64 function, u64 parameter)
{
	cpu->regs[REG_RAX] = function;
	cpu->regs[REG_RCX] = parameter;
	stub_exit(cpu, EXIT_VMFUNC, 0);
}

static void the_tables_of_the_list_are_switched_to(void **state)
{
	u64 before, value;

	run_with(state, CAP_EPTP_SWITCHING, LIST);
	assert_true(vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS) & SECONDARY_VM_FUNCTIONS);
	assert_u64(vmread(VMCS_VM_FUNCTION_CONTROLS), 0);
	before = vmread(VMCS_EPT_POINTER);
	/* Only the low halves of RAX and RCX count. */
	l2_vmfunc(BIT(32), BIT(32) | EPTP_INDEX);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_L2_RIP + 3);
	assert_u64(vmread(VMCS_EPT_POINTER), ept02_pointer(&cpu->nested, other));
	assert_true(vmread(VMCS_EPT_POINTER) != before);
	/* L1 is told at the exit. */
	assert_u64(get12(VMCS_EPT_POINTER), eptp);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_EPT_POINTER), other);
	assert_true(event_item(last_event(), VMCS_EPT_POINTER, &value));
	assert_u64(value, other);
	/* And L2 goes on with them. */
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_EPT_POINTER), ept02_pointer(&cpu->nested, other));
}

static void violations_are_judged_by_the_new_tables(void **state)
{
	run_with(state, CAP_EPTP_SWITCHING, LIST);
	l2_vmfunc(0, EPTP_INDEX);
	/* There is nothing at @other. */
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x5000);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
	assert_true(l1_got(EXIT_EPT_VIOLATION));
	assert_u64(get12(VMCS_EPT_POINTER), other);
}

static void what_is_no_function_or_no_table_exits(void **state)
{
	static const struct {
		const char *name;
		u64 functions, list, function, parameter;
	} rows[] = {
		{ "beyond the list", 1, LIST, 0, 512 },
		{ "far beyond", 1, LIST, 0, 0xffffffff },
		{ "an entry of 0", 1, LIST, 0, 1 },
		{ "the function is off", 0, LIST, 0, 0 },
		{ "function 1", 1, LIST, 1, 0 },
		{ "function 63", 1, LIST, 63, 0 },
		{ "a list in hv's memory", 1, PLAY_MEMORY - MIB(1), 0, 0 },
		{ "a list where nothing is", 1, GIB(3), 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_with(state, rows[i].functions, rows[i].list);
		l2_vmfunc(rows[i].function, rows[i].parameter);
		assert_row(rows[i].name, l1_got(EXIT_VMFUNC), true);
		assert_row(rows[i].name, get12(VMCS_EXIT_QUALIFICATION), 0);
		assert_row(rows[i].name, get12(VMCS_VM_EXIT_INSTRUCTION_LENGTH), 3);
		assert_row(rows[i].name, get12(VMCS_GUEST_RIP), PLAY_L2_RIP);
		assert_row(rows[i].name, get12(VMCS_EPT_POINTER), eptp);
	}
}

static void entries_of_the_list_are_judged_like_eptps(void **state)
{
	const u64 rows[] = { eptp | BIT(11), eptp | BIT(7), BIT(STUB_PHYS_WIDTH) | 3 << 3 | 6,
			     (eptp & ~7ull) | 1 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_with(state, CAP_EPTP_SWITCHING, LIST);
		list[1] = rows[i];
		l2_vmfunc(0, 1);
		assert_true(l1_got(EXIT_VMFUNC));
	}
	run_with(state, CAP_EPTP_SWITCHING, LIST);
	list[1] = eptp | EPTP_ENABLE_AD;
	l2_vmfunc(0, 1);
	assert_true(vmread(VMCS_EPT_POINTER) & EPTP_ENABLE_AD);
}

/* SDM, "Operations that Invalidate Cached Mappings". */
static void without_vpids_translations_are_dropped(void **state)
{
	for (unsigned vpid = 0; vpid < 2; vpid++) {
		unsigned before;

		run_with(state, CAP_EPTP_SWITCHING, LIST);
		stub_exit(cpu, EXIT_HLT, 0);
		set12(VMCS_SECONDARY_PROC_BASED_CONTROLS,
		      SECONDARY_EPT | SECONDARY_VM_FUNCTIONS | (vpid ? SECONDARY_VPID : 0));
		play_enter(EXIT_VMRESUME);
		l2_vmfunc(0, EPTP_INDEX);
		before = stub_cpu.invalidation_count;
		l2_vmfunc(0, 0);
		assert_u64(stub_cpu.invalidation_count - before, !vpid);
	}
}

static void entries_judge_the_controls(void **state)
{
	static const struct {
		const char *name;
		u64 secondary, functions, list;
		bool ok;
	} rows[] = {
		{ "good", SECONDARY_EPT | SECONDARY_VM_FUNCTIONS, 1, LIST, true },
		{ "a function that is not", SECONDARY_EPT | SECONDARY_VM_FUNCTIONS, 3, LIST,
		  false },
		{ "list not aligned", SECONDARY_EPT | SECONDARY_VM_FUNCTIONS, 1, LIST + 8, false },
		{ "list too high", SECONDARY_EPT | SECONDARY_VM_FUNCTIONS, 1, BIT(STUB_PHYS_WIDTH),
		  false },
		{ "list not used", SECONDARY_EPT | SECONDARY_VM_FUNCTIONS, 0, LIST + 8, true },
		{ "no EPT", SECONDARY_VM_FUNCTIONS, 1, LIST, false },
		{ "no EPT, no function", SECONDARY_VM_FUNCTIONS, 0, LIST, true },
		{ "off", SECONDARY_EPT, ~0ull, ~0ull, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		play_good_ept_vmcs(state);
		set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, rows[i].secondary);
		set12(VMCS_VM_FUNCTION_CONTROLS, rows[i].functions);
		set12(VMCS_EPTP_LIST_ADDRESS, rows[i].list);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, cpu->nested.mode, rows[i].ok ? NESTED_L2 : NESTED_ROOT);
		if (!rows[i].ok)
			assert_row(rows[i].name, insn()->error, VMERR_ENTRY_CONTROLS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tables_of_the_list_are_switched_to),
		cmocka_unit_test(violations_are_judged_by_the_new_tables),
		cmocka_unit_test(what_is_no_function_or_no_table_exits),
		cmocka_unit_test(entries_of_the_list_are_judged_like_eptps),
		cmocka_unit_test(without_vpids_translations_are_dropped),
		cmocka_unit_test(entries_judge_the_controls),
	};

	return cmocka_run_group_tests_name("hv/nested_vm_function", tests, NULL, NULL);
}
