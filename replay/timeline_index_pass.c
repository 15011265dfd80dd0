/*
 * replay/timeline_index_pass.c - the pass over a tape that makes its index
 *
 * Mostly by slices, each of which is an interval; event by event where a slice is refused.
 */
#include <stdlib.h>

#include "replay/event_writes.h"
#include "replay/model_digest.h"
#include "replay/slice.h"
#include "replay/timeline_index_parts.h"
#include "trace/block.h"
#include "vmx/tables.h"

#define POLL_EVERY 16 /* intervals */
#define MAX_CLAIMS 256
#define MOST_WAIT  64 /* intervals */

/* Which CPU of the slice has to do with a VMCS. */
struct claim {
	u64 pointer;
	unsigned cpu;
};

struct pass {
	struct index_builder *builder;
	struct slice *slice; /* NULL: without */
	unsigned refused;    /* slices, one after the other ... */
	unsigned wait;	     /* ... and for how many intervals now none is tried */
	struct claim claims[MAX_CLAIMS];
	unsigned claim_count;
	u16 lanes[MODEL_MAX_CPUS]; /* of the slice, by CPU */
	u64 place_at;		   /* the last number that was looked for ... */
	unsigned place_cpu;
	u64 place_n; /* ... and found */
};

/* --- events --------------------------------------------------------------------------------------
 */

/*
 * A key frame that repeats what was written says nothing to a history: but after a write of a part
 * of a field, it is what a later frame is compared with.
 */
static bool counts(struct index_region *region, const struct event_write *write, bool is_frame)
{
	const size_t word = (size_t)write->index / 64;
	const u64 bit = BIT(write->index % 64);
	const u64 all = vmcs_width_mask(vmcs_fields[write->index].width);
	const bool repeats = is_frame && region->mask[write->index] == all &&
			     region->value[write->index] == write->value &&
			     !(region->partly[word] & bit);

	region->value[write->index] = (region->value[write->index] & ~write->mask) | write->value;
	region->mask[write->index] |= write->mask;
	if (write->mask == all)
		region->partly[word] &= ~bit;
	else
		region->partly[word] |= bit;
	return !repeats;
}

static void take_writes(struct index_builder *builder, const struct trace_event *event)
{
	struct event_write writes[EVENT_MAX_WRITES];
	const bool is_frame = event->kind == EV_VMCS_IMAGE;
	struct index_touched *row;
	struct index_region *region;
	unsigned count;
	u64 vmcs;

	count = event_writes(event, &vmcs, writes);
	region = count ? builder_region(builder, vmcs) : NULL;
	row = region ? builder_row(builder, region) : NULL;
	/* Of a field that is there twice, the first counts, but both were told. */
	for (unsigned i = 0; row && i < count; i++)
		if (counts(region, &writes[i], is_frame))
			row->written[writes[i].index / 64] |= BIT(writes[i].index % 64);
}

static inline void take_rip(struct index_builder *builder, u64 rip)
{
	u64 *const last = &builder->last_rips[(rip ^ rip >> 8) % INDEX_LAST_RIPS];

	if (likely(*last == rip))
		return;
	*last = rip;
	index_filter_add((struct index_filter *)builder->filters.list + builder->filters.count - 1,
			 rip);
}

static void take_gap(struct index_builder *builder)
{
	builder_interval(builder)->flags |= INDEX_GAP;
	for (u32 i = 0; i < builder->region_count; i++)
		memset(builder->regions[i]->mask, 0, sizeof(builder->regions[i]->mask));
}

static void take_reason(struct index_interval *at, u64 reason)
{
	const u64 basic = reason & ~BIT(31);

	at->reasons[MIN(basic, 127u) / 64] |= BIT(MIN(basic, 127u) % 64);
	at->flags |= reason & BIT(31) ? INDEX_FAILS : 0;
}

/* What of @event is the same in all events of its site. */
static void take_site(struct index_builder *builder, const struct trace_event *event)
{
	struct index_interval *const at = builder_interval(builder);

	at->kinds |= block_kind(event->kind);
	take_rip(builder, event->rip);
	if (event->kind >= EV_VMXON && event->kind <= EV_CR_WRITE)
		at->outcomes |= BIT(MIN(((const struct ev_insn *)event->col)->outcome, 63u));
	if (event->kind == EV_L2_EXIT)
		take_reason(at, ((const struct ev_l2_exit *)event->col)->reason);
}

static void take_event(struct index_builder *builder, const struct trace_event *event)
{
	builder->last_tsc = MAX(builder->last_tsc, event->tsc);
	take_site(builder, event);
	if (event->kind == EV_L2_ENTRY)
		builder->entries++;
	else if (event->kind == EV_GAP)
		take_gap(builder);
	take_writes(builder, event);
}

/* --- slices --------------------------------------------------------------------------------------
 */

static void meet(void *owner, const struct trace_event *event)
{
	const struct pass *const pass = owner;

	take_site(pass->builder, event);
}

