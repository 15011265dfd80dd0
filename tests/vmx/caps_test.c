#include "tests/test.h"
#include "vmx/caps.h"
#include "vmx/vmcs12.h"

/* The capability MSRs of two processor models of Bochs 2.7, in the order of their indices. */
static const u64 skylake_x[] = {
	0x00d810000000002b,
	0x0000007f00000016,
	0xf7f9fffe0401e172,
	0x007fffff00036dff,
	0x0000ffff000011ff,
	0x00000000600401e0,
	0x0000000080000021,
	0x00000000ffffffff,
	0x0000000000002000,
	0x00000000003727ff,
	0x0000000000000034,
	0x02177fff00000000,
	0x00000f0106334141,
	0x0000007f00000016,
	0xf7f9fffe04006172,
	0x007fffff00036dfb,
	0x0000ffff000011fb,
	0x0000000000000001,
	0,
	0,
};
static const u64 tigerlake[] = {
	0x01d8100000000004,
	0x0000007f00000016,
	0xfff9fffe0401e172,
	0x107fffff00036dff,
	0x0010ffff000011ff,
	0x00000000600401e0,
	0x0000000080000021,
	0x00000000ffffffff,
	0x0000000000002000,
	0x0000000000f72fff,
	0x0000000000000034,
	0x02977fff00000000,
	0x00000f0106b34141,
	0x0000007f00000016,
	0xfff9fffe04006172,
	0x107fffff00036dfb,
	0x0010ffff000011fb,
	0x0000000000000001,
	0,
	0,
};

static struct vmx_caps caps_of(const u64 *msrs)
{
	struct vmx_caps caps = { .maxphyaddr = 40, .linear_width = 48 };

	for (u32 i = 0; i < VMX_CAP_COUNT; i++)
		assert_true(vmx_caps_set(&caps, MSR_VMX_BASIC + i, msrs[i]));
	return caps;
}

static void only_capability_msrs_are_taken(void **state)
{
	struct vmx_caps caps = { 0 };

	(void)state;
	assert_false(vmx_caps_set(&caps, 0x47f, 1));
	assert_false(vmx_caps_set(&caps, 0x494, 1));
	assert_false(vmx_caps_set(&caps, MSR_EFER, 1));
	assert_u64(caps.known, 0);
	assert_true(vmx_caps_set(&caps, MSR_VMX_MISC, 7));
	assert_u64(caps.known, BIT(VMX_CAP_MISC));
	assert_u64(caps.msr[VMX_CAP_MISC], 7);
}

static void control_words_are_judged_by_the_ruling_msr(void **state)
{
	struct vmx_caps with_true = caps_of(skylake_x), without = with_true;
	static const struct {
		const char *name;
		enum vmx_word word;
		u64 value;
		bool has_true;
		u64 missing, excess;
	} rows[] = {
		{ "pin as demanded", VMX_WORD_PIN, 0x16, true, 0, 0 },
		{ "pin zero", VMX_WORD_PIN, 0, true, 0x16, 0 },
		{ "posted interrupts absent", VMX_WORD_PIN, 0x96, true, 0, 0x80 },
		{ "cr3 exiting off with TRUE", VMX_WORD_PRIMARY, 0x04006172, true, 0, 0 },
		{ "cr3 exiting off without TRUE", VMX_WORD_PRIMARY, 0x04006172, false, 0x18000, 0 },
		{ "tertiary absent", VMX_WORD_PRIMARY, 0x04026172, true, 0, 0x20000 },
		{ "both wrong", VMX_WORD_ENTRY, 0x101fb, true, 0x1000, 0x10000 },
		{ "secondary ept", VMX_WORD_SECONDARY, 2, true, 0, 0 },
		{ "secondary ENCLS absent", VMX_WORD_SECONDARY, 0x8000, true, 0, 0x8000 },
		{ "tertiary cannot be active", VMX_WORD_TERTIARY, 0x10, true, 0, 0x10 },
		{ "exit2 cannot be active", VMX_WORD_EXIT2, 1, true, 0, 1 },
	};

	(void)state;
	without.msr[VMX_CAP_BASIC] &= ~(u64)CAP_TRUE_CTLS;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 missing, excess;
		const enum vmx_verdict verdict =
			vmx_caps_control(rows[i].has_true ? &with_true : &without, rows[i].word,
					 rows[i].value, &missing, &excess);

		assert_row(rows[i].name, missing, rows[i].missing);
		assert_row(rows[i].name, excess, rows[i].excess);
		assert_row(rows[i].name, verdict,
			   rows[i].missing || rows[i].excess ? VMX_FORBIDDEN : VMX_ALLOWED);
	}
}

