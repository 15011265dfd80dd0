/*
 * replay/reader_open.c - a tape becomes tracks
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/reader_parts.h"

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

struct track *reader_track(struct reader *reader, u16 cpu)
{
	for (unsigned i = 0; i < reader->track_count; i++)
		if (reader->tracks[i].lane->cpu == cpu)
			return &reader->tracks[i];
	return NULL;
}

static struct track *add_track(struct reader *reader, u16 cpu)
{
	struct track *const track = &reader->tracks[reader->track_count];

	if (reader->track_count == READER_MAX_TRACKS)
		return NULL;
	track_init(track, lane_new(&reader->tape, cpu, &reader->schema), &reader->schema);
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

	reader->tracks = calloc(READER_MAX_TRACKS, sizeof(*reader->tracks));
	if (!reader->tracks)
		return ST_NO_MEMORY;
	memset(reader->times, 0xff, sizeof(reader->times));
	reader->given = READER_NONE_GIVEN;
	reader->next_checkpoint = reader->checkpoint_every;
	for (size_t i = 0; i < reader->tape.chunk_count && status == ST_OK; i++) {
		struct tape_chunk *const chunk = &reader->tape.chunks[i];
		struct track *track = reader_track(reader, chunk->chunk.cpu);

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
	if (!reader)
		return NULL;
	reader->names.schema = &reader->schema;
	reader->checkpoint_every = READER_CHECKPOINT_EVERY;
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
