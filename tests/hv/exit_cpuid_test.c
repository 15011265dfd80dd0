#include "base/hv_leaf.h"
#include "hv/exit.h"
#include "hv/exit_l1.h"
#include "hv/hv_options.h"
#include "hv/processor.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY	   MIB(64)
#define VMX	   BIT(5)
#define SMX	   BIT(6)
#define OSXSAVE	   BIT(27)
#define HYPERVISOR BIT(31)
#define OSPKE	   BIT(4)

static struct percpu *cpu;

static int boot(void **state)
{
	(void)state;
	options.hypervisor_bit = false;
	cpu = stub_boot_nested(MEMORY, true, "");
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	return 0;
}

static struct cpuid_result l1_asks(u32 leaf, u32 subleaf)
{
	/* Upper halves are not part of the question, and are 0 in the answer. */
	cpu->regs[REG_RAX] = 0x1111111100000000 | leaf;
	cpu->regs[REG_RBX] = ~0ull;
	cpu->regs[REG_RCX] = 0x2222222200000000 | subleaf;
	cpu->regs[REG_RDX] = ~0ull;
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1003);
	return (struct cpuid_result){
		.eax = (u32)cpu->regs[REG_RAX],
		.ebx = (u32)cpu->regs[REG_RBX],
		.ecx = (u32)cpu->regs[REG_RCX],
		.edx = (u32)cpu->regs[REG_RDX],
	};
}

static void features_on_the_list_show_and_the_rest_does_not(void **state)
{
	struct cpuid_result r;

	(void)state;
	stub_cpuid_set(1, 0, (struct cpuid_result){ 0x50654, 0x10800, 0xffffffff, 0xffffffff });
	r = l1_asks(1, 0);
	assert_int_equal(r.eax, 0x50654);
	assert_true(r.ecx & VMX);
	assert_false(r.ecx & SMX);
	assert_false(r.ecx & HYPERVISOR);
	assert_true(r.edx & BIT(9)); /* APIC */
}

static void answers_fill_whole_registers(void **state)
{
	(void)state;
	l1_asks(0, 0);
	assert_u64(cpu->regs[REG_RAX], 0xd);
	assert_u64(cpu->regs[REG_RBX], 0x756e6547);
	assert_u64(cpu->regs[REG_RCX], 0x6c65746e);
	assert_u64(cpu->regs[REG_RDX], 0x49656e69);
}

static void bits_that_mirror_cr4_mirror_l1_s(void **state)
{
	(void)state;
	/* hv's own CR4 has OSXSAVE, and the processor shows that. */
	assert_true(cpuid(1, 0).ecx & OSXSAVE);
	assert_false(l1_asks(1, 0).ecx & OSXSAVE);
	assert_false(l1_asks(7, 0).ecx & OSPKE);
	vmwrite(VMCS_GUEST_CR4, vmread(VMCS_GUEST_CR4) | CR4_OSXSAVE | CR4_PKE);
	assert_true(l1_asks(1, 0).ecx & OSXSAVE);
	assert_true(l1_asks(7, 0).ecx & OSPKE);
	assert_false(l1_asks(7, 1).ecx & OSPKE);
}

static void hypervisor_bit_shows_when_asked_for(void **state)
{
	(void)state;
	options.hypervisor_bit = true;
	assert_true(l1_asks(1, 0).ecx & HYPERVISOR);
}

static void features_that_hv_can_not_run_are_hidden(void **state)
{
	const u64 controls = stub_msr(MSR_VMX_PROCBASED_CTLS2);

	(void)state;
	assert_true(l1_asks(7, 0).ebx & BIT(10)); /* INVPCID */
	stub_msr_set(MSR_VMX_PROCBASED_CTLS2, controls & ~((u64)SECONDARY_INVPCID << 32));
	/* hv looks at the capabilities once, at the start. */
	assert_int_equal(processor_check(), ST_OK);
	l1_cpuid_init();
	assert_true(cpuid(7, 0).ebx & BIT(10));
	assert_false(l1_asks(7, 0).ebx & BIT(10));
}

static void leaves_that_nobody_has_thought_about_are_zero(void **state)
{
	static const u32 leaves[] = { 0x12,	  0x14,	      0x1b,	  0x20,
				      0x40000000, 0x40000001, 0x80000021, 0xc0000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_result r;
		char name[16];

		stub_cpuid_set(leaves[i], 0, (struct cpuid_result){ ~0u, ~0u, ~0u, ~0u });
		r = l1_asks(leaves[i], 0);
		snprintf(name, sizeof(name), "leaf %x", leaves[i]);
		assert_row(name, r.eax | r.ebx | r.ecx | r.edx, 0);
	}
}

static void subleaves_of_any_number_are_answered(void **state)
{
	struct cpuid_result r;

	(void)state;
	stub_cpuid_set(4, 0xffffffff, (struct cpuid_result){ 1, 2, 3, 4 });
	r = l1_asks(4, 0xffffffff);
	assert_int_equal(r.eax, 1);
	assert_int_equal(r.edx, 4);
}

static void hv_answers_on_its_own_leaf(void **state)
{
	const struct cpuid_result r = l1_asks(HV_LEAF, 0);
	char name[5] = { 0 };

	(void)state;
	assert_int_equal(r.eax, HV_LEAF);
	memcpy(name, &r.ebx, 4);
	assert_string_equal(name, "vmxt");
	assert_int_equal(l1_asks(HV_LEAF, 7).eax, 0);
}

static void marks_change_no_register(void **state)
{
	(void)state;
	cpu->regs[REG_RAX] = HV_LEAF;
	cpu->regs[REG_RCX] = 1;
	memcpy(&cpu->regs[REG_RBX], "boot don", 8);
	memcpy(&cpu->regs[REG_RDX], "e\0\0\0\0\0\0\0", 8);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1003);
	assert_u64(cpu->regs[REG_RAX], HV_LEAF);
	assert_u64(cpu->regs[REG_RCX], 1);
	assert_memory_equal(&cpu->regs[REG_RBX], "boot don", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(features_on_the_list_show_and_the_rest_does_not, boot),
		cmocka_unit_test_setup(answers_fill_whole_registers, boot),
		cmocka_unit_test_setup(bits_that_mirror_cr4_mirror_l1_s, boot),
		cmocka_unit_test_setup(hypervisor_bit_shows_when_asked_for, boot),
		cmocka_unit_test_setup(features_that_hv_can_not_run_are_hidden, boot),
		cmocka_unit_test_setup(leaves_that_nobody_has_thought_about_are_zero, boot),
		cmocka_unit_test_setup(subleaves_of_any_number_are_answered, boot),
		cmocka_unit_test_setup(hv_answers_on_its_own_leaf, boot),
		cmocka_unit_test_setup(marks_change_no_register, boot),
	};

	return cmocka_run_group_tests_name("hv/exit_cpuid", tests, NULL, NULL);
}