static void sixty_four_bit_words_are_judged_above_bit_31(void **state)
{
	struct vmx_caps caps = caps_of(skylake_x);
	u64 missing, excess;

	(void)state;
	caps.msr[VMX_CAP_PROCBASED_CTLS] |= (u64)PRIMARY_TERTIARY_CONTROLS << 32;
	caps.msr[VMX_CAP_TRUE_PROCBASED_CTLS] |= (u64)PRIMARY_TERTIARY_CONTROLS << 32;
	caps.msr[VMX_CAP_PROCBASED_CTLS3] = BIT(40) | TERTIARY_IPI_VIRTUALIZATION;
	assert_int_equal(
		vmx_caps_control(&caps, VMX_WORD_TERTIARY, BIT(40) | BIT(4), &missing, &excess),
		VMX_ALLOWED);
	assert_int_equal(vmx_caps_control(&caps, VMX_WORD_TERTIARY, BIT(41), &missing, &excess),
			 VMX_FORBIDDEN);
	assert_u64(excess, BIT(41));
}

static void nothing_is_judged_on_unknown_msrs(void **state)
{
	struct vmx_caps caps = caps_of(skylake_x);
	u64 missing = 1, excess = 1;

	(void)state;
	caps.known &= ~BIT(VMX_CAP_TRUE_PINBASED_CTLS);
	assert_int_equal(vmx_caps_control(&caps, VMX_WORD_PIN, 0, &missing, &excess), VMX_UNKNOWN);
	assert_u64(missing | excess, 0);
	assert_int_equal(vmx_caps_control(&caps, VMX_WORD_ENTRY, 0, &missing, &excess),
			 VMX_FORBIDDEN);
	caps = caps_of(skylake_x);
	caps.known &= ~BIT(VMX_CAP_TRUE_PROCBASED_CTLS);
	assert_int_equal(vmx_caps_control(&caps, VMX_WORD_SECONDARY, 0, &missing, &excess),
			 VMX_UNKNOWN);
	caps.known &= ~BIT(VMX_CAP_BASIC);
	assert_int_equal(vmx_caps_control(&caps, VMX_WORD_ENTRY, 0, &missing, &excess),
			 VMX_UNKNOWN);
	assert_false(vmx_caps_field_known(&caps, VMCS_IX_EPT_POINTER));
	assert_true(vmx_caps_field_known(&caps, VMCS_IX_GUEST_RIP));
}

