#include "hv/exit.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY		MIB(64)
#define BLOCKING_STI	BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_NMI	BIT(3)
#define RFLAGS_TF	BIT(8)
#define PENDING_BS	BIT(14)

static struct percpu *cpu;

static int boot(void **state)
{
	(void)state;
	cpu = stub_boot_nested(MEMORY, true, "");
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	return 0;
}

static void skipping_moves_rip_as_wide_as_the_mode_has_it(void **state)
{
	static const struct {
		const char *name;
		u64 efer, cs, rip, expected;
	} rows[] = {
		{ "64-bit code", EFER_LMA, 0xa09b, 0xffffffff80001000, 0xffffffff80001003 },
		{ "64-bit code above 4 GiB", EFER_LMA, 0xa09b, 0xfffffffe, 0x100000001 },
		{ "compatibility mode wraps", EFER_LMA, 0xc09b, 0xfffffffe, 1 },
		{ "32-bit code wraps", 0, 0xc09b, 0xfffffffe, 1 },
		{ "CS.L without long mode means nothing", 0, 0xa09b, 0xfffffffe, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmwrite(VMCS_GUEST_IA32_EFER, rows[i].efer);
		vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, rows[i].cs);
		vmwrite(VMCS_GUEST_RIP, rows[i].rip);
		stub_exit(cpu, EXIT_CPUID, 0);
		assert_row(rows[i].name, vmread(VMCS_GUEST_RIP), rows[i].expected);
	}
}

/* Blocking by STI and MOV SS lasts for one instruction, and this was it. */
static void skipping_ends_blocking_by_sti_and_mov_ss_alone(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_STI | BLOCKING_NMI);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), BLOCKING_NMI);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_MOV_SS);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
}

static void faults_leave_rip_and_blocking(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_STI);
	cpu->regs[REG_RCX] = 0x123;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_true(stub_injects(13));
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1000);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), BLOCKING_STI);
}

static void skipped_instruction_traps_when_single_stepped(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
	vmwrite(VMCS_GUEST_RFLAGS, 2 | RFLAGS_TF);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), PENDING_BS);
}

/* Else a breakpoint at the next one would not be met. */
static void resume_flag_ends_with_the_skipped_instruction(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RFLAGS, 0x246 | BIT(16));
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(vmread(VMCS_GUEST_RFLAGS), 0x246);
	assert_u64(vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
	vmwrite(VMCS_GUEST_RFLAGS, 0x246 | BIT(16));
	cpu->regs[REG_RCX] = 0x123;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_true(stub_injects(13));
	assert_u64(vmread(VMCS_GUEST_RFLAGS), 0x246 | BIT(16));
}

static void first_entry_launches_and_the_others_resume(void **state)
{
	(void)state;
	assert_false(cpu->hw->launched);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(cpu->hw->launched);
}

static void entry_of_l1_that_fails_panics_with_the_reason(void **state)
{
	(void)state;
	stub_vmcs_set(VMCS_VM_INSTRUCTION_ERROR, VMERR_ENTRY_HOST_STATE);
	assert_true(stub_stops(exit_entry_failed(cpu, 0x40)));
	assert_true(stub_said("VM-instruction error 8"));
}

static void instructions_that_l1_may_not_use_are_undefined(void **state)
{
	static const u32 rows[] = { EXIT_GETSEC, EXIT_VMXOFF,	EXIT_VMREAD,
				    EXIT_VMFUNC, EXIT_SEAMCALL, EXIT_TDCALL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_exit(cpu, rows[i], 0);
		assert_row(vmx_exit_name(rows[i]), stub_injects(6), true);
		assert_row(vmx_exit_name(rows[i]), vmread(VMCS_GUEST_RIP), 0x1000);
	}
}

static void exits_that_end_l1_say_so(void **state)
{
	static const struct {
		u32 reason;
		const char *said;
	} rows[] = {
		{ EXIT_TRIPLE_FAULT, "triple fault at rip 0x1000" },
		{ EXIT_INIT, "INIT" },
		{ EXIT_EPT_VIOLATION, "beyond what EPT01 maps, at rip 0x1000" },
		{ EXIT_TASK_SWITCH, "task_switch" },
		{ 200, "reason 200 (unknown)" },
		{ EXIT_REASON_ENTRY_FAILURE | 33, "not supported" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(NULL);
		assert_row(rows[i].said, stub_stops(stub_exit(cpu, rows[i].reason, 0)), true);
		assert_row(rows[i].said, stub_said(rows[i].said), true);
		assert_row(rows[i].said, stub_port_outs(0x8900), 8);
	}
}

static void invd_writes_back(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_INVD, 0);
	assert_int_equal(stub_cpu.wbinvds, 1);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1003);
}

static void xsetbv_sets_what_the_processor_accepts(void **state)
{
	static const struct {
		const char *name;
		u64 rax, rdx, rcx;
		bool done;
	} rows[] = {
		{ "x87, SSE, AVX", 0xaaaaaaaa00000007, 0xbbbbbbbb00000000, 0xcccccccc00000000,
		  true },
		{ "without x87", 6, 0, 0, false },
		{ "state that is not there", 0x207, 0, 0, false },
		{ "upper half", 7, 1, 0, false },
		{ "XCR1", 1, 0, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(NULL);
		cpu->regs[REG_RAX] = rows[i].rax;
		cpu->regs[REG_RDX] = rows[i].rdx;
		cpu->regs[REG_RCX] = rows[i].rcx;
		stub_exit(cpu, EXIT_XSETBV, 0);
		assert_row(rows[i].name, stub_cpu.xcr0, rows[i].done ? 7 : 1);
		assert_row(rows[i].name, stub_injects(13), !rows[i].done);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(skipping_moves_rip_as_wide_as_the_mode_has_it, boot),
		cmocka_unit_test_setup(skipping_ends_blocking_by_sti_and_mov_ss_alone, boot),
		cmocka_unit_test_setup(faults_leave_rip_and_blocking, boot),
		cmocka_unit_test_setup(skipped_instruction_traps_when_single_stepped, boot),
		cmocka_unit_test_setup(resume_flag_ends_with_the_skipped_instruction, boot),
		cmocka_unit_test_setup(first_entry_launches_and_the_others_resume, boot),
		cmocka_unit_test_setup(entry_of_l1_that_fails_panics_with_the_reason, boot),
		cmocka_unit_test_setup(instructions_that_l1_may_not_use_are_undefined, boot),
		cmocka_unit_test_setup(exits_that_end_l1_say_so, boot),
		cmocka_unit_test_setup(invd_writes_back, boot),
		cmocka_unit_test_setup(xsetbv_sets_what_the_processor_accepts, boot),
	};

	return cmocka_run_group_tests_name("hv/exit", tests, NULL, NULL);
}
