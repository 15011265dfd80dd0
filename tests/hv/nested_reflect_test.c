#include "tests/hv/nested_play.h"

#define INFO_VALID BIT(31)

static void exits_save_the_state_of_l2(void **state)
{
	static const struct {
		u32 field;
		u64 value;
	} rows[] = {
		{ VMCS_GUEST_CR0, 0x80000033 },
		{ VMCS_GUEST_CR3, 0x12345000 },
		{ VMCS_GUEST_CR4, 0x26a0 },
		{ VMCS_GUEST_RSP, 0x7777 },
		{ VMCS_GUEST_RFLAGS, 0x246 },
		{ VMCS_GUEST_ES_SELECTOR, 0x1b },
		{ VMCS_GUEST_TR_SELECTOR, 0x28 },
		{ VMCS_GUEST_FS_BASE, 0xffff888800000000 },
		{ VMCS_GUEST_LDTR_LIMIT, 0x1234 },
		{ VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3 },
		{ VMCS_GUEST_GDTR_BASE, 0x99990000 },
		{ VMCS_GUEST_IDTR_LIMIT, 0xfff },
		{ VMCS_GUEST_INTERRUPTIBILITY_STATE, 1 },
		{ VMCS_GUEST_ACTIVITY_STATE, 1 },
		{ VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0x4000 },
	};
	u64 value;

	(void)state;
	stub_exit(cpu, EXIT_LDTR_TR, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		stub_vmcs_set(rows[i].field, rows[i].value);
	stub_exit(cpu, EXIT_INTERRUPT_WINDOW, 0);
	assert_true(l1_got(EXIT_INTERRUPT_WINDOW));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *name = field_name(rows[i].field);

		assert_row(name, get12(rows[i].field), rows[i].value);
		assert_row(name, event_item(last_event(), rows[i].field, &value), true);
		assert_row(name, value, rows[i].value);
	}
	/* What did not change is on the tape once. */
	assert_true(event_item(last_event(), VMCS_GUEST_DS_BASE, &value));
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(l1_got(EXIT_HLT));
	assert_false(event_item(last_event(), VMCS_GUEST_DS_BASE, &value));
}

/* SDM, "Saving Segment Registers and Descriptor-Table Registers". */
static void what_is_undefined_of_an_unusable_segment_is_not_looked_at(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMRESUME);
	stub_vmcs_set(VMCS_GUEST_DS_ACCESS_RIGHTS, BIT(16));
	stub_vmcs_set(VMCS_GUEST_FS_ACCESS_RIGHTS, BIT(16));
	for (u32 field = VMCS_GUEST_ES_SELECTOR; field <= VMCS_GUEST_GS_SELECTOR; field += 2) {
		const u32 offset = field - VMCS_GUEST_ES_SELECTOR;

		stub_vmcs_set(field, 0x33);
		stub_vmcs_set(VMCS_GUEST_ES_BASE + offset, 0x1000);
		stub_vmcs_set(VMCS_GUEST_ES_LIMIT + offset, 0x2000);
	}
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_DS_SELECTOR), 0x33);
	assert_u64(get12(VMCS_GUEST_DS_ACCESS_RIGHTS), BIT(16));
	assert_u64(get12(VMCS_GUEST_DS_BASE), 0);
	assert_u64(get12(VMCS_GUEST_DS_LIMIT), 0);
	assert_u64(get12(VMCS_GUEST_FS_BASE), 0x1000);
	assert_u64(get12(VMCS_GUEST_FS_LIMIT), 0);
	assert_u64(get12(VMCS_GUEST_SS_BASE), 0x1000);
	assert_u64(get12(VMCS_GUEST_SS_LIMIT), 0x2000);
	/* But what L1 could read is what L2 gets, where L1 makes it usable. */
	set12(VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc093);
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_DS_BASE), 0);
	assert_u64(vmread(VMCS_GUEST_DS_LIMIT), 0);
	assert_u64(vmread(VMCS_GUEST_FS_LIMIT), 0x2000);
}

