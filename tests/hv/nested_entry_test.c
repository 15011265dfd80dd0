#include "hv/ept.h"
#include "hv/mem.h"
#include "hv/nested/vmcs02.h"
#include "tests/hv/nested_play.h"

#define NOT_CANONICAL 0x8000000000000000
#define TOO_WIDE      BIT(STUB_PHYS_WIDTH)

/* One change to a good VMCS; F12 fields are set before in groups by @with. */
struct row {
	const char *name;
	u32 field;
	u64 value;
	u32 error; /* VM-instruction error; 0: the entry is tried */
};

static void add_controls(u32 field, u64 more)
{
	set12(field, get12(field) | more);
}

static void try_rows(const char *group, const struct row *rows, size_t count)
{
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
	}
	/* What was put back is good: so it was the row that failed. */
	play_enter(EXIT_VMLAUNCH);
	assert_row(group, cpu->nested.mode, NESTED_L2);
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
	assert_u64(vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS), SECONDARY_EPT | SECONDARY_VPID);
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
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS,
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
		{ "A/D, not shown", VMCS_EPT_POINTER, eptp | BIT(6), BAD_CONTROL },
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
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_TPR_SHADOW);
	set12(VMCS_TPR_THRESHOLD, 3);
	*vtpr = 0x2f;
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, BAD_CONTROL);
	*vtpr = 0x30;
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VIRTUAL_APIC_ADDRESS), PLAY_PAGE);
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
		{ "MTF, not shown", 0x80000700, 0, 0, false },
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
	add_controls(VMCS_VM_EXIT_CONTROLS, EXIT_LOAD_PAT | EXIT_LOAD_EFER);
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

static void a_vmfail_moves_rip_and_an_entry_does_not(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RIP, PLAY_CODE);
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_CODE + 3);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_L2_RIP);
	assert_u64(stub_vmcs_get_of(cpu->vmcs01.pa, VMCS_GUEST_RIP), PLAY_CODE + 3);
}

static void the_tape_tells_an_entry_when_it_is_known(void **state)
{
	const struct ev_vmlaunch *launch;
	const struct ev_l2_entry *entry;
	u64 value;

	(void)state;
	set12(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0x80000030);
	play_event_count = 0;
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(play_event_count, 0);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_int_equal(play_event_count, 3);
	assert_int_equal(play_events[0].kind, EV_VMLAUNCH);
	assert_int_equal(play_events[0].level, 1);
	launch = (const struct ev_vmlaunch *)play_events[0].col;
	assert_u64(launch->outcome, OUTCOME_SUCCEED);
	assert_u64(launch->launched, 0);
	assert_int_equal(play_events[1].kind, EV_L2_ENTRY);
	assert_int_equal(play_events[1].level, 2);
	assert_u64(play_events[1].rip, PLAY_L2_RIP);
	entry = (const struct ev_l2_entry *)play_events[1].col;
	assert_u64(entry->injected, 0x80000030);
	assert_u64(entry->vmcs, PLAY_VMCS);
	assert_true(event_item(&play_events[1], ITEM_LAUNCHED, &value));
	assert_u64(value, 1);
	assert_int_equal(play_events[2].kind, EV_L2_EXIT);
	assert_int_equal(play_events[2].level, 2);

	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_int_equal(play_events[3].kind, EV_VMRESUME);
	assert_u64(((const struct ev_vmresume *)play_events[3].col)->launched, 1);
	assert_false(event_item(&play_events[4], ITEM_LAUNCHED, &value));
}

static void an_entry_is_told_once(void **state)
{
	(void)state;
	play_event_count = 0;
	for (u64 i = 0; i < 3; i++) {
		stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, i << 12);
		stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
	}
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_int_equal(play_event_count, 2);
}

static void the_next_entry_tells_the_registers_that_the_exit_asked_for(void **state)
{
	u64 value;

	(void)state;
	stub_exit(cpu, EXIT_CPUID, 0);
	cpu->regs[REG_RAX] = 0x1234;
	cpu->regs[REG_RSI] = 0x5678;
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(event_item(event_of(EV_L2_ENTRY), ITEM_REG + REG_RAX, &value));
	assert_u64(value, 0x1234);
	assert_false(event_item(event_of(EV_L2_ENTRY), ITEM_REG + REG_RSI, &value));
}

