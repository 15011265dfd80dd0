#include "hv/nested/ept02.h"
#include "tests/hv/nested_play.h"

#define VECTOR_VE    20
#define INFO_VE	     0x80000314
#define SUPPRESS     BIT(63)
#define PAGE2	     0x8000ull
#define AREA	     PLAY_PAGE
#define WRITE	     2ull /* exit qualification */
#define LINEAR_VALID BIT(7)
#define FINAL	     BIT(8)
#define UNBLOCKING   BIT(12)
#define RFLAGS_RF    BIT(16)
#define IN_STRING    (BIT(3) | BIT(4)) /* INS, exit qualification */

static u64 *entry_at(unsigned level)
{
	return (u64 *)stub_at(PLAY_EPT12 + 0x1000 * (4 - level)) +
	       (PAGE2 >> (12 + 9 * (level - 1)) & 511);
}

/* L2 runs with #VE, with @area. */
static void run_with(void **state, u64 area, u64 exceptions)
{
	play_good_ept_vmcs(state);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS,
	      SECONDARY_EPT | SECONDARY_VPID | SECONDARY_EPT_VIOLATION_VE);
	set12(VMCS_VE_INFORMATION_ADDRESS, area);
	set12(VMCS_EPTP_INDEX, 0x1234);
	set12(VMCS_EXCEPTION_BITMAP, exceptions);
	memset(stub_at(AREA), 0, 64);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	/* EPT02 has violations that are not L1's. */
	assert_false(vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS) & SECONDARY_EPT_VIOLATION_VE);
}

static void violate(u64 qualification)
{
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, PAGE2 + 0x18);
	stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, 0x7018);
	stub_exit(cpu, EXIT_EPT_VIOLATION, qualification);
}

static void assert_information(u64 qualification, u64 linear, u64 gpa2)
{
	const u32 *words = stub_at(AREA);
	const u64 *longs = stub_at(AREA);

	assert_u64(words[0], EXIT_EPT_VIOLATION);
	assert_u64(words[1], 0xffffffff);
	assert_u64(longs[1], qualification);
	assert_u64(longs[2], linear);
	assert_u64(longs[3], gpa2);
	assert_u64(longs[4], 0x1234);
}

static void violations_become_exceptions(void **state)
{
	run_with(state, AREA, 0);
	*entry_at(1) &= ~2ull;
	violate(WRITE | LINEAR_VALID | FINAL);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), INFO_VE);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_L2_RIP);
	assert_true(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
	assert_information(WRITE | LINEAR_VALID | FINAL | 5 << 3, 0x7018, PAGE2 + 0x18);
	/* The area is busy until L2 says otherwise. */
	violate(WRITE | LINEAR_VALID | FINAL);
	assert_true(l1_got(EXIT_EPT_VIOLATION));
}