static void msrs_that_l2_can_write_by_itself_are_saved(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	play_give_msrs();
	set12(VMCS_VM_EXIT_CONTROLS, get12(VMCS_VM_EXIT_CONTROLS) | EXIT_SAVE_PAT);
	play_enter(EXIT_VMRESUME);
	/* Without having been let: nobody looks. */
	stub_vmcs_set(VMCS_GUEST_IA32_SYSENTER_ESP, 0x1111);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_IA32_SYSENTER_ESP), 0);

	play_enter(EXIT_VMRESUME);
	play_l2_writes_msrs();
	stub_vmcs_set(VMCS_GUEST_IA32_SYSENTER_ESP, 0x2222);
	stub_vmcs_set(VMCS_GUEST_IA32_PAT, 0x0707070707070707);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_IA32_SYSENTER_ESP), 0x2222);
	assert_u64(get12(VMCS_GUEST_IA32_PAT), 0x0707070707070707);
}

static void the_resume_flag_of_an_exit_that_hv_makes_is_l2s(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_EXCEPTION_BITMAP, BIT(13));
	play_enter(EXIT_VMRESUME);
	assert_true(nested_takes_exception(cpu, 13, true, 0, 0));
	assert_true(get12(VMCS_GUEST_RFLAGS) & BIT(16));
	play_enter(EXIT_VMRESUME);
	assert_true(vmread(VMCS_GUEST_RFLAGS) & BIT(16));
}

/* SDM, "Saving Non-Register State". */
static void exits_by_instructions_leave_debug_exceptions_that_mov_ss_blocks(void **state)
{
	static const struct {
		const char *name;
		u32 reason;
		u64 blocking, rflags, saved;
	} rows[] = {
		{ "an instruction", EXIT_CPUID, 0, 2, 0 },
		{ "behind STI", EXIT_CPUID, 1, 0x202, 0 },
		{ "behind MOV SS", EXIT_CPUID, 2, 2, 0x4001 },
		/* Bochs saves it, and an entry must find it. */
		{ "a single step", EXIT_CPUID, 0, 0x102, 0x4001 },
		{ "no instruction", EXIT_MONITOR_TRAP_FLAG, 0, 2, 0x4001 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_exit(cpu, EXIT_HLT, 0);
		set12(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
		play_enter(EXIT_VMRESUME);
		stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, rows[i].blocking);
		stub_vmcs_set(VMCS_GUEST_RFLAGS, rows[i].rflags);
		stub_vmcs_set(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0x4001);
		stub_exit(cpu, rows[i].reason, 0);
		assert_row(rows[i].name, get12(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), rows[i].saved);
		set12(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
		set12(VMCS_GUEST_RFLAGS, 2);
		play_enter(EXIT_VMRESUME);
	}
}

static void exits_tell_what_happened(void **state)
{
	const struct ev_l2_exit *event;
	u64 value;

	(void)state;
	cpu->regs[REG_RAX] = 0xaaaa;
	cpu->regs[REG_RCX] = 0xcccc;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(l1_got(EXIT_CPUID));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 0);
	assert_u64(get12(VMCS_VM_EXIT_INSTRUCTION_LENGTH), 3);
	assert_u64(get12(VMCS_VM_EXIT_INTERRUPTION_INFO) & INFO_VALID, 0);
	event = (const struct ev_l2_exit *)last_event()->col;
	assert_u64(event->vmcs, PLAY_VMCS);
	assert_u64(event->hidden_exits, 0);
	assert_u64(last_event()->rip, PLAY_L2_RIP);
	/* The registers that exits.def names for CPUID, and no other. */
	assert_true(event_item(last_event(), ITEM_REG + REG_RAX, &value));
	assert_u64(value, 0xaaaa);
	assert_true(event_item(last_event(), ITEM_REG + REG_RCX, &value));
	assert_u64(value, 0xcccc);
	assert_false(event_item(last_event(), ITEM_REG + REG_RBX, &value));
}

static void exits_tell_the_details_that_are_defined_for_them(void **state)
{
	static const struct {
		const char *name;
		u32 reason;
		bool vectoring, details;
	} rows[] = {
		{ "APIC access", EXIT_APIC_ACCESS, true, true },
		{ "CPUID", EXIT_CPUID, false, false },
		{ "INVPCID", EXIT_INVPCID, false, true },
		{ "task switch", EXIT_TASK_SWITCH, true, true },
		{ "interrupt window", EXIT_INTERRUPT_WINDOW, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 n = i + 1;

		if (i)
			play_enter(EXIT_VMRESUME);
		F12(cpu->nested.current, VM_EXIT_INSTRUCTION_INFO) = 0;
		F12(cpu->nested.current, GUEST_LINEAR_ADDRESS) = 0;
		F12(cpu->nested.current, IDT_VECTORING_ERROR_CODE) = 0;
		stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, n);
		stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, n);
		/* Instructions leave no valid event behind. */
		stub_vmcs_set(VMCS_IDT_VECTORING_INFO, rows[i].vectoring ? 0x80000b0e : 0xb0e);
		stub_vmcs_set(VMCS_IDT_VECTORING_ERROR_CODE, n);
		stub_exit(cpu, rows[i].reason, 0);
		assert_row(rows[i].name, get12(VMCS_VM_EXIT_INSTRUCTION_INFO),
			   rows[i].details ? n : 0);
		assert_row(rows[i].name, get12(VMCS_GUEST_LINEAR_ADDRESS), rows[i].details ? n : 0);
		assert_row(rows[i].name, get12(VMCS_IDT_VECTORING_INFO),
			   rows[i].vectoring ? 0x80000b0e : 0);
		assert_row(rows[i].name, get12(VMCS_IDT_VECTORING_ERROR_CODE),
			   rows[i].vectoring ? n : 0);
	}
}

