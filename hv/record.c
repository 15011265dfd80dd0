#include "hv/record.h"

#include "hv/acpi.h"
#include "hv/console.h"
#include "hv/deep.h"
#include "hv/drain_port.h"
#include "hv/exit_l1.h"
#include "hv/guestmem.h"
#include "hv/hv_options.h"
#include "hv/hv_time.h"
#include "hv/insn.h"
#include "hv/kick.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/multiboot.h"
#include "hv/nested/nested.h"
#include "hv/processor.h"
#include "hv/snapshot.h"
#include "hv/stop_word.h"
#include "hv/tsc_clock.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "vmx/tables.h"

#define PORT_SHUTDOWN	     0x8900
#define PORT_RESET	     0xcf9
#define RESET_CPU	     0x06 /* a full reset, at the edge of bit 2 */

/* TSC ticks: an exit that took longer leaves packing, and the like, to a later one. */
#define LONG_EXIT	     20000

/* So many that an emulator at 50 million ticks a second has one in each second. */
#define HEARTBEATS_PER_FLUSH 32

/* How long a processor waits for the others to finish: seconds, in which they pack a few blocks. */
#define END_POLLS	     (1u << 23)
#define END_POLLS_PER_KICK   (1u << 16)

/* Leaves that the boot record keeps; those with subleaves end by the rule of their own. */
#define CPUID_MAX_SUBLEAF    8

/* Of processor 0. */
static u64 tsc_hz;

/* The processor that ends the tape. */
static struct percpu *ender;

static unsigned read_code(void *owner, unsigned level, u64 rip, u8 *to)
{
	struct percpu *cpu = owner;
	struct hwvmcs *hw = cpu->hw;
	unsigned count;

	/* VMLAUNCH and VMRESUME are recorded when L2 has run already. */
	if (level == 1)
		hwvmcs_switch(cpu, &cpu->vmcs01);
	count = guest_peek_code(cpu, level, rip, to, TRACE_MAX_CODE);
	hwvmcs_switch(cpu, hw);
	return count;
}

static void key_frames(void *owner, struct rec *rec, u64 block)
{
	struct percpu *const cpu = owner;

	cpu->time.wanted = true;
	/* The block before it was sealed. */
	cpu->idle_ticks = 0;
	if (cpu->events_off)
		return;
	snapshot_new_block(owner);
	nested_key_frames(owner, rec, block);
}

static void emit(struct percpu *cpu, u8 kind, const void *columns, const void *bytes,
		 u32 byte_count)
{
	rec_emit(cpu->rec, &(struct trace_event){
				   .kind = kind,
				   .tsc = rdtsc(),
				   .col = columns,
				   .bytes = bytes,
				   .byte_count = MIN(byte_count, TRACE_MAX_BYTES),
			   });
}

static void emit_cpuid_leaf(struct percpu *cpu, u32 leaf, u32 subleaf)
{
	const struct cpuid_result real = cpuid(leaf, subleaf);
	const struct cpuid_result shown = l1_cpuid(leaf, subleaf, 0);
	const struct ev_cpuid columns = {
		.leaf = leaf,
		.subleaf = subleaf,
		.real_ab = real.eax | (u64)real.ebx << 32,
		.real_cd = real.ecx | (u64)real.edx << 32,
		.shown_ab = shown.eax | (u64)shown.ebx << 32,
		.shown_cd = shown.ecx | (u64)shown.edx << 32,
	};

	emit(cpu, EV_CPUID, &columns, NULL, 0);
}

static void emit_cpuid(struct percpu *cpu)
{
	static const u32 with_subleaves[] = { 4, 7, 0xb, 0xd, 0x14, 0x18, 0x19, 0x1f };

	for (u32 base = 0; base <= 0x80000000; base += 0x80000000) {
		const u32 last = MIN(cpuid(base, 0).eax, base + 0x20);

		for (u32 leaf = base; leaf <= last; leaf++) {
			u32 subleaves = 1;

			for (size_t i = 0; i < ARRAY_SIZE(with_subleaves); i++)
				if (with_subleaves[i] == leaf)
					subleaves = CPUID_MAX_SUBLEAF;
			for (u32 subleaf = 0; subleaf < subleaves; subleaf++)
				emit_cpuid_leaf(cpu, leaf, subleaf);
		}
		if (base)
			break;
	}
}