static void fields_exist_as_the_controls_do(void **state)
{
	const struct vmx_caps sky = caps_of(skylake_x), tiger = caps_of(tigerlake);
	static const struct {
		int index;
		bool skylake, tigerlake;
	} rows[] = {
		{ VMCS_IX_GUEST_RIP, true, true },
		{ VMCS_IX_VPID, true, true },
		{ VMCS_IX_EPT_POINTER, true, true },
		{ VMCS_IX_EPTP_LIST_ADDRESS, true, true },
		{ VMCS_IX_PML_ADDRESS, true, true },
		{ VMCS_IX_SPP_TABLE_POINTER, false, true },
		{ VMCS_IX_TSC_MULTIPLIER, true, true },
		{ VMCS_IX_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, false, false },
		{ VMCS_IX_ENCLS_EXITING_BITMAP, false, false },
		{ VMCS_IX_TERTIARY_PROC_BASED_CONTROLS, false, false },
		{ VMCS_IX_SECONDARY_VM_EXIT_CONTROLS, false, false },
		{ VMCS_IX_GUEST_SSP, false, true },
		{ VMCS_IX_HOST_SSP, false, true },
		{ VMCS_IX_GUEST_IA32_BNDCFGS, false, false },
		{ VMCS_IX_INJECTED_EVENT_DATA, false, false },
		{ VMCS_IX_VMX_PREEMPTION_TIMER_VALUE, true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *name = vmcs_fields[rows[i].index].name;

		assert_row(name, vmx_caps_field_exists(&sky, rows[i].index), rows[i].skylake);
		assert_row(name, vmx_caps_field_exists(&tiger, rows[i].index), rows[i].tigerlake);
		assert_row(name, vmx_caps_field_known(&sky, rows[i].index), true);
	}
}

static void either_control_makes_a_shared_field_exist(void **state)
{
	struct vmx_caps caps = caps_of(skylake_x);

	(void)state;
	assert_int_equal(vmx_caps_mask(&caps, "entry_load_efer"), ST_OK);
	assert_true(vmx_caps_field_exists(&caps, VMCS_IX_GUEST_IA32_EFER));
	assert_int_equal(vmx_caps_mask(&caps, "save_efer"), ST_OK);
	assert_false(vmx_caps_field_exists(&caps, VMCS_IX_GUEST_IA32_EFER));
	assert_true(vmx_caps_field_exists(&caps, VMCS_IX_HOST_IA32_EFER));
}

static void cpuid_makes_fred_and_apx_fields_exist(void **state)
{
	struct vmx_caps caps = caps_of(skylake_x);

	(void)state;
	caps.cpu = VMX_CPU_FRED;
	assert_true(vmx_caps_field_exists(&caps, VMCS_IX_ORIGINAL_EVENT_DATA));
	assert_false(vmx_caps_field_exists(&caps, VMCS_IX_EXTENDED_INSTRUCTION_INFO));
	caps.cpu = VMX_CPU_APX;
	assert_true(vmx_caps_field_exists(&caps, VMCS_IX_EXTENDED_INSTRUCTION_INFO));
}

/* The bits that masking took out of each MSR. */
static void assert_masked(const char *name, const u64 *taken, const struct vmx_caps *before)
{
	struct vmx_caps caps = *before;

	assert_int_equal(vmx_caps_mask(&caps, name), ST_OK);
	for (unsigned int cap = 0; cap < VMX_CAP_COUNT; cap++)
		assert_row(name, before->msr[cap] & ~caps.msr[cap], taken[cap]);
	for (unsigned int cap = 0; cap < VMX_CAP_COUNT; cap++)
		assert_row(name, caps.msr[cap] & ~before->msr[cap], 0);
}

static void masking_takes_a_capability_out_of_every_msr_that_shows_it(void **state)
{
	const struct vmx_caps caps = caps_of(skylake_x);
	const u64 load_efer[VMX_CAP_COUNT] = {
		[VMX_CAP_EXIT_CTLS] = (u64)EXIT_LOAD_EFER << 32,
		[VMX_CAP_TRUE_EXIT_CTLS] = (u64)EXIT_LOAD_EFER << 32,
		[VMX_CAP_ENTRY_CTLS] = (u64)ENTRY_LOAD_EFER << 32,
		[VMX_CAP_TRUE_ENTRY_CTLS] = (u64)ENTRY_LOAD_EFER << 32,
	};
	const u64 ept_2m[VMX_CAP_COUNT] = { [VMX_CAP_EPT_VPID_CAP] = BIT(16) };
	const u64 ept_ad[VMX_CAP_COUNT] = {
		[VMX_CAP_EPT_VPID_CAP] = BIT(21),
		[VMX_CAP_PROCBASED_CTLS2] = (u64)SECONDARY_PML << 32,
	};

	(void)state;
	assert_masked("load_efer", load_efer, &caps);
	assert_masked("ept_2m", ept_2m, &caps);
	assert_masked("ept_ad", ept_ad, &caps);
}

static void masking_takes_what_needs_the_capability_along(void **state)
{
	const struct vmx_caps caps = caps_of(skylake_x);
	const u64 ept[VMX_CAP_COUNT] = {
		[VMX_CAP_PROCBASED_CTLS2] = (u64)(SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST |
						  SECONDARY_PML | SECONDARY_EPT_VIOLATION_VE)
					    << 32,
		[VMX_CAP_EPT_VPID_CAP] = 0x06334141,
		[VMX_CAP_VMFUNC] = 1,
	};
	const u64 vpid[VMX_CAP_COUNT] = {
		[VMX_CAP_PROCBASED_CTLS2] = (u64)SECONDARY_VPID << 32,
		[VMX_CAP_EPT_VPID_CAP] = 0x00000f0100000000,
	};
	const u64 preemption_timer[VMX_CAP_COUNT] = {
		[VMX_CAP_PINBASED_CTLS] = (u64)PIN_PREEMPTION_TIMER << 32,
		[VMX_CAP_TRUE_PINBASED_CTLS] = (u64)PIN_PREEMPTION_TIMER << 32,
		[VMX_CAP_EXIT_CTLS] = (u64)EXIT_SAVE_PREEMPTION_TIMER << 32,
		[VMX_CAP_TRUE_EXIT_CTLS] = (u64)EXIT_SAVE_PREEMPTION_TIMER << 32,
	};
	const u64 secondary[VMX_CAP_COUNT] = {
		[VMX_CAP_PROCBASED_CTLS] = (u64)PRIMARY_SECONDARY_CONTROLS << 32,
		[VMX_CAP_TRUE_PROCBASED_CTLS] = (u64)PRIMARY_SECONDARY_CONTROLS << 32,
		[VMX_CAP_PROCBASED_CTLS2] = 0x02177fff00000000,
		[VMX_CAP_EPT_VPID_CAP] = 0x00000f0106334141,
		[VMX_CAP_VMFUNC] = 1,
	};
	const u64 true_ctls[VMX_CAP_COUNT] = {
		[VMX_CAP_BASIC] = BIT(55),
		[VMX_CAP_TRUE_PINBASED_CTLS] = 0x0000007f00000016,
		[VMX_CAP_TRUE_PROCBASED_CTLS] = 0xf7f9fffe04006172,
		[VMX_CAP_TRUE_EXIT_CTLS] = 0x007fffff00036dfb,
		[VMX_CAP_TRUE_ENTRY_CTLS] = 0x0000ffff000011fb,
	};

	(void)state;
	assert_masked("ept", ept, &caps);
	assert_masked("vpid", vpid, &caps);
	assert_masked("preemption_timer", preemption_timer, &caps);
	assert_masked("secondary_controls", secondary, &caps);
	assert_masked("true_ctls", true_ctls, &caps);
}

static void masking_refuses_what_it_cannot_do(void **state)
{
	static const struct {
		const char *name;
		enum status status;
	} rows[] = {
		{ "no_such_thing", ST_NOT_FOUND },
		{ "", ST_NOT_FOUND },
		{ "load", ST_NOT_FOUND },
		{ "revision", ST_UNSUPPORTED },
		{ "cr3_targets", ST_UNSUPPORTED },
		{ "cr3_load_exiting", ST_UNSUPPORTED },
		{ "save_debug_controls", ST_UNSUPPORTED },
	};
	const struct vmx_caps before = caps_of(skylake_x);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps caps = before;

		assert_row(rows[i].name, vmx_caps_mask(&caps, rows[i].name), rows[i].status);
		assert_memory_equal(&caps, &before, sizeof(caps));
	}
}