static void exits_load_the_host_state_into_vmcs01(void **state)
{
	static const struct {
		u32 field;
		u64 value;
	} rows[] = {
		{ VMCS_GUEST_CR3, PLAY_TABLES },
		{ VMCS_GUEST_RIP, PLAY_HOST_RIP },
		{ VMCS_GUEST_RSP, 0x109000 },
		{ VMCS_GUEST_RFLAGS, 2 },
		{ VMCS_GUEST_CS_SELECTOR, 0x10 },
		{ VMCS_GUEST_SS_SELECTOR, 0x18 },
		{ VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc093 },
		{ VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc093 },
		{ VMCS_GUEST_ES_SELECTOR, 0 },
		{ VMCS_GUEST_FS_BASE, 0x1111 },
		{ VMCS_GUEST_GS_BASE, 0xffff800000002222 },
		{ VMCS_GUEST_LDTR_SELECTOR, 0 },
		{ VMCS_GUEST_TR_SELECTOR, 0x20 },
		{ VMCS_GUEST_TR_BASE, 0x3333 },
		{ VMCS_GUEST_TR_LIMIT, 0x67 },
		{ VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b },
		{ VMCS_GUEST_GDTR_BASE, 0x4444 },
		{ VMCS_GUEST_GDTR_LIMIT, 0xffff },
		{ VMCS_GUEST_IDTR_BASE, 0x5555 },
		{ VMCS_GUEST_IDTR_LIMIT, 0xffff },
		{ VMCS_GUEST_DR7, 0x400 },
		{ VMCS_GUEST_IA32_DEBUGCTL, 0 },
		{ VMCS_GUEST_ACTIVITY_STATE, 0 },
		{ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 },
		{ VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		stub_vmcs_set_of(cpu->vmcs01.pa, rows[i].field, 0x5a);
	/* L1 was like this when it entered, and it ran. */
	cpu->nested.left01 = (struct left01){
		.cr3 = 0x5a,
		.blocking = 0x5a,
		.rflags = 0x15a,
		.ss_rights = 0x5a,
	};
	stub_vmcs_set_of(cpu->vmcs01.pa, VMCS_GUEST_ACTIVITY_STATE, 0);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_ptr_equal(cpu->hw, &cpu->vmcs01);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(field_name(rows[i].field), vmread(rows[i].field), rows[i].value);
	assert_true(vmread(VMCS_GUEST_LDTR_ACCESS_RIGHTS) & BIT(16));
	assert_true(vmread(VMCS_GUEST_ES_ACCESS_RIGHTS) & BIT(16));
	assert_true(vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
	assert_u64(vmcs01_visible_cr0(), vmread(VMCS_GUEST_CR0));
	assert_u64(vmcs01_visible_cr4(), 0x2020);
}

static bool watches_l1(void)
{
	return vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS) & SECONDARY_DESCRIPTOR_TABLE_EXITING;
}

/* L1 has 0x5a in a field of VMCS01, L2 runs and exits: whether the host state took its place. */
static bool is_loaded(u32 field)
{
	vmwrite(field, 0x5a);
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	return vmread(field) != 0x5a;
}

static void what_l1_can_not_have_changed_is_not_loaded(void **state)
{
	static const u32 kept[] = { VMCS_GUEST_CR0,	      VMCS_GUEST_CR4,
				    VMCS_GUEST_DR7,	      VMCS_GUEST_TR_BASE,
				    VMCS_GUEST_LDTR_SELECTOR, VMCS_GUEST_GDTR_LIMIT,
				    VMCS_GUEST_IDTR_BASE,     VMCS_GUEST_IA32_SYSENTER_ESP,
				    VMCS_GUEST_IA32_DEBUGCTL };

	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(watches_l1());
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_row(field_name(kept[i]), is_loaded(kept[i]), false);
	assert_true(is_loaded(VMCS_GUEST_CS_SELECTOR));
	assert_true(is_loaded(VMCS_GUEST_DS_LIMIT));
	/* PAT is that of L2 where L1 loads none. */
	play_give_msrs();
	play_enter(EXIT_VMRESUME);
	play_l2_writes_msrs();
	stub_vmcs_set(VMCS_GUEST_IA32_PAT, 0x0101010101010101);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(vmread(VMCS_GUEST_IA32_PAT), 0x0101010101010101);

	/* But with another host state, and after a list that may have loaded any MSR. */
	set12(VMCS_HOST_TR_BASE, 0x7000);
	assert_true(is_loaded(VMCS_GUEST_TR_BASE));
	assert_u64(vmread(VMCS_GUEST_TR_BASE), 0x7000);
	assert_false(is_loaded(VMCS_GUEST_TR_BASE));
	set12(VMCS_VM_EXIT_MSR_LOAD_COUNT, 1);
	set12(VMCS_VM_EXIT_MSR_LOAD_ADDRESS, PLAY_PAGE);
	*(u32 *)stub_at(PLAY_PAGE) = MSR_STAR;
	assert_false(is_loaded(VMCS_GUEST_IA32_SYSENTER_EIP));
	assert_true(is_loaded(VMCS_GUEST_IA32_SYSENTER_EIP));
	assert_false(is_loaded(VMCS_GUEST_TR_BASE));
}

static void what_l1_sees_of_its_registers_is_what_the_exit_loaded(void **state)
{
	const u64 cr0 = 0x80010033, cr4 = 0x26a0;

	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(vmread(VMCS_CR0_GUEST_HOST_MASK), ~0ull);
	set12(VMCS_HOST_CR0, cr0);
	set12(VMCS_HOST_CR4, cr4);
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(vmread(VMCS_GUEST_CR0), cr0);
	assert_u64(vmread(VMCS_CR0_READ_SHADOW), cr0);
	assert_u64(vmread(VMCS_GUEST_CR4), cr4);
	assert_u64(vmread(VMCS_CR4_READ_SHADOW), cr4);
	assert_u64(vmread(VMCS_CR4_GUEST_HOST_MASK), ~0ull);
	/* A write of L1 finds what only hv's own needs ask for. */
	stub_exit(cpu, EXIT_CR_ACCESS, 4);
	assert_u64(vmread(VMCS_CR0_GUEST_HOST_MASK), OWNED_CR0 | CR0_PE | CR0_PG);
	assert_u64(vmread(VMCS_CR4_GUEST_HOST_MASK), OWNED_CR4);
	assert_u64(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MOV_DR_EXITING, 0);
}

static void vmxoff_ends_what_was_asked_for_the_sake_of_l2(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	stub_exit(cpu, EXIT_VMXOFF, 0);
	assert_int_equal(cpu->nested.mode, NESTED_OFF);
	assert_u64(vmread(VMCS_CR0_GUEST_HOST_MASK), OWNED_CR0);
	assert_u64(vmread(VMCS_CR4_GUEST_HOST_MASK), OWNED_CR4);
	assert_u64(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MOV_DR_EXITING, 0);
}

static void what_l1_changes_is_loaded(void **state)
{
	static const struct {
		const char *name;
		u32 reason, msr;
		u32 field, other; /* one that it may change, and one that it does not */
	} rows[] = {
		{ "MOV to CR0", EXIT_CR_ACCESS, 0, VMCS_GUEST_CR4, VMCS_GUEST_TR_BASE },
		{ "MOV DR", EXIT_DR_ACCESS, 0, VMCS_GUEST_DR7, VMCS_GUEST_IA32_DEBUGCTL },
		{ "LGDT", EXIT_GDTR_IDTR, 0, VMCS_GUEST_TR_BASE, VMCS_GUEST_IA32_SYSENTER_EIP },
		{ "LTR", EXIT_LDTR_TR, 0, VMCS_GUEST_GDTR_BASE, VMCS_GUEST_IA32_DEBUGCTL },
		{ "WRMSR of SYSENTER_CS", EXIT_WRMSR, MSR_SYSENTER_CS, VMCS_GUEST_IA32_SYSENTER_EIP,
		  VMCS_GUEST_TR_BASE },
		{ "WRMSR of EFER", EXIT_WRMSR, MSR_EFER, VMCS_GUEST_IA32_SYSENTER_EIP,
		  VMCS_GUEST_TR_BASE },
		{ "WRMSR of PAT", EXIT_WRMSR, MSR_PAT, VMCS_GUEST_IA32_DEBUGCTL,
		  VMCS_GUEST_IDTR_LIMIT },
	};

	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_row(rows[i].name, watches_l1(), true);
		vmwrite(VMCS_GUEST_RIP, PLAY_CODE);
		cpu->regs[REG_RCX] = rows[i].msr;
		stub_exit(cpu, rows[i].reason, 0);
		/* L1 executes it again, and hv does not see that. */
		assert_row(rows[i].name, vmread(VMCS_GUEST_RIP), PLAY_CODE);
		assert_row(rows[i].name, watches_l1(),
			   rows[i].reason != EXIT_GDTR_IDTR && rows[i].reason != EXIT_LDTR_TR);
		for (unsigned exits = 0; exits < 63; exits++)
			assert_row(rows[i].name, is_loaded(rows[i].field), true);
		assert_row(rows[i].name, is_loaded(rows[i].other), false);
		assert_row(rows[i].name, is_loaded(rows[i].field), false);
	}
}

static void the_state_of_l1_at_an_entry_that_fails_early_is_that_of_this_entry(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	/* L1 has other page tables, which its host state does not name. */
	vmwrite(VMCS_GUEST_CR3, PLAY_TABLES + 0x8000);
	memcpy(stub_at(PLAY_TABLES + 0x8000), stub_at(PLAY_TABLES), 4096);
	set12(VMCS_VMCS_LINK_POINTER, 0x123);
	play_enter(EXIT_VMRESUME);
	assert_true(l1_got(EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_u64(vmread(VMCS_GUEST_CR3), PLAY_TABLES);
}

static void exits_write_only_what_l1_did_not_have_before(void **state)
{
	static const u32 fields[] = {
		VMCS_GUEST_CR3,
		VMCS_GUEST_IA32_EFER,
		VMCS_GUEST_IA32_PAT,
		VMCS_GUEST_RFLAGS,
		VMCS_GUEST_SS_ACCESS_RIGHTS,
		VMCS_GUEST_CS_BASE,
		VMCS_GUEST_CS_LIMIT,
		VMCS_GUEST_CS_ACCESS_RIGHTS,
		VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
	};

	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMRESUME);
	/* As the next exit can tell, these are what they are to be. */
	cpu->nested.left01.rflags = 2;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		stub_vmcs_set_of(cpu->vmcs01.pa, fields[i], 0x5a);
	stub_exit(cpu, EXIT_HLT, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		assert_row(field_name(fields[i]), vmread(fields[i]), 0x5a);
	vmwrite(VMCS_GUEST_CR3, PLAY_TABLES + 0x5000);
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0x1c093);
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 1);
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(vmread(VMCS_GUEST_CR3), PLAY_TABLES);
	assert_u64(vmread(VMCS_GUEST_SS_ACCESS_RIGHTS), 0xc093);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
}

static void exits_leave_some_bits_of_cr0_and_all_of_pat_alone(void **state)
{
	(void)state;
	stub_vmcs_set(VMCS_GUEST_CR0, 0xe0000033 | BIT(16));
	stub_vmcs_set(VMCS_GUEST_IA32_PAT, 0x0101010101010101);
	stub_vmcs_set(VMCS_GUEST_IA32_EFER, 0x801);
	stub_exit(cpu, EXIT_HLT, 0);
	/* CD, NW and ET of L2; the rest, WP too, from the host-state area. */
	assert_u64(vmread(VMCS_GUEST_CR0), 0xe0000031);
	assert_u64(vmread(VMCS_GUEST_IA32_PAT), 0x0101010101010101);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0xd01);
	/* Nor are they saved where L1 did not ask. */
	assert_u64(get12(VMCS_GUEST_IA32_PAT), 0x0007040600070406);
	assert_u64(get12(VMCS_GUEST_IA32_EFER), 0x500);
}

