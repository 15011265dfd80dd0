#include "hv/mem.h"
#include "hv/nested/vmcs02.h"
#include "tests/hv/nested_play.h"

#define NOT_CANONICAL 0x8000000000000000

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

static void add_controls(u32 field, u64 more)
{
	set12(field, get12(field) | more);
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

static void what_exits_save_and_entries_load_is_written_when_l1_changed_it(void **state)
{
	u64 vmcs02;

	(void)state;
	play_give_msrs();
	add_controls(VMCS_VM_EXIT_CONTROLS, EXIT_SAVE_EFER);
	add_controls(VMCS_VM_ENTRY_CONTROLS, ENTRY_LOAD_EFER);
	set12(VMCS_GUEST_IA32_EFER, 0x500);
	play_enter(EXIT_VMLAUNCH);
	vmcs02 = cpu->hw->pa;
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0x500);
	stub_exit(cpu, EXIT_HLT, 0);
	/* As can be seen by a value that no exit saved. */
	stub_vmcs_set_of(vmcs02, VMCS_GUEST_IA32_EFER, 0x501);
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0x501);
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_GUEST_IA32_EFER, 0xd01);
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0xd01);
	/* Not saved any more, it may be L2's own. */
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_VM_EXIT_CONTROLS, get12(VMCS_VM_EXIT_CONTROLS) & ~(u64)EXIT_SAVE_EFER);
	play_enter(EXIT_VMRESUME);
	play_l2_writes_msrs();
	stub_vmcs_set(VMCS_GUEST_IA32_EFER, 0x501);
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), 0xd01);
}

static void a_changed_control_costs_no_other_word_of_vmcs02(void **state)
{
	static const u32 words[] = {
		VMCS_PIN_BASED_CONTROLS,
		VMCS_PRIMARY_PROC_BASED_CONTROLS,
		VMCS_SECONDARY_PROC_BASED_CONTROLS,
		VMCS_VM_EXIT_CONTROLS,
		VMCS_EXCEPTION_BITMAP,
		VMCS_IO_BITMAP_A,
	};

	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMRESUME);
	/* Values that hv would not write. */
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		stub_vmcs_set(words[i], 0x5a5a0000 + i);
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_EXCEPTION_BITMAP, BIT(6));
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_EXCEPTION_BITMAP), BIT(6));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i] != VMCS_EXCEPTION_BITMAP)
			assert_u64(vmread(words[i]), 0x5a5a0000 + i);
	stub_exit(cpu, EXIT_HLT, 0);
	/* The secondary controls, and the ports, are those of the primary. */
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS, must_be_1(VMX_WORD_PRIMARY));
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_PIN_BASED_CONTROLS), 0x5a5a0000);
	assert_u64(vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS),
		   SECONDARY_EPT | SECONDARY_VPID | SECONDARY_DESCRIPTOR_TABLE_EXITING);
	assert_u64(vmread(VMCS_IO_BITMAP_A), virt_to_phys(vmcs01_io_bitmap()));
}

/* By the bitmap of VMCS02, for an MSR below 2000H. */
static bool msr_exits(u32 index, bool write)
{
	const u8 *bitmap = (const u8 *)stub_at(vmread(VMCS_MSR_BITMAP)) + (write ? 2048 : 0);

	return bitmap[index / 8] >> index % 8 & 1;
}

