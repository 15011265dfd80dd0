#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define EXCEPTION_UD 6
#define CR0_TS	     BIT(3)
#define CR4_OSXSAVE  BIT(18)
#define FREE_PORT    0x1230 /* no device there, neither on a PC nor in Bochs */

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

/* --- port I/O -------------------------------------------------------------------------------- */

/* SDM: "Exit Qualification for I/O Instructions". */
#define IO_QUALIFICATION(port, size, flags) ((u64)(port) << 16 | ((size)-1) | (flags))
#define IO_IN				    BIT(3)
#define IO_STRING			    BIT(4)
#define IO_REP				    BIT(5)
#define IO_IMMEDIATE			    BIT(6)

static void code_io(void)
{
	u8 byte = 0;
	u16 word = 0x1100;
	u32 dword = 0;

	__asm__ volatile("outb %0, $0x80" : : "a"((u8)0x5a));
	__asm__ volatile("outw %0, %1" : : "a"((u16)0x1234), "d"((u16)FREE_PORT));
	__asm__ volatile("outl %0, %1" : : "a"(0x12345678), "d"((u16)FREE_PORT));
	__asm__ volatile("inb $0x80, %0" : "=a"(byte));
	__asm__ volatile("inw %1, %0" : "+a"(word) : "d"((u16)FREE_PORT));
	__asm__ volatile("inl %1, %0" : "=a"(dword) : "d"((u16)FREE_PORT));
	l2_vmcall(byte == 0xa5 && word == 0x4321 && dword == 0x87654321);
}

static void check_io(struct l2 *l2)
{
	static const struct {
		u64 qualification, out, in, length;
	} steps[] = {
		{ IO_QUALIFICATION(0x80, 1, IO_IMMEDIATE), 0x5a, 0, 2 },
		{ IO_QUALIFICATION(FREE_PORT, 2, 0), 0x1234, 0, 2 },
		{ IO_QUALIFICATION(FREE_PORT, 4, 0), 0x12345678, 0, 1 },
		{ IO_QUALIFICATION(0x80, 1, IO_IN | IO_IMMEDIATE), 0, 0xa5, 2 },
		{ IO_QUALIFICATION(FREE_PORT, 2, IO_IN), 0, 0x4321, 2 },
		{ IO_QUALIFICATION(FREE_PORT, 4, IO_IN), 0, 0x87654321, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const u64 size = BITS(steps[i].qualification, 2, 0) + 1;

		if (!l2_expect(l2, EXIT_IO))
			return;
		l2_expect_field(VMCS_EXIT_QUALIFICATION, steps[i].qualification);
		l2_expect_field(VMCS_VM_EXIT_INSTRUCTION_LENGTH, steps[i].length);
		if (steps[i].qualification & IO_IN)
			l2->regs.rax = (l2->regs.rax & ~MASK(size * 8 - 1, 0)) | steps[i].in;
		else
			l2_check((l2->regs.rax & MASK(size * 8 - 1, 0)) == steps[i].out,
				 "step %zu writes %lx", i, l2->regs.rax);
		l2_skip();
	}
	l2_expect_end(l2);
}

static void code_outs(void)
{
	const char *text = "text";
	u64 count = 4;

	__asm__ volatile("rep outsb" : "+S"(text), "+c"(count) : "d"((u16)FREE_PORT) : "memory");
	l2_vmcall(count == 0 && *text == 0);
}

static void check_outs(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_IO))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION,
			IO_QUALIFICATION(FREE_PORT, 1, IO_STRING | IO_REP));
	l2_expect_field(VMCS_GUEST_LINEAR_ADDRESS, l2->regs.rsi);
	l2_check(l2->regs.rcx == 4, "RCX %lx", l2->regs.rcx);
	l2->regs.rsi += 4;
	l2->regs.rcx = 0;
	l2_skip();
	l2_expect_end(l2);
}

/* Only ports whose bit is 1 exit; an access that reaches beyond FFFFh does, whatever its bit. */
static void code_io_bitmap(void)
{
	__asm__ volatile("outb %0, $0x80" : : "a"((u8)0));
	__asm__ volatile("outb %0, $0x81" : : "a"((u8)0));
	__asm__ volatile("outw %0, $0x80" : : "a"((u16)0));
	__asm__ volatile("outb %0, %1" : : "a"((u8)0), "d"((u16)0x9234));
	l2_vmcall(true);
}

