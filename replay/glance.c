#include "replay/glance_parts.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ALL 16 /* blocks, where all of them are needed */
#define FURTHER	 4  /* times as far back with each attempt */

/* Kinds that change what key frames don't tell, or more than they can. */
#define STRUCTURAL                                                               \
	(block_kind(EV_VMXON) | block_kind(EV_VMXOFF) | block_kind(EV_VMCLEAR) | \
	 block_kind(EV_VMPTRLD) | block_kind(EV_VMLAUNCH))

/* --- the place -------------------------------------------------------------------------------- */

/* Nothing is missing before the end. */
static bool is_whole(const struct reader *reader)
{
	for (unsigned i = 0; i < reader->track_count; i++) {
		const struct lane *const lane = reader->tracks[i].lane;

		if (!reader->tracks[i].record.boot.present || lane->bad_blocks)
			return false;
		for (size_t k = 0; k < lane->count; k++)
			if (lane->segments[k].chunk ? !k && lane->segments[k].seq
						    : k + 1 < lane->count)
				return false;
	}
	return true;
}

/* That no event of another CPU names the VMCS must be known up to the event. */
static bool is_alone(const struct glance *glance, u64 n)
{
	const struct reader *const reader = glance->reader;
	const unsigned bit = track_region_bit(glance->vmcs);

	if (reader->track_count == 1 || glance->vmcs == MODEL_NO_POINTER)
		return true;
	if (reader->outlined <= n)
		return false;
	for (unsigned i = 0; i < reader->track_count; i++)
		if (&reader->tracks[i] != glance->track &&
		    reader->tracks[i].regions[bit / 64] >> (bit % 64) & 1)
			return false;
	return true;
}

static bool rests_on_little(const struct trace_event *event)
{
	return trace_event_is_insn(event) && event->kind != EV_VMXON && event->kind != EV_VMCLEAR &&
	       event->kind != EV_VMPTRLD && event->cpu < MODEL_MAX_CPUS;
}

struct lane *glance_scout(struct track *track)
{
	if (!track->scout)
		track->scout = lane_scout(track->lane);
	return track->scout;
}

static size_t segment_of(const struct lane *lane, u64 n)
{
	size_t low = 0, high = lane->count;

	while (high - low > 1) {
		const size_t middle = (low + high) / 2;

		if (lane->segments[middle].n > n)
			high = middle;
		else
			low = middle;
	}
	return low;
}

static enum status begin(struct glance *glance, u64 n)
{
	const struct trace_event *event;

	if (!is_whole(glance->reader) || reader_seek(glance->reader, n) != ST_OK ||
	    reader_next(glance->reader, &event) != ST_OK || !rests_on_little(event))
		return ST_UNSUPPORTED;
	glance->kind = event->kind;
	glance->vmcs = ((const struct ev_insn *)event->col)->vmcs;
	glance->track = reader_track(glance->reader, event->cpu);
	if (lane_find(glance->track->lane, event->seq, &glance->end) != ST_OK || !glance->end ||
	    !is_alone(glance, n))
		return ST_UNSUPPORTED;
	glance->lane = glance_scout(glance->track);
	glance->ends = calloc(glance->reader->track_count, sizeof(u64));
	if (!glance->lane || !glance->ends)
		return ST_NO_MEMORY;
	for (unsigned i = 0; i < glance->reader->track_count; i++)
		glance->ends[i] = track_tell(&glance->reader->tracks[i]).lane_n;
	glance->ends[glance->track - glance->reader->tracks] = glance->end;
	glance->last = segment_of(glance->lane, glance->end - 1);
	return ST_OK;
}

/* --- a run over some blocks ------------------------------------------------------------------- */

/* Takes events of @kinds of a segment that are before number @end of the lane. */
enum status glance_step_segment(struct model *model, struct lane *lane, size_t segment, u64 end,
				u64 kinds)
{
	const struct trace_event *event;
	enum status status = ST_OK;
	u64 n, numbers;

	end = MIN(end, lane->segments[segment].n + lane->segments[segment].events);
	lane_seek(lane, lane->segments[segment].n);
	while (status == ST_OK && (n = lane_tell(lane)) < end) {
		if (lane_next(lane, &event, &numbers) != ST_OK || event->kind == EV_GAP)
			return ST_UNSUPPORTED;
		if (kinds & block_kind(event->kind))
			status = model_step(model, event, n);
	}
	return status;
}