static void virtual_interrupts_are_the_processors(void **state)
{
	const u64 secondary = SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
	u64 value;

	(void)state;
	set12(VMCS_PIN_BASED_CONTROLS,
	      get12(VMCS_PIN_BASED_CONTROLS) | PIN_EXTERNAL_INTERRUPT_EXITING);
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      get12(VMCS_PRIMARY_PROC_BASED_CONTROLS) | PRIMARY_TPR_SHADOW);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, secondary);
	set12(VMCS_VIRTUAL_APIC_ADDRESS, PLAY_PAGE);
	set12(VMCS_GUEST_INTERRUPT_STATUS, 0x30);
	for (u32 i = 0; i < 4; i++)
		set12(VMCS_EOI_EXIT_BITMAP_0 + 2 * i, 0x1111 * (i + 1));
	play_enter(EXIT_VMLAUNCH);
	assert_true(vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS) & secondary);
	assert_u64(vmread(VMCS_GUEST_INTERRUPT_STATUS), 0x30);
	for (u32 i = 0; i < 4; i++)
		assert_u64(vmread(VMCS_EOI_EXIT_BITMAP_0 + 2 * i), 0x1111 * (i + 1));
	stub_vmcs_set(VMCS_GUEST_INTERRUPT_STATUS, 0x3000);
	stub_exit(cpu, EXIT_VIRTUALIZED_EOI, 0x30);
	assert_true(l1_got(EXIT_VIRTUALIZED_EOI));
	assert_u64(get12(VMCS_GUEST_INTERRUPT_STATUS), 0x3000);
	assert_true(event_item(event_of(EV_L2_EXIT), VMCS_GUEST_INTERRUPT_STATUS, &value));
	/* Without them the field is L1's. */
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, 0);
	play_enter(EXIT_VMRESUME);
	stub_vmcs_set(VMCS_GUEST_INTERRUPT_STATUS, 0x4000);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_INTERRUPT_STATUS), 0x3000);
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
	/* What nothing answers reads as ones: everything exits to L1. */
	assert_true(msr_exits(MSR_PAT, false));
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_int_equal(cpu->nested.mode, NESTED_ROOT);
}

static void l2_gets_l1s_bitmap_with_what_hv_wants_when_it_uses_it(void **state)
{
	u8 *l1 = stub_at(PLAY_PAGE);

	(void)state;
	l1[MSR_SYSENTER_CS / 8] = 1 << MSR_SYSENTER_CS % 8;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	play_enter(EXIT_VMLAUNCH);
	assert_true(msr_exits(MSR_PAT, false));
	vmwrite(VMCS_GUEST_RIP, 0x5000);
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_RDMSR, 0);
	/* L2 tries again. */
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x5000);
	assert_false(msr_exits(MSR_PAT, false));
	assert_false(msr_exits(MSR_PAT, true));
	assert_true(msr_exits(MSR_SYSENTER_CS, false));
	assert_true(msr_exits(MSR_FEATURE_CONTROL, true));
	assert_int_equal(l1[MSR_FEATURE_CONTROL / 8], 0);
}

static void bitmaps_are_those_of_the_moment_of_each_entry(void **state)
{
	u8 *l1 = stub_at(PLAY_PAGE);

	(void)state;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	play_enter(EXIT_VMLAUNCH);
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_WRMSR, 0);
	for (unsigned i = 0; i < BITMAPS02_BEFOREHAND; i++) {
		stub_exit(cpu, EXIT_HLT, 0);
		/* L1 may change its page without telling. */
		l1[MSR_SYSENTER_CS / 8] ^= 1 << MSR_SYSENTER_CS % 8;
		play_enter(EXIT_VMRESUME);
		assert_int_equal(msr_exits(MSR_SYSENTER_CS, false), i % 2 == 0);
		assert_false(msr_exits(MSR_PAT, true));
	}
	/* L2 has made no use of it that hv knows of. */
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMRESUME);
	assert_true(msr_exits(MSR_PAT, true));
}

static void a_vmcs12_never_has_the_bitmap_of_another(void **state)
{
	(void)state;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	add_controls(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	play_enter(EXIT_VMLAUNCH);
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_false(msr_exits(MSR_PAT, false));
	stub_exit(cpu, EXIT_HLT, 0);
	/* As if many entries had been made since. */
	cpu->nested.current->msrs02.beforehand = 0;
	play_enter(EXIT_VMRESUME);
	assert_true(msr_exits(MSR_PAT, false));
	assert_u64(vmread(VMCS_MSR_BITMAP), virt_to_phys(cpu->nested.ones_bitmap));
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
	assert_u64(vmread(VMCS_IO_BITMAP_A), virt_to_phys(cpu->nested.ones_bitmap));
	assert_u64(vmread(VMCS_IO_BITMAP_B), virt_to_phys(cpu->nested.ones_bitmap));
	/* IN of port 8002H, which nobody wants to see. */
	stub_exit(cpu, EXIT_IO, 0x80020008);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
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

/* The processor, which has no fault to find with the guest state, gets to hv's list. */
static void fail_by_list(void)
{
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VM_ENTRY_MSR_LOAD_COUNT), 1);
	stub_exit(cpu, EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE, 1);
	assert_true(l1_got(EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE));
}

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
		fail_by_list();
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

