#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define EXCEPTION_UD 6
#define CR4_OSXSAVE  BIT(18)

static u64 memory_operand;

/* --- CPUID: registers go both ways ----------------------------------------------------------- */

static void code_cpuid(void)
{
	const struct cpuid r = cpuid(0x11223344, 0x55667788);

	l2_vmcall(r.eax == 0xa && r.ebx == 0xb && r.ecx == 0xc && r.edx == 0xd);
}

static void check_cpuid(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_CPUID))
		return;
	l2_check(l2->regs.rax == 0x11223344 && l2->regs.rcx == 0x55667788, "RAX %lx, RCX %lx",
		 l2->regs.rax, l2->regs.rcx);
	l2_expect_field(VMCS_VM_EXIT_INSTRUCTION_LENGTH, 2);
	l2->regs.rax = 0xa;
	l2->regs.rbx = 0xb;
	l2->regs.rcx = 0xc;
	l2->regs.rdx = 0xd;
	l2_skip();
	l2_expect_end(l2);
}

/* --- general registers ----------------------------------------------------------------------- */

static void code_registers(void)
{
	u64 sum;

	__asm__ volatile("mov $1, %%rbx\n mov $2, %%rsi\n mov $3, %%rdi\n mov $4, %%r8\n"
			 "mov $5, %%r9\n mov $6, %%r10\n mov $7, %%r11\n mov $8, %%r12\n"
			 "mov $9, %%r13\n mov $10, %%r14\n mov $11, %%r15\n mov $12, %%rcx\n"
			 "mov $13, %%rdx\n xor %%eax, %%eax\n"
			 "vmcall\n"
			 "add %%rbx, %%rax\n add %%rsi, %%rax\n add %%rdi, %%rax\n"
			 "add %%r8, %%rax\n add %%r9, %%rax\n add %%r10, %%rax\n"
			 "add %%r11, %%rax\n add %%r12, %%rax\n add %%r13, %%rax\n"
			 "add %%r14, %%rax\n add %%r15, %%rax\n add %%rcx, %%rax\n"
			 "add %%rdx, %%rax\n"
			 : "=a"(sum)
			 :
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "memory", "cc");
	l2_vmcall(sum == 1000 * 91);
}

static void check_registers(struct l2 *l2)
{
	struct l2_regs *const r = &l2->regs;
	u64 *const all[] = { &r->rbx, &r->rsi, &r->rdi, &r->r8,	 &r->r9,  &r->r10, &r->r11,
			     &r->r12, &r->r13, &r->r14, &r->r15, &r->rcx, &r->rdx };

	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		l2_check(*all[i] == i + 1, "register %zu is %lx", i, *all[i]);
		*all[i] *= 1000;
	}
	l2_skip();
	l2_expect_end(l2);
}

/* --- the time-stamp counter ------------------------------------------------------------------ */

static void code_tsc_offset(void)
{
	l2_vmcall(rdtsc() >> 40 == 1);
}

static void check_tsc_offset(struct l2 *l2)
{
	guest_vmcs_write(VMCS_TSC_OFFSET, BIT(40));
	l2_expect_end(l2);
}

/* --- one instruction, one exit --------------------------------------------------------------- */

#define ONE_INSN(name, ...)                    \
	static void code_##name(void)          \
	{                                      \
		__asm__ volatile(__VA_ARGS__); \
		l2_vmcall(true);               \
	}

ONE_INSN(hlt, "hlt")
ONE_INSN(invd, "invd")
ONE_INSN(wbinvd, "wbinvd")
ONE_INSN(invlpg, "invlpg (%0)" : : "r"(0x123456789000))
ONE_INSN(rdpmc, "rdpmc" : : "c"(0) : "eax", "edx")
ONE_INSN(rdtsc, "rdtsc" : : : "eax", "edx")
ONE_INSN(rdtscp, "rdtscp" : : : "eax", "ecx", "edx")
ONE_INSN(pause, "pause")
ONE_INSN(monitor, "monitor" : : "a"(&memory_operand), "c"(0), "d"(0))
ONE_INSN(mwait, "mwait" : : "a"(0), "c"(0))
ONE_INSN(mov_to_dr7, "mov %0, %%dr7" : : "c"(0x400ull))
ONE_INSN(mov_from_dr0, "mov %%dr0, %0" : "=b"((u64){ 0 }))
ONE_INSN(sgdt, "sgdt %0" : "=m"(memory_operand))
ONE_INSN(sldt, "sldt %%ax" : : : "eax")
ONE_INSN(vmclear, "vmclear %0" : : "m"(memory_operand))
ONE_INSN(vmptrld, "vmptrld %0" : : "m"(memory_operand))
ONE_INSN(vmptrst, "vmptrst %0" : "=m"(memory_operand))
ONE_INSN(vmlaunch, "vmlaunch" : : : "memory")
ONE_INSN(vmresume, "vmresume" : : : "memory")
ONE_INSN(vmread, "vmread %%rcx, %%rax" : : "a"(0), "c"(0x4400))
ONE_INSN(vmwrite, "vmwrite %%rax, %%rcx" : : "a"(0), "c"(0x4400))
ONE_INSN(vmxoff, "vmxoff")
ONE_INSN(vmxon, "vmxon %0" : : "m"(memory_operand))
ONE_INSN(invept, "invept %0, %1" : : "m"(memory_operand), "r"(1ull))
ONE_INSN(invvpid, "invvpid %0, %1" : : "m"(memory_operand), "r"(1ull))
ONE_INSN(invpcid, "invpcid %0, %1" : : "m"(memory_operand), "r"(2ull))
ONE_INSN(rdrand, "rdrand %%eax" : : : "eax", "cc")
ONE_INSN(rdseed, "rdseed %%eax" : : : "eax", "cc")

