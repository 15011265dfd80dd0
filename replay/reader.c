#include "replay/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "replay/track.h"

#define MAX_TRACKS	 256
#define CHECKPOINT_EVERY 65536 /* numbers, on tapes of several CPUs */

/* Where every track was when number @n came next. A mark is the same in numbers. */
struct checkpoint {
	u64 n;
	u64 order;
	u64 order_time;
	struct track_place tracks[];
};

struct reader {
	struct tape tape;
	bool mapped;
	struct trace_schema schema;
	char schema_text[SCHEMA_MAX_SIZE];
	struct event_names names;
	char *path;
	struct reader_info info;
	struct track *tracks;
	unsigned track_count;
	u64 times[MAX_TRACKS]; /* of their events, and the highest behind the last */
	struct track *given;   /* whose event the caller has */
	bool placed;	       /* the tracks are where @n says */
	u64 n;
	u64 order;	/* the last number of the hand-over counter that was given ... */
	u64 order_time; /* ... and the time of its event */
	struct checkpoint **checkpoints; /* with several tracks: one every CHECKPOINT_EVERY */
	size_t checkpoint_count;
	const u64 *marks; /* of reader_use_marks() */
	size_t mark_count;
	size_t mark_stride;
};

/* --- opening -----------------------------------------------------------------------------------
 */

/* What struct ev_<kind> of this program says must hold for the tape, as far as the tape has it. */
static const char *contradiction(const struct trace_schema *ours, const struct trace_schema *tape)
{
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const a = trace_schema_kind(ours, id);
		const struct trace_kind_info *const b = trace_schema_kind(tape, id);

		if (!a || !b)
			continue;
		if (strcmp(a->name, b->name))
			return b->name;
		for (unsigned i = 0; i < MIN(a->column_count, b->column_count); i++)
			if (strcmp(a->columns[i].name, b->columns[i].name))
				return b->name;
	}
	return NULL;
}

static enum status take_schema(struct reader *reader, char *error, size_t size)
{
	const struct tape *const tape = &reader->tape;
	bool needed = false;

	for (size_t i = 0; i < tape->chunk_count; i++) {
		const struct chunk *const chunk = &tape->chunks[i].chunk;
		struct cursor in = { chunk->payload, tape->bytes + tape->size, ST_OK };
		enum status status;

		needed |= chunk->type == CHUNK_BLOCK;
		if (chunk->type != CHUNK_SCHEMA || chunk_read_payload(&in, chunk) != ST_OK)
			continue;
		status = trace_schema_parse(&reader->schema, reader->schema_text, chunk->payload,
					    chunk->size);
		if (status == ST_OK)
			return ST_OK;
		snprintf(error, size, "'%s': its schema is %s", reader->path, status_text(status));
		return status == ST_NEWER ? ST_NEWER : ST_CORRUPT;
	}
	/* Blocks name their schema, so a tape that lost it can still be one of this program. */
	reader->schema = *trace_schema_builtin();
	if (!needed)
		return ST_OK;
	tape_damaged(&reader->tape, "its schema is missing");
	for (size_t i = 0; i < tape->chunk_count; i++)
		if (tape->chunks[i].chunk.type == CHUNK_BLOCK &&
		    tape->chunks[i].block.schema_id == reader->schema.id)
			return ST_OK;
	snprintf(error, size, "'%s': its schema is missing or damaged, nothing tells what it holds",
		 reader->path);
	return ST_CORRUPT;
}

static struct track *track_of(struct reader *reader, u16 cpu)
{
	for (unsigned i = 0; i < reader->track_count; i++)
		if (reader->tracks[i].lane->cpu == cpu)
			return &reader->tracks[i];
	return NULL;
}

static struct track *add_track(struct reader *reader, u16 cpu)
{
	struct track *const track = &reader->tracks[reader->track_count];

