#include "hv/apic.h"

#include "hv/insn.h"
#include "hv/mem.h"
#include "vmx/tables.h"

#define BASE_X2APIC	     BIT(10)
#define BASE_ENABLED	     BIT(11)

/* Registers, as offsets; their MSRs are MSR_X2APIC and the offset / 16. */
#define MSR_X2APIC	     0x800u
#define APIC_REG_TPR	     0x80
#define APIC_REG_LDR	     0xd0
#define APIC_REG_DFR	     0xe0
#define APIC_REG_SVR	     0xf0
#define APIC_REG_ICR_LOW     0x300
#define APIC_REG_ICR_HIGH    0x310
#define APIC_REG_LVT_TIMER   0x320
#define APIC_REG_LVT_THERMAL 0x330
#define APIC_REG_LVT_PERF    0x340
#define APIC_REG_LVT_LINT0   0x350
#define APIC_REG_LVT_LINT1   0x360
#define APIC_REG_LVT_ERROR   0x370
#define APIC_REG_TIMER_COUNT 0x380
#define APIC_REG_DIVIDE	     0x3e0
#define SVR_AT_RESET	     0xff
#define ICR_PENDING	     BIT(12)
#define MAX_POLLS	     100000
#define XAPIC_BROADCAST	     0xff /* its IDs have 8 bits, and this one is everybody */

static bool is_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & BASE_X2APIC;
}

/* The registers of xAPIC mode; NULL when they are off, or where hv maps nothing. */
static volatile u32 *xapic(void)
{
	const u64 base = rdmsr(MSR_APIC_BASE);
	const u64 address = base & MASK(51, 12);

	if (!(base & BASE_ENABLED) || address >= GIB(4))
		return NULL;
	return phys_to_virt(address);
}

u32 apic_id(void)
{
	return is_x2apic() ? (u32)rdmsr(MSR_X2APIC_APICID) : cpuid(1, 0).ebx >> 24;
}

static bool wait_until_sent(volatile u32 *registers)
{
	for (unsigned i = 0; i < MAX_POLLS; i++)
		if (!(registers[APIC_REG_ICR_LOW / 4] & ICR_PENDING))
			return true;
	return false;
}

bool apic_send(u32 id, u32 command)
{
	volatile u32 *registers;
	bool sent = false;
	u32 high;

	if (is_x2apic()) {
		/* WRMSR does not wait for what was written before. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		wrmsr(MSR_X2APIC_ICR, (u64)id << 32 | command);
		return true;
	}
	registers = xapic();
	if (!registers || id >= XAPIC_BROADCAST || !wait_until_sent(registers))
		return false;
	/* L1 may have written this half of a command of its own. */
	high = registers[APIC_REG_ICR_HIGH / 4];
	registers[APIC_REG_ICR_HIGH / 4] = id << 24;
	registers[APIC_REG_ICR_LOW / 4] = command;
	sent = wait_until_sent(registers);
	registers[APIC_REG_ICR_HIGH / 4] = high;
	return sent;
}

static void write_register(u32 offset, u32 value)
{
	volatile u32 *registers;

	if (is_x2apic()) {
		wrmsr(MSR_X2APIC + offset / 16, value);
		return;
	}
	registers = xapic();
	if (registers)
		registers[offset / 4] = value;
}

static u32 read_register(u32 offset)
{
	const volatile u32 *registers;

	if (is_x2apic())
		return (u32)rdmsr(MSR_X2APIC + offset / 16);
	registers = xapic();
	return registers ? registers[offset / 4] : 0;
}

/* While SVR has the APIC switched off, LVT entries can't be unmasked. */
static const u32 saved[APIC_SAVED] = { APIC_REG_SVR,	   APIC_REG_TPR,	 APIC_REG_DIVIDE,
				       APIC_REG_LVT_TIMER, APIC_REG_LVT_THERMAL, APIC_REG_LVT_PERF,
				       APIC_REG_LVT_LINT0, APIC_REG_LVT_LINT1,	 APIC_REG_LVT_ERROR,
				       APIC_REG_LDR,	   APIC_REG_DFR };

/* In x2APIC mode LDR can't be written and there is no DFR. */
static unsigned saved_count(void)
{
	return is_x2apic() ? APIC_SAVED - 2 : APIC_SAVED;
}

void apic_save(u32 *registers)
{
	for (unsigned i = 0; i < saved_count(); i++)
		registers[i] = read_register(saved[i]);
}

void apic_restore(const u32 *registers)
{
	for (unsigned i = 0; i < saved_count(); i++)
		write_register(saved[i], registers[i]);
}

void apic_reset(void)
{
	write_register(APIC_REG_TPR, 0);
	write_register(APIC_REG_TIMER_COUNT, 0);
	write_register(APIC_REG_SVR, SVR_AT_RESET);
	if (is_x2apic())
		return;
	write_register(APIC_REG_LDR, 0);
	write_register(APIC_REG_DFR, ~0u);
}
