#include "replay/reader_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

/* --- the merge ----------------------------------------------------------------------------------
 */

void reader_count_damage(struct reader *reader)
{
	struct reader_info *const info = &reader->info;

	info->lost = info->gaps = info->bad_blocks = 0;
	for (unsigned i = 0; i < reader->track_count; i++) {
		const struct lane *const lane = reader->tracks[i].lane;

		info->lost += lane->lost;
		info->gaps += lane->gaps + lane->bad_blocks;
		info->bad_blocks += lane->bad_blocks;
	}
}

/* Whether another track still has an event with a smaller number than the next of @track. */
static bool is_held(const struct reader *reader, const struct track *track)
{
	if (!track->order || track->order <= reader->order + 1)
		return false;
	for (unsigned i = 0; i < reader->track_count; i++)
		if (&reader->tracks[i] != track &&
		    track_order_ahead(&reader->tracks[i]) < track->order)
			return true;
	return false;
}

/* The earliest of the tracks that are not in @passed; of two at the same time the lower CPU. */
static struct track *earliest(struct reader *reader, const bool *passed)
{
	struct track *first = NULL;

	for (unsigned i = 0; i < reader->track_count; i++) {
		struct track *const track = &reader->tracks[i];

		if (track->event && !passed[i] && (!first || track->time < first->time))
			first = track;
	}
	return first;
}

/* Where numbers of the counter decide. */
static __attribute__((noinline)) struct track *first_in_order(struct reader *reader)
{
	bool passed[READER_MAX_TRACKS];
	struct track *track;

	memset(passed, 0, reader->track_count * sizeof(*passed));
	track = earliest(reader, passed);
	for (; track && track->order; track = earliest(reader, passed)) {
		if (is_held(reader, track)) {
			passed[track - reader->tracks] = true;
			continue;
		}
		if (track->time >= reader->order_time)
			break;
		track_not_before(track, reader->order_time);
		reader_note_time(reader, track);
	}
	/* Numbers that do not ascend on their CPU can hold each other. */
	if (!track) {
		memset(passed, 0, reader->track_count * sizeof(*passed));
		track = earliest(reader, passed);
	}
	if (track && track->order > reader->order) {
		reader->order = track->order;
		reader->order_time = track->time;
	}
	return track;
}

/* Whichever of the tracks @a and @b is earlier; @a if neither is. */
static inline unsigned earlier(const struct reader *reader, unsigned a, unsigned b)
{
	const unsigned is_b = reader->times[b] < reader->times[a];

	/* Without a branch: which one it is, is hard to foretell. */
	return a ^ ((a ^ b) & -is_b);
}

/* The number of the earliest track; of two at the same time the lower. */
static inline unsigned earliest_time(const struct reader *reader)
{
	unsigned first = earlier(reader, earlier(reader, 0, 1), earlier(reader, 2, 3));

	/* Those that are no tracks come last. */
	for (unsigned i = 4; unlikely(i < reader->track_count); i++)
		first = earlier(reader, first, i);
	return first;
}

/* The only lane needs no merge, so nothing is looked at before its turn. */
static inline enum status next_of_one(struct reader *reader, const struct trace_event **event)
{
	u64 numbers;

	if (unlikely(lane_next(reader->tracks[0].lane, event, &numbers) != ST_OK))
		return ST_END;
	reader->n += numbers;
	if (unlikely((*event)->kind == EV_GAP))
		reader_count_damage(reader);
	return ST_OK;
}

/* Out of the way of the only lane, which needs no room for any of this. */
static __attribute__((noinline)) enum status next_of_many(struct reader *reader,
							  const struct trace_event **event)
{
	struct track *track;
	unsigned first;

	reader_leave_given(reader);
	if (unlikely(reader->n >= reader->next_checkpoint))
		reader_checkpoint(reader);
	first = earliest_time(reader);
	track = &reader->tracks[first];
	if (unlikely(!track->event || track->order)) {
		track = first_in_order(reader);
		if (!track)
			return ST_END;
		first = (unsigned)(track - reader->tracks);
	}
	reader->given = first;
	reader->n += track->numbers;
	*event = track->event;
	if (unlikely(track->event->kind == EV_GAP))
		reader_count_damage(reader);
	return ST_OK;
}

enum status reader_next(struct reader *reader, const struct trace_event **event)
{
	return likely(reader->track_count == 1) ? next_of_one(reader, event)
						: next_of_many(reader, event);
}

u64 reader_tell(const struct reader *reader)
{
	return reader->n;
}

/* --- facts -------------------------------------------------------------------------------------
 */

static void visit_segment(struct lane *lane, const struct lane_segment *segment, u8 kind,
			  void (*visit)(void *owner, const struct trace_event *event), void *owner)
{
	const u64 end = segment->n + segment->events;
	const struct trace_event *event;
	u64 numbers;

	lane_seek(lane, segment->n);
	while (lane_tell(lane) < end && lane_next(lane, &event, &numbers) == ST_OK)
		if (event->kind == kind)
			visit(owner, event);
}

void reader_visit(struct reader *reader, u8 kind,
		  void (*visit)(void *owner, const struct trace_event *event), void *owner)
{
	for (unsigned i = 0; i < reader->track_count; i++) {
		struct lane *const lane = reader->tracks[i].lane;

		for (size_t k = 0; k < lane->count; k++) {
			const struct tape_chunk *const chunk = lane->segments[k].chunk;

			if (chunk && chunk->block.kinds & block_kind(kind))
				visit_segment(lane, &lane->segments[k], kind, visit, owner);
		}
	}
	reader->placed = false;
	reader_seek(reader, 0);
}

const char *reader_machine(const struct reader *reader, size_t *size)
{
	*size = reader->tape.machine_size;
	return (const char *)reader->tape.machine;
}

u32 reader_fingerprint(const struct reader *reader)
{
	u32 crc = 0;

	for (size_t i = 0; i < reader->tape.chunk_count; i++) {
		const struct tape_chunk *const chunk = &reader->tape.chunks[i];

		crc = crc32c(crc, reader->tape.bytes + chunk->offset,
			     chunk_header_size(&chunk->chunk));
	}
	return crc;
}

bool reader_has(const struct reader *reader, u8 kind)
{
	for (unsigned i = 0; i < reader->track_count; i++) {
		const struct lane *const lane = reader->tracks[i].lane;

		for (size_t k = 0; k < lane->count; k++) {
			const struct tape_chunk *const chunk = lane->segments[k].chunk;

			if (chunk && chunk->block.kinds & block_kind(kind))
				return true;
		}
	}
	return false;
}

const struct trace_schema *reader_schema(const struct reader *reader)
{
	return &reader->schema;
}

const struct event_names *reader_names(const struct reader *reader)
{
	return &reader->names;
}

void reader_set_symbols(struct reader *reader, const struct symbols *symbols)
{
	reader->names.symbols = symbols;
}

const struct reader_info *reader_info(const struct reader *reader)
{
	return &reader->info;
}

const char *reader_damage(const struct reader *reader)
{
	return reader->tape.damage[0] ? reader->tape.damage : NULL;
}

const struct reader_boot *reader_boot(const struct reader *reader, u16 cpu)
{
	static const struct reader_boot none;

	for (unsigned i = 0; i < reader->track_count; i++)
		if (reader->tracks[i].lane->cpu == cpu)
			return &reader->tracks[i].record.boot;
	return &none;
}
