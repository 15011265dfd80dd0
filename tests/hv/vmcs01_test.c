#include "hv/ept.h"
#include "hv/mem.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY MIB(64)
#define CR0_ET BIT(4)

static struct percpu *cpu;

static int boot(void **state)
{
	(void)state;
	cpu = stub_boot_l1(MEMORY, true);
	return 0;
}

static void root_operation_has_the_bits_that_vmx_demands(void **state)
{
	(void)state;
	assert_true(stub_cpu.in_vmx);
	assert_u64(stub_cpu.cr0 & stub_msr(MSR_VMX_CR0_FIXED0), stub_msr(MSR_VMX_CR0_FIXED0));
	assert_true(stub_cpu.cr4 & CR4_VMXE);
	assert_true(stub_cpu.cr4 & CR4_OSXSAVE);
	assert_true(stub_cpu.cr4 & CR4_MCE);
	assert_u64(stub_cpu.cr4 & ~stub_msr(MSR_VMX_CR4_FIXED1), 0);
	assert_true(mem_is_hv(stub_cpu.vmxon_pa, 4096));
}

static void vmxon_that_fails_is_said(void **state)
{
	(void)state;
	stub_boot(MEMORY);
	stub_fail_next();
	cpu = mem_alloc_pages(ALIGN_UP(sizeof(*cpu), PAGE_SIZE) / PAGE_SIZE);
	assert_int_equal(vmcs01_enter_vmx(cpu), ST_UNSUPPORTED);
	assert_true(stub_said("VMXON failed"));
}

static void l1_starts_in_the_mode_that_it_is_to_have(void **state)
{
	for (int long_mode = 0; long_mode < 2; long_mode++) {
		cpu = stub_boot_l1(MEMORY, long_mode);
		(void)state;
		assert_u64(vmcs01_visible_cr0(),
			   CR0_PE | CR0_ET | CR0_NE | (long_mode ? CR0_PG : 0));
		assert_u64(vmcs01_visible_cr4(), long_mode ? CR4_PAE : 0);
		assert_u64(vmread(VMCS_GUEST_IA32_EFER), long_mode ? EFER_LME | EFER_LMA : 0);
		assert_int_equal(!!(vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST),
				 long_mode);
		assert_u64(BITS(vmread(VMCS_GUEST_CS_ACCESS_RIGHTS), 14, 13), long_mode ? 1 : 2);
		assert_u64(vmread(VMCS_GUEST_RFLAGS), 2);
		assert_false(cpu->hw->launched);
	}
}

/* Each of these would let L1 out of its box, or hv die of what L1 does. */
static void what_hv_rests_on_is_in_force(void **state)
{
	static const struct {
		const char *name;
		u32 field;
		u64 bits;
	} rows[] = {
		{ "NMIs exit", VMCS_PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS },
		{ "MSR bitmaps", VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS },
		{ "I/O bitmaps", VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_IO_BITMAPS },
		{ "secondary controls", VMCS_PRIMARY_PROC_BASED_CONTROLS,
		  PRIMARY_SECONDARY_CONTROLS },
		{ "EPT", VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT },
		{ "VPID", VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_VPID },
		{ "unrestricted guest", VMCS_SECONDARY_PROC_BASED_CONTROLS,
		  SECONDARY_UNRESTRICTED_GUEST },
		{ "64-bit hv", VMCS_VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE },
		{ "EFER is saved", VMCS_VM_EXIT_CONTROLS, EXIT_SAVE_EFER | EXIT_LOAD_EFER },
		{ "VMXE is hv's", VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE },
		{ "NE is hv's", VMCS_CR0_GUEST_HOST_MASK, CR0_NE },
		{ "no shadow VMCS", VMCS_VMCS_LINK_POINTER, ~0ull },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, vmread(rows[i].field) & rows[i].bits, rows[i].bits);
	assert_u64(vmread(VMCS_EPT_POINTER), ept01_pointer());
	assert_u64(vmread(VMCS_VPID), VPID_L1);
	/* What L1 may do by itself does not exit. */
	assert_u64(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) &
			   (PRIMARY_CR3_LOAD_EXITING | PRIMARY_HLT_EXITING | PRIMARY_RDTSC_EXITING),
		   0);
	assert_u64(vmread(VMCS_PIN_BASED_CONTROLS) & PIN_EXTERNAL_INTERRUPT_EXITING, 0);
	assert_u64(vmread(VMCS_EXCEPTION_BITMAP), 0);
	assert_u64(vmread(VMCS_CR4_GUEST_HOST_MASK), CR4_VMXE);
}