static void a_refusal_by_the_processor_goes_to_l1_and_is_told(void **state)
{
	u64 flags;

	(void)state;
	vmwrite(VMCS_GUEST_RIP, PLAY_CODE);
	play_enter(EXIT_VMLAUNCH);
	stub_vmcs_set(VMCS_VM_INSTRUCTION_ERROR, VMERR_ENTRY_HOST_STATE);
	exit_entry_failed(cpu, 0x42);
	assert_int_equal(cpu->nested.mode, NESTED_ROOT);
	assert_ptr_equal(cpu->hw, &cpu->vmcs01);
	assert_int_equal(last_event()->kind, EV_VMLAUNCH);
	assert_u64(insn()->outcome, OUTCOME_FAIL_VALID);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	assert_non_null(event_of(EV_HV_BUG));
	assert_u64(event_of(EV_HV_BUG)->col[1], VMERR_ENTRY_HOST_STATE);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_CODE + 3);
	flags = vmread(VMCS_GUEST_RFLAGS) & PLAY_RFLAGS_BITS;
	assert_u64(flags, BIT(6));
	assert_false(cpu->nested.current->launched);
}

static void vmcs02_has_l1s_guest_state_as_it_is(void **state)
{
	(void)state;
	set12(VMCS_GUEST_CR0, 0x12345678);
	set12(VMCS_GUEST_CR4, 0xdeadbeef);
	set12(VMCS_GUEST_CS_SELECTOR, 0x1234);
	set12(VMCS_GUEST_TR_BASE, NOT_CANONICAL);
	set12(VMCS_GUEST_ACTIVITY_STATE, 77);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_GUEST_CR0), 0x12345678);
	assert_u64(vmread(VMCS_GUEST_CR4), 0xdeadbeef);
	assert_u64(vmread(VMCS_GUEST_CS_SELECTOR), 0x1234);
	assert_u64(vmread(VMCS_GUEST_TR_BASE), NOT_CANONICAL);
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), 77);
	assert_u64(vmread(VMCS_VMCS_LINK_POINTER), ~0ull);
}

static void only_changed_fields_are_written_to_vmcs02_again(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_GUEST_RIP, 0x7777);
	/* What L1 did not write is not looked at: this would be seen otherwise. */
	cpu->nested.current->field[VMCS_IX_GUEST_RSP] = 0x8888;
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x7777);
	assert_u64(vmread(VMCS_GUEST_RSP), 0);
}

static void state_that_l1_does_not_load_is_l1s_own(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	vmwrite(VMCS_GUEST_IA32_PAT, 0x0101010101010101);
	vmwrite(VMCS_GUEST_IA32_EFER, 0xd01);
	vmwrite(VMCS_GUEST_DR7, 0x455);
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, 1);
	set12(VMCS_VM_ENTRY_CONTROLS,
	      get12(VMCS_VM_ENTRY_CONTROLS) &
		      ~(u64)(ENTRY_LOAD_PAT | ENTRY_LOAD_EFER | ENTRY_LOAD_DEBUG_CONTROLS));
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_IA32_PAT), 0x0101010101010101);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0xd01);
	if (!(must_be_1(VMX_WORD_ENTRY) & ENTRY_LOAD_DEBUG_CONTROLS)) {
		assert_u64(vmread(VMCS_GUEST_DR7), 0x455);
		assert_u64(vmread(VMCS_GUEST_IA32_DEBUGCTL), 1);
	}
	stub_exit(cpu, EXIT_HLT, 0);
	add_controls(VMCS_VM_ENTRY_CONTROLS, ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_IA32_PAT), 0x0007040600070406);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0x500);
	assert_true(vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_LOAD_EFER);
}