static void check_io_bitmap(struct l2 *l2)
{
	u8 *a = guest_pages(2), *b = a + PAGE_SIZE;

	a[0x81 / 8] = BIT(0x81 % 8);
	b[0x1234 / 8] = BIT(0x1234 % 8);
	guest_vmcs_write(VMCS_IO_BITMAP_A, physical(a));
	guest_vmcs_write(VMCS_IO_BITMAP_B, physical(b));
	if (!l2_expect(l2, EXIT_IO))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, IO_QUALIFICATION(0x81, 1, IO_IMMEDIATE));
	l2_skip();
	if (!l2_expect(l2, EXIT_IO))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, IO_QUALIFICATION(0x80, 2, IO_IMMEDIATE));
	l2_skip();
	if (!l2_expect(l2, EXIT_IO))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, IO_QUALIFICATION(0x9234, 1, 0));
	l2_skip();
	l2_expect_end(l2);
}

/* --- MSRs ------------------------------------------------------------------------------------ */

static void code_msr(void)
{
	const u64 value = rdmsr(MSR_SYSENTER_CS);

	wrmsr(MSR_SYSENTER_EIP, 0x123456789a);
	l2_vmcall(value == 0xfedcba9876543210);
}

static void check_msr(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_RDMSR))
		return;
	l2_check(l2->regs.rcx == MSR_SYSENTER_CS, "RCX %lx", l2->regs.rcx);
	l2->regs.rax = 0x76543210;
	l2->regs.rdx = 0xfedcba98;
	l2_skip();
	if (!l2_expect(l2, EXIT_WRMSR))
		return;
	l2_check(l2->regs.rcx == MSR_SYSENTER_EIP && l2->regs.rdx == 0x12 &&
			 l2->regs.rax == 0x3456789a,
		 "WRMSR %lx %lx:%lx", l2->regs.rcx, l2->regs.rdx, l2->regs.rax);
	l2_skip();
	l2_expect_end(l2);
}

#define MSR_BITMAP_READ_LOW   0
#define MSR_BITMAP_READ_HIGH  1024
#define MSR_BITMAP_WRITE_LOW  2048
#define MSR_BITMAP_WRITE_HIGH 3072

static void code_msr_bitmap(void)
{
	u64 value;

	wrmsr(MSR_SYSENTER_EIP, 0x1000);
	value = rdmsr(MSR_SYSENTER_EIP);
	wrmsr(MSR_SYSENTER_ESP, 0x2000);
	rdmsr(MSR_STAR);
	rdmsr(0x12345678);
	l2_vmcall(value == 0x1000);
}

static void check_msr_bitmap(struct l2 *l2)
{
	static const struct {
		u32 reason, msr;
	} steps[] = {
		{ EXIT_WRMSR, MSR_SYSENTER_ESP },
		{ EXIT_RDMSR, MSR_STAR },
		{ EXIT_RDMSR, 0x12345678 }, /* in no bitmap */
	};
	u8 *bitmap = guest_pages(1);
	const u32 star = MSR_STAR & 0x1fff;

	bitmap[MSR_BITMAP_WRITE_LOW + MSR_SYSENTER_ESP / 8] = BIT(MSR_SYSENTER_ESP % 8);
	bitmap[MSR_BITMAP_READ_HIGH + star / 8] = (u8)BIT(star % 8);
	guest_vmcs_write(VMCS_MSR_BITMAP, physical(bitmap));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (!l2_expect(l2, steps[i].reason))
			return;
		l2_check(l2->regs.rcx == steps[i].msr, "RCX %lx", l2->regs.rcx);
		l2_skip();
	}
	l2_expect_field(VMCS_GUEST_IA32_SYSENTER_EIP, 0x1000);
	l2_expect_end(l2);
}

/* --- control registers ----------------------------------------------------------------------- */

/* SDM: "Exit Qualification for Control-Register Accesses". */
#define CR_QUALIFICATION(cr, type, gpr) ((cr) | (type) << 4 | (gpr) << 8)
#define CR_TO				0
#define CR_FROM				1
#define CR_CLTS				2
#define CR_LMSW				3

