#include "hv/tsc_clock.h"

#include "hv/insn.h"

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
#define MAX_POLLS      (1u << 22) /* a machine without this timer must not hang */

/* SDM, "CPUID - CPU Identification": leaves 15H and 16H. */
static u64 tsc_hz_by_cpuid(void)
{
	const u32 last = cpuid(0, 0).eax;
	const struct cpuid_result tsc = last >= 0x15 ? cpuid(0x15, 0) : (struct cpuid_result){ 0 };

	if (tsc.eax && tsc.ebx && tsc.ecx)
		return (u64)tsc.ecx * tsc.ebx / tsc.eax;
	return last >= 0x16 ? (u64)(cpuid(0x16, 0).eax & 0xffff) * 1000000 : 0;
}

/* TSC ticks while counter 2 counts @latch down, 0 when it does not. */
static u64 ticks_of_latch(u16 latch)
{
	const u8 port_b = inb(PORT_B);
	unsigned polls = 0;
	u64 start, ticks;

	outb(PORT_B, (u8)((port_b & ~PORT_B_SPEAKER) | PORT_B_GATE));
	outb(PIT_CONTROL, PIT_ONE_SHOT2);
	outb(PIT_COUNTER2, latch & 0xff);
	outb(PIT_COUNTER2, (u8)(latch >> 8));
	start = rdtsc();
	while (!(inb(PORT_B) & PORT_B_OUTPUT) && polls < MAX_POLLS)
		polls++;
	ticks = rdtsc() - start;
	outb(PORT_B, port_b);
	return polls < MAX_POLLS ? ticks : 0;
}

/*
 * An emulator's CPUID may name the frequency of the processor it imitates, so CPUID only makes
 * exact what was measured. An SMI can lengthen a measurement, nothing can shorten it.
 */
u64 tsc_clock_measure(void)
{
	const u64 by_cpuid = tsc_hz_by_cpuid();
	u64 ticks = ~0ull, hz;

	for (unsigned i = 0; i < RUNS; i++)
		ticks = MIN(ticks, ticks_of_latch(LATCH));
	hz = ticks * PIT_HZ / LATCH;
	if (!hz || (by_cpuid > hz - hz / 100 && by_cpuid < hz + hz / 100))
		return by_cpuid;
	return hz;
}

void tsc_clock_wait(u32 microseconds)
{
	u32 counts = (u32)((u64)microseconds * PIT_HZ / 1000000) + 1;

	for (; counts > LATCH; counts -= LATCH)
		(void)ticks_of_latch(LATCH);
	(void)ticks_of_latch((u16)counts);
}