static void some_violations_exit_all_the_same(void **state)
{
	static const struct {
		const char *name;
		unsigned level; /* of the entry that is changed */
		u64 entry, cr0, vectoring, area;
		u32 reason; /* 0: #VE */
	} rows[] = {
		{ "not there", 1, 0, 0x80000031, 0, AREA, 0 },
		{ "not there, suppressed", 1, SUPPRESS, 0x80000031, 0, AREA, EXIT_EPT_VIOLATION },
		{ "no table", 2, 0, 0x80000031, 0, AREA, 0 },
		{ "no table, suppressed", 2, SUPPRESS, 0x80000031, 0, AREA, EXIT_EPT_VIOLATION },
		{ "read-only, suppressed", 1, PAGE2 | 0x35 | SUPPRESS, 0x80000031, 0, AREA,
		  EXIT_EPT_VIOLATION },
		{ "suppressed by a table, which does not count", 2,
		  (PLAY_EPT12 + 0x3000) | 5 | SUPPRESS, 0x80000031, 0, AREA, 0 },
		{ "misconfigured", 1, PAGE2 | 0x32, 0x80000031, 0, AREA,
		  EXIT_EPT_MISCONFIGURATION },
		{ "real mode", 1, 0, 0x30, 0, AREA, EXIT_EPT_VIOLATION },
		{ "while an event is delivered", 1, 0, 0x80000031, 0x80000030, AREA,
		  EXIT_EPT_VIOLATION },
		{ "area in hv's memory", 1, 0, 0x80000031, 0, PLAY_MEMORY - MIB(1),
		  EXIT_EPT_VIOLATION },
		{ "area where nothing is", 1, 0, 0x80000031, 0, GIB(3), EXIT_EPT_VIOLATION },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_with(state, rows[i].area, 0);
		*entry_at(rows[i].level) = rows[i].entry;
		vmwrite(VMCS_GUEST_CR0, rows[i].cr0);
		stub_vmcs_set(VMCS_IDT_VECTORING_INFO, rows[i].vectoring);
		violate(WRITE | LINEAR_VALID | FINAL);
		if (rows[i].reason)
			assert_row(rows[i].name, l1_got(rows[i].reason), true);
		else
			assert_row(rows[i].name, stub_injects(VECTOR_VE), true);
		assert_row(rows[i].name, *(u64 *)stub_at(AREA) != 0, !rows[i].reason);
		stub_vmcs_set(VMCS_IDT_VECTORING_INFO, 0);
	}
}

static void what_hv_maps_for_itself_is_no_exception(void **state)
{
	run_with(state, AREA, 0);
	violate(WRITE | LINEAR_VALID | FINAL);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_false(stub_injects(VECTOR_VE));
	assert_u64(*(u64 *)stub_at(AREA), 0);
}

static void exceptions_that_l1_wants_exit(void **state)
{
	run_with(state, AREA, BIT(VECTOR_VE));
	*entry_at(1) = 0;
	violate(WRITE | LINEAR_VALID | FINAL | UNBLOCKING);
	assert_true(l1_got(EXIT_EXCEPTION_NMI));
	assert_u64(get12(VMCS_VM_EXIT_INTERRUPTION_INFO), INFO_VE | UNBLOCKING);
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 0);
	assert_information(WRITE | LINEAR_VALID | FINAL | UNBLOCKING, 0x7018, PAGE2 + 0x18);
}

/* INS that hv executes for L2. */
static void hv_s_accesses_for_l2_raise_it_too(void **state)
{
	for (unsigned wanted = 0; wanted < 2; wanted++) {
		run_with(state, AREA, wanted ? BIT(VECTOR_VE) : 0);
		*entry_at(1) &= ~2ull;
		vmwrite(VMCS_GUEST_CR3, 0x6000);
		stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, PAGE2);
		stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, 2 << 7);
		/* Tables of L2 that map the page to itself. */
		((u64 *)stub_at(0x6000))[0] = 0x7000 | 7;
		((u64 *)stub_at(0x7000))[0] = 0x87;
		stub_exit(cpu, EXIT_IO, 0x3f8ull << 16 | IN_STRING);
		if (wanted)
			assert_true(l1_got(EXIT_EXCEPTION_NMI));
		else
			assert_true(stub_injects(VECTOR_VE));
		assert_information(WRITE | LINEAR_VALID | FINAL | 5 << 3, PAGE2, PAGE2);
	}
}

static void entries_judge_the_area(void **state)
{
	play_good_ept_vmcs(state);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT | SECONDARY_EPT_VIOLATION_VE);
	set12(VMCS_VE_INFORMATION_ADDRESS, AREA + 0x40);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	set12(VMCS_VE_INFORMATION_ADDRESS, BIT(STUB_PHYS_WIDTH));
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(violations_become_exceptions),
		cmocka_unit_test(some_violations_exit_all_the_same),
		cmocka_unit_test(what_hv_maps_for_itself_is_no_exception),
		cmocka_unit_test(exceptions_that_l1_wants_exit),
		cmocka_unit_test(hv_s_accesses_for_l2_raise_it_too),
		cmocka_unit_test(entries_judge_the_area),
	};

	return cmocka_run_group_tests_name("hv/nested_ve", tests, NULL, NULL);
}