/* Whether a run must not leave out the segment. */
static bool is_needed(const struct glance *glance, size_t i)
{
	const struct lane_segment *const segment = &glance->lane->segments[i];
	u64 kinds;

	if (!segment->chunk || glance_is_pinned(segment) || glance->all)
		return segment->chunk;
	kinds = segment->chunk->block.kinds;
	/* Of an entry, the instruction may be in one block, and what it led to in the next. */
	if (i && segment[-1].chunk && segment[-1].chunk->block.kinds & block_kind(EV_VMLAUNCH))
		kinds |= STRUCTURAL;
	return i == glance->last || kinds & STRUCTURAL ||
	       (glance->since && segment->chunk->block.number == glance->since - 1);
}

/* The key frame of the VMCS in the last segment: is it whole, or which block has one? */
static enum status find_image(struct glance *glance)
{
	struct lane *const lane = glance->lane;
	const struct trace_event *event;
	u64 numbers;

	glance->since = 0;
	glance->imaged = false;
	lane_seek(lane, lane->segments[glance->last].n);
	while (lane_tell(lane) < glance->end && lane_next(lane, &event, &numbers) == ST_OK) {
		const struct ev_vmcs_image *const image = (const struct ev_vmcs_image *)event->col;

		if (event->kind != EV_VMCS_IMAGE && event->kind != EV_VMX_STATE)
			break;
		if (event->kind != EV_VMCS_IMAGE || image->vmcs != glance->vmcs)
			continue;
		glance->since = event->item_count ? 0 : image->since_block;
		glance->imaged = true;
		return ST_OK;
	}
	return ST_OK;
}

/* As if the tape began with the heads, and, with @lost, what came before the run were lost. */
static enum status start_model(struct glance *glance, bool lost)
{
	static const u64 none[TRACE_MAX_COLUMNS];
	const struct trace_event gap = { .kind = EV_GAP, .cpu = glance->lane->cpu, .col = none };
	struct model *const model = glance->model;

	model_free(model);
	glance->model = model_new();
	if (!glance->model)
		return ST_NO_MEMORY;
	glance->model->shown = glance->heads->shown;
	glance->model->real = glance->heads->real;
	glance->model->capture = glance->heads->capture;
	memcpy(glance->model->cap_read, glance->heads->cap_read, sizeof(glance->model->cap_read));
	return lost ? model_step(glance->model, &gap, 0) : ST_OK;
}

/* From the @back last needed segments on. */
static enum status run_from(struct glance *glance, u64 back)
{
	size_t first = glance->last + 1;
	bool since = false;
	enum status status;

	while (first && (back || (glance->since && !since))) {
		const struct lane_segment *const segment = &glance->lane->segments[--first];

		back -= back && is_needed(glance, first);
		since |= segment->chunk && segment->chunk->block.number + 1 == glance->since;
	}
	glance->first = first;
	glance->left_out = first;
	status = start_model(glance, first);
	for (size_t i = first; status == ST_OK && i <= glance->last; i++)
		if (is_needed(glance, i))
			status = glance_step_segment(glance->model, glance->lane, i, glance->end,
						     ~0ull);
		else
			glance->left_out = true;
	return status;
}

/*
 * Whether the place of the launch state is right, where somebody wants to know it. What has changed
 * the state cannot be told from what shows it for the first time, but for some kinds.
 */
static bool is_launch_certain(const struct glance *glance, const struct model_region *region)
{
	const u8 kind = region->launch_place.kind;

	return !glance_wants_launch(glance->kind, region) || kind == EV_VMCLEAR ||
	       kind == EV_L2_ENTRY || kind == EV_L2_EXIT;
}

/* Whether a run from the start knows no more of what counts, and nothing else. */
static bool is_certain(const struct glance *glance)
{
	const struct model_cpu *const cpu = &glance->model->cpus[glance->lane->cpu];
	const struct model_region *const region = cpu->region;

	if (!glance->left_out)
		return true;
	if (cpu->in_vmx == MODEL_UNKNOWN || !cpu->vmxon_known || !cpu->current_known ||
	    cpu->current != glance->vmcs)
		return false;
	if (glance->vmcs == MODEL_NO_POINTER)
		return true;
	return region && region->active == MODEL_YES && region->dword0_known && glance->imaged &&
	       region->launch != LAUNCH_UNKNOWN && is_launch_certain(glance, region);
}