static void pat_and_efer_are_saved_and_loaded_on_demand(void **state)
{
	(void)state;
	set12(VMCS_VM_EXIT_CONTROLS, get12(VMCS_VM_EXIT_CONTROLS) | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
					     EXIT_SAVE_EFER | EXIT_LOAD_EFER);
	play_give_msrs();
	play_enter(EXIT_VMLAUNCH);
	play_l2_writes_msrs();
	stub_vmcs_set(VMCS_GUEST_IA32_PAT, 0x0101010101010101);
	stub_vmcs_set(VMCS_GUEST_IA32_EFER, 0xd01);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_IA32_PAT), 0x0101010101010101);
	assert_u64(get12(VMCS_GUEST_IA32_EFER), 0xd01);
	assert_u64(vmread(VMCS_GUEST_IA32_PAT), 0x0606060606060606);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0x501);
}

static void a_32_bit_host_gets_32_bit_state(void **state)
{
	u64 *pdpt = stub_at(PLAY_PAGE);

	(void)state;
	/* L1 in PAE paging. */
	for (unsigned i = 0; i < 4; i++)
		pdpt[i] = (PLAY_PAGE + 0x1000 * i) | 1;
	play_legacy_mode();
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	vmwrite(VMCS_VM_ENTRY_CONTROLS,
		vmread(VMCS_VM_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST);
	cpu->nested.current->field[VMCS_IX_VM_EXIT_CONTROLS] &= ~(u64)EXIT_HOST_ADDRESS_SPACE_SIZE;
	cpu->nested.current->field[VMCS_IX_VM_ENTRY_CONTROLS] &= ~(u64)ENTRY_IA32E_MODE_GUEST;
	cpu->nested.current->field[VMCS_IX_HOST_CR3] = PLAY_PAGE;
	cpu->nested.current->field[VMCS_IX_GUEST_CR4] = 0x2000;
	cpu->nested.current->field[VMCS_IX_GUEST_CR0] = 0x31;
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(l1_got(EXIT_HLT));
	assert_u64(vmread(VMCS_GUEST_CS_ACCESS_RIGHTS), 0xc09b);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER) & 0x500, 0);
	assert_false(vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
	assert_u64(vmread(VMCS_GUEST_PDPTE0), pdpt[0]);
	assert_u64(vmread(VMCS_GUEST_PDPTE3), pdpt[3]);

	/* Reserved bits in one of them: VMX abort 2, and the processor shuts down. */
	pdpt[1] |= BIT(2);
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(((struct vmcs12 *)stub_at(PLAY_VMCS))->abort, 2);
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), 2);
}

