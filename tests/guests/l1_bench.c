/*
 * tests/guests/l1_bench.c - what VMX instructions and exits of L2 cost, in ticks that L1 sees
 *
 * In Bochs a tick is an instruction. Figures are those of many repetitions, the least and the mean;
 * the cost of reading the clock is taken off. Each row leaves a mark with its name, by which
 * tests/bench/hv_exits finds it on the tape.
 *
 *	bench: NAME: LEAST MEAN STEPS
 */
#include "tests/guests/lib/guest_l2.h"
#include "tests/guests/lib/guest_paging.h"

#define REPETITIONS 1000
#define WARM_UP	    10 /* what happens once is not counted */
#define FEW	    10 /* repetitions of what takes long */
#define MANY	    64 /* VMCSs */
#define MANY_PAGES  4096
#define SOME_PAGES  512
#define CR4_PGE	    BIT(7)
#define PAGE	    4096
#define TOUCHED	    0x2000000ull  /* from here on L2 reads pages, of 4 KiB in EPT12 */
#define HOLE	    0x3ff00000ull /* a page that EPT12 does not map */
#define BITMAP_MSR  0x174	  /* IA32_SYSENTER_CS, whose bit in the MSR bitmap changes */

/* The APIC: an interrupt from this processor to itself. */
#define APIC_EOI    (*(volatile u32 *)0xfee000b0ull)
#define APIC_SVR    (*(volatile u32 *)0xfee000f0ull)
#define APIC_ICR    (*(volatile u32 *)0xfee00300ull)
#define SVR_ENABLE  BIT(8)
#define ICR_SELF    0x40050u /* vector 50h, fixed, to self */

static struct l2 l2;
static void *regions[MANY];
static u8 *msr_bitmap;
static u64 eptp, turn;

/* --- instructions of L1 ----------------------------------------------------------------------- */

static void do_nothing(void)
{
}

static void do_cpuid(void)
{
	cpuid(0, 0);
}

static void do_rdmsr(void)
{
	rdmsr(MSR_VMX_BASIC);
}

static void do_mov_cr4(void)
{
	write_cr4(read_cr4() ^ CR4_PGE);
}

static void do_vmread(void)
{
	u64 value = 0;

	vmread(VMCS_GUEST_RIP, &value);
}

static void do_vmread_memory(void)
{
	u64 value;

	__asm__ volatile("vmread %1, %0" : "=m"(value) : "r"((u64)VMCS_GUEST_RIP) : "cc");
}

static void do_vmwrite(void)
{
	vmwrite(VMCS_TSC_OFFSET, 0);
}

static void do_vmwrite_memory(void)
{
	const u64 value = 0;

	__asm__ volatile("vmwrite %0, %1" : : "m"(value), "r"((u64)VMCS_TSC_OFFSET) : "cc");
}

static void do_vmptrld(void)
{
	vmptrld(physical(l2.region));
}

/* One of the first @count regions; what follows finds the same RFLAGS each time. */
static u64 next_region(unsigned count)
{
	u64 region = physical(regions[turn++ % count]);

	__asm__ volatile("test %%rsp, %%rsp" : "+r"(region) : : "cc");
	return region;
}

static void do_vmptrld_two(void)
{
	vmptrld(next_region(2));
}

static void do_vmptrld_two_flags(void)
{
	vmptrld(physical(regions[turn++ % 2]));
}

static void do_vmptrld_many(void)
{
	vmptrld(next_region(MANY));
}

static void do_vmclear(void)
{
	vmclear(physical(regions[1]));
}

static void do_invept(void)
{
	invept(1, eptp, 0);
}

static void do_invvpid(void)
{
	invvpid(1, 1, 0);
}

static void do_toggle(void)
{
	guest_vmx_off();
	guest_vmx_on();
}

/* --- rounds with L2 --------------------------------------------------------------------------- */

static void code_cpuid(void)
{
	for (;;)
		cpuid(0, 0);
}