static void l2_never_gets_pages_of_hvs(void **state)
{
	const u64 hv = PLAY_MEMORY - MIB(1);

	(void)state;
	set12(VMCS_VIRTUAL_APIC_ADDRESS, hv);
	set12(VMCS_APIC_ACCESS_ADDRESS, hv);
	set12(VMCS_MSR_BITMAP, hv);
	set12(VMCS_IO_BITMAP_A, hv);
	set12(VMCS_IO_BITMAP_B, hv);
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS,
		     PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAPS | PRIMARY_IO_BITMAPS);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_VIRTUALIZE_APIC_ACCESSES);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VIRTUAL_APIC_ADDRESS), virt_to_phys(cpu->nested.dummy));
	assert_u64(vmread(VMCS_APIC_ACCESS_ADDRESS), virt_to_phys(cpu->nested.dummy));
	/* What nothing answers reads as ones: everything exits. */
	assert_u64(vmread(VMCS_MSR_BITMAP), virt_to_phys(cpu->nested.msr_bitmap));
	assert_u64(cpu->nested.msr_bitmap[511], ~0ull);
	assert_u64(cpu->nested.io_bitmap[1023], ~0ull);
}

static void bitmaps_are_merged_with_what_hv_wants(void **state)
{
	u8 *l1 = stub_at(PLAY_PAGE);

	(void)state;
	l1[0] = 0x55;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(((u8 *)cpu->nested.msr_bitmap)[0], 0x55 | vmcs01_msr_bitmap()[0]);
	/* IA32_FEATURE_CONTROL is hv's. */
	assert_true(((u8 *)cpu->nested.msr_bitmap)[MSR_FEATURE_CONTROL / 8] &
		    1 << MSR_FEATURE_CONTROL % 8);
	assert_int_equal(((u8 *)stub_at(PLAY_PAGE))[MSR_FEATURE_CONTROL / 8], 0);
	/* L1 may change its page without telling. */
	stub_exit(cpu, EXIT_HLT, 0);
	l1[0] = 0xaa;
	play_enter(EXIT_VMRESUME);
	assert_int_equal(((u8 *)cpu->nested.msr_bitmap)[0], 0xaa | vmcs01_msr_bitmap()[0]);
}

static void ports_exit_as_l1_and_hv_want(void **state)
{
	(void)state;
	play_enter(EXIT_VMLAUNCH);
	assert_true(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_IO_BITMAPS);
	assert_u64(vmread(VMCS_IO_BITMAP_A), virt_to_phys(vmcs01_io_bitmap()));
	stub_exit(cpu, EXIT_HLT, 0);
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_UNCONDITIONAL_IO_EXITING);
	play_enter(EXIT_VMRESUME);
	assert_false(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_IO_BITMAPS);
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_IO_BITMAP_A, PLAY_PAGE);
	set12(VMCS_IO_BITMAP_B, PLAY_PAGE + 0x1000);
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_IO_BITMAPS);
	*(u8 *)stub_at(PLAY_PAGE + 0x1000) = 0x81;
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_IO_BITMAP_A), virt_to_phys(cpu->nested.io_bitmap));
	assert_u64(vmread(VMCS_IO_BITMAP_B), virt_to_phys(cpu->nested.io_bitmap) + PAGE_SIZE);
	assert_int_equal(((u8 *)cpu->nested.io_bitmap)[4096], 0x81);
}

static void nmis_always_come_to_hv(void **state)
{
	const u64 both = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
	static const struct {
		const char *name;
		u64 pin12, pin02;
	} rows[] = {
		{ "L1 leaves them to L2", 0, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS },
		{ "L1 takes them", PIN_NMI_EXITING, PIN_NMI_EXITING },
		{ "L1 virtualizes them", PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
		  PIN_NMI_EXITING | PIN_VIRTUAL_NMIS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set12(VMCS_PIN_BASED_CONTROLS, must_be_1(VMX_WORD_PIN) | rows[i].pin12);
		play_enter(i ? EXIT_VMRESUME : EXIT_VMLAUNCH);
		assert_row(rows[i].name, vmread(VMCS_PIN_BASED_CONTROLS) & both, rows[i].pin02);
		stub_exit(cpu, EXIT_HLT, 0);
	}
}

static unsigned vpid_flushes(u64 vpid)
{
	unsigned count = 0;

	for (unsigned i = 0; i < stub_cpu.invalidation_count; i++)
		count += stub_cpu.invalidations[i].what == 'v' &&
			 stub_cpu.invalidations[i].low == vpid;
	stub_cpu.invalidation_count = 0;
	return count;
}

static void translations_of_l2_survive_as_long_as_its_vpid(void **state)
{
	(void)state;
	vpid_flushes(0);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(vpid_flushes(VPID_L2), 1); /* VPID 5 is new */
	stub_exit(cpu, EXIT_HLT, 0);
	assert_int_equal(vpid_flushes(VPID_L1), 0);
	play_enter(EXIT_VMRESUME);
	assert_int_equal(vpid_flushes(VPID_L2), 0);
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_VPID, 6);
	play_enter(EXIT_VMRESUME);
	assert_int_equal(vpid_flushes(VPID_L2), 1);
	stub_exit(cpu, EXIT_HLT, 0);

	play_invalidate(EXIT_INVVPID, INVVPID_SINGLE_CONTEXT, 5, 0);
	assert_int_equal(vpid_flushes(VPID_L2), 0);
	play_invalidate(EXIT_INVVPID, INVVPID_SINGLE_CONTEXT, 6, 0);
	assert_int_equal(vpid_flushes(VPID_L2), 1);
	play_invalidate(EXIT_INVVPID, INVVPID_ADDRESS, 6, 0x1000);
	assert_int_equal(vpid_flushes(VPID_L2), 1);
	play_invalidate(EXIT_INVVPID, INVVPID_ALL_CONTEXT, 0, 0);
	assert_int_equal(vpid_flushes(VPID_L2), 1);
}