static void entry_failures_change_only_reason_and_qualification(void **state)
{
	u64 value;

	(void)state;
	set12(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0x80000030);
	play_enter(EXIT_VMLAUNCH);
	play_event_count = 0;
	stub_vmcs_set(VMCS_GUEST_RSP, 0x4321);
	stub_vmcs_set(VMCS_EXIT_REASON, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE);
	stub_vmcs_set(VMCS_EXIT_QUALIFICATION, 3);
	exit_dispatch(cpu);
	assert_true(l1_got(EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_int_equal(play_event_count, 2); /* VMLAUNCH and l2_exit: L2 never ran */
	assert_int_equal(play_events[0].kind, EV_VMLAUNCH);
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 3);
	assert_u64(get12(VMCS_GUEST_RSP), 0);
	assert_u64(get12(VMCS_VM_ENTRY_INTERRUPTION_INFO), 0x80000030);
	assert_u64(last_event()->item_count, 2);
	assert_true(event_item(last_event(), VMCS_EXIT_REASON, &value));
	assert_false(cpu->nested.current->launched);
	assert_false(nested_vmcs_find(&cpu->nested, PLAY_VMCS)->vmcs02.launched);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_HOST_RIP);
}

static void the_preemption_timer_is_saved_if_l1_asks(void **state)
{
	(void)state;
	set12(VMCS_VMX_PREEMPTION_TIMER_VALUE, 1000);
	play_with(PIN_PREEMPTION_TIMER, 0);
	assert_u64(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE), 1000);
	assert_true(vmread(VMCS_VM_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER);
	stub_vmcs_set(VMCS_VMX_PREEMPTION_TIMER_VALUE, 400);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_VMX_PREEMPTION_TIMER_VALUE), 1000);
	set12(VMCS_VM_EXIT_CONTROLS, get12(VMCS_VM_EXIT_CONTROLS) | EXIT_SAVE_PREEMPTION_TIMER);
	play_with(PIN_PREEMPTION_TIMER, 0);
	assert_u64(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE), 1000);
	stub_vmcs_set(VMCS_VMX_PREEMPTION_TIMER_VALUE, 300);
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	assert_true(l1_got(EXIT_PREEMPTION_TIMER));
	assert_u64(get12(VMCS_VMX_PREEMPTION_TIMER_VALUE), 300);
}

