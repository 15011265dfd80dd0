#include "hv/ap_start.h"

#include "hv/acpi.h"
#include "hv/ap_restart.h"
#include "hv/apic.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"
#include "hv/processor.h"
#include "hv/traps.h"
#include "hv/tsc_clock.h"

#define LOW_MEMORY	0xa0000
#define INIT_WAIT	10000 /* microseconds; SDM, "Typical AP Initialization Sequence" */
#define SIPI_WAIT	200
#define START_POLLS	1000 /* of SIPI_WAIT each */
#define CLOCK_RUNS	32
#define RESTART_TRIES	1000
#define RESTART_POLLS	1000
#define PML4_DIRECT_MAP BITS(DIRECT_MAP, 47, 39)

/* The end of the trampoline, ap_entry.S. */
struct ap_words {
	u16 gdt_limit;
	u32 gdt_base;
	u32 long_mode;
	u16 selector;
	u32 cr3;
	u64 stack, cpu;
} __attribute__((packed));

extern const u8 ap_trampoline[], ap_trampoline_end[], ap_words[];

_Noreturn void ap_begin(struct percpu *cpu);

/* Between the processor that booted and the one that starts or runs. */
static struct {
	u32 joined; /* processors that did */
	bool failed;
	u32 turn; /* id of the one that may run; 0: nobody */
	void (*run)(struct percpu *cpu);
	u32 ping; /* odd: a question for the TSC; even: answered */
	u64 tsc;
} shared;

/* What they begin with. */
static struct {
	u64 page; /* L1 does not get it */
	u64 *pml4;
	u64 cr3; /* of hv, for afterwards */
} start;

unsigned ap_processors(void)
{
	return MAX(acpi_processor_count(), 1u);
}

/* --- the page that they begin in -------------------------------------------------------------- */

static bool in_use(u64 page, u64 base, u64 size)
{
	return page < base + size && base < page + PAGE_SIZE;
}

static bool is_free(u64 page)
{
	if (in_use(page, boot_info.loader_base, boot_info.loader_size))
		return false;
	for (unsigned i = 0; i < boot_info.module_count; i++)
		if (in_use(page, boot_info.modules[i].base, boot_info.modules[i].size))
			return false;
	return true;
}

/* A page of RAM below 640 KiB, not the first; 0: there is none. */
static u64 find_page(void)
{
	for (u64 page = LOW_MEMORY - PAGE_SIZE; page; page -= PAGE_SIZE)
		if (memmap_is_ram(page, PAGE_SIZE) && is_free(page))
			return page;
	return 0;
}