static void without_vpid_entries_and_exits_drop_translations(void **state)
{
	(void)state;
	vpid_flushes(0);
	for (unsigned i = 0; i < 2; i++) {
		play_enter(i ? EXIT_VMRESUME : EXIT_VMLAUNCH);
		assert_int_equal(vpid_flushes(VPID_L2), 1);
		stub_exit(cpu, EXIT_HLT, 0);
		assert_int_equal(vpid_flushes(VPID_L1), 1);
	}
}

static void pae_l2_without_ept_gets_its_pdptes_from_memory(void **state)
{
	u64 *pdpt = stub_at(PLAY_PAGE + 0x20);
	u64 value;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		pdpt[i] = (PLAY_PAGE + 0x1000 * i) | 1;
	set12(VMCS_GUEST_CR3, PLAY_PAGE + 0x20);
	set12(VMCS_VM_ENTRY_CONTROLS, must_be_1(VMX_WORD_ENTRY));
	pdpt[2] |= BIT(1);
	play_enter(EXIT_VMLAUNCH);
	assert_true(l1_got(EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 2);
	pdpt[2] = 2; /* not present: anything goes */
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_GUEST_PDPTE0), pdpt[0]);
	assert_u64(vmread(VMCS_GUEST_PDPTE3), pdpt[3]);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(event_item(event_of(EV_L2_ENTRY), ITEM_PDPTE + 2, &value));
	assert_u64(value, 2);
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

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

static void msr_lists_load_in_order_and_stop_at_the_first_bad_one(void **state)
{
	static const struct {
		const char *name;
		struct msr_entry entry;
		bool ok;
	} rows[] = {
		{ "STAR", { MSR_STAR, 0, 5 }, true },
		{ "reserved bits", { MSR_STAR, 1, 5 }, false },
		{ "FS base", { MSR_FS_BASE, 0, 0 }, false },
		{ "GS base", { MSR_GS_BASE, 0, 0 }, false },
		{ "x2APIC", { 0x808, 0, 0 }, false },
		{ "SMM monitor", { MSR_SMM_MONITOR_CTL, 0, 0 }, false },
		{ "unknown", { 0x4000, 0, 0 }, false },
		{ "capability", { MSR_VMX_BASIC, 0, 0 }, false },
		{ "PAT", { MSR_PAT, 0, 0x0606060606060606 }, true },
		{ "bad PAT", { MSR_PAT, 0, 2 }, false },
		{ "EFER, same LME", { MSR_EFER, 0, 0xd01 }, true },
		{ "EFER, LME changes", { MSR_EFER, 0, 1 }, false },
		{ "EFER, reserved", { MSR_EFER, 0, 0xd03 }, false },
		{ "SYSENTER_EIP", { MSR_SYSENTER_EIP, 0, 0x1234 }, true },
		{ "SYSENTER_EIP, not canonical", { MSR_SYSENTER_EIP, 0, NOT_CANONICAL }, false },
	};
	struct msr_entry *list = stub_at(PLAY_PAGE);

	(void)state;
	add_controls(VMCS_VM_ENTRY_CONTROLS, ENTRY_LOAD_EFER);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		list[0] = (struct msr_entry){ MSR_LSTAR, 0, i };
		list[1] = rows[i].entry;
		cpu->nested.current->launched = false;
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, stub_msr(MSR_LSTAR), i);
		if (rows[i].ok) {
			assert_row(rows[i].name, cpu->nested.mode, NESTED_L2);
			stub_exit(cpu, EXIT_HLT, 0);
			continue;
		}
		assert_true(l1_got(EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE));
		assert_row(rows[i].name, get12(VMCS_EXIT_QUALIFICATION), 2);
		assert_row(rows[i].name, cpu->nested.current->launched, 0);
	}
}