static void at_rip(void *owner, u64 rip)
{
	const struct pass *const pass = owner;

	take_rip(pass->builder, rip);
}

static bool is_about_all(const struct trace_event *event)
{
	switch (event->kind) {
	case EV_VMXOFF:
	case EV_GAP:
	case EV_BOOT:
	case EV_CAPABILITY:
		return true;
	case EV_MSR_READ:
		return MSR_IS_VMX_CAP(((const struct ev_msr_read *)event->col)->msr);
	default:
		return false;
	}
}

static enum slice_answer take(void *owner, const struct trace_event *event)
{
	const struct pass *const pass = owner;

	if (is_about_all(event))
		return SLICE_REFUSE;
	if (model_takes(event->kind))
		return SLICE_KEEP;
	take_site(pass->builder, event);
	return SLICE_PASS;
}

/* False when another CPU has to do with it too. */
static bool claim(struct pass *pass, u64 pointer, unsigned cpu)
{
	const struct model_region *region;

	if (pointer == MODEL_NO_POINTER)
		return true;
	for (unsigned i = pass->claim_count; i--;)
		if (pass->claims[i].pointer == pointer)
			return pass->claims[i].cpu == cpu;
	region = model_region(pass->builder->model, pointer);
	if (pass->claim_count == MAX_CLAIMS ||
	    (region && region->holders & ~BIT(slice_cpu(pass->slice, cpu) % 64)))
		return false;
	pass->claims[pass->claim_count++] = (struct claim){ pointer, cpu };
	return true;
}

/* What an event names that is a region whatever its address. */
static bool claim_named(struct pass *pass, u64 pointer, unsigned cpu)
{
	return pointer != MODEL_NO_POINTER && claim(pass, pointer, cpu);
}

static bool claim_event(struct pass *pass, const struct trace_event *event, unsigned cpu)
{
	switch (event->kind) {
	case EV_VMXON:
	case EV_VMCLEAR:
	case EV_VMPTRLD:
		if (!claim_named(pass, ((const struct ev_vmclear *)event->col)->pointer, cpu))
			return false;
		break;
	case EV_L2_ENTRY:
		return claim(pass, ((const struct ev_l2_entry *)event->col)->vmcs, cpu);
	case EV_L2_EXIT:
		return claim(pass, ((const struct ev_l2_exit *)event->col)->vmcs, cpu);
	case EV_VMCS12_WRITE:
		return claim_named(pass, ((const struct ev_vmcs12_write *)event->col)->vmcs, cpu);
	case EV_VMCS_IMAGE:
		return claim_named(pass, ((const struct ev_vmcs_image *)event->col)->vmcs, cpu);
	case EV_VMX_STATE:
		return claim(pass, ((const struct ev_vmx_state *)event->col)->vmcs, cpu);
	default:
		break;
	}
	return claim(pass, ((const struct ev_insn *)event->col)->vmcs, cpu);
}

_Static_assert(EV_COLUMN(vmxon, pointer) == EV_COLUMN(vmclear, pointer) &&
		       EV_COLUMN(vmptrld, pointer) == EV_COLUMN(vmclear, pointer),
	       "alike");

/* Whether what the CPUs of the slice do is about different VMCSs. */
static bool are_apart(struct pass *pass)
{
	const struct model *const model = pass->builder->model;

	pass->claim_count = 0;
	for (unsigned i = 0; i < slice_cpus(pass->slice); i++) {
		const u16 number = slice_cpu(pass->slice, i);
		const struct model_region *current;
		struct slice_step step;
		size_t at = 0;

		if (number >= MODEL_MAX_CPUS)
			return false;
		pass->lanes[number] = (u16)i;
		current = model_current(model, number);
		while (slice_next(pass->slice, i, &at, &step)) {
			if (current && !claim(pass, current->pointer, i))
				return false;
			current = NULL;
			if (step.event ? !claim_event(pass, step.event, i)
				       : !claim(pass, step.digest->vmcs, i))
				return false;
		}
	}
	/* A region is given up by when it was used last, of all CPUs. */
	return model->region_count + pass->claim_count <= MODEL_MAX_REGIONS;
}

static void take_digest(struct index_builder *builder, const struct model_digest *digest,
			const struct model_digest_field *fields)
{
	struct index_touched *row = NULL;
	struct index_region *region = NULL;

	builder->entries += digest->l2_entries;
	for (u32 i = 0; i < digest->field_count; i++) {
		const size_t word = (size_t)fields[i].index / 64;
		const u64 bit = BIT(fields[i].index % 64);

		if (!model_place_is(&fields[i].writer))
			continue;
		if (!region)
			region = builder_region(builder, digest->vmcs);
		if (!row && region)
			row = builder_row(builder, region);
		if (!row)
			return;
		row->written[word] |= bit;
		region->value[fields[i].index] = fields[i].written;
		region->mask[fields[i].index] = vmcs_width_mask(vmcs_fields[fields[i].index].width);
		region->partly[word] &= ~bit;
	}
}