static void code_hole(void)
{
	for (;;)
		*(volatile u8 *)HOLE;
}

static void code_touch(void)
{
	for (u64 at = TOUCHED;; at += PAGE) {
		*(volatile u8 *)at;
		cpuid(0, 0);
	}
}

static void touch_pages(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		*(volatile u8 *)(TOUCHED + (u64)i * PAGE);
	cpuid(0, 0);
}

static void code_touch_many(void)
{
	touch_pages(MANY_PAGES);
}

static void code_touch_some(void)
{
	touch_pages(SOME_PAGES);
}

/* L1 skips nothing: CPUID and the access to the hole are executed again and again. */
static void do_round_trip(void)
{
	l2_resume(&l2);
}

static void do_skip(void)
{
	l2_resume(&l2);
	l2_skip();
}

/* L2 touches SOME of the MANY_PAGES pages that it touched before, from the first on. */
static void do_invept_and_touches(void)
{
	invept(1, eptp, 0);
	guest_vmcs_write(VMCS_GUEST_RIP, (uintptr_t)code_touch_some);
	l2_resume(&l2);
}

/* The interrupt comes at once, and with it the exit, which acknowledges it. */
static void do_interrupt(void)
{
	APIC_ICR = ICR_SELF;
	l2_resume(&l2);
	APIC_EOI = 0;
}

static void do_typical(void)
{
	u64 value = 0, rip = 0, length = 0;

	vmread(VMCS_EXIT_REASON, &value);
	vmread(VMCS_EXIT_QUALIFICATION, &value);
	vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH, &length);
	vmread(VMCS_GUEST_RIP, &rip);
	vmwrite(VMCS_GUEST_RIP, rip + length);
	l2_resume(&l2);
}

static void do_change_control(void)
{
	vmwrite(VMCS_EXCEPTION_BITMAP, turn++ % 2 << 6);
	l2_resume(&l2);
}

static void do_change_bitmap(void)
{
	msr_bitmap[BITMAP_MSR / 8] ^= 1u << BITMAP_MSR % 8;
	l2_resume(&l2);
}

/* --- the rows --------------------------------------------------------------------------------- */

static void make_regions(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		regions[i] = guest_region();
		guest_vmcs_load(regions[i]);
	}
}

static void make_plain(void)
{
	l2_create(&l2, code_cpuid, &(struct l2_options){ 0 });
	l2_enter(&l2);
}

static void make_ept_with(void (*code)(void), u64 pin, u64 exit)
{
	l2_create(&l2, code,
		  &(struct l2_options){
			  .pin = pin,
			  .exit = exit,
			  .secondary = SECONDARY_EPT | SECONDARY_VPID,
			  .primary = PRIMARY_SECONDARY_CONTROLS | PRIMARY_MSR_BITMAPS,
			  .eptp = eptp,
			  .vpid = 1,
		  });
	msr_bitmap = (u8 *)(uintptr_t)guest_vmcs_read(VMCS_MSR_BITMAP);
	l2_enter(&l2);
}

static void make_ept(void (*code)(void))
{
	make_ept_with(code, 0, 0);
}

static void make_cpuid(void)
{
	make_ept(code_cpuid);
}

static void make_hole(void)
{
	*guest_table_entry(eptp, HOLE) = 0;
	make_ept(code_hole);
}

static void make_interrupt(void)
{
	APIC_SVR |= SVR_ENABLE;
	make_ept_with(code_cpuid, PIN_EXTERNAL_INTERRUPT_EXITING, EXIT_ACKNOWLEDGE_INTERRUPT);
	do_interrupt();
	guest_check(guest_vmcs_read(VMCS_EXIT_REASON) == EXIT_EXTERNAL_INTERRUPT, "interrupt");
}

static void make_touch(void)
{
	for (u64 at = TOUCHED; at < TOUCHED + MANY_PAGES * PAGE; at += MIB(2))
		guest_table_entry(eptp, at);
	invept(1, eptp, 0);
	make_ept(code_touch);
	l2_skip();
}

