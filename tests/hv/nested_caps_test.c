#include "tests/hv/nested_play.h"
#include "vmx/caps.h"

static u64 shown(u32 msr)
{
	u64 value = 0;

	assert_true(nested_caps_msr(cpu, msr, &value));
	return value;
}

static void nothing_is_shown_that_the_processor_lacks(void **state)
{
	(void)state;
	for (unsigned word = 0; word < VMX_WORD_COUNT; word++) {
		const struct vmx_control_word *row = &vmx_control_words[word];

		if (row->layout != VMX_LAYOUT_SPLIT)
			continue;
		for (unsigned i = 0; i < 2; i++) {
			const u32 msr = MSR_VMX_BASIC + (i ? row->true_cap : row->cap);
			const u64 real = stub_msr(msr);

			assert_row(row->title, shown(msr) >> 32 & ~(real >> 32), 0);
			/* What must be 1 must be 1, and may be 1. */
			assert_row(row->title, (u32)shown(msr), (u32)real);
			assert_row(row->title, (u32)shown(msr) & ~(shown(msr) >> 32), 0);
		}
	}
	assert_u64(shown(MSR_VMX_EPT_VPID_CAP) & ~stub_msr(MSR_VMX_EPT_VPID_CAP), 0);
	assert_u64(shown(MSR_VMX_MISC) & ~stub_msr(MSR_VMX_MISC), 0);
	assert_u64(shown(MSR_VMX_CR0_FIXED0), stub_msr(MSR_VMX_CR0_FIXED0));
	assert_u64(shown(MSR_VMX_CR4_FIXED1), stub_msr(MSR_VMX_CR4_FIXED1));
}

static void the_basic_msr_describes_hvs_vmcs(void **state)
{
	const u64 basic = shown(MSR_VMX_BASIC);

	(void)state;
	assert_u64(CAP_GET(basic, REVISION), VMCS12_REVISION);
	assert_true(CAP_GET(basic, REGION_SIZE) >= sizeof(struct vmcs12));
	assert_true(CAP_GET(basic, REGION_SIZE) <= 4096);
	assert_u64(CAP_GET(basic, REGION_MEMORY_TYPE), 6);
	assert_u64(basic & CAP_DUAL_MONITOR, 0);
	assert_true(basic & CAP_TRUE_CTLS);
}

