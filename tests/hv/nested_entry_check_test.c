#include "hv/ept.h"
#include "tests/hv/nested_play.h"

#define TOO_WIDE BIT(STUB_PHYS_WIDTH)

/* One change to a good VMCS. */
struct row {
	const char *name;
	u32 field;
	u64 value;
	u32 error; /* VM-instruction error; 0: the entry is tried */
};

/* What is there is good: so it is what a row changes that fails. It is not changed any more. */
static void enter_and_leave(const char *group)
{
	play_enter(EXIT_VMLAUNCH);
	assert_row(group, cpu->nested.mode, NESTED_L2);
	stub_exit(cpu, EXIT_HLT, 0);
	cpu->nested.current->launched = false;
}

static void try_rows(const char *group, const struct row *rows, size_t count)
{
	enter_and_leave(group);
	for (size_t i = 0; i < count; i++) {
		const u64 before = get12(rows[i].field);

		set12(rows[i].field, rows[i].value);
		play_enter(EXIT_VMLAUNCH);
		if (rows[i].error) {
			assert_row(rows[i].name, cpu->nested.mode, NESTED_ROOT);
			assert_row(rows[i].name, insn()->outcome, OUTCOME_FAIL_VALID);
			assert_row(rows[i].name, insn()->error, rows[i].error);
		} else {
			assert_row(rows[i].name, cpu->nested.mode, NESTED_L2);
			stub_exit(cpu, EXIT_HLT, 0);
			cpu->nested.current->launched = false;
		}
		set12(rows[i].field, before);
		enter_and_leave(rows[i].name);
	}
}

#define BAD_CONTROL VMERR_ENTRY_CONTROLS
#define BAD_HOST    VMERR_ENTRY_HOST_STATE

static void control_words_must_be_what_the_capabilities_say(void **state)
{
	const struct row rows[] = {
		{ "pin, default1 bit is 0", VMCS_PIN_BASED_CONTROLS, 0, BAD_CONTROL },
		{ "pin, bit that may not be 1", VMCS_PIN_BASED_CONTROLS,
		  must_be_1(VMX_WORD_PIN) | PIN_POSTED_INTERRUPTS, BAD_CONTROL },
		{ "primary, default1", VMCS_PRIMARY_PROC_BASED_CONTROLS, 0, BAD_CONTROL },
		{ "primary, tertiary controls", VMCS_PRIMARY_PROC_BASED_CONTROLS,
		  must_be_1(VMX_WORD_PRIMARY) | PRIMARY_TERTIARY_CONTROLS, BAD_CONTROL },
		{ "secondary, not shown", VMCS_SECONDARY_PROC_BASED_CONTROLS,
		  SECONDARY_VMCS_SHADOWING, BAD_CONTROL },
		{ "exit", VMCS_VM_EXIT_CONTROLS, ~0ull, BAD_CONTROL },
		{ "entry", VMCS_VM_ENTRY_CONTROLS, 0, BAD_CONTROL },
		{ "entry to SMM", VMCS_VM_ENTRY_CONTROLS,
		  must_be_1(VMX_WORD_ENTRY) | ENTRY_IA32E_MODE_GUEST | ENTRY_TO_SMM, BAD_CONTROL },
		{ "CR3 targets", VMCS_CR3_TARGET_COUNT, 5, BAD_CONTROL },
		{ "all CR3 targets", VMCS_CR3_TARGET_COUNT, 4, 0 },
	};

	(void)state;
	try_rows("words", rows, ARRAY_SIZE(rows));
}

static void secondary_controls_are_ignored_while_not_active(void **state)
{
	(void)state;
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS, must_be_1(VMX_WORD_PRIMARY));
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, ~0ull);
	set12(VMCS_EPT_POINTER, ~0ull);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS),
		   SECONDARY_EPT | SECONDARY_VPID | SECONDARY_DESCRIPTOR_TABLE_EXITING);
	assert_u64(vmread(VMCS_EPT_POINTER), ept01_pointer());
}

