/*
 * replay/timeline_index_pass.c - the pass over a tape that makes its index
 *
 * Mostly by strides, each of which is an interval; event by event where one is refused.
 */
#include <stdlib.h>

#include "replay/event_writes.h"
#include "replay/stride.h"
#include "replay/timeline_index_parts.h"
#include "trace/block.h"
#include "vmx/tables.h"

#define POLL_EVERY 16 /* intervals */
#define MOST_WAIT  64 /* intervals */
#define SHORT	   16 /* in an interval: strides that are not worth their time */

struct pass {
	struct index_builder *builder;
	struct stride *stride; /* NULL: without */
	unsigned refused;      /* strides, one after the other ... */
	u64 wait;	       /* ... and for how many events now none is tried */
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

/* --- strides
 * --------------------------------------------------------------------------------------
 */

static void at_site(void *owner, const struct trace_event *event)
{
	const struct pass *const pass = owner;

	take_site(pass->builder, event);
}

static void at_rip(void *owner, u64 rip)
{
	const struct pass *const pass = owner;

	take_rip(pass->builder, rip);
}

static void at_end(void *owner, unsigned cpu)
{
	const struct pass *const pass = owner;

	builder_keep_decoder(pass->builder, cpu);
}

static enum status at_event(void *owner, const struct trace_event *event)
{
	const struct pass *const pass = owner;

	take_event(pass->builder, event);
	return pass->builder->status;
}

static enum status at_digest(void *owner, const struct model_digest *digest,
			     const struct model_digest_field *fields)
{
	struct index_builder *const builder = ((const struct pass *)owner)->builder;
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
			break;
		row->written[word] |= bit;
		region->value[fields[i].index] = fields[i].written;
		region->mask[fields[i].index] = vmcs_width_mask(vmcs_fields[fields[i].index].width);
		region->partly[word] &= ~bit;
	}
	return builder->status;
}

/* Where strides that end within the interval can end. */
static void take_cuts(const struct pass *pass)
{
	struct index_interval *const at = builder_interval(pass->builder);
	const u64 begin = reader_mark_time(pass->builder->reader, at->mark);
	struct slice_cut cuts[INDEX_CUTS];
	const unsigned count = stride_cuts(pass->stride, cuts, INDEX_CUTS);

	for (unsigned i = 0; i < count && cuts[i].time - begin <= ~0u; i++)
		at->cuts[i] = (struct index_cut){ (u32)(at->steps + cuts[i].events),
						  (u32)(cuts[i].time - begin) };
}

/*
 * The rest of an interval out of one stride. False: there is none to be had here, or one so short
 * that more events have to follow.
 */
static bool take_stride(struct pass *pass)
{
	struct index_builder *const builder = pass->builder;
	const u64 from = reader_tell(builder->reader), events = builder->interval;
	const u64 little = events / SHORT + 1;
	const struct slice_size size = { events / 2 + 1, events, 2 * events, 0 };
	enum status status;

	if (!pass->stride || pass->wait)
		return false;
	status = stride_take(pass->stride, builder->model, &size);
	if (status != ST_UNSUPPORTED) {
		builder->status = status;
		builder->last_tsc = MAX(builder->last_tsc, stride_highest_tsc(pass->stride));
	}
	if (status == ST_UNSUPPORTED || reader_tell(builder->reader) - from < little) {
		pass->wait = MIN(little << pass->refused, MOST_WAIT * events);
		pass->refused = MIN(pass->refused + 1, 16u);
		return false;
	}
	builder_interval(builder)->flags |= INDEX_APART;
	builder_interval(builder)->steps = from - builder->first;
	take_cuts(pass);
	pass->refused = 0;
	pass->wait = stride_was_stopped(pass->stride) ? little : 0;
	return true;
}

/* --- the pass ------------------------------------------------------------------------------------
 */

/* At most @count of them. */
static void take_events(struct index_builder *builder, u64 count)
{
	struct reader *const reader = builder->reader;
	const u64 end = reader_tell(reader) + count;
	const struct trace_event *event;

	while (builder->status == ST_OK) {
		const u64 n = reader_tell(reader);

		if (n >= end || reader_next(reader, &event) != ST_OK)
			return;
		take_event(builder, event);
		if (builder->status == ST_OK)
			builder->status = model_step(builder->model, event, n);
	}
}

/* A stride, and before it what strides don't take; only that, if it is enough for an interval. */
static void take_interval(struct pass *pass, u64 events)
{
	struct index_builder *const builder = pass->builder;
	struct reader *const reader = builder->reader;
	u64 from;

	while (!take_stride(pass) && builder->status == ST_OK) {
		from = reader_tell(reader);
		if (from - builder->first < builder->interval)
			take_events(builder, MIN(pass->wait ? pass->wait : builder->interval,
						 builder->first + builder->interval - from));
		pass->wait -= MIN(pass->wait, reader_tell(reader) - from);
		if (reader_tell(reader) - builder->first >= builder->interval ||
		    reader_tell(reader) >= events)
			return;
	}
}

void index_pass(struct index_builder *builder, const struct index_poll *poll)
{
	static const struct stride_watch watch = { at_site, at_rip, at_end, at_event, at_digest };
	struct pass *const pass = calloc(1, sizeof(*pass));
	struct reader *const reader = builder->reader;
	const u64 events = reader_info(reader)->events;

	if (!pass) {
		builder->status = ST_NO_MEMORY;
		return;
	}
	pass->builder = builder;
	pass->stride = stride_new(reader, &watch, pass);
	builder->status = reader_seek(reader, 0);
	builder_begin_interval(builder);
	while (builder->status == ST_OK) {
		take_interval(pass, events);
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
	stride_free(pass->stride);
	free(pass);
}
