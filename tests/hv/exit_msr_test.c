#include "hv/ept.h"
#include "hv/exit.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY	   MIB(64)
#define VECTOR_GP  13
#define ABSENT_MSR 0x123
#define LOCK	   BIT(0)

static struct percpu *cpu;

static int boot(void **state)
{
	(void)state;
	cpu = stub_boot_nested(MEMORY, true, "-load_efer");
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	return 0;
}

static void l1_reads(u32 index)
{
	cpu->regs[REG_RAX] = cpu->regs[REG_RDX] = ~0ull;
	cpu->regs[REG_RCX] = 0xffffffff00000000 | index;
	stub_exit(cpu, EXIT_RDMSR, 0);
}

static void l1_writes(u32 index, u64 value)
{
	cpu->regs[REG_RCX] = index;
	cpu->regs[REG_RAX] = 0xaaaaaaaa00000000 | (u32)value;
	cpu->regs[REG_RDX] = 0xbbbbbbbb00000000 | value >> 32;
	stub_exit(cpu, EXIT_WRMSR, 0);
}

static void assert_done(void)
{
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1003);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), 0);
}

static void assert_gp(void)
{
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1000);
	assert_true(stub_injects(VECTOR_GP));
}

static bool exits(u32 index, bool write)
{
	const u32 half = index >= 0xc0000000 ? 0x2000 : 0;
	const u32 bit = (write ? 0x4000 : 0) + half + (index & 0x1fff);

	return vmcs01_msr_bitmap()[bit / 8] >> bit % 8 & 1;
}