static void emit_capabilities(struct percpu *cpu)
{
	for (u32 i = 0; i < VMX_CAP_COUNT; i++) {
		struct ev_capability columns = { .msr = MSR_VMX_BASIC + i };

		/* This processor's own, which may be more than all of them have. */
		(void)rdmsr_safe(MSR_VMX_BASIC + i, &columns.real);
		columns.exists = nested_caps_msr(cpu, MSR_VMX_BASIC + i, &columns.shown);
		emit(cpu, EV_CAPABILITY, &columns, NULL, 0);
	}
}

static void emit_text(struct percpu *cpu, enum trace_text what, const char *text)
{
	const struct ev_option columns = { .what = what };

	emit(cpu, EV_OPTION, &columns, text, (u32)strlen(text));
}

static void emit_boot_record(void *owner, struct rec *rec)
{
	struct percpu *cpu = owner;
	const u32 widths = cpuid(0x80000008, 0).eax;
	u64 microcode = 0;
	struct ev_boot boot = {
		.signature = cpuid(1, 0).eax,
		.physical_width = widths & 0xff,
		.linear_width = widths >> 8 & 0xff,
		.feature_control = rdmsr(MSR_FEATURE_CONTROL),
		.cpus = percpu_count(),
		.capture = options.capture,
	};
	const struct ev_clock clock = {
		.tsc_hz = tsc_hz,
		.uncertainty = cpu->tsc_uncertainty,
		.offset = cpu->tsc_offset,
	};

	/* Not every emulator has the MSR. */
	if (rdmsr_safe(MSR_BIOS_SIGN_ID, &microcode) == ST_OK)
		boot.microcode = microcode >> 32;
	cpu->rec = rec;
	emit(cpu, EV_BOOT, &boot, VERSION, sizeof(VERSION) - 1);
	emit(cpu, EV_CLOCK, &clock, NULL, 0);
	emit_capabilities(cpu);
	emit_cpuid(cpu);
	/* The rest is the machine's, and told once. */
	if (cpu->id)
		return;
	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct ev_memory memory = {
			.base = boot_info.ranges[i].base,
			.size = boot_info.ranges[i].size,
			.type = boot_info.ranges[i].type,
		};

		emit(cpu, EV_MEMORY, &memory, NULL, 0);
	}
	emit_text(cpu, TEXT_HV_OPTIONS, boot_info.options);
	if (boot_info.module_count)
		emit_text(cpu, TEXT_L1_COMMAND_LINE, boot_info.modules[0].text);
}

void record_init(struct percpu *cpu)
{
	static const struct rec_ops ops = {
		.read_code = read_code,
		.key_frames = key_frames,
	};
	const size_t recorder_pages = ALIGN_UP(rec_size(), PAGE_SIZE) / PAGE_SIZE;

	if (!cpu->id) {
		ender = NULL;
		tsc_hz = tsc_clock_measure();
	}
	cpu->ring = ring_init(mem_alloc_pages(options.ring / PAGE_SIZE), options.ring);
	if (drain_waits(options.drain) && options.ring_mode != RING_STOP)
		ring_set_overwrite(cpu->ring);
	cpu->drain_payload = mem_alloc_pages(1);
	cpu->fxsave = mem_alloc_pages(1);
	/* Who is at the other end of the port has more time than L1. */
	cpu->rec = rec_init(mem_alloc_pages(recorder_pages), cpu->ring, (u16)cpu->id, &ops, cpu,
			    options.drain != DRAIN_DEBUGCON);
	cpu->events_off = cpu->emits_apart = options.capture == CAPTURE_OFF;
	/* The first key frames come before any exit. */
	cpu->exit.tsc = rdtsc();
	if (rec_head(cpu->rec, emit_boot_record) != ST_OK)
		log_print("the boot record does not fit into the ring; give more by ring=");
	if (options.capture == CAPTURE_DEFAULT || options.capture == CAPTURE_DEEP)
		snapshot_init(cpu);
	deep_init(cpu);
	if (!cpu->id)
		stop_word_tell();
}

