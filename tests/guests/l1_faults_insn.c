#include "tests/guests/l1_faults.h"

#define CR0_NE	 BIT(5)
#define UNMAPPED 0x140000000ull /* beyond the 4 GiB that the library maps */

static void do_vmxon(void *region)
{
	vmxon(physical(region));
}

static void do_vmxoff(void *unused)
{
	(void)unused;
	vmxoff();
}

/* VMXON and VMXOFF, of which either may fault. */
static void try_vmxon(void)
{
	struct guest_fault fault;

	guest_try(do_vmxon, guest_region(), &fault);
	guest_try(do_vmxoff, NULL, &fault);
}

static void case_vmxon_any_cr(void)
{
	guest_vmx_off();
	write_cr0(read_cr0() & ~CR0_NE);
	try_vmxon();
	write_cr0(read_cr0() | CR0_NE);
	guest_vmx_on();
}

static void case_vmxon_without_vmxe(void)
{
	guest_vmx_off();
	write_cr4(read_cr4() & ~CR4_VMXE);
	try_vmxon();
	write_cr4(read_cr4() | CR4_VMXE);
	guest_vmx_on();
}

/* The first page is memory like any other, but nothing that a compiler lets one touch. */
static void case_pointer_0_is_none(void)
{
	const u32 revision = *(const u32 *)guest_region();
	u32 before;

	guest_vmx_off();
	__asm__ volatile("movl 0, %0" : "=r"(before));
	__asm__ volatile("movl %0, 0" : : "r"(revision) : "memory");
	vmxon(0);
	vmxon(0);
	vmxoff();
	__asm__ volatile("movl %0, 0" : : "r"(before) : "memory");
	guest_vmx_on();
}

static void case_vmfail_invalid_only(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	vmptrld(physical(region) + 8);
	(void)guest_vmcs_error();
	vmclear(physical(region));
}

static void do_vmread(void *value)
{
	vmread(VMCS_GUEST_RIP, value);
}

static void case_no_cpl_check(void)
{
	const void *region = guest_region();
	static u64 value;
	struct guest_fault fault;

	guest_vmcs_load(region);
	guest_try_user(do_vmread, &value, &fault);
	vmclear(physical(region));
}

static void do_vmread_unmapped(void *unused)
{
	(void)unused;
	__asm__ volatile("vmread %0, (%1)"
			 :
			 : "r"((u64)VMCS_GUEST_RIP), "r"(UNMAPPED)
			 : "memory", "cc");
}

static void case_operand_fault_reads(void)
{
	const void *region = guest_region();
	struct guest_fault fault;

	guest_vmcs_load(region);
	guest_try(do_vmread_unmapped, NULL, &fault);
	vmclear(physical(region));
}

static void case_vmclear_clobbers_header(void)
{
	const void *region = guest_region();

	vmclear(physical(region));
}

static void case_vmclear_loses_writes(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	guest_vmcs_write(VMCS_HOST_RSP, 0x1234);
	guest_vmcs_load(region);
	(void)guest_vmcs_read(VMCS_HOST_RSP);
	vmclear(physical(region));
}

static void case_vmclear_of_vmxon(void)
{
	const void *region = guest_region();

	guest_vmx_off();
	vmxon(physical(region));
	vmclear(physical(region));
	vmxoff();
	guest_vmx_on();
}

static void case_field_missing(void)
{
	const void *region = guest_region();
	u64 value = 0;

	guest_vmcs_load(region);
	vmread(VMCS_EXECUTIVE_VMCS_POINTER, &value);
	(void)guest_vmcs_error();
	vmclear(physical(region));
}

static void case_vmcs_enum_low(void)
{
	const void *region = guest_region();

	rdmsr(MSR_VMX_VMCS_ENUM);
	guest_vmcs_load(region);
	(void)guest_vmcs_read(VMCS_GUEST_RIP);
	vmclear(physical(region));
	faults_off();
	rdmsr(MSR_VMX_VMCS_ENUM);
}

static void case_caps_contradict(void)
{
	rdmsr(MSR_VMX_TRUE_PINBASED_CTLS);
	faults_off();
	rdmsr(MSR_VMX_TRUE_PINBASED_CTLS);
}

const struct fault_case l1_faults_insn_cases[] = {
	FAULT_CASE(vmxon_any_cr),
	FAULT_CASE(vmxon_without_vmxe),
	FAULT_CASE(pointer_0_is_none),
	FAULT_CASE(vmfail_invalid_only),
	FAULT_CASE(no_cpl_check),
	FAULT_CASE(operand_fault_reads),
	FAULT_CASE(vmclear_clobbers_header),
	FAULT_CASE(vmclear_loses_writes),
	FAULT_CASE(vmclear_of_vmxon),
	FAULT_CASE(field_missing),
	FAULT_CASE(vmcs_enum_low),
	FAULT_CASE(caps_contradict),
};
const size_t l1_faults_insn_count = ARRAY_SIZE(l1_faults_insn_cases);