static void only_what_hv_must_see_exits(void **state)
{
	static const struct {
		const char *name;
		u32 index;
		bool read, write;
	} rows[] = {
		{ "IA32_FEATURE_CONTROL", MSR_FEATURE_CONTROL, true, true },
		{ "IA32_VMX_BASIC", MSR_VMX_BASIC, true, true },
		{ "IA32_VMX_VMFUNC", MSR_VMX_VMFUNC, true, true },
		{ "IA32_VMX_EXIT_CTLS2", MSR_VMX_EXIT_CTLS2, true, true },
		{ "IA32_MTRR_PHYSBASE0", MSR_MTRR_PHYSBASE0, false, true },
		{ "IA32_MTRR_FIX64K_00000", MSR_MTRR_FIX64K_00000, false, true },
		{ "IA32_MTRR_DEF_TYPE", MSR_MTRR_DEF_TYPE, false, true },
		{ "IA32_BIOS_UPDT_TRIG", MSR_BIOS_UPDT_TRIG, false, true },
		{ "IA32_EFER", MSR_EFER, false, false },
		{ "IA32_PAT", MSR_PAT, false, false },
		{ "IA32_GS_BASE", MSR_GS_BASE, false, false },
		{ "IA32_TSC_DEADLINE", MSR_TSC_DEADLINE, false, false },
		{ "IA32_X2APIC_EOI", MSR_X2APIC_EOI, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_row(rows[i].name, exits(rows[i].index, false), rows[i].read);
		assert_row(rows[i].name, exits(rows[i].index, true), rows[i].write);
	}
}

static void msrs_that_are_passed_on_fill_eax_and_edx_alone(void **state)
{
	(void)state;
	stub_msr_set(0x40000020, 0x1122334455667788);
	l1_reads(0x40000020);
	assert_u64(cpu->regs[REG_RAX], 0x55667788);
	assert_u64(cpu->regs[REG_RDX], 0x11223344);
	assert_done();
}

static void reads_that_fault_below_fault_in_l1(void **state)
{
	(void)state;
	l1_reads(ABSENT_MSR);
	assert_gp();
	assert_u64(cpu->regs[REG_RAX], ~0ull);
	assert_u64(cpu->regs[REG_RDX], ~0ull);
}

static void writes_that_are_passed_on_take_eax_and_edx_alone(void **state)
{
	(void)state;
	stub_msr_set(0x40000020, 0);
	l1_writes(0x40000020, 0x1122334455667788);
	assert_u64(stub_msr(0x40000020), 0x1122334455667788);
	assert_done();
}

static void writes_that_fault_below_fault_in_l1(void **state)
{
	(void)state;
	l1_writes(ABSENT_MSR, 1);
	assert_gp();
}

static void capabilities_are_those_shown_and_read_only(void **state)
{
	const u32 before = stub_cpu.msr_write_count;
	u64 shown;

	(void)state;
	l1_reads(MSR_VMX_TRUE_ENTRY_CTLS);
	assert_done();
	shown = cpu->regs[REG_RAX] | cpu->regs[REG_RDX] << 32;
	assert_u64(shown, cpu->nested.shown.msr[VMX_CAP_TRUE_ENTRY_CTLS]);
	assert_false(shown >> 32 & ENTRY_LOAD_EFER);
	assert_true(stub_msr(MSR_VMX_TRUE_ENTRY_CTLS) >> 32 & ENTRY_LOAD_EFER);

	vmwrite(VMCS_GUEST_RIP, 0x1000);
	l1_writes(MSR_VMX_BASIC, 0);
	assert_gp();
	assert_int_equal(stub_cpu.msr_write_count, before);
}

static void capabilities_that_are_not_shown_do_not_exist(void **state)
{
	(void)state;
	l1_reads(MSR_VMX_EXIT_CTLS2);
	assert_gp();
}

static void reads_of_capabilities_are_recorded(void **state)
{
	const struct ev_msr_read *event = (const void *)cpu->pending.columns;

	(void)state;
	l1_reads(MSR_VMX_MISC);
	assert_int_equal(cpu->pending.event.level, 1);
	assert_u64(event->msr, MSR_VMX_MISC);
	assert_u64(event->value, cpu->nested.shown.msr[VMX_CAP_MISC]);
}

static void locked_feature_control_can_be_read_but_not_written(void **state)
{
	(void)state;
	l1_reads(MSR_FEATURE_CONTROL);
	assert_u64(cpu->regs[REG_RAX], 5);
	assert_u64(cpu->regs[REG_RDX], 0);
	assert_done();
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	l1_writes(MSR_FEATURE_CONTROL, 5);
	assert_gp();
}

/* The firmware left it open: L1 may write it once, and the processor's own stays as hv made it. */
static void open_feature_control_is_l1_s_to_lock(void **state)
{
	(void)state;
	cpu->feature_control = 0;
	l1_writes(MSR_FEATURE_CONTROL, 4 | LOCK);
	assert_done();
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	l1_writes(MSR_FEATURE_CONTROL, 0);
	assert_gp();
	l1_reads(MSR_FEATURE_CONTROL);
	assert_u64(cpu->regs[REG_RAX], 5);
	assert_u64(stub_msr(MSR_FEATURE_CONTROL), 5);
}

static void microcode_updates_are_dropped(void **state)
{
	const u32 before = stub_cpu.msr_write_count;

	(void)state;
	l1_writes(MSR_BIOS_UPDT_TRIG, 0xffff888000000030);
	assert_done();
	assert_int_equal(stub_cpu.msr_write_count, before);
}

static void mtrr_writes_take_effect_in_ept01(void **state)
{
	struct ept_page page;

	(void)state;
	l1_writes(MSR_MTRR_PHYSBASE0, MIB(64) | EPT_TYPE_UC);
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	l1_writes(MSR_MTRR_PHYSMASK0, (MASK(35, 12) & ~(MIB(2) - 1)) | BIT(11));
	assert_done();
	assert_u64(stub_msr(MSR_MTRR_PHYSBASE0), MIB(64));
	assert_true(ept01_lookup(MIB(64), &page));
	assert_u64(page.type, EPT_TYPE_UC);
	assert_true(ept01_lookup(MIB(66), &page));
	assert_u64(page.type, EPT_TYPE_WB);
}

static void mtrr_write_that_faults_changes_no_translation(void **state)
{
	const unsigned before = stub_cpu.invalidation_count;

	(void)state;
	stub_msr_set_reserved(MSR_MTRR_DEF_TYPE, ~0xcffull);
	l1_writes(MSR_MTRR_DEF_TYPE, BIT(40));
	assert_gp();
	assert_int_equal(stub_cpu.invalidation_count, before);
}

/* Stores of the processor itself, to addresses that no EPT translates. */
static void writes_that_would_give_l1_hv_s_memory_fault(void **state)
{
	static const struct {
		const char *name;
		u32 index;
		u64 value;
		bool allowed;
	} rows[] = {
		{ "APIC in its place", MSR_APIC_BASE, 0xfee00900, true },
		{ "APIC elsewhere", MSR_APIC_BASE, MIB(16) | 0x900, true },
		{ "APIC in hv's memory", MSR_APIC_BASE, (MEMORY - MIB(1)) | 0x900, false },
		{ "tracing", MSR_RTIT_CTL, 1, false },
		{ "where tracing stores", MSR_RTIT_OUTPUT_BASE, 0, false },
		{ "where the debug store is", MSR_DS_AREA, 0, false },
		{ "PEBS", MSR_PEBS_ENABLE, 1, false },
		{ "where feedback is stored", MSR_HW_FEEDBACK_PTR, 1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(state);
		stub_msr_set(rows[i].index, 0);
		assert_row(rows[i].name, exits(rows[i].index, true), true);
		l1_writes(rows[i].index, rows[i].value);
		assert_row(rows[i].name, stub_injects(VECTOR_GP), !rows[i].allowed);
		assert_row(rows[i].name, stub_msr(rows[i].index),
			   rows[i].allowed ? rows[i].value : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_what_hv_must_see_exits, boot),
		cmocka_unit_test_setup(msrs_that_are_passed_on_fill_eax_and_edx_alone, boot),
		cmocka_unit_test_setup(reads_that_fault_below_fault_in_l1, boot),
		cmocka_unit_test_setup(writes_that_are_passed_on_take_eax_and_edx_alone, boot),
		cmocka_unit_test_setup(writes_that_fault_below_fault_in_l1, boot),
		cmocka_unit_test_setup(capabilities_are_those_shown_and_read_only, boot),
		cmocka_unit_test_setup(capabilities_that_are_not_shown_do_not_exist, boot),
		cmocka_unit_test_setup(reads_of_capabilities_are_recorded, boot),
		cmocka_unit_test_setup(locked_feature_control_can_be_read_but_not_written, boot),
		cmocka_unit_test_setup(open_feature_control_is_l1_s_to_lock, boot),
		cmocka_unit_test_setup(microcode_updates_are_dropped, boot),
		cmocka_unit_test_setup(mtrr_writes_take_effect_in_ept01, boot),
		cmocka_unit_test_setup(mtrr_write_that_faults_changes_no_translation, boot),
		cmocka_unit_test(writes_that_would_give_l1_hv_s_memory_fault),
	};

	return cmocka_run_group_tests_name("hv/exit_msr", tests, NULL, NULL);
}
