#include "hv/mem.h"
#include "tests/hv/nested_play.h"

static void l2_gets_l1s_bitmap_with_what_hv_wants_when_it_uses_it(void **state)
{
	u8 *l1 = stub_at(PLAY_PAGE);

	(void)state;
	l1[MSR_SYSENTER_CS / 8] = 1 << MSR_SYSENTER_CS % 8;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	play_enter(EXIT_VMLAUNCH);
	assert_true(play_msr_exits(MSR_PAT, false));
	vmwrite(VMCS_GUEST_RIP, 0x5000);
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_RDMSR, 0);
	/* L2 tries again. */
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x5000);
	assert_false(play_msr_exits(MSR_PAT, false));
	assert_false(play_msr_exits(MSR_PAT, true));
	assert_true(play_msr_exits(MSR_SYSENTER_CS, false));
	assert_true(play_msr_exits(MSR_FEATURE_CONTROL, true));
	assert_int_equal(l1[MSR_FEATURE_CONTROL / 8], 0);
}

static void bitmaps_are_those_of_the_moment_of_each_entry(void **state)
{
	u8 *l1 = stub_at(PLAY_PAGE);

	(void)state;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	play_enter(EXIT_VMLAUNCH);
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_WRMSR, 0);
	for (unsigned i = 0; i < BITMAPS02_BEFOREHAND; i++) {
		stub_exit(cpu, EXIT_HLT, 0);
		/* L1 may change its page without telling. */
		l1[MSR_SYSENTER_CS / 8] ^= 1 << MSR_SYSENTER_CS % 8;
		play_enter(EXIT_VMRESUME);
		assert_int_equal(play_msr_exits(MSR_SYSENTER_CS, false), i % 2 == 0);
		assert_false(play_msr_exits(MSR_PAT, true));
	}
	/* L2 has made no use of it that hv knows of. */
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMRESUME);
	assert_true(play_msr_exits(MSR_PAT, true));
}

static void a_vmcs12_never_has_the_bitmap_of_another(void **state)
{
	(void)state;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	play_enter(EXIT_VMLAUNCH);
	cpu->regs[REG_RCX] = MSR_PAT;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_false(play_msr_exits(MSR_PAT, false));
	stub_exit(cpu, EXIT_HLT, 0);
	/* As if many entries had been made since. */
	cpu->nested.current->msrs02.beforehand = 0;
	play_enter(EXIT_VMRESUME);
	assert_true(play_msr_exits(MSR_PAT, false));
	assert_u64(vmread(VMCS_MSR_BITMAP), virt_to_phys(cpu->nested.ones_bitmap));
}

static void ports_exit_as_l1_and_hv_want(void **state)
{
	(void)state;
	play_enter(EXIT_VMLAUNCH);
	assert_true(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_IO_BITMAPS);
	assert_u64(vmread(VMCS_IO_BITMAP_A), virt_to_phys(vmcs01_io_bitmap()));
	stub_exit(cpu, EXIT_HLT, 0);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_UNCONDITIONAL_IO_EXITING);
	play_enter(EXIT_VMRESUME);
	assert_false(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_IO_BITMAPS);
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_IO_BITMAP_A, PLAY_PAGE);
	set12(VMCS_IO_BITMAP_B, PLAY_PAGE + 0x1000);
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_IO_BITMAPS);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs, l2_gets_l1s_bitmap_with_what_hv_wants_when_it_uses_it),
		IN(play_good_vmcs, bitmaps_are_those_of_the_moment_of_each_entry),
		IN(play_good_vmcs, a_vmcs12_never_has_the_bitmap_of_another),
		IN(play_good_vmcs, ports_exit_as_l1_and_hv_want),
	};

	return cmocka_run_group_tests_name("hv/nested/bitmaps02", tests, NULL, NULL);
}