u64 record_take_order(void)
{
	static u64 order;

	return __atomic_add_fetch(&order, 1, __ATOMIC_SEQ_CST);
}

/* L1's vector registers are live, and libzstd.a uses them. */
static bool pack_slice(struct percpu *cpu)
{
	const u64 start = rdtsc();
	bool more;

	__asm__ volatile("fxsave64 (%0)" : : "r"(cpu->fxsave) : "memory");
	more = rec_pack_slice(cpu->rec);
	__asm__ volatile("fxrstor64 (%0)" : : "r"(cpu->fxsave) : "memory");
	hv_time_packed(cpu, start);
	return more;
}

u32 record_heartbeat_timer(void)
{
	const u64 rate = CAP_GET(processor_caps()->msr[VMX_CAP_MISC], PREEMPTION_TIMER_RATE);
	const u64 value = options.flush / HEARTBEATS_PER_FLUSH >> rate;

	return (u32)MIN(value, 0xffffffff);
}

/* The open block may be too old to be kept any longer; asked once for each age. */
static bool is_stale(struct percpu *cpu)
{
	if (likely(cpu->exit.tsc - cpu->sealed_tsc < options.flush))
		return false;
	cpu->sealed_tsc = cpu->exit.tsc;
	return true;
}

void record_hurry(struct percpu *cpu)
{
	if (!cpu->rec)
		return;
	rec_flush(cpu->rec);
	rec_open(cpu->rec);
}

void record_heartbeat(struct percpu *cpu)
{
	if (!cpu->rec || !is_stale(cpu))
		return;
	record_hurry(cpu);
	/* Those of processors that sleep or are parked too. */
	for (unsigned id = 0; id < percpu_count(); id++)
		while (drain_poll(percpu_of(id), true))
			;
}

/* The exit so far, so that the rest can wait. */
static bool took_long(const struct percpu *cpu)
{
	return rdtsc() - cpu->exit.tsc > LONG_EXIT;
}

static NOINLINE void work(struct percpu *cpu)
{
	if (!cpu->rec)
		return;
	if (stop_is_asked())
		record_stop(cpu, END_ASKED, "asked to end");
	/* Registers stand right before the VM entry that waits to be told. */
	if (unlikely(cpu->time.wanted) && !cpu->nested.entry.waits && !took_long(cpu))
		hv_time_tell(cpu);
	if (is_stale(cpu)) {
		cpu->packing = true;
		rec_seal(cpu->rec);
	}
	if (drain_poll(cpu, false) || took_long(cpu))
		return;
	if (cpu->packing || rec_pack_urgent(cpu->rec))
		cpu->packing = pack_slice(cpu);
	else if (!cpu->time.wanted && !drain_is_due(cpu))
		cpu->idle_ticks = options.flush;
}

void record_idle(struct percpu *cpu)
{
	if (unlikely(cpu->exit.tsc - cpu->sealed_tsc >= cpu->idle_ticks) || stop_is_asked())
		work(cpu);
}

void record_mark(struct percpu *cpu, const void *text, u32 length)
{
	const struct ev_mark columns = { .level = exit_level(cpu) };

	if (cpu->rec)
		emit(cpu, EV_MARK, &columns, text, length);
	deep_mark(cpu, text, length);
}

void record_file(struct percpu *cpu, u64 what, u64 offset, const void *bytes, u32 length)
{
	const struct ev_file columns = { .what = what, .offset = offset };

	if (cpu->rec)
		emit(cpu, EV_FILE, &columns, bytes, length);
}

/*
 * Bochs and QEMU's firmware end at this; a machine without such a port goes on. Not inlined, for a
 * debugger to stop at (tests/e2e/fuzz).
 */
static NOINLINE void say_shutdown(void)
{
	for (const char *c = "Shutdown"; *c; c++)
		outb(PORT_SHUTDOWN, (u8)*c);
}

