#include "replay/reader_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

/* --- moving ------------------------------------------------------------------------------------
 */

static size_t checkpoint_size(const struct reader *reader)
{
	return sizeof(struct checkpoint) + reader->track_count * sizeof(struct track_place);
}

static void fill_checkpoint(const struct reader *reader, struct checkpoint *to)
{
	to->n = reader->n;
	to->order = reader->order;
	to->order_time = reader->order_time;
	for (unsigned i = 0; i < reader->track_count; i++)
		to->tracks[i] = track_tell(&reader->tracks[i]);
}

/* Where a checkpoint cannot be kept, seeking only takes longer. */
static void checkpoint(struct reader *reader)
{
	struct checkpoint **const more =
		realloc(reader->checkpoints, (reader->checkpoint_count + 1) * sizeof(*more));
	struct checkpoint *const made = malloc(checkpoint_size(reader));

	if (more)
		reader->checkpoints = more;
	if (!more || !made) {
		free(made);
		return;
	}
	fill_checkpoint(reader, made);
	reader->checkpoints[reader->checkpoint_count++] = made;
	reader->next_checkpoint = reader->n + READER_CHECKPOINT_EVERY;
}

/* Damage inside blocks shows when they are read. */
static void count_damage(struct reader *reader)
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

static void note_time(struct reader *reader, const struct track *track)
{
	reader->times[track - reader->tracks] = track->event ? track->time : ~0ull;
}

/* Go on behind the event that was given. */
static inline void leave_given(struct reader *reader)
{
	struct track *const track = &reader->tracks[reader->given];

	if (reader->given == READER_NONE_GIVEN)
		return;
	track_advance(track);
	reader->times[reader->given] = track->event ? track->time : ~0ull;
	reader->given = READER_NONE_GIVEN;
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
		note_time(reader, track);
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
		count_damage(reader);
	return ST_OK;
}

/* Out of the way of the only lane, which needs no room for any of this. */
static __attribute__((noinline)) enum status next_of_many(struct reader *reader,
							  const struct trace_event **event)
{
	struct track *track;
	unsigned first;

	leave_given(reader);
	if (unlikely(reader->n >= reader->next_checkpoint))
		checkpoint(reader);
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
		count_damage(reader);
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

size_t reader_mark_words(const struct reader *reader)
{
	return checkpoint_size(reader) / sizeof(u64);
}

void reader_mark(struct reader *reader, u64 *words)
{
	leave_given(reader);
	fill_checkpoint(reader, (struct checkpoint *)words);
}

void reader_use_marks(struct reader *reader, const u64 *marks, size_t count, size_t stride)
{
	const size_t own = reader->checkpoint_count;

	reader->marks = marks;
	reader->mark_count = count;
	reader->mark_stride = stride;
	reader->next_checkpoint = ~0ull;
	if (!count)
		reader->next_checkpoint =
			(own ? reader->checkpoints[own - 1]->n : 0) + READER_CHECKPOINT_EVERY;
}

static const struct checkpoint *checkpoint_at(const struct reader *reader, size_t i)
{
	return reader->mark_count
		       ? (const struct checkpoint *)(reader->marks + i * reader->mark_stride)
		       : reader->checkpoints[i];
}

/* The last checkpoint at or before @n; NULL for the start. */
static const struct checkpoint *checkpoint_before(const struct reader *reader, u64 n)
{
	size_t low = 0, high = reader->mark_count ? reader->mark_count : reader->checkpoint_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (checkpoint_at(reader, middle)->n > n)
			high = middle;
		else
			low = middle + 1;
	}
	return low ? checkpoint_at(reader, low - 1) : NULL;
}

static void restart(struct reader *reader, const struct checkpoint *from)
{
	track_seek_all(reader->tracks, reader->track_count, from ? from->tracks : NULL);
	for (unsigned i = 0; i < reader->track_count; i++)
		note_time(reader, &reader->tracks[i]);
	reader->order = from ? from->order : 0;
	reader->order_time = from ? from->order_time : 0;
	reader->given = READER_NONE_GIVEN;
	reader->placed = true;
	reader->n = from ? from->n : 0;
}

void reader_place(struct reader *reader, u64 n)
{
	for (unsigned i = 0; reader->track_count > 1 && i < reader->track_count; i++)
		note_time(reader, &reader->tracks[i]);
	reader->given = READER_NONE_GIVEN;
	reader->n = n;
}

void reader_return(struct reader *reader, const u64 *mark)
{
	const struct checkpoint *const to = (const struct checkpoint *)mark;

	if (reader->track_count > 1) {
		restart(reader, to);
		return;
	}
	reader->tracks[0].event = NULL;
	lane_seek(reader->tracks[0].lane, to->tracks[0].lane_n);
	reader->n = to->n;
}

_Static_assert(READER_STEP > READER_CHECKPOINT_EVERY, "a step leaves a checkpoint behind");

bool reader_approach(struct reader *reader, u64 n, u64 most)
{
	const struct checkpoint *const from = checkpoint_before(reader, n);
	const struct trace_event *event;

	if (reader->track_count == 1) {
		lane_seek(reader->tracks[0].lane, n);
		reader->n = lane_tell(reader->tracks[0].lane);
		count_damage(reader);
		return true;
	}
	if (reader->n > n || (from && from->n > reader->n) || !reader->placed)
		restart(reader, from);
	while (reader->n < n && most--)
		if (reader_next(reader, &event) != ST_OK)
			return true;
	return reader->n >= n;
}

enum status reader_seek(struct reader *reader, u64 n)
{
	if (n > reader->info.events)
		return ST_RANGE;
	reader_approach(reader, n, ~0ull);
	return ST_OK;
}

/* The last checkpoint where number @lane_n of @track was not behind; NULL for the start. */
static const struct checkpoint *checkpoint_of_lane(const struct reader *reader,
						   const struct track *track, u64 lane_n)
{
	size_t low = 0, high = reader->mark_count ? reader->mark_count : reader->checkpoint_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (checkpoint_at(reader, middle)->tracks[track - reader->tracks].lane_n > lane_n)
			high = middle;
		else
			low = middle + 1;
	}
	return low ? checkpoint_at(reader, low - 1) : NULL;
}

enum status reader_find(struct reader *reader, u16 cpu, u64 seq, u64 *n)
{
	struct track *const track = reader_track(reader, cpu);
	const struct trace_event *event;
	enum status status;

	if (!track || lane_find(track->lane, seq, n) != ST_OK)
		return ST_NOT_FOUND;
	if (reader->track_count == 1)
		return reader_seek(reader, *n);
	restart(reader, checkpoint_of_lane(reader, track, *n));
	do {
		*n = reader->n;
		status = reader_next(reader, &event);
	} while (status == ST_OK && (event->cpu != cpu || event->seq < seq));
	return status == ST_OK ? reader_seek(reader, *n) : ST_NOT_FOUND;
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