/* --- the last VMXON --------------------------------------------------------------------------- */

/* Which VMXON made the CPU enter VMX operation last, that a model does not know again by itself. */
static enum status find_vmxon(struct glance *glance)
{
	const u64 kinds = block_kind(EV_VMXON);
	struct model_place *const place = &glance->model->cpus[glance->lane->cpu].vmxon_place;

	for (size_t i = glance->last + 1; i--;) {
		const struct lane_segment *const segment = &glance->lane->segments[i];
		struct model *model;
		enum status status;

		if (!segment->chunk || !(segment->chunk->block.kinds & kinds))
			continue;
		model = model_new();
		status = model ? glance_step_segment(model, glance->lane, i, glance->end, kinds)
			       : ST_NO_MEMORY;
		if (status == ST_OK)
			*place = model->cpus[glance->lane->cpu].vmxon_place;
		model_free(model);
		if (status != ST_OK || model_place_is(place))
			return status;
	}
	return ST_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum status look(struct glance *glance, u64 n)
{
	enum status status = begin(glance, n);

	if (status == ST_OK)
		status = glance_step_capabilities(glance);
	if (status == ST_OK)
		status = find_image(glance);
	if (status == ST_OK && !glance->imaged && glance->vmcs != MODEL_NO_POINTER) {
		/* Where it became active, all is told only from the start on. */
		if (glance->last >= MOST_ALL)
			return ST_UNSUPPORTED;
		glance->all = true;
	}
	glance->first = ~0ull;
	for (u64 back = 1; status == ST_OK && glance->first; back *= FURTHER) {
		status = run_from(glance, back);
		if (status == ST_OK && is_certain(glance))
			return find_vmxon(glance);
	}
	return status == ST_OK ? ST_UNSUPPORTED : status;
}

enum status glance_model(struct reader *reader, u64 n, struct model **model)
{
	struct glance glance = { .reader = reader, .heads = model_new() };
	const enum status status = glance.heads ? look(&glance, n) : ST_NO_MEMORY;

	*model = NULL;
	if (status == ST_OK)
		*model = glance.model;
	else
		model_free(glance.model);
	model_free(glance.heads);
	free(glance.ends);
	return status;
}

/* --- who wrote a field ------------------------------------------------------------------------ */

/* The blocks of a CPU, backwards. */
struct blocks {
	struct lane *lane;
	u64 vmcs;
	int index;
	u64 end;
	size_t at; /* those from here on were read */
};

static enum status read_block(void *owner, struct history *history)
{
	struct blocks *const blocks = owner;
	const struct lane_segment *segment;
	const struct trace_event *event;
	struct history_write write;
	enum status status = ST_OK;
	u64 n, numbers, end;

	if (!blocks->at)
		return ST_END;
	segment = &blocks->lane->segments[--blocks->at];
	end = MIN(segment->n + segment->events, blocks->end);
	lane_seek(blocks->lane, segment->n);
	while (status == ST_OK && (n = lane_tell(blocks->lane)) < end &&
	       lane_next(blocks->lane, &event, &numbers) == ST_OK)
		if (history_take(event, n, blocks->vmcs, blocks->index, &write))
			status = history_put(history, &write);
	return status;
}

enum status glance_answer(struct reader *reader, u64 n, u64 vmcs, struct history_question *question)
{
	struct glance glance = { .reader = reader };
	struct blocks blocks = { .vmcs = vmcs, .index = question->index };
	struct history *history;
	enum status status = begin(&glance, n);

	free(glance.ends);
	if (status != ST_OK || glance.vmcs != vmcs)
		return status == ST_OK ? ST_UNSUPPORTED : status;
	blocks.lane = glance.lane;
	blocks.end = glance.end;
	blocks.at = glance.last + 1;
	history = history_new(reader, vmcs, question->index, n);
	if (!history)
		return ST_NO_MEMORY;
	history_from(history, read_block, &blocks);
	status = history_answer(history, question);
	history_free(history);
	if (status == ST_OK && question->found)
		status = reader_find(reader, question->write.place.cpu, question->write.place.seq,
				     &question->write.place.n);
	return status;
}