static void masking_any_name_leaves_a_consistent_processor(void **state)
{
	const struct vmx_caps before = caps_of(tigerlake);
	unsigned int masked = 0;

	(void)state;
	for (unsigned int i = 0; i < VMX_CONTROL_COUNT + VMX_CAPBIT_COUNT; i++) {
		const char *name = i < VMX_CONTROL_COUNT ? vmx_controls[i].name
							 : vmx_capbits[i - VMX_CONTROL_COUNT].name;
		struct vmx_caps caps = before, again;

		if (vmx_caps_mask(&caps, name) != ST_OK)
			continue;
		again = caps;
		vmx_caps_settle(&again);
		assert_memory_equal(&caps, &again, sizeof(caps));
		/* A bit that must be 1 may be 1, in whichever MSR rules. */
		for (unsigned int word = 0; word < VMX_WORD_COUNT; word++)
			assert_row(name,
				   vmx_caps_must_be_1(&caps, (enum vmx_word)word) &
					   ~vmx_caps_may_be_1(&caps, (enum vmx_word)word),
				   0);
		masked++;
	}
	assert_true(masked > 100);
}

static void processors_together_have_what_each_of_them_has(void **state)
{
	static const struct {
		const char *name;
		enum vmx_cap cap;
		u64 a, b, expected;
	} rows[] = {
		{ "may be 1: on both", VMX_CAP_PINBASED_CTLS, 0x7f00000016, 0x3f00000016,
		  0x3f00000016 },
		{ "must be 1: on either", VMX_CAP_TRUE_EXIT_CTLS, 0x7fffff00036dfb,
		  0x7fffff00036dff, 0x7fffff00036dff },
		{ "EPT and VPID", VMX_CAP_EPT_VPID_CAP, 0xf0106334141, 0xf0106134140,
		  0xf0106134140 },
		{ "CR4 fixed to 1", VMX_CAP_CR4_FIXED0, 0x2000, 0x2020, 0x2020 },
		{ "CR4 may be 1", VMX_CAP_CR4_FIXED1, 0x3727ff, 0x772fff, 0x3727ff },
		{ "highest field", VMX_CAP_VMCS_ENUM, 0x34, 0x2e, 0x2e },
		{ "CR3 targets", VMX_CAP_MISC, 0x600401e0, 0x20020160, 0x20020160 },
		{ "revision of the first", VMX_CAP_BASIC, 0xd810000000002b, 0x1d8100000000004,
		  0xd810000000002b },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps caps = caps_of(skylake_x), other = caps;

		caps.msr[rows[i].cap] = rows[i].a;
		other.msr[rows[i].cap] = rows[i].b;
		assert_row(rows[i].name, vmx_caps_intersect(&caps, &other), true);
		assert_row(rows[i].name, caps.msr[rows[i].cap], rows[i].expected);
	}
}