static void addresses_of_controls_that_are_off_may_be_anything(void **state)
{
	static const u32 fields[] = {
		VMCS_IO_BITMAP_A,
		VMCS_IO_BITMAP_B,
		VMCS_MSR_BITMAP,
		VMCS_VIRTUAL_APIC_ADDRESS,
		VMCS_APIC_ACCESS_ADDRESS,
		VMCS_EPT_POINTER,
		VMCS_VM_EXIT_MSR_STORE_ADDRESS,
		VMCS_VM_EXIT_MSR_LOAD_ADDRESS,
		VMCS_VM_ENTRY_MSR_LOAD_ADDRESS,
		VMCS_EXECUTIVE_VMCS_POINTER,
		VMCS_TPR_THRESHOLD,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		set12(fields[i], ~0ull);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(l1_got(EXIT_HLT));
}

static void addresses_of_controls_that_are_on_are_judged(void **state)
{
	static const struct row rows[] = {
		{ "I/O bitmap A", VMCS_IO_BITMAP_A, PLAY_PAGE + 1, BAD_CONTROL },
		{ "I/O bitmap B", VMCS_IO_BITMAP_B, TOO_WIDE, BAD_CONTROL },
		{ "MSR bitmap", VMCS_MSR_BITMAP, PLAY_PAGE + 0x800, BAD_CONTROL },
		{ "virtual-APIC page", VMCS_VIRTUAL_APIC_ADDRESS, PLAY_PAGE + 4, BAD_CONTROL },
		{ "APIC-access page", VMCS_APIC_ACCESS_ADDRESS, ~0ull, BAD_CONTROL },
		{ "TPR threshold, reserved", VMCS_TPR_THRESHOLD, 0x10, BAD_CONTROL },
		{ "store list", VMCS_VM_EXIT_MSR_STORE_ADDRESS, PLAY_PAGE + 8, BAD_CONTROL },
		{ "store list, end", VMCS_VM_EXIT_MSR_STORE_ADDRESS, TOO_WIDE - 16, BAD_CONTROL },
		{ "load list", VMCS_VM_EXIT_MSR_LOAD_ADDRESS, PLAY_PAGE + 8, BAD_CONTROL },
		{ "load list wraps", VMCS_VM_EXIT_MSR_LOAD_ADDRESS, -16ull, BAD_CONTROL },
		{ "entry list", VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE + 8, BAD_CONTROL },
	};
	static const u32 pages[] = { VMCS_IO_BITMAP_A, VMCS_IO_BITMAP_B, VMCS_MSR_BITMAP,
				     VMCS_VIRTUAL_APIC_ADDRESS, VMCS_APIC_ACCESS_ADDRESS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		set12(pages[i], PLAY_PAGE);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      PRIMARY_IO_BITMAPS | PRIMARY_MSR_BITMAPS | PRIMARY_TPR_SHADOW);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_VIRTUALIZE_APIC_ACCESSES);
	set12(VMCS_VM_EXIT_MSR_STORE_COUNT, 2);
	set12(VMCS_VM_EXIT_MSR_STORE_ADDRESS, PLAY_PAGE + 0x1000);
	set12(VMCS_VM_EXIT_MSR_LOAD_COUNT, 2);
	set12(VMCS_VM_EXIT_MSR_LOAD_ADDRESS, PLAY_PAGE + 0x1000);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE + 0x1000);
	/* Entries that are legal: IA32_STAR. */
	for (unsigned i = 0; i < 2; i++)
		*(u32 *)stub_at(PLAY_PAGE + 0x1000 + 16 * i) = MSR_STAR;
	try_rows("addresses", rows, ARRAY_SIZE(rows));
}

