/*
 * tests/guests/l1_fuzz_machine.c - random instructions of L1 that are no VMX instructions
 *
 * What would end the machine is left out: resets, HLT with nothing to wake it, an address space
 * without this code.
 */
#include "base/hv_leaf.h"
#include "tests/guests/l1_fuzz.h"

#define CR0_MAY	    (BIT(1) | BIT(2) | BIT(3) | BIT(5) | BIT(16) | BIT(18) | BIT(29) | BIT(30))
#define CR4_NEVER   (BIT(12) | BIT(20) | BIT(21) | BIT(23))
#define CR4_OSXSAVE BIT(18)
#define MTRR_VALID  BIT(11)
#define MTRR_ENABLE (BIT(11) | BIT(10))

struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

static struct {
	u64 cr0, cr4, efer, pat;
	struct table_pointer gdt, idt;
} kept;

void fuzz_cpu_keep(void)
{
	kept.cr0 = read_cr0();
	kept.cr4 = read_cr4();
	kept.efer = rdmsr(MSR_EFER);
	kept.pat = rdmsr(MSR_PAT);
	__asm__ volatile("sgdt %0; sidt %1" : "=m"(kept.gdt), "=m"(kept.idt));
}

void fuzz_cpu_restore(void)
{
	__asm__ volatile("lgdt %0; lidt %1\n"
			 "mov %2, %%ds; mov %2, %%es; mov %2, %%ss; mov %3, %%fs; mov %3, %%gs\n"
			 "pushq %4; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
			 :
			 : "m"(kept.gdt), "m"(kept.idt), "r"(GUEST_DS), "r"(0), "i"(GUEST_CS)
			 : "rax", "memory");
	if (read_cr0() != kept.cr0)
		write_cr0(kept.cr0);
	if (read_cr4() != kept.cr4)
		write_cr4(kept.cr4);
	if (rdmsr(MSR_EFER) != kept.efer)
		wrmsr(MSR_EFER, kept.efer);
}

/* --- what can be done, each with random operands ---------------------------------------------- */

struct operands {
	u64 a, b, c;
};

static void do_cpuid(void *argument)
{
	const struct operands *const o = argument;

	cpuid((u32)o->a, (u32)o->b);
}

static void do_rdmsr(void *argument)
{
	rdmsr((u32)((const struct operands *)argument)->a);
}

static void do_wrmsr(void *argument)
{
	const struct operands *const o = argument;

	wrmsr((u32)o->a, o->b);
}

static void do_cr0(void *argument)
{
	write_cr0(((const struct operands *)argument)->a);
}

static void do_cr3(void *argument)
{
	write_cr3(((const struct operands *)argument)->a);
}

static void do_cr4(void *argument)
{
	write_cr4(((const struct operands *)argument)->a);
}

static void do_cr8(void *argument)
{
	__asm__ volatile("mov %0, %%cr8; mov %%cr8, %%rax"
			 :
			 : "r"(((const struct operands *)argument)->a)
			 : "rax", "memory");
	__asm__ volatile("mov %0, %%cr8" : : "r"(0ull) : "memory");
}

static void do_lmsw(void *argument)
{
	__asm__ volatile("lmsw %w0" : : "r"((u32)((const struct operands *)argument)->a | 1));
}

static void do_clts(void *argument)
{
	(void)argument;
	__asm__ volatile("clts");
}

static void do_xsetbv(void *argument)
{
	const struct operands *const o = argument;

	__asm__ volatile("xsetbv"
			 :
			 : "c"((u32)o->a), "a"((u32)o->b), "d"((u32)(o->b >> 32))
			 : "memory");
}

static void do_in(void *argument)
{
	const struct operands *const o = argument;
	u32 value;

	if (o->b & 1)
		__asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(o->a));
	else
		inb((u16)o->a);
}

