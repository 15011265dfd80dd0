#include "hv/record.h"

#include "hv/record_boot.h"
#include "hv/deep.h"
#include "hv/drain_port.h"
#include "hv/exit.h"
#include "hv/guestmem.h"
#include "hv/hv_options.h"
#include "hv/hv_time.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/nested/vmcs_key_frames.h"
#include "hv/processor.h"
#include "hv/record_end.h"
#include "hv/snapshot.h"
#include "hv/stop_word.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "vmx/tables.h"

/* TSC ticks: an exit that took longer leaves packing, and the like, to a later one. */
#define LONG_EXIT	     20000

/* Where the machine is idle, more can be sent. */
#define LONG_HEARTBEAT	     100000

/* So many that an emulator at 20 million ticks a second has one in each second, with flush=128M. */
#define HEARTBEATS_PER_FLUSH 8

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

void record_emit(struct percpu *cpu, u8 kind, const void *columns, const void *bytes,
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

static void emit_boot_record(void *owner, struct rec *rec)
{
	struct percpu *const cpu = owner;

	cpu->rec = rec;
	record_boot_tell(cpu);
}

void record_init(struct percpu *cpu)
{
	static const struct rec_ops ops = {
		.read_code = read_code,
		.key_frames = key_frames,
	};
	const size_t recorder_pages = ALIGN_UP(rec_size(), PAGE_SIZE) / PAGE_SIZE;

	if (!cpu->id) {
		record_end_init();
		record_boot_init();
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
bool record_pack_slice(struct percpu *cpu)
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
	return processor_timer(options.flush / HEARTBEATS_PER_FLUSH);
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
	rec_seal(cpu->rec);
	cpu->hurries = true;
}

bool record_push(struct percpu *cpu)
{
	if (cpu->hurries)
		cpu->hurries = rec_push(cpu->rec);
	return cpu->hurries;
}

/* The exit so far, so that the rest can wait. */
static bool took_longer(const struct percpu *cpu, u64 ticks)
{
	return rdtsc() - cpu->exit.tsc > ticks;
}

void record_heartbeat(struct percpu *cpu)
{
	if (!cpu->rec)
		return;
	if (is_stale(cpu))
		record_hurry(cpu);
	record_push(cpu);
	/* Those of processors that sleep or are parked too. */
	for (unsigned id = 0; id < percpu_count(); id++)
		while (!took_longer(cpu, LONG_HEARTBEAT) && drain_poll(percpu_of(id), true))
			;
}

static NOINLINE void work(struct percpu *cpu)
{
	if (!cpu->rec)
		return;
	if (stop_is_asked())
		record_stop(cpu, END_ASKED, "asked to end");
	/* Registers stand right before the VM entry that waits to be told. */
	if (unlikely(cpu->time.wanted) && !cpu->nested.entry.waits && !took_longer(cpu, LONG_EXIT))
		hv_time_tell(cpu);
	if (is_stale(cpu)) {
		cpu->packing = true;
		rec_seal(cpu->rec);
	}
	if (drain_poll(cpu, false) || took_longer(cpu, LONG_EXIT))
		return;
	if (cpu->packing || rec_pack_urgent(cpu->rec))
		cpu->packing = record_pack_slice(cpu);
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
		record_emit(cpu, EV_MARK, &columns, text, length);
	deep_mark(cpu, text, length);
}

void record_file(struct percpu *cpu, u64 what, u64 offset, const void *bytes, u32 length)
{
	const struct ev_file columns = { .what = what, .offset = offset };

	if (cpu->rec)
		record_emit(cpu, EV_FILE, &columns, bytes, length);
}
