#include "hv/record_end.h"

#include "hv/acpi.h"
#include "hv/console.h"
#include "hv/drain_port.h"
#include "hv/exit.h"
#include "hv/exit_l1.h"
#include "hv/hv_options.h"
#include "hv/hv_time.h"
#include "hv/insn.h"
#include "hv/kick.h"
#include "hv/log.h"
#include "hv/record.h"
#include "recorder/emit.h"

#define PORT_SHUTDOWN	   0x8900
#define PORT_RESET	   0xcf9
#define RESET_CPU	   0x06 /* a full reset, at the edge of bit 2 */

/* How long a processor waits for the others to finish: seconds, in which they pack a few blocks. */
#define END_POLLS	   (1u << 23)
#define END_POLLS_PER_KICK (1u << 16)

/* The processor that ends the tape. */
static struct percpu *ender;

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
	while (record_pack_slice(cpu))
		drain_poll(cpu, false);
	/* What is left has room then. */
	while (drain_poll(cpu, true))
		;
	rec_flush(cpu->rec);
	drain_finish(cpu);
}

void record_end_init(void)
{
	ender = NULL;
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
	record_emit(cpu, EV_END, &columns, text, (u32)strlen(text));
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
	record_emit(cpu, EV_PANIC, &columns, text, (u32)strlen(text));
	if (!first)
		record_join_end(cpu);
	finish_all(cpu, END_PANIC, text);
}
