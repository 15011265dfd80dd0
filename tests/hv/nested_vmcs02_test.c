#include "hv/mem.h"
#include "hv/nested/vmcs02.h"
#include "tests/hv/nested_play.h"

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
	/* It writes them: hv lets it, and looks at them then. */
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_WRMSR, 0);
	stub_exit(cpu, EXIT_DR_ACCESS, 0);
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
	add12(VMCS_VM_ENTRY_CONTROLS, ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
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
	add12(VMCS_VM_EXIT_CONTROLS, EXIT_SAVE_EFER);
	add12(VMCS_VM_ENTRY_CONTROLS, ENTRY_LOAD_EFER);
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
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAPS | PRIMARY_IO_BITMAPS);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_VIRTUALIZE_APIC_ACCESSES);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VIRTUAL_APIC_ADDRESS), virt_to_phys(cpu->nested.dummy));
	assert_u64(vmread(VMCS_APIC_ACCESS_ADDRESS), virt_to_phys(cpu->nested.dummy));
	/* What nothing answers reads as ones: everything exits to L1. */
	assert_true(play_msr_exits(MSR_PAT, false));
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_int_equal(cpu->nested.mode, NESTED_ROOT);
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
		IN(play_good_vmcs, nmis_always_come_to_hv),
		IN(play_good_ept_vmcs, translations_of_l2_survive_as_long_as_its_vpid),
		IN(play_good_vmcs, without_vpid_entries_and_exits_drop_translations),
		IN(play_good_vmcs, pae_l2_without_ept_gets_its_pdptes_from_memory),
		IN(play_good_vmcs, cr3_targets_that_are_not_supported_are_not_copied),
	};

	return cmocka_run_group_tests_name("hv/nested/vmcs02", tests, NULL, NULL);
}