static void paging_and_protection_are_hv_s_while_l1_is_in_vmx_operation(void **state)
{
	const u64 cr0 = vmcs01_visible_cr0(), cr4 = vmcs01_visible_cr4();

	(void)state;
	vmcs01_begin_vmx(cr0);
	assert_u64(vmread(VMCS_CR0_GUEST_HOST_MASK), CR0_NE | CR0_PE | CR0_PG);
	assert_u64(vmcs01_visible_cr0(), cr0);
	assert_u64(vmcs01_visible_cr4(), cr4);
	vmcs01_end_vmx();
	assert_u64(vmread(VMCS_CR0_GUEST_HOST_MASK), CR0_NE);
	assert_u64(vmcs01_visible_cr0(), cr0);
}

static void
bits_that_l1_owns_are_read_from_the_register_and_the_others_from_the_shadow(void **state)
{
	(void)state;
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE);
	vmwrite(VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
	vmwrite(VMCS_CR4_READ_SHADOW, CR4_PGE);
	assert_u64(vmcs01_visible_cr4(), CR4_PAE);
	vmwrite(VMCS_CR4_READ_SHADOW, CR4_VMXE);
	assert_u64(vmcs01_visible_cr4(), CR4_PAE | CR4_VMXE);
}

static void msr_bits_stand_where_the_processor_looks(void **state)
{
	static const struct {
		const char *name;
		u32 index;
		size_t byte; /* of the bit for reads; writes are 800h further */
		u8 bit;
	} rows[] = {
		{ "first of the low MSRs", 0, 0, 1 },
		{ "last of the low MSRs", 0x1fff, 0x3ff, 0x80 },
		{ "first of the high MSRs", 0xc0000000, 0x400, 1 },
		{ "last of the high MSRs", 0xc0001fff, 0x7ff, 0x80 },
	};
	const u8 *bitmap = vmcs01_msr_bitmap();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmcs01_intercept_msr(rows[i].index, true, false);
		assert_row(rows[i].name, bitmap[rows[i].byte] & rows[i].bit, rows[i].bit);
		assert_row(rows[i].name, bitmap[rows[i].byte + 0x800] & rows[i].bit, 0);
		vmcs01_intercept_msr(rows[i].index, false, true);
		assert_row(rows[i].name, bitmap[rows[i].byte + 0x800] & rows[i].bit, rows[i].bit);
	}
}

static void msrs_beyond_the_bitmaps_change_no_bit(void **state)
{
	static const u32 rows[] = { 0x2000, 0x40000000, 0x80000000, 0xbfffffff, 0xc0002000, ~0u };
	u8 before[PAGE_SIZE];

	(void)state;
	memcpy(before, vmcs01_msr_bitmap(), sizeof(before));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		vmcs01_intercept_msr(rows[i], true, true);
	assert_memory_equal(before, vmcs01_msr_bitmap(), sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(root_operation_has_the_bits_that_vmx_demands, boot),
		cmocka_unit_test_setup(vmxon_that_fails_is_said, boot),
		cmocka_unit_test_setup(l1_starts_in_the_mode_that_it_is_to_have, boot),
		cmocka_unit_test_setup(what_hv_rests_on_is_in_force, boot),
		cmocka_unit_test_setup(paging_and_protection_are_hv_s_while_l1_is_in_vmx_operation,
				       boot),
		cmocka_unit_test_setup(
			bits_that_l1_owns_are_read_from_the_register_and_the_others_from_the_shadow,
			boot),
		cmocka_unit_test_setup(msr_bits_stand_where_the_processor_looks, boot),
		cmocka_unit_test_setup(msrs_beyond_the_bitmaps_change_no_bit, boot),
	};

	return cmocka_run_group_tests_name("hv/vmcs01", tests, NULL, NULL);
}
