#include "tests/replay/check_fixture.h"

#define LIST(FIELD, n) SET(FIELD##_ADDRESS, 0x8000), SET(FIELD##_COUNT, n)
#define ENTRY(n, index, data) \
	MEMORY(8, 0x7ff0 + 16 * (n), index), MEMORY(8, 0x7ff8 + 16 * (n), data)

#define LOAD(index, data) LIST(VM_ENTRY_MSR_LOAD, 1), ENTRY(1, index, data)
#define STORE(index)	  LIST(VM_EXIT_MSR_STORE, 1), ENTRY(1, index, 0)
#define HOST(index, data) LIST(VM_EXIT_MSR_LOAD, 1), ENTRY(1, index, data)

#define GUEST_32	  OFF(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST)
#define HOST_32		  OFF(VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE)

static const struct check_case which[] = {
	SKIPS(MSR_LOAD_RESERVED, "an empty list"),
	PASSES(MSR_LOAD_RESERVED, "none", LOAD(MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_LOAD_RESERVED, "bit 32", LOAD(BIT(32) | MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_LOAD_RESERVED, "bit 63 of the second", LIST(VM_ENTRY_MSR_LOAD, 2),
	      ENTRY(1, MSR_KERNEL_GS_BASE, 0), ENTRY(2, BIT(63) | MSR_KERNEL_GS_BASE, 0)),
	PASSES(MSR_LOAD_RESERVED, "bit 63 behind the end", LIST(VM_ENTRY_MSR_LOAD, 1),
	       ENTRY(1, MSR_KERNEL_GS_BASE, 0), ENTRY(2, BIT(63) | MSR_KERNEL_GS_BASE, 0)),
	UNKNOWN(MSR_LOAD_RESERVED, "memory not known", LIST(VM_ENTRY_MSR_LOAD, 1)),
	UNKNOWN(MSR_LOAD_RESERVED, "one more entry or not", LOAD(MSR_KERNEL_GS_BASE, 0),
		FORGET(VM_ENTRY_MSR_LOAD_COUNT, 2)),
	UNKNOWN(MSR_LOAD_RESERVED, "list not known", LOAD(MSR_KERNEL_GS_BASE, 0),
		FORGET(VM_ENTRY_MSR_LOAD_ADDRESS, ~0ull)),
	PASSES(MSR_STORE_RESERVED, "none", STORE(MSR_TSC)),
	FAILS(MSR_STORE_RESERVED, "bit 32", STORE(BIT(32) | MSR_TSC)),
	UNKNOWN(MSR_STORE_RESERVED, "memory not known", LIST(VM_EXIT_MSR_STORE, 1)),
	PASSES(MSR_HOST_RESERVED, "none", HOST(MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_HOST_RESERVED, "bit 32", HOST(BIT(32) | MSR_KERNEL_GS_BASE, 0)),
	UNKNOWN(MSR_HOST_RESERVED, "memory not known", LIST(VM_EXIT_MSR_LOAD, 1)),
	PASSES(MSR_LOAD_BASE, "IA32_KERNEL_GS_BASE", LOAD(MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_LOAD_BASE, "IA32_FS_BASE", LOAD(MSR_FS_BASE, 0)),
	FAILS(MSR_LOAD_BASE, "IA32_GS_BASE", LOAD(MSR_GS_BASE, 0)),
	UNKNOWN(MSR_LOAD_BASE, "memory not known", LIST(VM_ENTRY_MSR_LOAD, 1)),
	PASSES(MSR_HOST_BASE, "IA32_KERNEL_GS_BASE", HOST(MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_HOST_BASE, "IA32_GS_BASE", HOST(MSR_GS_BASE, 0)),
	UNKNOWN(MSR_HOST_BASE, "memory not known", LIST(VM_EXIT_MSR_LOAD, 1)),
	PASSES(MSR_LOAD_X2APIC, "below", LOAD(0x7ff, 0)),
	FAILS(MSR_LOAD_X2APIC, "the first", LOAD(0x800, 0)),
	FAILS(MSR_LOAD_X2APIC, "the last", LOAD(0x8ff, 0)),
	PASSES(MSR_LOAD_X2APIC, "above", LOAD(0x900, 0)),
	UNKNOWN(MSR_LOAD_X2APIC, "memory not known", LIST(VM_ENTRY_MSR_LOAD, 1)),
	PASSES(MSR_STORE_X2APIC, "above", STORE(0x900)),
	FAILS(MSR_STORE_X2APIC, "TPR", STORE(MSR_X2APIC_TPR)),
	UNKNOWN(MSR_STORE_X2APIC, "memory not known", LIST(VM_EXIT_MSR_STORE, 1)),
	PASSES(MSR_HOST_X2APIC, "above", HOST(0x900, 0)),
	FAILS(MSR_HOST_X2APIC, "TPR", HOST(MSR_X2APIC_TPR, 0)),
	UNKNOWN(MSR_HOST_X2APIC, "memory not known", LIST(VM_EXIT_MSR_LOAD, 1)),
	PASSES(MSR_LOAD_SMM, "another", LOAD(MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_LOAD_SMM, "IA32_SMM_MONITOR_CTL", LOAD(MSR_SMM_MONITOR_CTL, 0)),
	UNKNOWN(MSR_LOAD_SMM, "memory not known", LIST(VM_ENTRY_MSR_LOAD, 1)),
	PASSES(MSR_STORE_SMM, "another", STORE(MSR_TSC)),
	FAILS(MSR_STORE_SMM, "IA32_SMBASE", STORE(MSR_SMBASE)),
	UNKNOWN(MSR_STORE_SMM, "memory not known", LIST(VM_EXIT_MSR_STORE, 1)),
	PASSES(MSR_HOST_SMM, "another", HOST(MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_HOST_SMM, "IA32_SMM_MONITOR_CTL", HOST(MSR_SMM_MONITOR_CTL, 0)),
	UNKNOWN(MSR_HOST_SMM, "memory not known", LIST(VM_EXIT_MSR_LOAD, 1)),
	PASSES(MSR_LOAD_MICROCODE, "another", LOAD(MSR_KERNEL_GS_BASE, 0)),
	FAILS(MSR_LOAD_MICROCODE, "IA32_BIOS_UPDT_TRIG", LOAD(MSR_BIOS_UPDT_TRIG, 0)),
	FAILS(MSR_LOAD_MICROCODE, "IA32_BIOS_SIGN_ID", LOAD(MSR_BIOS_SIGN_ID, 0)),
	UNKNOWN(MSR_LOAD_MICROCODE, "memory not known", LIST(VM_ENTRY_MSR_LOAD, 1)),
	PASSES(MSR_LOAD_COUNT, "512", LIST(VM_ENTRY_MSR_LOAD, 512)),
	FAILS(MSR_LOAD_COUNT, "513", LIST(VM_ENTRY_MSR_LOAD, 513)),
	PASSES(MSR_LOAD_COUNT, "513 where 1024 are recommended", LIST(VM_ENTRY_MSR_LOAD, 513),
	       CAP_ON(MISC, BIT(25))),
	FAILS(MSR_LOAD_COUNT, "4097 where 4096 are", LIST(VM_ENTRY_MSR_LOAD, 4097),
	      CAP_ON(MISC, MASK(27, 25))),
	UNKNOWN(MSR_LOAD_COUNT, "513, maximum not known", LIST(VM_ENTRY_MSR_LOAD, 513),
		CAP_FORGET(MISC)),
};

static const struct check_case values[] = {
	PASSES(MSR_LOAD_EFER, "64-bit guest, LME stays", LOAD(MSR_EFER, 0x500)),
	FAILS(MSR_LOAD_EFER, "64-bit guest, LME goes", LOAD(MSR_EFER, 0)),
	FAILS(MSR_LOAD_EFER, "32-bit guest, LME comes", LOAD(MSR_EFER, 0x100), GUEST_32),
	PASSES(MSR_LOAD_EFER, "32-bit guest, LME stays", LOAD(MSR_EFER, 0x800), GUEST_32),
	SKIPS(MSR_LOAD_EFER, "32-bit guest, LME comes, no paging", LOAD(MSR_EFER, 0x100), GUEST_32,
	      OFF(GUEST_CR0, BIT(31))),
	SKIPS(MSR_LOAD_EFER, "another MSR", LOAD(MSR_KERNEL_GS_BASE, 0)),
	UNKNOWN(MSR_LOAD_EFER, "LME comes, mode not known", LOAD(MSR_EFER, 0x100),
		FORGET(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST)),
	PASSES(MSR_HOST_EFER, "64-bit host, LME stays", HOST(MSR_EFER, 0xd01)),
	FAILS(MSR_HOST_EFER, "64-bit host, LME goes", HOST(MSR_EFER, 0)),
	FAILS(MSR_HOST_EFER, "32-bit host, LME comes", HOST(MSR_EFER, 0x100), HOST_32),
	UNKNOWN(MSR_HOST_EFER, "LME comes, host not known", HOST(MSR_EFER, 0x100),
		FORGET(VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE)),

	PASSES(MSR_LOAD_VALUE, "any for STAR", LOAD(MSR_STAR, ~0ull)),
	PASSES(MSR_LOAD_VALUE, "canonical for LSTAR", LOAD(MSR_LSTAR, MASK(63, 47))),
	FAILS(MSR_LOAD_VALUE, "not canonical for LSTAR", LOAD(MSR_LSTAR, BIT(47))),
	FAILS(MSR_LOAD_VALUE, "33 bits for FMASK", LOAD(MSR_FMASK, BIT(32))),
	PASSES(MSR_LOAD_VALUE, "memory types for PAT", LOAD(MSR_PAT, 0x0007040600070406)),
	FAILS(MSR_LOAD_VALUE, "type 2 for PAT", LOAD(MSR_PAT, 2)),
	FAILS(MSR_LOAD_VALUE, "bit 1 for EFER", LOAD(MSR_EFER, 0x502)),
	FAILS(MSR_LOAD_VALUE, "a capability MSR", LOAD(MSR_VMX_BASIC, 0)),
	PASSES(MSR_LOAD_VALUE, "TSC_AUX", LOAD(MSR_TSC_AUX, 7)),
	FAILS(MSR_LOAD_VALUE, "TSC_AUX without RDTSCP", LOAD(MSR_TSC_AUX, 7), HAS_NOT(RDTSCP)),
	FAILS(MSR_LOAD_VALUE, "bit 9 for SPEC_CTRL", LOAD(MSR_SPEC_CTRL, BIT(9))),
	FAILS(MSR_LOAD_VALUE, "DEBUGCTL bit 3", LOAD(MSR_DEBUGCTL, BIT(3))),
	FAILS(MSR_LOAD_VALUE, "PL0_SSP not aligned", LOAD(MSR_PL0_SSP, 2)),
	UNKNOWN(MSR_LOAD_VALUE, "an MSR in no table", LOAD(0x12345, 0)),
	UNKNOWN(MSR_LOAD_VALUE, "memory not known", LIST(VM_ENTRY_MSR_LOAD, 1)),
	FAILS(MSR_LOAD_VALUE, "the second entry", LIST(VM_ENTRY_MSR_LOAD, 2),
	      ENTRY(1, MSR_KERNEL_GS_BASE, 0), ENTRY(2, MSR_LSTAR, BIT(63))),
	PASSES(MSR_HOST_VALUE, "any for STAR", HOST(MSR_STAR, ~0ull)),
	FAILS(MSR_HOST_VALUE, "not canonical for CSTAR", HOST(MSR_CSTAR, BIT(62))),
	FAILS(MSR_HOST_VALUE, "TSC_AUX without RDTSCP", HOST(MSR_TSC_AUX, 7), HAS_NOT(RDTSCP)),
	UNKNOWN(MSR_HOST_VALUE, "an MSR in no table", HOST(0x12345, 0)),
	PASSES(MSR_STORE_VALUE, "TSC", STORE(MSR_TSC)),
	FAILS(MSR_STORE_VALUE, "IA32_PRED_CMD", STORE(MSR_PRED_CMD)),
	FAILS(MSR_STORE_VALUE, "TSC_AUX without RDTSCP", STORE(MSR_TSC_AUX), HAS_NOT(RDTSCP)),
	UNKNOWN(MSR_STORE_VALUE, "an MSR in no table", STORE(0x12345)),
};

static struct check_case all[120];
static size_t count;

static int gather(void **state)
{
	(void)state;
	memcpy(all, which, sizeof(which));
	memcpy(&all[ARRAY_SIZE(which)], values, sizeof(values));
	count = ARRAY_SIZE(which) + ARRAY_SIZE(values);
	return 0;
}

static void every_case_gives_its_verdict(void **state)
{
	(void)state;
	run_cases(all, count);
}

static void every_check_has_cases(void **state)
{
	(void)state;
	every_row_has_cases(all, count, CHECK_MSR_LOAD_RESERVED, CHECK_COUNT - 1);
}

static void single_entries_can_be_judged(void **state)
{
	static const struct check_case row =
		FAILS(MSR_LOAD_BASE, "the second of three", LIST(VM_ENTRY_MSR_LOAD, 3),
		      ENTRY(1, MSR_KERNEL_GS_BASE, 0), ENTRY(2, MSR_FS_BASE, 0),
		      ENTRY(3, MSR_KERNEL_GS_BASE, 0));
	struct machine m;

	(void)state;
	machine_of(&m, &row);
	assert_u64(word_min(check_list_size(&m.input, CHECK_STAGE_MSR_LOAD)), 3);
	assert_int_equal(check_run_entry(&m.input, CHECK_MSR_LOAD_BASE, 1, NULL), CHECK_PASS);
	assert_int_equal(check_run_entry(&m.input, CHECK_MSR_LOAD_BASE, 2, NULL), CHECK_FAIL);
	assert_int_equal(check_run_entry(&m.input, CHECK_MSR_LOAD_BASE, 3, NULL), CHECK_PASS);
}

/* The list fails for the absence of MSRs alone, or for something else as well, or not at all. */
static void lists_that_fail_by_absent_msrs_are_told(void **state)
{
	static const struct check_case absent =
		FAILS(MSR_LOAD_VALUE, "absent", LIST(VM_ENTRY_MSR_LOAD, 2),
		      ENTRY(1, MSR_KERNEL_GS_BASE, 0), ENTRY(2, MSR_SPEC_CTRL, 1));
	static const struct check_case also_bad =
		FAILS(MSR_LOAD_VALUE, "a bad value too", LIST(VM_ENTRY_MSR_LOAD, 2),
		      ENTRY(1, MSR_KERNEL_GS_BASE, BIT(60)), ENTRY(2, MSR_SPEC_CTRL, 1));
	static const struct check_case lacking =
		FAILS(MSR_LOAD_VALUE, "one that is known to lack", LIST(VM_ENTRY_MSR_LOAD, 2),
		      ENTRY(1, MSR_KERNEL_GS_BASE, 0), ENTRY(2, MSR_DEBUGCTL, BIT(40)));
	struct machine m;

	(void)state;
	machine_of(&m, &lacking);
	assert_true(check_list_fails_by_absence(&m.input, CHECK_MSR_LOAD_VALUE, MSR_DEBUGCTL));
	assert_false(check_list_fails_by_absence(&m.input, CHECK_MSR_LOAD_VALUE, MSR_STAR));
	machine_of(&m, &absent);
	assert_false(check_list_fails_by_absence(&m.input, CHECK_MSR_LOAD_VALUE, MSR_DEBUGCTL));
	m.cpu.features.value &= ~BIT(CPU_FEATURE_IBRS);
	assert_true(check_list_fails_by_absence(&m.input, CHECK_MSR_LOAD_VALUE, MSR_DEBUGCTL));
	machine_of(&m, &also_bad);
	m.cpu.features.value &= ~BIT(CPU_FEATURE_IBRS);
	assert_false(check_list_fails_by_absence(&m.input, CHECK_MSR_LOAD_VALUE, MSR_DEBUGCTL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_gives_its_verdict),
		cmocka_unit_test(every_check_has_cases),
		cmocka_unit_test(single_entries_can_be_judged),
		cmocka_unit_test(lists_that_fail_by_absent_msrs_are_told),
	};
	return cmocka_run_group_tests_name("replay/check_msrlist", tests, gather, NULL);
}
