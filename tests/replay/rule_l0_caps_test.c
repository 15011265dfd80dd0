#include "tests/replay/script.h"

static const struct row {
	const char *name;
	u32 msr;
	u64 value;
	u16 found; /* enum finding_id, FINDING_COUNT: nothing */
} rows[] = {
	{ "as it is", MSR_VMX_TRUE_PINBASED_CTLS, 0x7f00000016, FINDING_COUNT },
	{ "a control that must be 1 and 0", MSR_VMX_TRUE_PINBASED_CTLS, 0x7f00000096,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "TRUE allows less", MSR_VMX_TRUE_PINBASED_CTLS, 0x3f00000016,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "TRUE wants more", MSR_VMX_TRUE_PROCBASED_CTLS, 0xf7f9fffe0421e172,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "TRUE wants less", MSR_VMX_TRUE_PROCBASED_CTLS, 0xf7f9fffe04006172, FINDING_COUNT },
	{ "virtual NMIs without NMI exiting", MSR_VMX_TRUE_PINBASED_CTLS, 0x7700000016,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "a region of 0 bytes", MSR_VMX_BASIC, CAP_TRUE_CTLS | SCRIPT_REVISION,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "a region of 4096 bytes", MSR_VMX_BASIC, CAP_TRUE_CTLS | 4096ull << 32 | SCRIPT_REVISION,
	  FINDING_COUNT },
	{ "a bit of CR0 that must be 1 and 0", MSR_VMX_CR0_FIXED0, 0x180000021,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "a bit of CR4 that must be 1 and 0", MSR_VMX_CR4_FIXED1, 0x3707ff & ~0x2000ull,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "unrestricted guest without EPT", MSR_VMX_PROCBASED_CTLS2, 0x8000000000,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "unrestricted guest and LMA not stored", MSR_VMX_MISC, 0x600401c0,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "EPT without a page-walk length", MSR_VMX_EPT_VPID_CAP, 0xf0106134101,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "INVEPT without types", MSR_VMX_EPT_VPID_CAP, 0xf0100134141,
	  FINDING_L0_CAP_INCONSISTENT },
	{ "the highest index of all fields", MSR_VMX_VMCS_ENUM, 0x34, FINDING_COUNT },
	{ "an index that is lower", MSR_VMX_VMCS_ENUM, 0x2, FINDING_L0_VMCS_ENUM },
};

static unsigned found(const struct script *script)
{
	return script_count(script, FINDING_L0_CAP_INCONSISTENT) +
	       script_count(script, FINDING_L0_VMCS_ENUM);
}

static void what_l1_reads_is_compared_with_the_other_msrs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_start();

		script_rdmsr(&script, rows[i].msr, rows[i].value);
		if (rows[i].found == FINDING_COUNT)
			assert_row(rows[i].name, found(&script), 0);
		else
			assert_row(rows[i].name,
				   script_count(&script, (enum finding_id)rows[i].found) > 0, true);
		script_free(&script);
	}
}

static void what_l1_did_not_read_is_not_judged(void **state)
{
	struct script script = script_start();

	(void)state;
	script_capability(&script, MSR_VMX_VMCS_ENUM, 2, 2);
	INSN(&script, MSR_READ, msr_read, .msr = MSR_VMX_VMCS_ENUM, .value = 2,
	     .outcome = OUTCOME_FAULT, .error = 13);
	script_rdmsr(&script, 0x3a, 5);
	assert_int_equal(found(&script), 0);
	script_free(&script);
}

static void msrs_that_are_unknown_contradict_nothing(void **state)
{
	struct script script = script_start_unknown();

	(void)state;
	script_rdmsr(&script, MSR_VMX_PROCBASED_CTLS2, 0x8000000000);
	script_rdmsr(&script, MSR_VMX_EPT_VPID_CAP, 0xf0106134101);
	assert_int_equal(found(&script), 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_l1_reads_is_compared_with_the_other_msrs),
		cmocka_unit_test(what_l1_did_not_read_is_not_judged),
		cmocka_unit_test(msrs_that_are_unknown_contradict_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_caps", tests, NULL, NULL);
}