	if (reader->track_count == MAX_TRACKS)
		return NULL;
	*track = (struct track){ .lane = lane_new(&reader->tape, cpu, &reader->schema),
				 .schema = &reader->schema };
	if (!track->lane)
		return NULL;
	reader->track_count++;
	return track;
}

static int compare_tracks(const void *a, const void *b)
{
	return ((const struct track *)a)->lane->cpu - ((const struct track *)b)->lane->cpu;
}

static enum status make_tracks(struct reader *reader)
{
	struct reader_info *const info = &reader->info;
	enum status status = ST_OK;

	reader->tracks = calloc(MAX_TRACKS, sizeof(*reader->tracks));
	if (!reader->tracks)
		return ST_NO_MEMORY;
	for (size_t i = 0; i < reader->tape.chunk_count && status == ST_OK; i++) {
		struct tape_chunk *const chunk = &reader->tape.chunks[i];
		struct track *track = track_of(reader, chunk->chunk.cpu);

		if (chunk->chunk.type == CHUNK_SCHEMA)
			continue;
		if (!track)
			track = add_track(reader, chunk->chunk.cpu);
		if (!track)
			return ST_NO_MEMORY;
		status = lane_add(track->lane, chunk);
		if (chunk->chunk.type != CHUNK_BLOCK)
			continue;
		info->blocks++;
		info->packed += chunk->block.codec != BLOCK_RAW;
		info->counted += chunk->block.counted;
		info->first_tsc = info->blocks == 1 ? chunk->block.first_tsc
						    : MIN(info->first_tsc, chunk->block.first_tsc);
		info->last_tsc = MAX(info->last_tsc, chunk->block.last_tsc);
	}
	for (unsigned i = 0; i < reader->track_count && status == ST_OK; i++) {
		struct lane *const lane = reader->tracks[i].lane;

		status = lane_end(lane, tape_index_end(&reader->tape, lane->cpu));
		info->events += lane->numbers;
	}
	qsort(reader->tracks, reader->track_count, sizeof(*reader->tracks), compare_tracks);
	return status;
}

/* The boot record is what the pinned blocks at the start of a lane hold. */
static enum status read_head(struct reader *reader, struct track *track)
{
	struct lane *const lane = track->lane;
	const struct trace_event *event;
	enum status status = ST_OK;
	u64 numbers;

	while (status == ST_OK && lane->at < lane->count) {
		const struct tape_chunk *const chunk = lane->segments[lane->at].chunk;

		if (chunk && !(chunk->chunk.flags & CHUNK_PINNED))
			break;
		if (lane_next(lane, &event, &numbers) == ST_OK)
			status = boot_record_add(&track->record, event);
	}
	if (!reader->info.tsc_hz)
		reader->info.tsc_hz = track->record.boot.clock.tsc_hz;
	lane_seek(lane, 0);
	return status;
}

static enum status prepare(struct reader *reader, char *error, size_t size)
{
	enum status status = take_schema(reader, error, size);
	const char *kind;

	if (status != ST_OK)
		return status;
	kind = contradiction(trace_schema_builtin(), &reader->schema);
	if (kind) {
		snprintf(
			error, size,
			"'%s': its kind '%s' is another than that of this vmxtape: use the version "
			"that recorded it",
			reader->path, kind);
		return ST_UNSUPPORTED;
	}
	status = make_tracks(reader);
	for (unsigned i = 0; i < reader->track_count && status == ST_OK; i++)
		status = read_head(reader, &reader->tracks[i]);
	if (status == ST_OK)
		status = reader_seek(reader, 0);
	if (status != ST_OK)
		snprintf(error, size, "'%s': %s", reader->path, status_text(status));
	reader->info.path = reader->path;
	reader->info.bytes = reader->tape.size;
	reader->info.version = reader->tape.version;
	reader->info.cpus = reader->track_count;
	reader->info.unknown_chunks = reader->tape.unknown_chunks;
	reader->info.finished = reader->tape.finished;
	reader->info.complete = reader->tape.complete;
	return status;
}