static void a_bad_guest_state_comes_before_a_bad_list(void **state)
{
	struct msr_entry *list = stub_at(PLAY_PAGE);

	(void)state;
	list[0] = (struct msr_entry){ MSR_LSTAR, 0, 5 };
	list[1] = (struct msr_entry){ MSR_SYSENTER_EIP, 0, 0x1234 };
	list[2] = (struct msr_entry){ MSR_GS_BASE, 0, 0 };
	stub_msr_set(MSR_LSTAR, 0x77);
	set12(VMCS_GUEST_IA32_SYSENTER_EIP, 0x4321);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 3);
	play_enter(EXIT_VMLAUNCH);
	/* The processor looks at the state that VMCS12 has. */
	assert_u64(vmread(VMCS_GUEST_IA32_SYSENTER_EIP), 0x4321);
	stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
	assert_true(l1_got(EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 0);
	assert_u64(stub_msr(MSR_LSTAR), 0x77);
	/* And the list is gone when L1 has none that is bad. */
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(vmread(VMCS_VM_ENTRY_MSR_LOAD_COUNT), 0);
	assert_u64(vmread(VMCS_GUEST_IA32_SYSENTER_EIP), 0x1234);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(stub_msr(MSR_LSTAR), 5);
}

static void a_list_does_not_put_a_bad_guest_state_right(void **state)
{
	static const struct {
		const char *name;
		u64 bad;
		u32 field, msr;
		u64 good;
	} rows[] = {
		{ "SYSENTER_ESP", BIT(50), VMCS_GUEST_IA32_SYSENTER_ESP, MSR_SYSENTER_ESP, 0x10 },
		{ "SYSENTER_EIP", BIT(50), VMCS_GUEST_IA32_SYSENTER_EIP, MSR_SYSENTER_EIP, 0x10 },
		{ "PAT", 2, VMCS_GUEST_IA32_PAT, MSR_PAT, 0 },
		{ "EFER.LMA", 0x100, VMCS_GUEST_IA32_EFER, MSR_EFER, 0x500 },
		{ "EFER.LME", 0x400, VMCS_GUEST_IA32_EFER, MSR_EFER, 0x500 },
		{ "EFER, reserved", 0x502, VMCS_GUEST_IA32_EFER, MSR_EFER, 0x500 },
	};
	struct msr_entry *const list = stub_at(PLAY_PAGE);

	(void)state;
	set12(VMCS_VM_ENTRY_CONTROLS,
	      get12(VMCS_VM_ENTRY_CONTROLS) | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	set12(VMCS_GUEST_IA32_EFER, 0x500);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 old = get12(rows[i].field);

		list[0] = (struct msr_entry){ rows[i].msr, 0, rows[i].good };
		set12(rows[i].field, rows[i].bad);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, vmread(rows[i].field), rows[i].bad);
		stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
		set12(rows[i].field, old);
	}
}

static void cr3_targets_that_are_not_supported_are_not_copied(void **state)
{
	static struct nested nested;

	(void)state;
	nested.shown = cpu->nested.shown;
	nested.exists = cpu->nested.exists;
	nested.shown.msr[VMX_CAP_MISC] &= ~(u64)CAP_CR3_TARGETS;
	nested.shown.msr[VMX_CAP_MISC] |= 2 << 16;
	vmcs02_init(&nested);
	assert_true(vmcs_set_has(&nested.copied_fields, VMCS_IX_CR3_TARGET_VALUE_1));
	assert_false(vmcs_set_has(&nested.copied_fields, VMCS_IX_CR3_TARGET_VALUE_2));
	assert_true(vmcs_set_has(&nested.copied_fields, VMCS_IX_GUEST_RSP));
}

