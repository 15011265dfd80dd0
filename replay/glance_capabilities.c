/*
 * replay/glance_capabilities.c - what a glance knows of capabilities
 */
#include <string.h>

#include "replay/glance_parts.h"

#define MOST_READS 64 /* blocks with RDMSRs that are looked through */

static u64 track_end(const struct glance *glance, const struct track *track)
{
	return glance->ends[track - glance->reader->tracks];
}

/* The head of each CPU, which must say of capabilities what the others do. */
static enum status step_heads(struct glance *glance)
{
	struct model *const model = glance->heads;
	const struct vmx_caps *const shown = &model->shown;
	struct vmx_caps first = { 0 };

	for (unsigned i = 0; i < glance->reader->track_count; i++) {
		struct track *const track = &glance->reader->tracks[i];
		struct lane *const lane = glance_scout(track);
		enum status status = lane ? ST_OK : ST_NO_MEMORY;

		for (size_t k = 0;
		     status == ST_OK && k < lane->count && glance_is_pinned(&lane->segments[k]);
		     k++)
			status = glance_step_segment(model, lane, k, track_end(glance, track),
						     ~0ull);
		if (status != ST_OK)
			return status;
		if (!i)
			first = *shown;
		else if (memcmp(&first, shown, sizeof(first)) != 0)
			return ST_UNSUPPORTED;
	}
	return ST_OK;
}

/* The last RDMSR of a capability on one CPU or more. */
struct last_read {
	struct model_place place;
	u64 low, high; /* between these times it was, as the merge counts them */
};

static bool is_later(struct reader *reader, const struct last_read *a, const struct last_read *b)
{
	u64 a_n = 0, b_n = 0;

	if (a->low > b->high || b->low > a->high)
		return a->low > b->high;
	reader_find(reader, a->place.cpu, a->place.seq, &a_n);
	reader_find(reader, b->place.cpu, b->place.seq, &b_n);
	return a_n > b_n;
}

/* Takes the RDMSRs of a segment. */
static enum status take_reads(struct glance *glance, struct track *track, size_t segment,
			      struct last_read *reads)
{
	struct lane *const lane = track->scout;
	struct model *const model = glance->heads;
	const u64 end = MIN(lane->segments[segment].n + lane->segments[segment].events,
			    track_end(glance, track));
	const struct trace_event *event;
	u64 n, numbers;

	lane_seek(lane, lane->segments[segment].n);
	while ((n = lane_tell(lane)) < end) {
		if (lane_next(lane, &event, &numbers) != ST_OK || event->kind == EV_GAP)
			return ST_UNSUPPORTED;
		if (event->kind != EV_MSR_READ)
			continue;
		memset(model->cap_read, 0, sizeof(model->cap_read));
		model_step(model, event, n);
		for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
			if (model_place_is(&model->cap_read[i]))
				reads[i] = (struct last_read){
					.place = model->cap_read[i],
					.low = event->tsc + track->record.boot.clock.offset,
					.high = event->tsc + track->shift,
				};
	}
	return ST_OK;
}

/* RDMSRs; those of several CPUs must not tell more of capabilities than the heads do. */
static enum status step_reads(struct glance *glance)
{
	struct model *const model = glance->heads;
	const u64 changes = model->shown_changes;
	struct last_read last[VMX_CAP_COUNT] = { 0 };
	unsigned blocks = 0, readers = 0;

	for (unsigned i = 0; i < glance->reader->track_count; i++) {
		struct track *const track = &glance->reader->tracks[i];
		const struct lane *const lane = track->lane;
		struct last_read here[VMX_CAP_COUNT] = { 0 };
		const unsigned before = blocks;

		for (size_t k = 0;
		     k < lane->count && lane->segments[k].n < track_end(glance, track); k++) {
			if (!lane->segments[k].chunk ||
			    !(lane->segments[k].chunk->block.kinds & block_kind(EV_MSR_READ)))
				continue;
			if (++blocks > MOST_READS || take_reads(glance, track, k, here) != ST_OK)
				return ST_UNSUPPORTED;
		}
		readers += blocks != before;
		for (unsigned k = 0; k < VMX_CAP_COUNT; k++)
			if (model_place_is(&here[k].place) &&
			    (!model_place_is(&last[k].place) ||
			     is_later(glance->reader, &here[k], &last[k])))
				last[k] = here[k];
	}
	for (unsigned k = 0; k < VMX_CAP_COUNT; k++)
		model->cap_read[k] = last[k].place;
	return readers > 1 && model->shown_changes != changes ? ST_UNSUPPORTED : ST_OK;
}

enum status glance_step_capabilities(struct glance *glance)
{
	const enum status status = step_heads(glance);

	return status == ST_OK ? step_reads(glance) : status;
}