static void msrs_of_the_guest_state_are_loaded_into_vmcs02(void **state)
{
	struct msr_entry *list = stub_at(PLAY_PAGE);
	u64 value;

	(void)state;
	list[0] = (struct msr_entry){ MSR_SYSENTER_CS, 0, 0x77 };
	list[1] = (struct msr_entry){ MSR_PAT, 0, 0x0404040404040404 };
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(vmread(VMCS_GUEST_IA32_SYSENTER_CS), 0x77);
	assert_u64(vmread(VMCS_GUEST_IA32_PAT), 0x0404040404040404);
	assert_u64(stub_msr(MSR_SYSENTER_CS), 0);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_IA32_SYSENTER_CS), 0x77);
	assert_true(event_item(event_of(EV_L2_ENTRY), ITEM_MSR_LOAD + 2, &value));
	assert_u64(value, MSR_PAT);
	assert_true(event_item(event_of(EV_L2_ENTRY), ITEM_MSR_LOAD + 3, &value));
	assert_u64(value, 0x0404040404040404);
}

static void lists_longer_than_shown_fail_behind_the_maximum(void **state)
{
	struct msr_entry *list = stub_at(PLAY_PAGE);

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		list[i] = (struct msr_entry){ MSR_STAR, 0, i };
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 600);
	play_enter(EXIT_VMLAUNCH);
	assert_true(l1_got(EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 513);
}

#define IN(state, test) cmocka_unit_test_setup(test, state)

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
		IN(play_good_vmcs, injected_events_are_judged),
		IN(play_good_vmcs, the_host_state_area_is_judged_by_hv),
		IN(play_good_vmcs, pat_and_efer_are_judged_only_if_they_are_loaded),
		IN(play_good_vmcs, outcomes_come_in_the_order_of_the_manual),
		IN(play_good_vmcs, a_vmfail_moves_rip_and_an_entry_does_not),
		IN(play_good_vmcs, the_tape_tells_an_entry_when_it_is_known),
		IN(play_l2_with_ept, an_entry_is_told_once),
		IN(play_l2, the_next_entry_tells_the_registers_that_the_exit_asked_for),
		IN(play_good_vmcs, a_refusal_by_the_processor_goes_to_l1_and_is_told),
		IN(play_good_vmcs, vmcs02_has_l1s_guest_state_as_it_is),
		IN(play_l2, only_changed_fields_are_written_to_vmcs02_again),
		IN(play_l2, state_that_l1_does_not_load_is_l1s_own),
		IN(play_good_vmcs, l2_never_gets_pages_of_hvs),
		IN(play_good_vmcs, bitmaps_are_merged_with_what_hv_wants),
		IN(play_good_vmcs, ports_exit_as_l1_and_hv_want),
		IN(play_good_vmcs, nmis_always_come_to_hv),
		IN(play_good_ept_vmcs, translations_of_l2_survive_as_long_as_its_vpid),
		IN(play_good_vmcs, without_vpid_entries_and_exits_drop_translations),
		IN(play_good_vmcs, pae_l2_without_ept_gets_its_pdptes_from_memory),
		IN(play_good_vmcs, link_pointers_are_judged_by_hv),
		IN(play_good_vmcs, msr_lists_load_in_order_and_stop_at_the_first_bad_one),
		IN(play_good_vmcs, msrs_of_the_guest_state_are_loaded_into_vmcs02),
		IN(play_good_vmcs, lists_longer_than_shown_fail_behind_the_maximum),
	};

	return cmocka_run_group_tests_name("hv/nested: VM entries", tests, NULL, NULL);
}