/* What VMware Workstation will not start without, and what KVM uses by default. */
static void what_hypervisors_ask_for_is_shown(void **state)
{
	const struct vmx_caps *caps = &cpu->nested.shown;
	static const struct {
		const char *name;
		u32 word, mask;
	} rows[] = {
		{ "load PAT at entry", VMX_WORD_ENTRY, ENTRY_LOAD_PAT },
		{ "load EFER at entry", VMX_WORD_ENTRY, ENTRY_LOAD_EFER },
		{ "save and load PAT at exit", VMX_WORD_EXIT, EXIT_SAVE_PAT | EXIT_LOAD_PAT },
		{ "save and load EFER at exit", VMX_WORD_EXIT, EXIT_SAVE_EFER | EXIT_LOAD_EFER },
		{ "acknowledge interrupt", VMX_WORD_EXIT, EXIT_ACKNOWLEDGE_INTERRUPT },
		{ "EPT, VPID", VMX_WORD_SECONDARY, SECONDARY_EPT | SECONDARY_VPID },
		{ "unrestricted guest", VMX_WORD_SECONDARY, SECONDARY_UNRESTRICTED_GUEST },
		{ "TPR shadow, bitmaps", VMX_WORD_PRIMARY,
		  PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAPS | PRIMARY_IO_BITMAPS },
		{ "preemption timer", VMX_WORD_PIN, PIN_PREEMPTION_TIMER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name,
			   rows[i].mask & ~vmx_caps_may_be_1(caps, (enum vmx_word)rows[i].word), 0);
	assert_u64(~shown(MSR_VMX_EPT_VPID_CAP) & (CAP_EPT_2M | CAP_EPT_1G | CAP_EPT_WB), 0);
}

static void what_is_not_emulated_is_not_shown(void **state)
{
	(void)state;
	assert_u64(vmx_caps_may_be_1(&cpu->nested.shown, VMX_WORD_SECONDARY) &
			   SECONDARY_VMCS_SHADOWING,
		   0);
	assert_u64(vmx_caps_may_be_1(&cpu->nested.shown, VMX_WORD_PIN) & PIN_POSTED_INTERRUPTS, 0);
	assert_u64(shown(MSR_VMX_EPT_VPID_CAP) & CAP_EPT_ADVANCED_EXIT_INFO, 0);
	assert_u64(shown(MSR_VMX_MISC) & (CAP_PT_IN_VMX | CAP_SMBASE_MSR | CAP_MSEG_REVISION), 0);
}

static void msrs_that_do_not_exist_fault(void **state)
{
	u64 value;

	(void)state;
	assert_true(nested_caps_msr(cpu, MSR_VMX_VMFUNC, &value));
	assert_false(nested_caps_msr(cpu, MSR_VMX_PROCBASED_CTLS3, &value));
	assert_false(nested_caps_msr(cpu, MSR_VMX_EXIT_CTLS2, &value));
	assert_false(nested_caps_msr(cpu, MSR_FEATURE_CONTROL, &value));
	play_boot_with("-ept,-vpid");
	assert_false(nested_caps_msr(cpu, MSR_VMX_EPT_VPID_CAP, &value));
	assert_true(nested_caps_msr(cpu, MSR_VMX_PROCBASED_CTLS2, &value));
	play_boot_with("-vm_functions");
	assert_false(nested_caps_msr(cpu, MSR_VMX_VMFUNC, &value));
	play_boot_with("-secondary_controls");
	assert_false(nested_caps_msr(cpu, MSR_VMX_PROCBASED_CTLS2, &value));
	play_boot_with("-true_ctls");
	assert_false(nested_caps_msr(cpu, MSR_VMX_TRUE_ENTRY_CTLS, &value));
}

static void the_highest_index_is_that_of_a_field(void **state)
{
	const u64 with = CAP_GET(shown(MSR_VMX_VMCS_ENUM), HIGHEST_INDEX);

	(void)state;
	assert_true(with > 0);
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (vmcs_set_has(&cpu->nested.exists, ix))
			assert_true(BITS(vmcs_fields[ix].encoding, 9, 1) <= with);
	play_boot_with("-tsc_scaling");
	assert_true(CAP_GET(shown(MSR_VMX_VMCS_ENUM), HIGHEST_INDEX) < with);
}

static void options_take_capabilities_away(void **state)
{
	(void)state;
	play_boot_with("-load_efer,-ept_1g,-unrestricted_guest");
	assert_u64(vmx_caps_may_be_1(&cpu->nested.shown, VMX_WORD_ENTRY) & ENTRY_LOAD_EFER, 0);
	assert_u64(vmx_caps_may_be_1(&cpu->nested.shown, VMX_WORD_EXIT) & EXIT_LOAD_EFER, 0);
	assert_u64(shown(MSR_VMX_EPT_VPID_CAP) & CAP_EPT_1G, 0);
	assert_u64(vmx_caps_may_be_1(&cpu->nested.shown, VMX_WORD_SECONDARY) &
			   SECONDARY_UNRESTRICTED_GUEST,
		   0);
	assert_true(vmx_caps_may_be_1(&cpu->nested.shown, VMX_WORD_EXIT) & EXIT_SAVE_EFER);
	assert_false(vmcs_set_has(&cpu->nested.exists, VMCS_IX_HOST_IA32_EFER));
}

static void options_that_name_nothing_are_refused(void **state)
{
	static const char *const rows[] = {
		"load_efer",
		"-no_such_thing",
		"-load_efer;-ept",
		"-",
		"-a_name_that_is_much_longer_than_any_name_of_any_control_that_the_tables_hold",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct percpu *other = calloc(1, sizeof(*other));

		assert_row(rows[i], nested_caps_init(other, rows[i]) == ST_OK, false);
		free(other);
	}
}

static void counters_that_cpuid_does_not_show_are_not_loaded(void **state)
{
	(void)state;
	stub_msr_set(MSR_PERF_GLOBAL_CTRL, 0);
	assert_int_equal(nested_caps_init(cpu, ""), ST_OK);
	assert_u64(vmx_caps_may_be_1(&cpu->nested.shown, VMX_WORD_EXIT) &
			   EXIT_LOAD_PERF_GLOBAL_CTRL,
		   0);
	assert_false(vmcs_set_has(&cpu->nested.exists, VMCS_IX_GUEST_IA32_PERF_GLOBAL_CTRL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_boot, nothing_is_shown_that_the_processor_lacks),
		IN(play_boot, the_basic_msr_describes_hvs_vmcs),
		IN(play_boot, what_hypervisors_ask_for_is_shown),
		IN(play_boot, what_is_not_emulated_is_not_shown),
		IN(play_boot, msrs_that_do_not_exist_fault),
		IN(play_boot, the_highest_index_is_that_of_a_field),
		IN(play_boot, options_take_capabilities_away),
		IN(play_boot, options_that_name_nothing_are_refused),
		IN(play_boot, counters_that_cpuid_does_not_show_are_not_loaded),
	};

	return cmocka_run_group_tests_name("hv/nested: capabilities", tests, NULL, NULL);
}
