#include "tests/replay/script_l0.h"

#define EPTP	0x101e /* of the good VMCS */
#define VPID_ON SECONDARY_VPID

/* An entry and an exit, and whether hv dropped what it must at each. */
static void round_trip(struct script *script, bool again, bool flushed02, bool flushed01,
		       u64 tables)
{
	if (again)
		INSN(script, VMRESUME, vmresume, .launched = 1);
	else
		INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	L0_EVENT(script, L0_ENTRY, l0_entry,
		 (.vmcs = SCRIPT_VMCS, .flushed = flushed02, .ept02_tables = tables),
		 { ITEM02(VPID), 2 });
	script_enter(script);
	EXIT12(script, EXIT_CPUID, { VMCS_GUEST_RIP, 2 });
	L0_EVENT(script, L0_HOST, l0_host, (.vmcs = SCRIPT_VMCS, .flushed = flushed01),
		 { ITEM01(VMX_PREEMPTION_TIMER_VALUE), 0 });
}

static struct script with(u64 secondary, u64 vpid)
{
	struct script script = script_ready();

	FIELD12(&script, SECONDARY_PROC_BASED_CONTROLS, secondary);
	FIELD12(&script, VPID, vpid);
	return script;
}

static void without_vpid_each_transition_drops_translations(void **state)
{
	struct script script = with(0, 0);

	(void)state;
	round_trip(&script, false, true, true, 0);
	round_trip(&script, true, true, true, 0);
	assert_found(&script, L0_NO_FLUSH_ON_TRANSITION, 0);
	round_trip(&script, true, false, true, 0);
	assert_found(&script, L0_NO_FLUSH_ON_TRANSITION, 1);
	round_trip(&script, true, true, false, 0);
	assert_found(&script, L0_NO_FLUSH_ON_TRANSITION, 2);
	script_free(&script);
}

static void the_same_vpid_keeps_them_and_another_does_not(void **state)
{
	struct script script = with(VPID_ON, 5);

	(void)state;
	round_trip(&script, false, true, false, 0);
	round_trip(&script, true, false, false, 0);
	assert_found(&script, L0_NO_FLUSH_ON_TRANSITION, 0);
	script_vmwrite(&script, VMCS_VPID, 6);
	round_trip(&script, true, false, false, 0);
	assert_found(&script, L0_NO_FLUSH_ON_TRANSITION, 1);
	script_free(&script);
}

static void behind_a_gap_l0_may_have_dropped_them(void **state)
{
	struct script script = with(VPID_ON, 5);

	(void)state;
	round_trip(&script, false, true, false, 0);
	script_gap(&script);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS, VPID_ON);
	script_vmwrite(&script, VMCS_VPID, 6);
	round_trip(&script, true, false, false, 0);
	assert_found(&script, L0_NO_FLUSH_ON_TRANSITION, 0);
	script_free(&script);
}

/* --- INVEPT ----------------------------------------------------------------------------------- */

static void invept_empties_ept02(void **state)
{
	struct script script = with(SECONDARY_EPT, 0);

	(void)state;
	round_trip(&script, false, true, true, 3);
	round_trip(&script, true, true, true, 3);
	INSN(&script, INVEPT, invept, .type = 1, .descriptor_low = EPTP);
	round_trip(&script, true, true, true, 0);
	INSN(&script, INVEPT, invept, .type = 1, .descriptor_low = 0x9001e);
	round_trip(&script, true, true, true, 3);
	assert_found(&script, L0_STALE_TRANSLATION, 0);
	INSN(&script, INVEPT, invept, .type = 2);
	round_trip(&script, true, true, true, 3);
	assert_found(&script, L0_STALE_TRANSLATION, 1);
	script_free(&script);

	script = with(SECONDARY_EPT, 0);
	round_trip(&script, false, true, true, 3);
	INSN(&script, INVEPT, invept, .type = 1, .descriptor_low = EPTP);
	round_trip(&script, true, true, true, 3);
	assert_found(&script, L0_STALE_TRANSLATION, 1);
	script_free(&script);
}

static void an_invept_that_failed_or_is_long_ago_says_nothing(void **state)
{
	struct script script = with(SECONDARY_EPT, 0);

	(void)state;
	round_trip(&script, false, true, true, 3);
	INSN(&script, INVEPT, invept, .type = 9, .outcome = OUTCOME_FAIL_VALID, .error = 28);
	round_trip(&script, true, true, true, 3);
	INSN(&script, INVEPT, invept, .type = 2);
	script_gap(&script);
	round_trip(&script, true, true, true, 3);
	assert_found(&script, L0_STALE_TRANSLATION, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_vpid_each_transition_drops_translations),
		cmocka_unit_test(the_same_vpid_keeps_them_and_another_does_not),
		cmocka_unit_test(behind_a_gap_l0_may_have_dropped_them),
		cmocka_unit_test(invept_empties_ept02),
		cmocka_unit_test(an_invept_that_failed_or_is_long_ago_says_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_flush", tests, NULL, NULL);
}