static void controls_that_contradict_each_other_fail(void **state)
{
	static const struct {
		const char *name;
		u64 pin, primary, secondary, exit;
		u32 error;
	} rows[] = {
		{ "virtual NMIs without NMI exiting", PIN_VIRTUAL_NMIS, 0, 0, 0, BAD_CONTROL },
		{ "virtual NMIs", PIN_VIRTUAL_NMIS | PIN_NMI_EXITING, 0, 0, 0, 0 },
		{ "NMI window without virtual NMIs", PIN_NMI_EXITING, PRIMARY_NMI_WINDOW_EXITING, 0,
		  0, BAD_CONTROL },
		{ "x2APIC mode without TPR shadow", 0, 0, SECONDARY_VIRTUALIZE_X2APIC_MODE, 0,
		  BAD_CONTROL },
		{ "APIC registers without TPR shadow", 0, 0, SECONDARY_APIC_REGISTER_VIRTUALIZATION,
		  0, BAD_CONTROL },
		{ "virtual interrupts without TPR shadow", PIN_EXTERNAL_INTERRUPT_EXITING, 0,
		  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, 0, BAD_CONTROL },
		{ "virtual interrupts without exits of real ones", 0, PRIMARY_TPR_SHADOW,
		  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, 0, BAD_CONTROL },
		{ "virtual interrupts", PIN_EXTERNAL_INTERRUPT_EXITING, PRIMARY_TPR_SHADOW,
		  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, 0, 0 },
		{ "x2APIC mode and APIC accesses", 0, PRIMARY_TPR_SHADOW,
		  SECONDARY_VIRTUALIZE_X2APIC_MODE | SECONDARY_VIRTUALIZE_APIC_ACCESSES, 0,
		  BAD_CONTROL },
		{ "VPID 0", 0, 0, SECONDARY_VPID, 0, BAD_CONTROL },
		{ "unrestricted guest without EPT", 0, 0, SECONDARY_UNRESTRICTED_GUEST, 0,
		  BAD_CONTROL },
		{ "EPT pointer 0", 0, 0, SECONDARY_EPT, 0, BAD_CONTROL },
		{ "TSC multiplier 0", 0, 0, SECONDARY_TSC_SCALING, 0, BAD_CONTROL },
		{ "timer saved but not active", 0, 0, 0, EXIT_SAVE_PREEMPTION_TIMER, BAD_CONTROL },
		{ "timer saved", PIN_PREEMPTION_TIMER, 0, 0, EXIT_SAVE_PREEMPTION_TIMER, 0 },
	};
	const u64 pin = get12(VMCS_PIN_BASED_CONTROLS);
	const u64 primary = get12(VMCS_PRIMARY_PROC_BASED_CONTROLS);
	const u64 exit = get12(VMCS_VM_EXIT_CONTROLS);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set12(VMCS_PIN_BASED_CONTROLS, pin | rows[i].pin);
		set12(VMCS_PRIMARY_PROC_BASED_CONTROLS, primary | rows[i].primary);
		set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, rows[i].secondary);
		set12(VMCS_VM_EXIT_CONTROLS, exit | rows[i].exit);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, cpu->nested.mode, rows[i].error ? NESTED_ROOT : NESTED_L2);
		if (!rows[i].error) {
			stub_exit(cpu, EXIT_HLT, 0);
			cpu->nested.current->launched = false;
			continue;
		}
		assert_row(rows[i].name, insn()->error, rows[i].error);
	}
}

static void ept_pointers_are_judged_by_what_is_shown(void **state)
{
	const u64 eptp = play_ept12();
	const struct row rows[] = {
		{ "write-combining", VMCS_EPT_POINTER, (eptp & ~7ull) | 1, BAD_CONTROL },
		{ "uncached", VMCS_EPT_POINTER, eptp & ~7ull, 0 },
		{ "3 levels", VMCS_EPT_POINTER, (eptp & ~0x38ull) | 2 << 3, BAD_CONTROL },
		{ "5 levels", VMCS_EPT_POINTER, (eptp & ~0x38ull) | 4 << 3, BAD_CONTROL },
		{ "A/D", VMCS_EPT_POINTER, eptp | BIT(6), 0 },
		{ "bit 7", VMCS_EPT_POINTER, eptp | BIT(7), BAD_CONTROL },
		{ "bit 11", VMCS_EPT_POINTER, eptp | BIT(11), BAD_CONTROL },
		{ "too wide", VMCS_EPT_POINTER, eptp | TOO_WIDE, BAD_CONTROL },
	};

	(void)state;
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT);
	set12(VMCS_EPT_POINTER, eptp);
	try_rows("eptp", rows, ARRAY_SIZE(rows));
}

static void the_tpr_threshold_is_compared_with_the_virtual_tpr(void **state)
{
	u8 *vtpr = stub_at(PLAY_PAGE + 0x80);

	(void)state;
	set12(VMCS_VIRTUAL_APIC_ADDRESS, PLAY_PAGE);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_TPR_SHADOW);
	set12(VMCS_TPR_THRESHOLD, 3);
	*vtpr = 0x2f;
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, BAD_CONTROL);
	*vtpr = 0x30;
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VIRTUAL_APIC_ADDRESS), PLAY_PAGE);
}