static void do_out(void *argument)
{
	const struct operands *const o = argument;

	if (o->c & 1)
		__asm__ volatile("outw %w0, %w1" : : "a"(o->b), "d"(o->a));
	else
		outb((u16)o->a, (u8)o->b);
}

static void do_ins(void *argument)
{
	const struct operands *const o = argument;
	u64 to = o->b, count = o->c & 7;

	__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(o->a) : "memory");
}

static void do_outs(void *argument)
{
	const struct operands *const o = argument;
	u64 from = o->b, count = o->c & 7;

	__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(o->a) : "memory");
}

static void do_invlpg(void *argument)
{
	__asm__ volatile("invlpg (%0)" : : "r"(((const struct operands *)argument)->a) : "memory");
}

static void do_wbinvd(void *argument)
{
	if (((const struct operands *)argument)->a & 1)
		__asm__ volatile("invd" : : : "memory");
	else
		__asm__ volatile("wbinvd" : : : "memory");
}

static void do_rsm(void *argument)
{
	(void)argument;
	__asm__ volatile("rsm");
}

static void do_access(void *argument)
{
	const struct operands *const o = argument;
	volatile u64 *const at = (volatile u64 *)(uintptr_t)o->a;

	if (o->b & 1)
		*at = o->c;
	else
		(void)*at;
}

/* --- operands --------------------------------------------------------------------------------- */

static u64 any_msr(void)
{
	static const u32 msrs[] = { MSR_FEATURE_CONTROL,
				    MSR_BIOS_UPDT_TRIG,
				    MSR_DEBUGCTL,
				    MSR_PAT,
				    MSR_SYSENTER_ESP,
				    0x200,
				    0x201,
				    0x250,
				    0x2ff,
				    0xc0000081,
				    0xc0000102,
				    0x40000000,
				    0xffffffff,
				    0x2000,
				    0x1fff,
				    0x8b };

	return fuzz_one_in(3)	? MSR_VMX_BASIC + fuzz_below(20)
	       : fuzz_one_in(4) ? fuzz_value()
				: msrs[fuzz_below(ARRAY_SIZE(msrs))];
}

/* Not those that L1 can't take back, or that time hangs on. */
static u64 any_msr_to_write(void)
{
	const u64 msr = any_msr();

	switch ((u32)msr) {
	case MSR_TSC:
	case MSR_APIC_BASE:
	case MSR_TSC_ADJUST:
	case MSR_MISC_ENABLE:
	case MSR_EFER:
		return MSR_FEATURE_CONTROL;
	default:
		return msr;
	}
}

static u64 any_leaf(void)
{
	return fuzz_one_in(8)	? HV_LEAF
	       : fuzz_one_in(3) ? BIT(31) + fuzz_below(10)
	       : fuzz_one_in(4) ? fuzz_value()
				: fuzz_below(0x20);
}

/* Ports at which nothing ends and nothing waits. */
static u64 port_to_write(void)
{
	static const u16 ports[] = { 0x80, 0xe9, 0xed, 0x3fb, 0x402, 0x1230, 0xffff };

	return ports[fuzz_below(ARRAY_SIZE(ports))];
}

static void try(void (*fn)(void *argument), u64 a, u64 b, u64 c)
{
	struct operands operands = { a, b, c };
	struct guest_fault fault;

	guest_try(fn, &operands, &fault);
}

static void control_register(void)
{
	switch (fuzz_below(6)) {
	case 0:
		try(do_cr0,
		    kept.cr0 ^ (fuzz_one_in(4) ? BIT(fuzz_below(64)) & ~BIT(0) & ~BIT(31)
					       : fuzz_value() & CR0_MAY),
		    0, 0);
		break;
	case 1:
		try(do_cr4, kept.cr4 ^ (BIT(fuzz_below(64)) & ~CR4_NEVER), 0, 0);
		break;
	case 2:
		try(do_cr3, read_cr3() | (fuzz_one_in(2) ? BIT(52 + fuzz_below(11)) : 0), 0, 0);
		break;
	case 3:
		try(do_cr8, fuzz_value(), 0, 0);
		break;
	case 4:
		try(do_lmsw, fuzz_value(), 0, 0);
		break;
	default:
		try(do_clts, 0, 0, 0);
		break;
	}
}