static void make_touch_many(void)
{
	make_ept(code_touch_many);
}

/* One VMRESUME has to succeed before another can fail. */
static void make_bad(u32 field, u64 value)
{
	make_plain();
	guest_vmcs_write(field, value);
}

static void make_bad_controls(void)
{
	make_bad(VMCS_PIN_BASED_CONTROLS, 0);
}

static void make_bad_host(void)
{
	make_bad(VMCS_HOST_TR_SELECTOR, 0);
}

static void make_bad_guest(void)
{
	make_bad(VMCS_GUEST_RFLAGS, 0);
}

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*step)(void);
} rows[] = {
	{ "cpuid", do_nothing, do_cpuid },
	{ "rdmsr vmx_basic", do_nothing, do_rdmsr },
	{ "mov cr4.pge", do_nothing, do_mov_cr4 },
	{ "vmread", make_plain, do_vmread },
	{ "vmread to memory", make_plain, do_vmread_memory },
	{ "vmwrite", make_plain, do_vmwrite },
	{ "vmwrite from memory", make_plain, do_vmwrite_memory },
	{ "vmptrld of the current", make_plain, do_vmptrld },
	{ "vmptrld, 2 in turn", make_regions, do_vmptrld_two },
	{ "the same, rflags in turn", do_nothing, do_vmptrld_two_flags },
	{ "vmptrld, 64 in turn", do_nothing, do_vmptrld_many },
	{ "vmclear of another", do_nothing, do_vmclear },
	{ "invept single", make_plain, do_invept },
	{ "invvpid single", make_plain, do_invvpid },
	{ "vmresume, cpuid", make_plain, do_round_trip },
	{ "the same, typical handler", make_plain, do_typical },
	{ "ept: vmresume, cpuid", make_cpuid, do_round_trip },
	{ "ept: typical handler", make_cpuid, do_typical },
	{ "ept: ept violation", make_hole, do_round_trip },
	{ "ept: external interrupt", make_interrupt, do_interrupt },
	{ "ept: cpuid, skipped", make_cpuid, do_skip },
	{ "ept: first touch, cpuid", make_touch, do_skip },
	{ "ept: invept, 512 touches", make_touch_many, do_invept_and_touches },
	{ "ept: changed control", make_cpuid, do_change_control },
	{ "ept: changed msr bitmap", make_cpuid, do_change_bitmap },
	{ "entry fails: 7", make_bad_controls, do_round_trip },
	{ "entry fails: 8", make_bad_host, do_round_trip },
	{ "entry fails: 33", make_bad_guest, do_round_trip },
	{ "vmxoff, vmxon", do_nothing, do_toggle },
};

/* Ticks of @step, the least; @mean is rounded down. */
static u64 measure(void (*step)(void), unsigned repetitions, u64 *mean)
{
	u64 least = ~0ull, sum = 0;

	for (unsigned i = 0; i < repetitions + WARM_UP; i++) {
		const u64 start = rdtsc();
		u64 ticks;

		step();
		ticks = rdtsc() - start;
		if (i < WARM_UP)
			continue;
		least = MIN(least, ticks);
		sum += ticks;
	}
	*mean = sum / repetitions;
	return least;
}

void guest_main(void)
{
	u64 clock, clock_mean;

	guest_vmx_init();
	guest_vmx_on();
	eptp = guest_ept_tables();
	clock = measure(do_nothing, REPETITIONS, &clock_mean);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const unsigned steps = rows[i].step == do_invept_and_touches ? FEW : REPETITIONS;
		u64 least, mean;

		rows[i].prepare();
		guest_mark(rows[i].name);
		least = measure(rows[i].step, steps, &mean);
		guest_mark("end");
		guest_print("bench: %s: %lu %lu %u\n", rows[i].name, least - clock,
			    mean - clock_mean, steps + WARM_UP);
	}
	guest_check(true, "measured");
	guest_check_end();
}