/* Takes over what tape_open() made of @reader->tape, with result @status. */
static enum status open_tape(struct reader *made, const char *path, enum status status,
			     struct reader **reader, char *error, size_t size)
{
	if (status != ST_OK) {
		free(made);
		return status;
	}
	made->path = strdup(path);
	status = made->path ? prepare(made, error, size) : ST_NO_MEMORY;
	if (status != ST_OK) {
		reader_close(made);
		return status;
	}
	*reader = made;
	return ST_OK;
}

static struct reader *new_reader(const char *path, char *error, size_t size)
{
	struct reader *const reader = calloc(1, sizeof(*reader));

	if (!reader)
		snprintf(error, size, "'%s': %s", path, status_text(ST_NO_MEMORY));
	else
		reader->names.schema = &reader->schema;
	return reader;
}

enum status reader_open(const char *path, struct reader **reader, char *error, size_t size)
{
	struct reader *const made = new_reader(path, error, size);

	*reader = NULL;
	if (!made)
		return ST_NO_MEMORY;
	made->mapped = true;
	return open_tape(made, path, tape_open(path, &made->tape, error, size), reader, error,
			 size);
}

enum status reader_open_memory(const char *name, const void *bytes, size_t size,
			       struct reader **reader, char *error, size_t error_size)
{
	struct reader *const made = new_reader(name, error, error_size);

	*reader = NULL;
	if (!made)
		return ST_NO_MEMORY;
	return open_tape(made, name,
			 tape_open_memory(name, bytes, size, &made->tape, error, error_size),
			 reader, error, error_size);
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	for (unsigned i = 0; i < reader->track_count; i++)
		track_free(&reader->tracks[i]);
	for (size_t i = 0; i < reader->checkpoint_count; i++)
		free(reader->checkpoints[i]);
	free(reader->checkpoints);
	free(reader->tracks);
	if (reader->mapped)
		tape_unmap(&reader->tape);
	else
		tape_free(&reader->tape);
	free(reader->path);
	free(reader);
}

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
static void leave_given(struct reader *reader)
{
	if (!reader->given)
		return;
	track_advance(reader->given);
	note_time(reader, reader->given);
	reader->given = NULL;
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
	bool passed[MAX_TRACKS];
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

static inline struct track *first_track(struct reader *reader)
{
	u64 earliest_time = reader->times[0];
	unsigned first = 0;

	/* Without branches: which one it is, is hard to foretell. */
	for (unsigned i = 1; i < reader->track_count; i++) {
		const bool is_earlier = reader->times[i] < earliest_time;

		earliest_time = is_earlier ? reader->times[i] : earliest_time;
		first = is_earlier ? i : first;
	}
	if (likely(reader->track_count && reader->tracks[first].event &&
		   !reader->tracks[first].order))
		return &reader->tracks[first];
	return first_in_order(reader);
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

	leave_given(reader);
	if (!reader->mark_count && reader->n >= (reader->checkpoint_count + 1) * CHECKPOINT_EVERY)
		checkpoint(reader);
	track = first_track(reader);
	reader->given = track;
	if (unlikely(!track))
		return ST_END;
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
	/* The only lane is not merged: it is where it is. */
	if (reader->track_count == 1)
		reader->tracks[0].lane_n = lane_tell(reader->tracks[0].lane);
	fill_checkpoint(reader, (struct checkpoint *)words);
}

void reader_use_marks(struct reader *reader, const u64 *marks, size_t count, size_t stride)
{
	reader->marks = marks;
	reader->mark_count = count;
	reader->mark_stride = stride;
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
	reader->given = NULL;
	reader->placed = true;
	reader->n = from ? from->n : 0;
}

_Static_assert(READER_STEP > CHECKPOINT_EVERY, "a step leaves a checkpoint behind");

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
	struct track *const track = track_of(reader, cpu);
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