static void port(void)
{
	switch (fuzz_below(4)) {
	case 0:
		try(do_in, fuzz_below(65536), fuzz_value(), 0);
		break;
	case 1:
		try(do_out, port_to_write(), 3, fuzz_value());
		break;
	case 2:
		try(do_ins, port_to_write(), fuzz_page(PAGE_SCRATCH) + fuzz_below(3 * PAGE_SIZE),
		    fuzz_value());
		break;
	default: /* of zeros, but for what other steps left */
		try(do_outs, fuzz_one_in(2) ? 0xe9 : 0x80,
		    fuzz_page(PAGE_WINDOWS + (unsigned)fuzz_below(FUZZ_WINDOWS)) - fuzz_below(4),
		    fuzz_value());
		break;
	}
}

static void extended_control(void)
{
	static const u64 values[] = { 1, 3, 7, 0, 2, 5, 0xe7, ~0ull };

	try(do_cr4, kept.cr4 | CR4_OSXSAVE, 0, 0);
	try(do_xsetbv, fuzz_one_in(8) ? fuzz_value() : 0, values[fuzz_below(ARRAY_SIZE(values))],
	    0);
}

/* All variable ranges, of any size and anywhere, and the default: each a walk of EPT01. */
static void do_mtrrs(void *argument)
{
	static const u8 types[] = { 0, 1, 4, 5, 6 };
	const unsigned pairs = rdmsr(MSR_MTRRCAP) & 0xff;

	(void)argument;
	for (unsigned i = 0; i < pairs; i++) {
		const u64 size = BIT(12 + fuzz_below(22));

		wrmsr(MSR_MTRR_PHYSBASE0 + 2 * i,
		      (fuzz_below(GIB(8)) & -size) | types[fuzz_below(ARRAY_SIZE(types))]);
		wrmsr(MSR_MTRR_PHYSBASE0 + 2 * i + 1,
		      (MASK(guest_caps.maxphyaddr - 1, 12) & -size) | MTRR_VALID);
	}
	wrmsr(MSR_MTRR_DEF_TYPE, MTRR_ENABLE | types[fuzz_below(ARRAY_SIZE(types))]);
	wrmsr(MSR_MTRR_DEF_TYPE, MTRR_ENABLE | types[fuzz_below(ARRAY_SIZE(types))]);
}

void fuzz_machine_insn(void)
{
	switch (fuzz_below(10)) {
	case 0:
		try(do_cpuid, any_leaf(), fuzz_one_in(2) ? fuzz_below(4) : fuzz_value(), 0);
		break;
	case 1:
		try(do_rdmsr, any_msr(), 0, 0);
		break;
	case 2:
		if (fuzz_one_in(32)) {
			try(do_mtrrs, 0, 0, 0);
			break;
		}
		/* fall through */
	case 3:
		try(do_wrmsr, any_msr_to_write(), fuzz_value(), 0);
		wrmsr(MSR_PAT, kept.pat);
		wrmsr(MSR_DEBUGCTL, 0);
		break;
	case 4:
	case 5:
		control_register();
		break;
	case 6:
		port();
		break;
	case 7:
		extended_control();
		break;
	case 8:
		if (fuzz_one_in(2))
			try(do_invlpg, fuzz_linear(), 0, 0);
		else
			try(fuzz_one_in(2) ? do_wbinvd : do_rsm, fuzz_value(), 0, 0);
		break;
	default: /* the hypervisor's own memory, or none */
		try(do_access, fuzz_page(PAGE_WINDOWS + (unsigned)fuzz_below(FUZZ_WINDOWS)),
		    fuzz_value(), 0);
		break;
	}
	fuzz_cpu_restore();
}
