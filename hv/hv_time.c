#include "hv/hv_time.h"

#include "hv/insn.h"
#include "hv/percpu.h"
#include "recorder/emit.h"

static void count(struct percpu *cpu, struct hv_time_row *row, u64 ticks)
{
	row->exits++;
	row->ticks += ticks;
	if (likely(ticks <= row->longest))
		return;
	row->longest = ticks;
	row->longest_tsc = cpu->exit.tsc;
}

void hv_time_exit(struct percpu *cpu, struct hv_time_row *rows)
{
	struct hv_time *const time = &cpu->time;
	const u64 ticks = rdtsc() - cpu->exit.tsc - time->apart;

	count(cpu, &rows[cpu->exit.reason % HV_TIME_REASONS], ticks);
	cpu->nested.hv_ticks += ticks;
	time->apart = 0;
}

void hv_time_packed(struct percpu *cpu, u64 start)
{
	const u64 ticks = rdtsc() - start;

	count(cpu, &cpu->time.packing, ticks);
	cpu->time.apart += ticks;
	cpu->nested.packing_ticks += ticks;
}

void hv_time_tsc_moved(struct percpu *cpu, u64 before)
{
	cpu->time.apart += rdtsc() - before;
}

static void tell(struct percpu *cpu, struct hv_time_row *row, unsigned level, u32 reason)
{
	const struct ev_hv_time columns = {
		.reason = reason,
		.exits = row->exits,
		.ticks = row->ticks,
		.longest = row->longest,
		.longest_tsc = row->longest_tsc,
	};

	if (!row->exits)
		return;
	*row = (struct hv_time_row){ 0 };
	rec_emit(cpu->rec, &(struct trace_event){
				   .kind = EV_HV_TIME,
				   .level = (u8)level,
				   .tsc = cpu->exit.tsc,
				   .col = (const u64 *)&columns,
			   });
}

void hv_time_tell(struct percpu *cpu)
{
	struct hv_time *const time = &cpu->time;

	time->wanted = false;
	for (unsigned level = 1; level <= 2; level++)
		for (u32 reason = 0; reason < HV_TIME_REASONS; reason++)
			tell(cpu, &time->exits[level - 1][reason], level, reason);
	tell(cpu, &time->packing, 0, 0);
}