static void code_xsetbv(void)
{
	write_cr4(read_cr4() | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
	l2_vmcall(true);
}

/*
 * SDM, "Basic VM-Exit Information": the qualification is the displacement, 0 where there is none.
 * Where the operand is a register, Bochs 2.7 saves what its cache of decoded instructions last held
 * in that place, which changes with every layout: this is not asked for.
 */
#define NO_DISPLACEMENT (~0ull)

static void expect_one(struct l2 *l2, u32 reason, u64 qualification, u64 length)
{
	if (!l2_expect(l2, reason))
		return;
	if (qualification != NO_DISPLACEMENT)
		l2_expect_field(VMCS_EXIT_QUALIFICATION, qualification);
	if (length)
		l2_expect_field(VMCS_VM_EXIT_INSTRUCTION_LENGTH, length);
	l2_skip();
	l2_expect_end(l2);
}

/* Length 0: the compiler chooses the addressing mode, so it is not known here. */
#define CHECK_ONE(name, reason, qualification, length)         \
	static void check_##name(struct l2 *l2)                \
	{                                                      \
		expect_one(l2, reason, qualification, length); \
	}

/* The displacement, which is the whole address of an operand without registers. */
#define OPERAND_ADDRESS physical(&memory_operand)

CHECK_ONE(hlt, EXIT_HLT, 0, 1)
CHECK_ONE(invd, EXIT_INVD, 0, 2)
CHECK_ONE(wbinvd, EXIT_WBINVD, 0, 2)
CHECK_ONE(invlpg, EXIT_INVLPG, 0x123456789000, 0)
CHECK_ONE(rdpmc, EXIT_RDPMC, 0, 2)
CHECK_ONE(rdtsc, EXIT_RDTSC, 0, 2)
CHECK_ONE(rdtscp, EXIT_RDTSCP, 0, 3)
CHECK_ONE(pause, EXIT_PAUSE, 0, 2)
CHECK_ONE(monitor, EXIT_MONITOR, 0, 3)
CHECK_ONE(mwait, EXIT_MWAIT, 0, 3)
CHECK_ONE(mov_to_dr7, EXIT_DR_ACCESS, 0x107, 3)
CHECK_ONE(mov_from_dr0, EXIT_DR_ACCESS, 0x310, 3)
CHECK_ONE(sldt, EXIT_LDTR_TR, NO_DISPLACEMENT, 0)
CHECK_ONE(vmlaunch, EXIT_VMLAUNCH, 0, 3)
CHECK_ONE(vmresume, EXIT_VMRESUME, 0, 3)
CHECK_ONE(vmread, EXIT_VMREAD, NO_DISPLACEMENT, 3)
CHECK_ONE(vmwrite, EXIT_VMWRITE, NO_DISPLACEMENT, 3)
CHECK_ONE(vmxoff, EXIT_VMXOFF, 0, 3)
CHECK_ONE(rdrand, EXIT_RDRAND, 0, 3)
CHECK_ONE(rdseed, EXIT_RDSEED, 0, 3)
CHECK_ONE(xsetbv, EXIT_XSETBV, 0, 3)
CHECK_ONE(sgdt, EXIT_GDTR_IDTR, OPERAND_ADDRESS, 0)
CHECK_ONE(vmclear, EXIT_VMCLEAR, OPERAND_ADDRESS, 0)
CHECK_ONE(vmptrld, EXIT_VMPTRLD, OPERAND_ADDRESS, 0)
CHECK_ONE(vmptrst, EXIT_VMPTRST, OPERAND_ADDRESS, 0)
CHECK_ONE(vmxon, EXIT_VMXON, OPERAND_ADDRESS, 0)
CHECK_ONE(invept, EXIT_INVEPT, OPERAND_ADDRESS, 0)
CHECK_ONE(invvpid, EXIT_INVVPID, OPERAND_ADDRESS, 0)
CHECK_ONE(invpcid, EXIT_INVPCID, OPERAND_ADDRESS, 0)

/* --- and some that must not ------------------------------------------------------------------ */

static void quiet_insns(void)
{
	u16 selector;

	__asm__ volatile("pause; rdtsc; wbinvd" : : : "eax", "edx", "memory");
	__asm__ volatile("invlpg (%0)" : : "r"(0x1000));
	__asm__ volatile("sldt %0" : "=r"(selector));
	write_cr3(read_cr3());
}

static void code_quiet(void)
{
	quiet_insns();
	l2_vmcall(true);
}

static void check_quiet(struct l2 *l2)
{
	l2_expect_end(l2);
}

static void do_rdtscp(void *unused)
{
	(void)unused;
	__asm__ volatile("rdtscp" : : : "eax", "ecx", "edx");
}

static void do_invpcid(void *unused)
{
	const struct inv_descriptor descriptor = { 0, 0 };

	(void)unused;
	__asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"(2ull));
}

/* An instruction whose "enable" control is 0 does not exist. */
static void code_disabled(void)
{
	struct guest_fault rdtscp, invpcid;
	const bool ran =
		guest_try(do_rdtscp, NULL, &rdtscp) || guest_try(do_invpcid, NULL, &invpcid);

	l2_vmcall(!ran && rdtscp.vector == EXCEPTION_UD && invpcid.vector == EXCEPTION_UD);
}

static bool has_monitor(void)
{
	return cpuid(1, 0).ecx & BIT(3);
}

static bool has_xsave(void)
{
	return cpuid(1, 0).ecx & BIT(26);
}

static bool has_invept(void)
{
	return guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_EPT);
}

