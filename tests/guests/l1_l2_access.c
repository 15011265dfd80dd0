#include "tests/guests/l1_l2.h"

#define CR0_TS				    BIT(3)
#define FREE_PORT			    0x1230 /* no device there, neither on a PC nor in Bochs */

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

const struct l2_case l1_l2_access_cases[] = {
	L2_CASE(io, .options.primary = PRIMARY_UNCONDITIONAL_IO_EXITING),
	L2_CASE(outs, .options.primary = PRIMARY_UNCONDITIONAL_IO_EXITING),
	L2_CASE(io_bitmap, .options.primary = PRIMARY_IO_BITMAPS),
	L2_CASE(msr),
	L2_CASE(msr_bitmap, .options.primary = PRIMARY_MSR_BITMAPS),
	L2_CASE(cr_masks),
	L2_CASE(cr3, .options.primary = PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING),
	L2_CASE(cr3_target, .options.primary = PRIMARY_CR3_LOAD_EXITING,
		.possible = has_cr3_target),
};
const size_t l1_l2_access_count = ARRAY_SIZE(l1_l2_access_cases);