static void the_tpr_threshold_means_nothing_to_virtual_interrupts(void **state)
{
	(void)state;
	set12(VMCS_VIRTUAL_APIC_ADDRESS, PLAY_PAGE);
	add12(VMCS_PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_TPR_SHADOW);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	set12(VMCS_TPR_THRESHOLD, 0xfff);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

static void injected_events_are_judged(void **state)
{
	static const struct {
		const char *name;
		u64 info, code, length;
		bool ok;
	} rows[] = {
		{ "not valid", 0x7fffffff, ~0ull, ~0ull, true },
		{ "external interrupt", 0x80000030, 0, 0, true },
		{ "reserved type", 0x80000130, 0, 0, false },
		{ "NMI", 0x80000202, 0, 0, true },
		{ "NMI with another vector", 0x80000203, 0, 0, false },
		{ "#UD", 0x80000306, 0, 0, true },
		{ "vector 32", 0x80000320, 0, 0, false },
		{ "#UD with error code", 0x80000b06, 0, 0, false },
		{ "#GP", 0x80000b0d, 0, 0, true },
		{ "#GP without error code", 0x8000030d, 0, 0, false },
		{ "error code of 16 bits", 0x80000b0d, 0xffff, 0, true },
		{ "error code of 17 bits", 0x80000b0d, 0x10000, 0, false },
		{ "external interrupt with error code", 0x80000830, 0, 0, false },
		{ "reserved bit", 0x80001306, 0, 0, false },
		{ "INT n", 0x80000480, 0, 2, true },
		{ "INT n, length 0", 0x80000480, 0, 0, true }, /* shown by this processor */
		{ "INT n, length 16", 0x80000480, 0, 16, false },
		{ "INT1", 0x80000501, 0, 1, true },
		{ "INT3", 0x80000603, 0, 1, true },
		{ "pending MTF", 0x80000700, 0, 0, true },
		{ "other event with vector 1", 0x80000701, 0, 0, false },
		{ "MTF with error code", 0x80000f00, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set12(VMCS_VM_ENTRY_INTERRUPTION_INFO, rows[i].info);
		set12(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, rows[i].code);
		set12(VMCS_VM_ENTRY_INSTRUCTION_LENGTH, rows[i].length);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, cpu->nested.mode, rows[i].ok ? NESTED_L2 : NESTED_ROOT);
		if (!rows[i].ok) {
			assert_row(rows[i].name, insn()->error, BAD_CONTROL);
			continue;
		}
		assert_row(rows[i].name, vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO),
			   (u32)rows[i].info);
		stub_exit(cpu, EXIT_HLT, 0);
		assert_row(rows[i].name, get12(VMCS_VM_ENTRY_INTERRUPTION_INFO),
			   rows[i].info & 0x7fffffff);
		cpu->nested.current->launched = false;
	}
}

static void the_monitor_trap_flag_can_be_hidden(void **state)
{
	play_masked = "-monitor_trap_flag";
	play_good_vmcs(state);
	play_masked = "";
	set12(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0x80000700);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, BAD_CONTROL);
	set12(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MONITOR_TRAP_FLAG);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, BAD_CONTROL);
}

static void the_host_state_area_is_judged_by_hv(void **state)
{
	const struct row rows[] = {
		{ "CR0.NE", VMCS_HOST_CR0, 0x80000011, BAD_HOST },
		{ "CR0, 64 bits", VMCS_HOST_CR0, 0x180000031, BAD_HOST },
		{ "CR4.VMXE", VMCS_HOST_CR4, 0x20, BAD_HOST },
		{ "CR4 reserved", VMCS_HOST_CR4, 0x2020 | BIT(23), BAD_HOST },
		{ "CR4.PAE of a 64-bit host", VMCS_HOST_CR4, 0x2000, BAD_HOST },
		{ "CR3", VMCS_HOST_CR3, TOO_WIDE, BAD_HOST },
		{ "SYSENTER_ESP", VMCS_HOST_IA32_SYSENTER_ESP, NOT_CANONICAL, BAD_HOST },
		{ "SYSENTER_EIP", VMCS_HOST_IA32_SYSENTER_EIP, NOT_CANONICAL, BAD_HOST },
		{ "CS 0", VMCS_HOST_CS_SELECTOR, 0, BAD_HOST },
		{ "CS.RPL", VMCS_HOST_CS_SELECTOR, 0x13, BAD_HOST },
		{ "TR 0", VMCS_HOST_TR_SELECTOR, 0, BAD_HOST },
		{ "TR.TI", VMCS_HOST_TR_SELECTOR, 0x24, BAD_HOST },
		{ "ES.RPL", VMCS_HOST_ES_SELECTOR, 1, BAD_HOST },
		{ "FS.TI", VMCS_HOST_FS_SELECTOR, 4, BAD_HOST },
		{ "SS 0 is legal in 64 bits", VMCS_HOST_SS_SELECTOR, 0, 0 },
		{ "FS base", VMCS_HOST_FS_BASE, NOT_CANONICAL, BAD_HOST },
		{ "GS base", VMCS_HOST_GS_BASE, NOT_CANONICAL, BAD_HOST },
		{ "TR base", VMCS_HOST_TR_BASE, NOT_CANONICAL, BAD_HOST },
		{ "GDTR base", VMCS_HOST_GDTR_BASE, NOT_CANONICAL, BAD_HOST },
		{ "IDTR base", VMCS_HOST_IDTR_BASE, NOT_CANONICAL, BAD_HOST },
		{ "RIP", VMCS_HOST_RIP, NOT_CANONICAL, BAD_HOST },
		{ "RSP is not checked", VMCS_HOST_RSP, NOT_CANONICAL, 0 },
		{ "PAT type 2", VMCS_HOST_IA32_PAT, 0x0206060606060606, BAD_HOST },
		{ "PAT type 8", VMCS_HOST_IA32_PAT, 0x0606060606060608, BAD_HOST },
		{ "EFER.LMA", VMCS_HOST_IA32_EFER, 0x101, BAD_HOST },
		{ "EFER.LME", VMCS_HOST_IA32_EFER, 0x401, BAD_HOST },
		{ "EFER reserved", VMCS_HOST_IA32_EFER, 0x503, BAD_HOST },
		{ "32-bit host in a 64-bit L1", VMCS_VM_EXIT_CONTROLS, must_be_1(VMX_WORD_EXIT),
		  BAD_HOST },
	};

	(void)state;
	add12(VMCS_VM_EXIT_CONTROLS, EXIT_LOAD_PAT | EXIT_LOAD_EFER);
	try_rows("host", rows, ARRAY_SIZE(rows));
}

