#include "tests/guests/lib/guest_cpus.h"

#include "tests/guests/lib/guest_insn.h"
#include "tests/guests/lib/guest_trap.h"
#include "vmx/tables.h"

#define APIC_BASE     0xfee00000ull
#define APIC_ID	      0x20
#define APIC_SPURIOUS 0xf0
#define APIC_ICR_LOW  0x300
#define APIC_ICR_HIGH 0x310
#define APIC_ENABLED  0x1ff
#define ICR_PENDING   BIT(12)
#define ICR_NMI	      0x4400
#define ICR_INIT      0x4500
#define ICR_SIPI      0x4600
#define STACK_PAGES   4
#define START_PAGE    0x7000ull /* below what loaders leave behind */
#define INIT_TICKS    100000
#define ANSWER_TICKS  4000000
#define GDT_SIZE      72

/* At the end of the page where processors start: guest_cpu_entry.S. */
struct start_words {
	struct guest_cpu_start state;
	u64 stack, cpu;
};

struct cpu {
	u64 started; /* how often it came */
	u64 work;    /* 1: there is some */
	void (*fn)(void *arg);
	void *arg;
	u8 *stack;
	u8 *tables; /* its GDT, and its TSS behind */
};

extern const u8 guest_cpu_code[], guest_cpu_words[], guest_cpu_code_end[];

_Noreturn void guest_cpu_begin(struct cpu *cpu);

static struct cpu cpus[GUEST_MAX_CPUS];

static volatile u32 *apic(u32 offset)
{
	return (volatile u32 *)(uintptr_t)(APIC_BASE + offset);
}

unsigned guest_cpu_count(void)
{
	return (unsigned)MIN(guest_option_number("cpus", 1), (u64)GUEST_MAX_CPUS);
}

unsigned guest_cpu_id(void)
{
	return *apic(APIC_ID) >> 24;
}

static void send(unsigned id, u32 command)
{
	while (*apic(APIC_ICR_LOW) & ICR_PENDING)
		guest_pause();
	*apic(APIC_ICR_HIGH) = id << 24;
	*apic(APIC_ICR_LOW) = command;
}

void guest_send_init(unsigned id)
{
	send(id, ICR_INIT);
}

void guest_send_sipi(unsigned id, u8 vector)
{
	send(id, ICR_SIPI | vector);
}

void guest_send_nmi(unsigned id)
{
	send(id, ICR_NMI);
}

void guest_wait(u64 ticks)
{
	const u64 start = rdtsc();

	while (rdtsc() - start < ticks)
		guest_pause();
}

/* --- on the processor itself ------------------------------------------------------------------ */

struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

/* A TSS belongs to one processor, and so does the GDT that says it is busy. */
static void load_tables(u8 *tables)
{
	struct table_pointer gdt = { GDT_SIZE - 1, (uintptr_t)tables };
	const u64 tss = (uintptr_t)tables + 128;
	u64 *descriptor = (u64 *)(void *)(tables + GUEST_TR);

	memcpy(tables, guest_gdt, GDT_SIZE);
	memcpy((void *)tss, guest_tss, GUEST_TSS_SIZE);
	descriptor[0] = (GUEST_TSS_SIZE - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
			BITS(tss, 31, 24) << 56;
	descriptor[1] = tss >> 32;
	__asm__ volatile("lgdt %0; ltr %w1" : : "m"(gdt), "r"(GUEST_TR));
}

_Noreturn void guest_cpu_begin(struct cpu *cpu)
{
	load_tables(cpu->tables);
	guest_trap_load();
	*apic(APIC_SPURIOUS) = APIC_ENABLED;
	guest_store(&cpu->work, 0);
	guest_store(&cpu->started, cpu->started + 1);
	for (;;) {
		while (!guest_load(&cpu->work))
			guest_pause();
		cpu->fn(cpu->arg);
		guest_store(&cpu->work, 0);
	}
}

/* --- from processor 0 ------------------------------------------------------------------------- */

static struct start_words *prepare(struct cpu *cpu)
{
	struct start_words *words =
		(void *)(uintptr_t)(START_PAGE + (u64)(guest_cpu_words - guest_cpu_code));

	if (!cpu->stack) {
		cpu->stack = guest_pages(STACK_PAGES);
		cpu->tables = guest_pages(1);
	}
	memcpy((void *)(uintptr_t)START_PAGE, guest_cpu_code,
	       (size_t)(guest_cpu_code_end - guest_cpu_code));
	words->stack = (uintptr_t)cpu->stack + (u64)STACK_PAGES * PAGE_SIZE;
	words->cpu = (uintptr_t)cpu;
	return words;
}

static bool comes(const u64 *word, u64 value)
{
	const u64 start = rdtsc();

	while (guest_load(word) != value)
		if (rdtsc() - start > ANSWER_TICKS)
			return false;
	return true;
}

bool guest_cpu_sipi(unsigned id, struct guest_cpu_start *start)
{
	struct cpu *cpu = &cpus[id];
	const struct start_words *words = prepare(cpu);
	const u64 started = cpu->started + 1;

	guest_send_sipi(id, START_PAGE / PAGE_SIZE);
	if (!comes(&cpu->started, started))
		return false;
	if (start)
		*start = words->state;
	return true;
}

bool guest_cpu_start(unsigned id, struct guest_cpu_start *start)
{
	struct cpu *cpu = &cpus[id];
	const struct start_words *words = prepare(cpu);
	const u64 started = cpu->started + 1;

	guest_send_init(id);
	guest_wait(INIT_TICKS);
	guest_send_sipi(id, START_PAGE / PAGE_SIZE);
	guest_wait(INIT_TICKS / 10);
	if (guest_load(&cpu->started) != started)
		guest_send_sipi(id, START_PAGE / PAGE_SIZE);
	if (!comes(&cpu->started, started))
		return false;
	if (start)
		*start = words->state;
	return true;
}

void guest_cpu_call(unsigned id, void (*fn)(void *arg), void *arg)
{
	cpus[id].fn = fn;
	cpus[id].arg = arg;
	guest_store(&cpus[id].work, 1);
}

bool guest_cpu_done(unsigned id)
{
	return comes(&cpus[id].work, 0);
}

void guest_cpu_run(unsigned id, void (*fn)(void *arg), void *arg)
{
	guest_cpu_call(id, fn, arg);
	if (!guest_cpu_done(id))
		guest_fail("processor %u does not come back", id);
}