static void code_cr_masks(void)
{
	const u64 cr0 = read_cr0(), cr4 = read_cr4();

	/* L1 owns TS, which reads as 1, and VMXE, which reads as 0. */
	write_cr0(cr0); /* changes neither: no exit */
	__asm__ volatile("clts");
	__asm__ volatile("lmsw %w0" : : "a"(0xbull));
	__asm__ volatile("mov %0, %%cr4" : : "b"(cr4 | CR4_VMXE));
	l2_vmcall(cr0 & CR0_TS && !(cr4 & CR4_VMXE));
}

static void check_cr_masks(struct l2 *l2)
{
	guest_vmcs_write(VMCS_CR0_GUEST_HOST_MASK, CR0_TS);
	guest_vmcs_write(VMCS_CR0_READ_SHADOW, CR0_TS);
	guest_vmcs_write(VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE);
	guest_vmcs_write(VMCS_CR4_READ_SHADOW, 0);
	if (!l2_expect(l2, EXIT_CR_ACCESS))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, CR_QUALIFICATION(0, CR_CLTS, 0));
	guest_vmcs_write(VMCS_CR0_READ_SHADOW, 0);
	l2_skip();
	if (!l2_expect(l2, EXIT_CR_ACCESS))
		return;
	/* LMSW with TS against a shadow without: the exit, and the source in bits 31:16. */
	l2_check((guest_vmcs_read(VMCS_EXIT_QUALIFICATION) & ~MASK(11, 8)) ==
			 (CR_QUALIFICATION(0, CR_LMSW, 0) | 0xb << 16),
		 "qualification %lx", guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
	l2_skip();
	if (!l2_expect(l2, EXIT_CR_ACCESS))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, CR_QUALIFICATION(4, CR_TO, 3));
	l2_skip();
	l2_expect_end(l2);
}

static void code_cr3(void)
{
	u64 cr3;

	__asm__ volatile("mov %%cr3, %0" : "=b"(cr3));
	__asm__ volatile("mov %0, %%cr3" : : "c"(cr3) : "memory");
	l2_vmcall(cr3 == 0x1234000);
}

static void check_cr3(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_CR_ACCESS))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, CR_QUALIFICATION(3, CR_FROM, 3));
	l2->regs.rbx = 0x1234000;
	l2_skip();
	if (!l2_expect(l2, EXIT_CR_ACCESS))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, CR_QUALIFICATION(3, CR_TO, 1));
	l2_skip();
	l2_expect_end(l2);
}

/* MOV to CR3 of a CR3-target value does not exit. */
static void code_cr3_target(void)
{
	const u64 cr3 = read_cr3();

	write_cr3(cr3);
	l2_vmcall(true);
}

static void check_cr3_target(struct l2 *l2)
{
	guest_vmcs_write(VMCS_CR3_TARGET_VALUE_0, l2_case_cr3);
	guest_vmcs_write(VMCS_CR3_TARGET_COUNT, 1);
	l2_expect_end(l2);
}

static bool has_cr3_target(void)
{
	return CAP_GET(guest_caps.msr[VMX_CAP_MISC], CR3_TARGETS) > 0;
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

static void expect_one(struct l2 *l2, u32 reason, u64 qualification, u64 length)
{
	if (!l2_expect(l2, reason))
		return;
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
CHECK_ONE(sldt, EXIT_LDTR_TR, 0, 0)
CHECK_ONE(vmlaunch, EXIT_VMLAUNCH, 0, 3)
CHECK_ONE(vmresume, EXIT_VMRESUME, 0, 3)
CHECK_ONE(vmread, EXIT_VMREAD, 0, 3)
CHECK_ONE(vmwrite, EXIT_VMWRITE, 0, 3)
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
	L2_CASE(io, .options.primary = PRIMARY_UNCONDITIONAL_IO_EXITING),
	L2_CASE(outs, .options.primary = PRIMARY_UNCONDITIONAL_IO_EXITING),
	L2_CASE(io_bitmap, .options.primary = PRIMARY_IO_BITMAPS),
	L2_CASE(msr),
	L2_CASE(msr_bitmap, .options.primary = PRIMARY_MSR_BITMAPS),
	L2_CASE(cr_masks),
	L2_CASE(cr3, .options.primary = PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING),
	L2_CASE(cr3_target, .options.primary = PRIMARY_CR3_LOAD_EXITING,
		.possible = has_cr3_target),
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