static void a_timer_of_0_stays_expired_over_exits_that_l1_does_not_see(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	for (u64 value = 0; value < 2; value++) {
		set12(VMCS_VMX_PREEMPTION_TIMER_VALUE, value * 100);
		set12(VMCS_PIN_BASED_CONTROLS, must_be_1(VMX_WORD_PIN) | PIN_PREEMPTION_TIMER);
		play_enter(EXIT_VMRESUME);
		stub_vmcs_set(VMCS_VMX_PREEMPTION_TIMER_VALUE, 50); /* as the processor saves it */
		stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x8000);
		stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
		assert_u64(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE), value * 50);
		stub_exit(cpu, EXIT_HLT, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_l2, exits_save_the_state_of_l2),
		IN(play_l2, what_is_undefined_of_an_unusable_segment_is_not_looked_at),
		IN(play_l2, msrs_that_l2_can_write_by_itself_are_saved),
		IN(play_l2, the_resume_flag_of_an_exit_that_hv_makes_is_l2s),
		IN(play_l2, exits_by_instructions_leave_debug_exceptions_that_mov_ss_blocks),
		IN(play_l2, exits_tell_what_happened),
		IN(play_l2, exits_tell_the_details_that_are_defined_for_them),
		IN(play_l2, exits_load_the_host_state_into_vmcs01),
		IN(play_l2, what_l1_can_not_have_changed_is_not_loaded),
		IN(play_l2, what_l1_changes_is_loaded),
		IN(play_l2, what_l1_sees_of_its_registers_is_what_the_exit_loaded),
		IN(play_l2, vmxoff_ends_what_was_asked_for_the_sake_of_l2),
		IN(play_l2, the_state_of_l1_at_an_entry_that_fails_early_is_that_of_this_entry),
		IN(play_l2, exits_write_only_what_l1_did_not_have_before),
		IN(play_l2, exits_leave_some_bits_of_cr0_and_all_of_pat_alone),
		IN(play_good_vmcs, pat_and_efer_are_saved_and_loaded_on_demand),
		IN(play_good_vmcs, a_32_bit_host_gets_32_bit_state),
		IN(play_good_vmcs, entry_failures_change_only_reason_and_qualification),
		IN(play_good_vmcs, the_preemption_timer_is_saved_if_l1_asks),
		IN(play_l2_with_ept, a_timer_of_0_stays_expired_over_exits_that_l1_does_not_see),
	};

	return cmocka_run_group_tests_name("hv/nested/reflect", tests, NULL, NULL);
}