static void apply_slice(struct pass *pass)
{
	struct index_builder *const builder = pass->builder;
	struct slice_step step;

	for (unsigned i = 0; i < slice_cpus(pass->slice); i++) {
		size_t at = 0;

		while (builder->status == ST_OK && slice_next(pass->slice, i, &at, &step)) {
			if (step.event) {
				take_event(builder, step.event);
				builder->status = model_step(builder->model, step.event, step.at);
				continue;
			}
			take_digest(builder, step.digest, step.fields);
			if (builder->status == ST_OK)
				builder->status =
					model_step_digest(builder->model, step.digest, step.fields);
		}
	}
	builder->last_tsc = MAX(builder->last_tsc, slice_highest_tsc(pass->slice));
}

/* Numbers of the slice become those of the tape. */
static void number(struct pass *pass, unsigned cpu, u64 *n)
{
	if (!(*n & SLICE_AT))
		return;
	/* What happened at once is often found together. */
	if (pass->place_at != *n || pass->place_cpu != cpu) {
		pass->place_at = *n;
		pass->place_cpu = cpu;
		pass->place_n = slice_number(pass->slice, cpu, *n);
	}
	*n = pass->place_n;
}

static void number_place(struct pass *pass, struct model_place *place)
{
	if (model_place_is(place))
		number(pass, pass->lanes[place->cpu], &place->n);
}

static void number_region(struct pass *pass, struct model_region *region, unsigned cpu)
{
	number_place(pass, &region->launch_place);
	number_place(pass, &region->active_place);
	number_place(pass, &region->clear_place);
	for (int i = 0; i < VMCS_FIELD_COUNT; i++)
		number_place(pass, &region->writer[i]);
	number(pass, cpu, &region->used);
}

static void number_slice(struct pass *pass)
{
	struct model *const model = pass->builder->model;

	pass->place_at = 0;
	for (unsigned i = 0; i < pass->claim_count; i++) {
		struct model_region *const region = model_region(model, pass->claims[i].pointer);

		if (region && region->used & SLICE_AT)
			number_region(pass, region, pass->claims[i].cpu);
	}
	for (unsigned i = 0; i < slice_cpus(pass->slice); i++) {
		struct model_cpu *const cpu = &model->cpus[slice_cpu(pass->slice, i)];

		number_place(pass, &cpu->vmxon_place);
		number_place(pass, &cpu->vmxoff_place);
	}
}

/* An interval out of one slice. False: there is none to be had here. */
static bool take_slice(struct pass *pass)
{
	struct index_builder *const builder = pass->builder;
	enum status status;

	if (!pass->slice)
		return false;
	if (pass->wait) {
		pass->wait--;
		return false;
	}
	status = slice_take(pass->slice, builder->interval);
	if (status == ST_OK && !are_apart(pass)) {
		slice_undo(pass->slice);
		status = ST_UNSUPPORTED;
	}
	if (status != ST_OK) {
		pass->wait = MIN((1u << pass->refused) - 1, MOST_WAIT);
		pass->refused = MIN(pass->refused + 1, 16u);
		return false;
	}
	pass->refused = 0;
	apply_slice(pass);
	number_slice(pass);
	return true;
}

/* --- the pass ------------------------------------------------------------------------------------
 */

/* An interval event by event. */
static void take_events(struct index_builder *builder)
{
	struct reader *const reader = builder->reader;
	const struct trace_event *event;

	while (builder->status == ST_OK) {
		const u64 n = reader_tell(reader);

		if (n - builder->first >= builder->interval || reader_next(reader, &event) != ST_OK)
			return;
		take_event(builder, event);
		if (builder->status == ST_OK)
			builder->status = model_step(builder->model, event, n);
	}
}

void index_pass(struct index_builder *builder, const struct index_poll *poll)
{
	static const struct slice_ops ops = { .meet = meet, .at_rip = at_rip, .take = take };
	struct pass *const pass = calloc(1, sizeof(*pass));
	struct reader *const reader = builder->reader;
	const u64 events = reader_info(reader)->events;

	if (!pass) {
		builder->status = ST_NO_MEMORY;
		return;
	}
	pass->builder = builder;
	pass->slice = slice_new(reader, &ops, pass);
	builder->status = reader_seek(reader, 0);
	builder_begin_interval(builder);
	while (builder->status == ST_OK) {
		if (!take_slice(pass))
			take_events(builder);
		if (builder->status != ST_OK || reader_tell(reader) >= events)
			break;
		builder_end_interval(builder);
		if (builder->status == ST_OK)
			builder_begin_interval(builder);
		if (builder->intervals.count % POLL_EVERY == 0 && poll->ask &&
		    poll->ask(poll->owner, reader_tell(reader), events))
			builder->status = ST_INTERRUPTED;
	}
	if (builder->status == ST_OK)
		builder_end_interval(builder);
	slice_free(pass->slice);
	free(pass);
}
