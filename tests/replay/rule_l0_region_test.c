#include "tests/replay/script.h"

static struct script begun(void)
{
	struct script script = script_start();

	script_vmxon(&script, 0x1000);
	return script;
}

static void tell(struct script *script, u64 pointer, u64 dword0)
{
	OTHER(script, L0_REGION, l0_region, .pointer = pointer, .dword0 = dword0);
}

static void vmclear_leaves_the_revision_as_it_is(void **state)
{
	struct script script = begun();
	const struct finding *finding;

	(void)state;
	script_vmclear(&script, 0x2000);
	tell(&script, 0x2000, SCRIPT_REVISION);
	assert_found(&script, L0_VMCLEAR_CLOBBERS_HEADER, 0);
	script_vmclear(&script, 0x2000);
	tell(&script, 0x2000, 0);
	assert_found(&script, L0_VMCLEAR_CLOBBERS_HEADER, 1);
	finding = script_finding(&script, FINDING_L0_VMCLEAR_CLOBBERS_HEADER);
	assert_string_equal(finding->title,
			    "VMCLEAR of 0x2000 changed bytes 0-3 from 0x00012345 to 0x00000000");
	assert_int_equal(finding->evidence[0].kind, EV_VMCLEAR);
	script_free(&script);
}

/* L1 may write what it likes between two instructions. */
static void a_revision_that_changes_later_is_l1_s(void **state)
{
	struct script script = begun();

	(void)state;
	script_vmclear(&script, 0x2000);
	tell(&script, 0x2000, SCRIPT_REVISION);
	INSN(&script, VMPTRLD, vmptrld, .pointer = 0x2000, .dword0 = 0,
	     .outcome = OUTCOME_FAIL_INVALID);
	assert_found(&script, L0_VMCLEAR_CLOBBERS_HEADER, 0);
	script_free(&script);
}

static void without_the_instruction_before_nothing_is_known(void **state)
{
	struct script script = begun();

	(void)state;
	script_vmclear(&script, 0x2000);
	script_gap(&script);
	tell(&script, 0x2000, 0);
	script_vmclear(&script, 0x2000);
	tell(&script, 0x3000, 0);
	INSN(&script, VMCLEAR, vmclear, .pointer = 0x4000, .dword0 = 1,
	     .outcome = OUTCOME_FAIL_INVALID);
	tell(&script, 0x4000, 0);
	assert_found(&script, L0_VMCLEAR_CLOBBERS_HEADER, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmclear_leaves_the_revision_as_it_is),
		cmocka_unit_test(a_revision_that_changes_later_is_l1_s),
		cmocka_unit_test(without_the_instruction_before_nothing_is_known),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_region", tests, NULL, NULL);
}
