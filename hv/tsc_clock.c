#include "hv/tsc_clock.h"

#include "hv/insn.h"
#include "vmx/tables.h"

/* The 8254's counter 2, whose gate and output are bits of port 61h. */
#define PIT_HZ	       1193182
#define PIT_COUNTER2   0x42
#define PIT_CONTROL    0x43
#define PIT_ONE_SHOT2  0xb0 /* counter 2, low byte then high byte, mode 0, binary */
#define PORT_B	       0x61
#define PORT_B_GATE    BIT(0)
#define PORT_B_SPEAKER BIT(1)
#define PORT_B_OUTPUT  BIT(5)

#define LATCH	       (PIT_HZ / 100)
#define RUNS	       2

/* More ticks than 10 ms have on any processor: a machine without this timer must not hang. */
#define MAX_TICKS      BIT(27)
#define MAX_HZ	       (MAX_TICKS * 100)

void tsc_clock_begin(void)
{
	u64 adjust;

	/* It need not exist. */
	if (rdmsr_safe(MSR_TSC_ADJUST, &adjust) == ST_OK && adjust)
		(void)wrmsr_safe(MSR_TSC_ADJUST, 0);
}

/* SDM, "CPUID - CPU Identification": leaf 15H says it to the digit, if its crystal is named. */
static u64 tsc_hz_by_crystal(void)
{
	const struct cpuid_result tsc =
		cpuid(0, 0).eax >= 0x15 ? cpuid(0x15, 0) : (struct cpuid_result){ 0 };

	return tsc.eax && tsc.ebx ? (u64)tsc.ecx * tsc.ebx / tsc.eax : 0;
}

/* Or as the processor is specified, by leaf 16H, which is some tenths of a percent beside it. */
static u64 tsc_hz_by_cpuid(void)
{
	const u64 by_crystal = tsc_hz_by_crystal();

	if (by_crystal)
		return by_crystal;
	return cpuid(0, 0).eax >= 0x16 ? (u64)(cpuid(0x16, 0).eax & 0xffff) * 1000000 : 0;
}

/*
 * TSC ticks while counter 2 counts @latch down. 0 when it does not: the chipsets of today can
 * switch its clock off, and then its output stays what it is.
 */
static u64 ticks_of_latch(u16 latch)
{
	const u8 port_b = inb(PORT_B);
	u64 start, ticks = 0;

	outb(PORT_B, (u8)((port_b & ~PORT_B_SPEAKER) | PORT_B_GATE));
	outb(PIT_CONTROL, PIT_ONE_SHOT2);
	outb(PIT_COUNTER2, latch & 0xff);
	outb(PIT_COUNTER2, (u8)(latch >> 8));
	start = rdtsc();
	/* Mode 0 begins with the output low. */
	if (!(inb(PORT_B) & PORT_B_OUTPUT)) {
		bool high;

		do {
			high = inb(PORT_B) & PORT_B_OUTPUT;
			ticks = rdtsc() - start;
		} while (!high && ticks < MAX_TICKS);
		if (!high)
			ticks = 0;
	}
	outb(PORT_B, port_b);
	return ticks;
}

/*
 * An emulator's CPUID may name the frequency of the processor it imitates, so CPUID only makes
 * exact what was measured. An SMI can lengthen a measurement, nothing can shorten it.
 */
u64 tsc_clock_measure(void)
{
	const u64 exact = tsc_hz_by_crystal();
	u64 least = ~0ull, hz;

	for (unsigned i = 0; i < RUNS; i++) {
		const u64 ticks = ticks_of_latch(LATCH);

		if (ticks)
			least = MIN(least, ticks);
	}
	if (least == ~0ull)
		return tsc_hz_by_cpuid();
	hz = least * PIT_HZ / LATCH;
	return exact > hz - hz / 100 && exact < hz + hz / 100 ? exact : hz;
}

/* Too long on a processor that does not say how fast it is, which does no harm. */
static void wait_by_tsc(u64 start, u32 microseconds)
{
	const u64 known = tsc_hz_by_cpuid();
	const u64 ticks = (known ? known : MAX_HZ) / 1000000 * microseconds;

	while (rdtsc() - start < ticks)
		;
}

void tsc_clock_wait(u32 microseconds)
{
	u32 counts = (u32)((u64)microseconds * PIT_HZ / 1000000) + 1;
	const u64 start = rdtsc();

	while (counts) {
		const u32 now = MIN(counts, (u32)LATCH);

		if (!ticks_of_latch((u16)now)) {
			wait_by_tsc(start, microseconds);
			return;
		}
		counts -= now;
	}
}
