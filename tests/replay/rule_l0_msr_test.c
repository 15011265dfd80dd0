#include "tests/replay/script_l0.h"

#define PRIMARY	  (0x04006172 | PRIMARY_SECONDARY_CONTROLS)
#define BITMAPS	  (PRIMARY | PRIMARY_MSR_BITMAPS)
#define EVENT_GP  0x80000b0d
#define OFFSET	  BIT(40)
#define REG(NAME) ITEM_REG + REG_##NAME

static struct script running(void)
{
	struct script script = script_ready();

	FIELD12(&script, PRIMARY_PROC_BASED_CONTROLS, BITMAPS);
	FIELD12(&script, GUEST_GS_BASE, 0x1111);
	script_run(&script);
	return script;
}

#define WRITE_GS(script, low, high)                                                \
	EXIT02(script, (EXIT_WRMSR), { REG(RCX), MSR_GS_BASE }, { REG(RAX), low }, \
	       { REG(RDX), high })

static void a_write_goes_to_vmcs02(void **state)
{
	struct script script = running();
	const struct finding *finding;

	(void)state;
	WRITE_GS(&script, 0x2222, 1);
	RESUME02(&script, { ITEM02(GUEST_GS_BASE), 0x100002222 });
	assert_found(&script, L0_WRONG_VMCS, 0);
	WRITE_GS(&script, 0x3333, 0);
	RESUME02(&script, { ITEM_MSR_BITMAP, 0 });
	assert_found(&script, L0_WRONG_VMCS, 1);
	finding = script_finding(&script, FINDING_L0_WRONG_VMCS);
	assert_string_equal(finding->title, "WRMSR of MSR 0xc0000101 by L2: the value is 0x3333, "
					    "VMCS02 has guest_gs_base = 0x1111");
	script_free(&script);
}

static void a_read_comes_from_vmcs02(void **state)
{
	struct script script = running();

	(void)state;
	EXIT02(&script, (EXIT_RDMSR), { REG(RCX), MSR_GS_BASE });
	RESUME02(&script, { REG(RAX), 0x1111 }, { REG(RDX), 0 });
	assert_found(&script, L0_WRONG_VMCS, 0);
	EXIT02(&script, (EXIT_RDMSR), { REG(RCX), MSR_GS_BASE });
	RESUME02(&script, { REG(RAX), 0 }, { REG(RDX), 0 });
	assert_found(&script, L0_WRONG_VMCS, 1);
	script_free(&script);
}

static void other_msrs_and_faults_are_no_matter_of_vmcs02(void **state)
{
	struct script script = running();

	(void)state;
	EXIT02(&script, (EXIT_WRMSR), { REG(RCX), 0x10 }, { REG(RAX), 5 }, { REG(RDX), 0 });
	RESUME02(&script, { ITEM_MSR_BITMAP, 0 });
	WRITE_GS(&script, 0x3333, 0x80000000);
	RESUME02(&script, { ITEM02(VM_ENTRY_INTERRUPTION_INFO), EVENT_GP });
	WRITE_GS(&script, 0x3333, 0);
	script_gap(&script);
	RESUME02(&script, { ITEM_MSR_BITMAP, 0 });
	assert_found(&script, L0_WRONG_VMCS, 0);
	script_free(&script);
}

static void an_access_that_l2_tries_again_was_not_handled(void **state)
{
	struct script script = running();

	(void)state;
	WRITE_GS(&script, 0x3333, 0);
	script.rip -= 16;
	RESUME02(&script, { ITEM_MSR_BITMAP, 0 });
	assert_found(&script, L0_WRONG_VMCS, 0);
	script_free(&script);
}

/* --- IA32_TSC --------------------------------------------------------------------------------- */

static const struct stored {
	const char *name;
	u64 primary, offset;
	s64 more; /* than the TSC at the exit */
	int found;
} stored[] = {
	{ "the TSC", PRIMARY | PRIMARY_TSC_OFFSETTING, OFFSET, 10, NOTHING },
	{ "with the offset", PRIMARY | PRIMARY_TSC_OFFSETTING, OFFSET, OFFSET + 10,
	  FINDING_L0_TSC_STORE },
	{ "with an offset that is off", PRIMARY, OFFSET, OFFSET + 10, NOTHING },
	{ "something else", PRIMARY | PRIMARY_TSC_OFFSETTING, OFFSET, 2 * OFFSET, NOTHING },
	{ "an offset smaller than the doubt", PRIMARY | PRIMARY_TSC_OFFSETTING, 100, 110, NOTHING },
};

static void exits_store_the_tsc_of_l1(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stored); i++) {
		struct script script = script_ready();

		FIELD12(&script, PRIMARY_PROC_BASED_CONTROLS, stored[i].primary);
		FIELD12(&script, TSC_OFFSET, stored[i].offset);
		INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
		script_enter(&script);
		EXIT12(&script, EXIT_CPUID, { ITEM_MSR_STORE, 0x10 },
		       { ITEM_MSR_STORE + 1, 1000 * script.n + (u64)stored[i].more });
		INSN(&script, VMRESUME, vmresume, .launched = 1);
		script_enter(&script);
		assert_only_l0(&script, stored[i].name, stored[i].found);
		script_free(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_goes_to_vmcs02),
		cmocka_unit_test(a_read_comes_from_vmcs02),
		cmocka_unit_test(other_msrs_and_faults_are_no_matter_of_vmcs02),
		cmocka_unit_test(an_access_that_l2_tries_again_was_not_handled),
		cmocka_unit_test(exits_store_the_tsc_of_l1),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_msr", tests, NULL, NULL);
}
