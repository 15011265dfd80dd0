#include "replay/stat.h"

#include <stdlib.h>

#include "replay/model_parts.h"

#define ALL_SITES_FULL (STAT_MAX_SITES * 3 / 4)

/* What a CPU was doing last. */
struct stat_cpu {
	bool seen;     /* an event of it */
	u64 tsc;       /* of the last */
	bool in_round; /* an exit of L2 was seen, and L2 did not run since */
	bool split;    /* the round that ended last waits for hv's share */
	u16 reason;
	u16 split_reason;
	u64 exit_tsc;
	u64 entry_tsc; /* 0: L2 did not run yet */
	u64 round_ticks;
	u64 reads, writes, others;
	u64 epoch; /* counts when L2 runs, or another VMCS is made current */
	u64 read_epoch[VMCS_FIELD_COUNT];
	struct {
		u8 kind;
		u64 type, low, high, epoch;
	} inv;
};

struct stat *stat_new(void)
{
	struct stat *const stat = calloc(1, sizeof(*stat));

	if (!stat)
		return NULL;
	stat->sites = calloc(STAT_MAX_SITES, sizeof(*stat->sites));
	stat->cpus = calloc(MODEL_MAX_CPUS, sizeof(*stat->cpus));
	stat->model = model_new();
	if (stat->sites && stat->cpus && stat->model)
		return stat;
	stat_free(stat);
	return NULL;
}

void stat_free(struct stat *stat)
{
	if (!stat)
		return;
	model_free(stat->model);
	free(stat->cpus);
	free(stat->sites);
	free(stat);
}

static void count_site(struct stat *stat, u8 kind, u64 rip, u32 detail, bool failed)
{
	u64 hash = (rip ^ (u64)detail << 40 ^ (u64)kind << 56) * 0x9e3779b97f4a7c15ull;
	size_t slot = hash >> 48 & (STAT_MAX_SITES - 1);
	struct stat_site *site = &stat->sites[slot];

	while (site->kind && (site->kind != kind || site->rip != rip || site->detail != detail)) {
		slot = (slot + 1) & (STAT_MAX_SITES - 1);
		site = &stat->sites[slot];
	}
	if (!site->kind) {
		if (stat->site_count == ALL_SITES_FULL) {
			stat->other_sites++;
			return;
		}
		stat->site_count++;
		*site = (struct stat_site){ .kind = kind, .rip = rip, .detail = detail };
	}
	site->count++;
	site->failed += failed;
}

/* --- instructions ----------------------------------------------------------------------------- */

static void count_read(struct stat *stat, struct stat_cpu *cpu, const struct ev_vmread *read)
{
	const int index = vmcs_access_index(read->field);

	cpu->reads++;
	if (index < 0)
		return;
	stat->fields[index].reads++;
	if (read->outcome != OUTCOME_SUCCEED) {
		stat->fields[index].failed++;
		return;
	}
	/* The two halves of a field are read one after the other. */
	if (vmcs_encoding_is_high(read->field))
		return;
	stat->fields[index].reread += cpu->read_epoch[index] == cpu->epoch;
	cpu->read_epoch[index] = cpu->epoch;
}

static void count_write(struct stat *stat, struct stat_cpu *cpu, const struct trace_event *event)
{
	const struct ev_vmwrite *const write = (const struct ev_vmwrite *)event->col;
	const struct model_region *const region = model_region(stat->model, write->vmcs);
	const int index = vmcs_access_index(write->field);
	u64 old;

	cpu->writes++;
	if (index < 0)
		return;
	stat->fields[index].writes++;
	if (write->outcome != OUTCOME_SUCCEED) {
		stat->fields[index].failed++;
		return;
	}
	if (!region || !model_field(region, index, ~0ull, &old))
		return;
	if (vmcs_encoding_is_high(write->field))
		old >>= 32;
	stat->fields[index].same +=
		old == (write->value & vmcs_width_mask(vmcs_fields[index].width));
}

static void count_inv(struct stat *stat, struct stat_cpu *cpu, const struct trace_event *event)
{
	const struct ev_invept *const inv = (const struct ev_invept *)event->col;
	struct stat_inv *const types = event->kind == EV_INVEPT ? stat->invept : stat->invvpid;
	struct stat_inv *const row = &types[MIN(inv->type, (u64)STAT_INV_OTHERS)];

	row->count++;
	row->failed += inv->outcome != OUTCOME_SUCCEED;
	row->idle += cpu->inv.kind == event->kind && cpu->inv.type == inv->type &&
		     cpu->inv.low == inv->descriptor_low && cpu->inv.high == inv->descriptor_high &&
		     cpu->inv.epoch == cpu->epoch;
	cpu->inv.kind = event->kind;
	cpu->inv.type = inv->type;
	cpu->inv.low = inv->descriptor_low;
	cpu->inv.high = inv->descriptor_high;
	cpu->inv.epoch = cpu->epoch;
}