static void write_trampoline(u64 page)
{
	struct ap_words *words = phys_to_virt(page + (u64)(ap_words - ap_trampoline));

	memcpy(phys_to_virt(page), ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	words->gdt_base += (u32)page;
	words->long_mode += (u32)page;
	words->cr3 = (u32)virt_to_phys(start.pml4);
}

/* As hv's, but the lower half of the address space is its direct map too. */
static u64 *make_tables(void)
{
	u64 *pml4 = mem_alloc_pages(1);

	memcpy(pml4, phys_to_virt(read_cr3() & MASK(51, 12)), PAGE_SIZE);
	pml4[0] = pml4[PML4_DIRECT_MAP];
	return pml4;
}

/* --- starting --------------------------------------------------------------------------------- */

static bool has_joined(u32 count)
{
	return __atomic_load_n(&shared.joined, __ATOMIC_ACQUIRE) == count;
}

/* The page is ready for @cpu; returns the SIPI that leads there. */
static u32 prepare(const struct percpu *cpu)
{
	struct ap_words *words = phys_to_virt(start.page + (u64)(ap_words - ap_trampoline));

	write_trampoline(start.page);
	words->stack = (u64)cpu->stack_top;
	words->cpu = (u64)cpu;
	return APIC_STARTUP | (u32)(start.page / PAGE_SIZE);
}

static bool start_one(struct percpu *cpu)
{
	const u32 joined = shared.joined + 1;
	const u32 sipi = prepare(cpu);

	apic_send(cpu->apic_id, APIC_INIT);
	tsc_clock_wait(INIT_WAIT);
	apic_send(cpu->apic_id, sipi);
	tsc_clock_wait(SIPI_WAIT);
	if (!has_joined(joined))
		apic_send(cpu->apic_id, sipi);
	for (unsigned i = 0; i < START_POLLS && !has_joined(joined); i++)
		tsc_clock_wait(SIPI_WAIT);
	if (!has_joined(joined))
		log_print("the processor with APIC ID %u does not start", cpu->apic_id);
	return has_joined(joined) && !shared.failed;
}

/* Make a struct percpu for each; false when there is one too many. */
static bool create_all(void)
{
	const u32 own = percpu_this()->apic_id;

	if (ap_processors() > PERCPU_MAX) {
		log_print("%u processors are more than the %u that hv can have", ap_processors(),
			  PERCPU_MAX);
		return false;
	}
	for (unsigned i = 0; i < acpi_processor_count(); i++) {
		struct percpu *cpu;

		if (acpi_processor_apic_id(i) == own)
			continue;
		cpu = percpu_create();
		cpu->apic_id = acpi_processor_apic_id(i);
		percpu_add(cpu);
	}
	return true;
}

enum status ap_start_all(void)
{
	percpu_this()->apic_id = apic_id();
	if (!create_all())
		return ST_UNSUPPORTED;
	if (percpu_count() == 1)
		return ST_OK;
	start.page = find_page();
	if (!start.page || memmap_cut(start.page, PAGE_SIZE, E820_RESERVED) != ST_OK) {
		log_print("no page below 640 KiB is free to start other processors in");
		return ST_UNSUPPORTED;
	}
	start.pml4 = make_tables();
	start.cr3 = read_cr3();
	for (unsigned id = 1; id < percpu_count(); id++)
		if (!start_one(percpu_of(id)))
			return ST_UNSUPPORTED;
	return ST_OK;
}

/* --- running ---------------------------------------------------------------------------------- */

static void wait_for(const u32 *word, u32 value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
		__builtin_ia32_pause();
}

static void answer_clock(void)
{
	for (u32 run = 0; run < CLOCK_RUNS; run++) {
		wait_for(&shared.ping, 2 * run + 1);
		shared.tsc = rdtsc();
		__atomic_store_n(&shared.ping, 2 * run + 2, __ATOMIC_RELEASE);
	}
}

/* What to add to the TSC of @cpu to have this processor's, and how far that may be off. */
static void compare_clocks(struct percpu *cpu)
{
	u64 best = ~0ull;

	__atomic_store_n(&shared.ping, 0, __ATOMIC_RELEASE);
	for (u32 run = 0; run < CLOCK_RUNS; run++) {
		const u64 before = rdtsc();
		u64 ticks;

		__atomic_store_n(&shared.ping, 2 * run + 1, __ATOMIC_RELEASE);
		wait_for(&shared.ping, 2 * run + 2);
		ticks = rdtsc() - before;
		if (ticks >= best)
			continue;
		best = ticks;
		cpu->tsc_uncertainty = (ticks + 1) / 2;
		cpu->tsc_offset = before + ticks / 2 - shared.tsc;
	}
	/* As far as can be told they count in step, which firmware sees to. */
	if (cpu->tsc_offset + cpu->tsc_uncertainty <= 2 * cpu->tsc_uncertainty)
		cpu->tsc_offset = 0;
}

_Noreturn void ap_begin(struct percpu *cpu)
{
	write_cr3(start.cr3);
	if (__atomic_load_n(&cpu->restarting, __ATOMIC_ACQUIRE))
		ap_resume(cpu);
	traps_init(cpu);
	tsc_clock_begin();
	(void)rdmsr_safe(MSR_FEATURE_CONTROL, &cpu->feature_control);
	if (processor_join() != ST_OK)
		shared.failed = true;
	__atomic_add_fetch(&shared.joined, 1, __ATOMIC_RELEASE);
	wait_for(&shared.turn, cpu->id);
	answer_clock();
	shared.run(cpu);
	halt_forever();
}

void ap_run_all(void (*run)(struct percpu *cpu))
{
	shared.run = run;
	for (unsigned id = 1; id < percpu_count(); id++) {
		__atomic_store_n(&shared.ping, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&shared.turn, id, __ATOMIC_RELEASE);
		compare_clocks(percpu_of(id));
		wait_for(&shared.turn, 0);
	}
}

void ap_is_ready(void)
{
	__atomic_store_n(&shared.turn, 0, __ATOMIC_RELEASE);
}

/* --- restarting ------------------------------------------------------------------------------- */

static bool restarts(const struct percpu *cpu)
{
	return __atomic_load_n(&cpu->restarting, __ATOMIC_ACQUIRE);
}

/* It may not have come to its reset yet, so that a SIPI does nothing. */
static void start_again(struct percpu *cpu)
{
	const u32 sipi = prepare(cpu);

	__atomic_store_n(&cpu->attended, true, __ATOMIC_SEQ_CST);
	for (unsigned tries = 0; tries < RESTART_TRIES && restarts(cpu); tries++) {
		apic_send(cpu->apic_id, sipi);
		for (unsigned polls = 0; polls < RESTART_POLLS && restarts(cpu); polls++)
			__builtin_ia32_pause();
	}
}

void ap_start_again(void)
{
	for (unsigned id = 1; id < percpu_count(); id++)
		if (restarts(percpu_of(id)))
			start_again(percpu_of(id));
}