static void processors_that_count_differently_do_not_go_together(void **state)
{
	struct vmx_caps caps = caps_of(skylake_x), other = caps;

	(void)state;
	other.msr[VMX_CAP_MISC] |= 5;
	assert_false(vmx_caps_intersect(&caps, &other));
	caps = other = caps_of(skylake_x);
	other.msr[VMX_CAP_BASIC] -= 1ull << 32;
	assert_false(vmx_caps_intersect(&caps, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_capability_msrs_are_taken),
		cmocka_unit_test(processors_together_have_what_each_of_them_has),
		cmocka_unit_test(processors_that_count_differently_do_not_go_together),
		cmocka_unit_test(control_words_are_judged_by_the_ruling_msr),
		cmocka_unit_test(sixty_four_bit_words_are_judged_above_bit_31),
		cmocka_unit_test(nothing_is_judged_on_unknown_msrs),
		cmocka_unit_test(fields_exist_as_the_controls_do),
		cmocka_unit_test(either_control_makes_a_shared_field_exist),
		cmocka_unit_test(cpuid_makes_fred_and_apx_fields_exist),
		cmocka_unit_test(masking_takes_a_capability_out_of_every_msr_that_shows_it),
		cmocka_unit_test(masking_takes_what_needs_the_capability_along),
		cmocka_unit_test(masking_refuses_what_it_cannot_do),
		cmocka_unit_test(masking_any_name_leaves_a_consistent_processor),
	};
	return cmocka_run_group_tests_name("vmx/caps", tests, NULL, NULL);
}