_Noreturn void record_power_off(void)
{
	say_shutdown();
	halt_forever();
}

/* What L1 asked for and hv kept from it until the tape was safe. */
static void do_what_l1_wanted(enum trace_end why)
{
	if (why == END_POWER_OFF)
		acpi_power_off();
	if (why == END_RESET)
		outb(PORT_RESET, RESET_CPU);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* How near L1 came to be faster than the drain. */
static void tell_ring(const struct percpu *cpu)
{
	if (options.drain == DRAIN_DEBUGCON)
		log_print("the ring of processor %u held at most %lu of %lu bytes", cpu->id,
			  ring_most(cpu->ring), ring_space(cpu->ring));
}

/* Let everything that @cpu recorded leave. */
static void finish(struct percpu *cpu)
{
	tell_ring(cpu);
	rec_seal(cpu->rec);
	while (pack_slice(cpu))
		drain_poll(cpu, false);
	/* What is left has room then. */
	while (drain_poll(cpu, true))
		;
	rec_flush(cpu->rec);
	drain_finish(cpu);
}

bool record_is_ending(void)
{
	return __atomic_load_n(&ender, __ATOMIC_SEQ_CST);
}

/* False: another processor does already. */
static bool begin_end(struct percpu *cpu)
{
	struct percpu *nobody = NULL;

	return __atomic_compare_exchange_n(&ender, &nobody, cpu, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST) ||
	       nobody == cpu;
}

_Noreturn void record_join_end(struct percpu *cpu)
{
	if (cpu->pending.event.kind)
		exit_emit(cpu);
	l1_tell_init(cpu);
	if (cpu->rec) {
		hv_time_tell(cpu);
		finish(cpu);
	}
	__atomic_store_n(&cpu->finished, true, __ATOMIC_SEQ_CST);
	halt_forever();
}

static bool others_finished(const struct percpu *cpu)
{
	for (unsigned id = 0; id < percpu_count(); id++)
		if (percpu_of(id) != cpu &&
		    !__atomic_load_n(&percpu_of(id)->finished, __ATOMIC_SEQ_CST))
			return false;
	return true;
}

/* Those that do not come in time leave what is in their rings, and no last frame. */
static void finish_others(struct percpu *cpu)
{
	for (u32 polls = 0; polls < END_POLLS && !others_finished(cpu); polls++) {
		/* One that L1 has parked meanwhile needs a SIPI. */
		if (polls % END_POLLS_PER_KICK == 0)
			kick_others(KICK_END);
		__builtin_ia32_pause();
	}
	for (unsigned id = 0; id < percpu_count(); id++)
		if (percpu_of(id) != cpu && !percpu_of(id)->finished)
			while (drain_poll(percpu_of(id), true))
				;
}

static void finish_all(struct percpu *cpu, enum trace_end why, const char *text)
{
	const struct ev_end columns = { .why = why };

	console_flush(cpu);
	finish_others(cpu);
	drain_open_line(cpu);
	hv_time_tell(cpu);
	emit(cpu, EV_END, &columns, text, (u32)strlen(text));
	finish(cpu);
	drain_finish_others(cpu);
}

_Noreturn void record_stop(struct percpu *cpu, enum trace_end why, const char *text)
{
	if (!begin_end(cpu))
		record_join_end(cpu);
	log_take_serial();
	log_print("the tape ends: %s", text);
	if (cpu->pending.event.kind)
		exit_emit(cpu);
	if (cpu->rec)
		finish_all(cpu, why, text);
	say_shutdown();
	do_what_l1_wanted(why);
	halt_forever();
}

void record_panic(struct percpu *cpu, const char *text)
{
	const struct ev_panic columns = { .code = 0 };

	const bool first = begin_end(cpu);

	if (!cpu || !cpu->rec)
		return;
	emit(cpu, EV_PANIC, &columns, text, (u32)strlen(text));
	if (!first)
		record_join_end(cpu);
	finish_all(cpu, END_PANIC, text);
}