static void lists_longer_than_shown_fail_behind_the_maximum(void **state)
{
	struct msr_entry *list = stub_at(PLAY_PAGE);
	u64 value;

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		list[i] = (struct msr_entry){ MSR_STAR, 0, i };
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 600);
	play_enter(EXIT_VMLAUNCH);
	fail_by_list();
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 513);
	/* A part of the list is on the tape, and what became of it. */
	assert_true(event_item(last_event(), ITEM_MSR_LOAD + 99, &value));
	assert_true(event_item(last_event(), VMCS_EXIT_QUALIFICATION, &value));
	assert_u64(value, 513);
}

#define IN(state, test) cmocka_unit_test_setup(test, state)

/* SDM, "VM Entries": MSRs are loaded only after guest state was found to be good. */
static void bad_state_is_not_hidden_by_a_list_that_replaces_it(void **state)
{
	static const struct {
		const char *name;
		u32 field, msr;
		u64 bad;
	} rows[] = {
		{ "SYSENTER_ESP", VMCS_GUEST_IA32_SYSENTER_ESP, MSR_SYSENTER_ESP, BIT(59) },
		{ "SYSENTER_EIP", VMCS_GUEST_IA32_SYSENTER_EIP, MSR_SYSENTER_EIP, BIT(59) },
		{ "PAT", VMCS_GUEST_IA32_PAT, MSR_PAT, 2 },
		{ "EFER", VMCS_GUEST_IA32_EFER, MSR_EFER, 0x502 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 *list;

		play_good_vmcs(state);
		list = stub_at(PLAY_PAGE);
		list[0] = rows[i].msr;
		list[1] = rows[i].msr == MSR_EFER ? 0x500 : 0;
		set12(VMCS_VM_ENTRY_CONTROLS,
		      get12(VMCS_VM_ENTRY_CONTROLS) | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
		set12(rows[i].field, rows[i].bad);
		set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
		set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, vmread(rows[i].field), rows[i].bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs, vmcs02_has_l1s_guest_state_as_it_is),
		IN(play_l2, only_changed_fields_are_written_to_vmcs02_again),
		IN(play_l2, a_changed_control_costs_no_other_word_of_vmcs02),
		IN(play_l2, state_that_l1_does_not_load_is_l1s_own),
		IN(play_good_vmcs, virtual_interrupts_are_the_processors),
		IN(play_good_vmcs, l2_never_gets_pages_of_hvs),
		IN(play_good_vmcs, what_exits_save_and_entries_load_is_written_when_l1_changed_it),
		IN(play_good_vmcs, l2_gets_l1s_bitmap_with_what_hv_wants_when_it_uses_it),
		IN(play_good_vmcs, bitmaps_are_those_of_the_moment_of_each_entry),
		IN(play_good_vmcs, a_vmcs12_never_has_the_bitmap_of_another),
		IN(play_good_vmcs, ports_exit_as_l1_and_hv_want),
		IN(play_good_vmcs, nmis_always_come_to_hv),
		IN(play_good_ept_vmcs, translations_of_l2_survive_as_long_as_its_vpid),
		IN(play_good_vmcs, without_vpid_entries_and_exits_drop_translations),
		IN(play_good_vmcs, pae_l2_without_ept_gets_its_pdptes_from_memory),
		IN(play_good_vmcs, a_bad_guest_state_comes_before_a_bad_list),
		IN(play_good_vmcs, a_list_does_not_put_a_bad_guest_state_right),
		IN(play_good_vmcs, msr_lists_load_in_order_and_stop_at_the_first_bad_one),
		IN(play_good_vmcs, msrs_of_the_guest_state_are_loaded_into_vmcs02),
		IN(play_good_vmcs, cr3_targets_that_are_not_supported_are_not_copied),
		IN(play_good_vmcs, lists_longer_than_shown_fail_behind_the_maximum),
		IN(play_good_vmcs, bad_state_is_not_hidden_by_a_list_that_replaces_it),
	};

	return cmocka_run_group_tests_name("hv/nested/vmcs02", tests, NULL, NULL);
}