static void pat_and_efer_are_judged_only_if_they_are_loaded(void **state)
{
	static const struct row rows[] = {
		{ "PAT", VMCS_HOST_IA32_PAT, ~0ull, 0 },
		{ "EFER", VMCS_HOST_IA32_EFER, ~0ull, 0 },
	};

	(void)state;
	try_rows("host MSRs", rows, ARRAY_SIZE(rows));
}

static void outcomes_come_in_the_order_of_the_manual(void **state)
{
	(void)state;
	/* Everything is wrong at first and is put right one by one. */
	set12(VMCS_HOST_CR0, 0);
	set12(VMCS_PIN_BASED_CONTROLS, 0);
	set12(VMCS_VMCS_LINK_POINTER, 1);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 2);
	play_enter(EXIT_VMRESUME);
	assert_u64(insn()->error, VMERR_ENTRY_MOV_SS);
	play_enter(EXIT_VMRESUME);
	assert_u64(insn()->error, VMERR_VMRESUME_NOT_LAUNCHED);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	set12(VMCS_PIN_BASED_CONTROLS, must_be_1(VMX_WORD_PIN));
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_HOST_STATE);
	set12(VMCS_HOST_CR0, 0x80000031);
	play_enter(EXIT_VMLAUNCH);
	assert_true(l1_got(EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 4);
	assert_false(cpu->nested.current->launched);
	set12(VMCS_VMCS_LINK_POINTER, ~0ull);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_VMLAUNCH_NOT_CLEAR);
	play_enter(EXIT_VMRESUME);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

static void link_pointers_are_judged_by_hv(void **state)
{
	static const struct {
		const char *name;
		u64 pointer;
		bool ok;
	} rows[] = {
		{ "none", ~0ull, true },	  { "not aligned", PLAY_VMCS2 + 8, false },
		{ "too wide", TOO_WIDE, false },  { "current VMCS", PLAY_VMCS, false },
		{ "revision", PLAY_PAGE, false }, { "good", PLAY_VMCS2, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set12(VMCS_VMCS_LINK_POINTER, rows[i].pointer);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, cpu->nested.mode, rows[i].ok ? NESTED_L2 : NESTED_ROOT);
		if (rows[i].ok) {
			stub_exit(cpu, EXIT_HLT, 0);
			cpu->nested.current->launched = false;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs, control_words_must_be_what_the_capabilities_say),
		IN(play_good_vmcs, secondary_controls_are_ignored_while_not_active),
		IN(play_good_vmcs, addresses_of_controls_that_are_off_may_be_anything),
		IN(play_good_vmcs, addresses_of_controls_that_are_on_are_judged),
		IN(play_good_vmcs, controls_that_contradict_each_other_fail),
		IN(play_good_vmcs, ept_pointers_are_judged_by_what_is_shown),
		IN(play_good_vmcs, the_tpr_threshold_is_compared_with_the_virtual_tpr),
		IN(play_good_vmcs, the_tpr_threshold_means_nothing_to_virtual_interrupts),
		IN(play_good_vmcs, injected_events_are_judged),
		cmocka_unit_test(the_monitor_trap_flag_can_be_hidden),
		IN(play_good_vmcs, the_host_state_area_is_judged_by_hv),
		IN(play_good_vmcs, pat_and_efer_are_judged_only_if_they_are_loaded),
		IN(play_good_vmcs, outcomes_come_in_the_order_of_the_manual),
		IN(play_good_vmcs, link_pointers_are_judged_by_hv),
	};

	return cmocka_run_group_tests_name("hv/nested/entry_check", tests, NULL, NULL);
}