static bool has_invvpid(void)
{
	return guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_VPID);
}

const struct l2_case l1_l2_insn_cases[] = {
	L2_CASE(cpuid),
	L2_CASE(registers),
	L2_CASE(tsc_offset, .options.primary = PRIMARY_TSC_OFFSETTING),
	L2_CASE(hlt, .options.primary = PRIMARY_HLT_EXITING),
	L2_CASE(invd),
	L2_CASE(wbinvd, .options.secondary = SECONDARY_WBINVD_EXITING),
	L2_CASE(invlpg, .options.primary = PRIMARY_INVLPG_EXITING),
	L2_CASE(rdpmc, .options.primary = PRIMARY_RDPMC_EXITING),
	L2_CASE(rdtsc, .options.primary = PRIMARY_RDTSC_EXITING),
	L2_CASE(rdtscp, .options.primary = PRIMARY_RDTSC_EXITING,
		.options.secondary = SECONDARY_RDTSCP),
	L2_CASE(pause, .options.primary = PRIMARY_PAUSE_EXITING),
	L2_CASE(monitor, .options.primary = PRIMARY_MONITOR_EXITING, .possible = has_monitor),
	L2_CASE(mwait, .options.primary = PRIMARY_MWAIT_EXITING, .possible = has_monitor),
	L2_CASE(mov_to_dr7, .options.primary = PRIMARY_MOV_DR_EXITING),
	L2_CASE(mov_from_dr0, .options.primary = PRIMARY_MOV_DR_EXITING),
	L2_CASE(sgdt, .options.secondary = SECONDARY_DESCRIPTOR_TABLE_EXITING),
	L2_CASE(sldt, .options.secondary = SECONDARY_DESCRIPTOR_TABLE_EXITING),
	L2_CASE(vmclear),
	L2_CASE(vmptrld),
	L2_CASE(vmptrst),
	L2_CASE(vmlaunch),
	L2_CASE(vmresume),
	L2_CASE(vmread),
	L2_CASE(vmwrite),
	L2_CASE(vmxoff),
	L2_CASE(vmxon),
	L2_CASE(invept, .possible = has_invept),
	L2_CASE(invvpid, .possible = has_invvpid),
	L2_CASE(invpcid, .options.primary = PRIMARY_INVLPG_EXITING,
		.options.secondary = SECONDARY_INVPCID),
	L2_CASE(rdrand, .options.secondary = SECONDARY_RDRAND_EXITING),
	L2_CASE(rdseed, .options.secondary = SECONDARY_RDSEED_EXITING),
	L2_CASE(xsetbv, .possible = has_xsave),
	L2_CASE(quiet),
	L2_CASE_OF(disabled, code_disabled, check_quiet),
};
const size_t l1_l2_insn_count = ARRAY_SIZE(l1_l2_insn_cases);
