#include "hv/processor.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define LOCK   BIT(0)
#define ENABLE BIT(2)

static void processor_of_2017_is_good_enough(void **state)
{
	(void)state;
	assert_int_equal(processor_check(), ST_OK);
	assert_int_equal(stub_cpu.text_length, 0);
	assert_u64(processor_caps()->maxphyaddr, STUB_PHYS_WIDTH);
	assert_u64(processor_caps()->msr[VMX_CAP_BASIC], stub_msr(MSR_VMX_BASIC));
}

static void capability_msrs_that_do_not_exist_are_known_to_be_0(void **state)
{
	(void)state;
	assert_int_equal(processor_check(), ST_OK);
	assert_u64(processor_caps()->msr[VMX_CAP_EXIT_CTLS2], 0);
	assert_true(processor_caps()->known & BIT(VMX_CAP_EXIT_CTLS2));
}

/* Take a control away, in both MSRs that report it. */
static void take(u32 msr, u32 true_msr, u64 control)
{
	stub_msr_set(msr, stub_msr(msr) & ~(control << 32));
	stub_msr_set(true_msr, stub_msr(true_msr) & ~(control << 32));
}

static void what_a_processor_lacks_is_named(void **state)
{
	static const struct {
		const char *said;
		u32 msr, true_msr, control;
	} rows[] = {
		{ "NMI exiting", MSR_VMX_PINBASED_CTLS, MSR_VMX_TRUE_PINBASED_CTLS,
		  PIN_VIRTUAL_NMIS },
		{ "MSR and I/O bitmaps", MSR_VMX_PROCBASED_CTLS, MSR_VMX_TRUE_PROCBASED_CTLS,
		  PRIMARY_IO_BITMAPS },
		{ "secondary controls", MSR_VMX_PROCBASED_CTLS, MSR_VMX_TRUE_PROCBASED_CTLS,
		  PRIMARY_SECONDARY_CONTROLS },
		{ "EPT", MSR_VMX_PROCBASED_CTLS2, MSR_VMX_PROCBASED_CTLS2, SECONDARY_EPT },
		{ "VPID", MSR_VMX_PROCBASED_CTLS2, MSR_VMX_PROCBASED_CTLS2, SECONDARY_VPID },
		{ "unrestricted guest", MSR_VMX_PROCBASED_CTLS2, MSR_VMX_PROCBASED_CTLS2,
		  SECONDARY_UNRESTRICTED_GUEST },
		{ "IA32_EFER at exits", MSR_VMX_EXIT_CTLS, MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_EFER },
		{ "IA32_PAT at exits", MSR_VMX_EXIT_CTLS, MSR_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_PAT },
		{ "at entries", MSR_VMX_ENTRY_CTLS, MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_EFER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_reset(state);
		take(rows[i].msr, rows[i].true_msr, rows[i].control);
		assert_row(rows[i].said, processor_check(), ST_UNSUPPORTED);
		assert_row(rows[i].said, stub_said(rows[i].said), true);
	}
}

/* A hypervisor below may have left them out; hv would run on with stale translations. */
static void what_hv_does_not_ask_for_again_is_named(void **state)
{
	static const struct {
		const char *said;
		u32 msr;
		u64 bit;
	} rows[] = {
		{ "accesses to CR3", MSR_VMX_BASIC, CAP_TRUE_CTLS },
		{ "write-back memory", MSR_VMX_EPT_VPID_CAP, CAP_EPT_WB },
		{ "'INVEPT'", MSR_VMX_EPT_VPID_CAP, CAP_INVEPT_SINGLE },
		{ "'INVVPID'", MSR_VMX_EPT_VPID_CAP, CAP_INVVPID_ALL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_reset(state);
		stub_msr_set(rows[i].msr, stub_msr(rows[i].msr) & ~rows[i].bit);
		assert_row(rows[i].said, processor_check(), ST_UNSUPPORTED);
		assert_row(rows[i].said, stub_said(rows[i].said), true);
	}
}

static void processor_without_vmx_or_checksums_is_refused(void **state)
{
	struct cpuid_result r = cpuid(1, 0);

	(void)state;
	r.ecx &= ~(u32)BIT(5);
	stub_cpuid_set(1, 0, r);
	assert_int_equal(processor_check(), ST_UNSUPPORTED);
	assert_true(stub_said("no VT-x"));
	r.ecx |= (u32)BIT(5);
	r.ecx &= ~(u32)BIT(20);
	stub_cpuid_set(1, 0, r);
	assert_int_equal(processor_check(), ST_UNSUPPORTED);
	assert_true(stub_said("SSE4.2"));
}

static void firmware_decides_whether_there_is_vt_x(void **state)
{
	static const struct {
		const char *name;
		u64 before, after;
		enum status expected;
	} rows[] = {
		{ "locked with VMX", LOCK | ENABLE, LOCK | ENABLE, ST_OK },
		{ "locked without", LOCK, LOCK, ST_UNSUPPORTED },
		{ "open", 0, LOCK | ENABLE, ST_OK },
		{ "open, with other bits", BIT(18), BIT(18) | LOCK | ENABLE, ST_OK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_reset(state);
		stub_msr_set(MSR_FEATURE_CONTROL, rows[i].before);
		assert_row(rows[i].name, processor_check(), rows[i].expected);
		assert_row(rows[i].name, stub_msr(MSR_FEATURE_CONTROL), rows[i].after);
		assert_row(rows[i].name, stub_said("disabled VT-x"), rows[i].expected != ST_OK);
	}
}

static void controls_are_what_is_wanted_and_what_must_be(void **state)
{
	(void)state;
	assert_int_equal(processor_check(), ST_OK);
	/* 16h must be 1; posted interrupts (bit 7) can't be. */
	assert_int_equal(processor_controls(VMX_WORD_PIN, PIN_NMI_EXITING | BIT(7)), 0x16 | 8);
	/* With TRUE MSRs CR3 exiting, bits 15 and 16, need not be 1. */
	assert_int_equal(processor_controls(VMX_WORD_PRIMARY, 0), 0x04006172);
	stub_msr_set(MSR_VMX_BASIC, stub_msr(MSR_VMX_BASIC) & ~(u64)CAP_TRUE_CTLS);
	assert_int_equal(processor_check(), ST_UNSUPPORTED);
	assert_int_equal(processor_controls(VMX_WORD_PRIMARY, 0), 0x0401e172);
}

static void what_another_processor_lacks_none_has(void **state)
{
	(void)state;
	assert_int_equal(processor_check(), ST_OK);
	take(MSR_VMX_PROCBASED_CTLS2, MSR_VMX_PROCBASED_CTLS2, SECONDARY_XSAVES);
	stub_msr_set(MSR_FEATURE_CONTROL, 0);
	assert_int_equal(processor_join(), ST_OK);
	assert_u64(stub_msr(MSR_FEATURE_CONTROL), LOCK | ENABLE);
	assert_false(processor_controls(VMX_WORD_SECONDARY, SECONDARY_XSAVES) & SECONDARY_XSAVES);
	assert_true(processor_controls(VMX_WORD_SECONDARY, SECONDARY_EPT) & SECONDARY_EPT);
}

static void processors_that_do_not_go_together_are_refused(void **state)
{
	static const struct {
		const char *said;
		u32 msr;
		u64 clear, set;
	} rows[] = {
		{ "differ in their VMX-preemption timers", MSR_VMX_MISC, 0, 3 },
		{ "differ in their VMX-preemption timers", MSR_VMX_BASIC, 1ull << 44, 1ull << 32 },
		{ "wait-for-SIPI", MSR_VMX_MISC, CAP_ACTIVITY_WAIT_SIPI, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_reset(state);
		assert_int_equal(processor_check(), ST_OK);
		stub_msr_set(rows[i].msr, (stub_msr(rows[i].msr) & ~rows[i].clear) | rows[i].set);
		assert_row(rows[i].said, processor_join(), ST_UNSUPPORTED);
		assert_row(rows[i].said, stub_said(rows[i].said), true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(processor_of_2017_is_good_enough, stub_reset),
		cmocka_unit_test_setup(capability_msrs_that_do_not_exist_are_known_to_be_0,
				       stub_reset),
		cmocka_unit_test_setup(what_a_processor_lacks_is_named, stub_reset),
		cmocka_unit_test_setup(what_hv_does_not_ask_for_again_is_named, stub_reset),
		cmocka_unit_test_setup(what_another_processor_lacks_none_has, stub_reset),
		cmocka_unit_test_setup(processors_that_do_not_go_together_are_refused, stub_reset),
		cmocka_unit_test_setup(processor_without_vmx_or_checksums_is_refused, stub_reset),
		cmocka_unit_test_setup(firmware_decides_whether_there_is_vt_x, stub_reset),
		cmocka_unit_test_setup(controls_are_what_is_wanted_and_what_must_be, stub_reset),
	};

	return cmocka_run_group_tests_name("hv/processor", tests, NULL, NULL);
}