static void count_insn(struct stat *stat, struct stat_cpu *cpu, const struct trace_event *event)
{
	const struct ev_insn *const insn = model_insn(event);
	struct stat_insn *const row = &stat->insns[event->kind];
	u32 detail = 0;

	row->count++;
	row->failed += insn->outcome == OUTCOME_FAIL_INVALID || insn->outcome == OUTCOME_FAIL_VALID;
	row->faulted += insn->outcome == OUTCOME_FAULT;
	stat->vmx_insns += event->kind <= EV_VMFUNC;
	switch (event->kind) {
	case EV_VMREAD:
		detail = (u32)((const struct ev_vmread *)event->col)->field;
		count_read(stat, cpu, (const struct ev_vmread *)event->col);
		break;
	case EV_VMWRITE:
		detail = (u32)((const struct ev_vmwrite *)event->col)->field;
		count_write(stat, cpu, event);
		break;
	case EV_INVEPT:
	case EV_INVVPID:
		count_inv(stat, cpu, event);
		cpu->others++;
		break;
	case EV_MSR_READ:
	case EV_MSR_WRITE:
		detail = (u32)((const struct ev_msr_read *)event->col)->msr;
		break;
	case EV_CR_WRITE:
		detail = (u32)((const struct ev_cr_write *)event->col)->cr;
		break;
	case EV_VMLAUNCH:
	case EV_VMRESUME:
		break;
	case EV_VMPTRLD:
		cpu->epoch++;
		cpu->others++;
		break;
	default:
		cpu->others++;
	}
	count_site(stat, event->kind, event->rip, detail, insn->outcome != OUTCOME_SUCCEED);
}

/* --- entries and exits ------------------------------------------------------------------------ */

static void end_round(struct stat *stat, struct stat_cpu *cpu, const struct trace_event *event)
{
	struct stat_exit *const row = &stat->exits[cpu->reason];

	cpu->split = cpu->in_round && event->tsc >= cpu->exit_tsc;
	cpu->in_round = false;
	if (!cpu->split)
		return;
	cpu->split_reason = cpu->reason;
	cpu->round_ticks = event->tsc - cpu->exit_tsc;
	row->rounds++;
	row->ticks += cpu->round_ticks;
	row->reads += cpu->reads;
	row->writes += cpu->writes;
	row->others += cpu->others;
}

static void count_entry(struct stat *stat, struct stat_cpu *cpu, const struct trace_event *event)
{
	stat->l2_entries++;
	end_round(stat, cpu, event);
	cpu->entry_tsc = event->tsc;
	cpu->epoch++;
}

static void split_round(struct stat *stat, struct stat_cpu *cpu, const struct ev_l2_exit *exit)
{
	struct stat_exit *const row = &stat->exits[cpu->split_reason];

	const u64 not_own = exit->hv_ticks + exit->packing_ticks;

	if (cpu->split && !exit->hidden_exits && not_own <= cpu->round_ticks) {
		row->split++;
		row->hv_ticks += exit->hv_ticks;
		row->own_ticks += cpu->round_ticks - not_own;
	}
	cpu->split = false;
}

static void count_exit(struct stat *stat, struct stat_cpu *cpu, const struct trace_event *event)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)event->col;
	const u64 reason = MIN(exit->reason & EXIT_REASON_BASIC, (u64)STAT_REASONS);

	stat->l2_exits++;
	stat->hidden_exits += exit->hidden_exits;
	stat->hv_ticks += exit->hv_ticks;
	stat->packing_ticks += exit->packing_ticks;
	split_round(stat, cpu, exit);
	if (cpu->entry_tsc && event->tsc > cpu->entry_tsc)
		stat->l2_ticks += event->tsc - cpu->entry_tsc;
	cpu->entry_tsc = 0;
	stat->exits[reason].count++;
	stat->exits[reason].entry_failures += exit->reason >> 31 & 1;
	count_site(stat, EV_L2_EXIT, event->rip, (u32)exit->reason, exit->reason >> 31 & 1);
	cpu->in_round = true;
	cpu->reason = (u16)reason;
	cpu->exit_tsc = event->tsc;
	cpu->reads = cpu->writes = cpu->others = 0;
	cpu->epoch++;
}

static void count_hv_time(struct stat *stat, const struct trace_event *event)
{
	const struct ev_hv_time *const time = (const struct ev_hv_time *)event->col;
	const u64 reason = MIN(time->reason, (u64)STAT_REASONS);
	struct stat_hv *row = &stat->packing;

	if (event->level > 2)
		return;
	if (event->level)
		row = &stat->hv[event->level - 1][reason];
	row->exits += time->exits;
	row->ticks += time->ticks;
	if (time->longest <= row->longest)
		return;
	row->longest = time->longest;
	row->longest_tsc = time->longest_tsc;
}

/* Where L1 set the TSC back nobody knows how long it was, and no time is counted. */
static void count_ticks(struct stat *stat, struct stat_cpu *cpu, const struct trace_event *event)
{
	/* These are told behind what happened later in the same exit. */
	if (event->kind == EV_HV_TIME || event->kind == EV_VMX_STATE ||
	    event->kind == EV_VMCS_IMAGE)
		return;
	if (cpu->seen && event->tsc > cpu->tsc)
		stat->ticks += event->tsc - cpu->tsc;
	cpu->seen = true;
	cpu->tsc = event->tsc;
}

enum status stat_event(struct stat *stat, const struct trace_event *event, u64 n)
{
	struct stat_cpu *cpu;

	if (event->cpu >= MODEL_MAX_CPUS)
		return ST_OK;
	cpu = &stat->cpus[event->cpu];
	if (!stat->events++)
		stat->first_tsc = event->tsc;
	stat->last_tsc = MAX(stat->last_tsc, event->tsc);
	count_ticks(stat, cpu, event);
	if (event->kind >= EV_VMXON && event->kind <= EV_CR_WRITE)
		count_insn(stat, cpu, event);
	else if (event->kind == EV_L2_ENTRY)
		count_entry(stat, cpu, event);
	else if (event->kind == EV_L2_EXIT)
		count_exit(stat, cpu, event);
	else if (event->kind == EV_HV_TIME)
		count_hv_time(stat, event);
	else if (event->kind == EV_GAP)
		*cpu = (struct stat_cpu){ .epoch = cpu->epoch + 1, .seen = true, .tsc = cpu->tsc };
	return model_step(stat->model, event, n);
}
