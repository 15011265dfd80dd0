#include "trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"

/* --- writing ---------------------------------------------------------------------------------- */

struct tape_writer {
	FILE *file;
	u64 written;
	u8 *index;
	size_t index_count;
	size_t index_room;
};

static enum status put(struct tape_writer *writer, const void *bytes, size_t size)
{
	if (size && fwrite(bytes, 1, size, writer->file) != size)
		return ST_IO;
	writer->written += size;
	return ST_OK;
}

enum status tape_create(const char *path, struct tape_writer **writer)
{
	struct tape_writer *const made = calloc(1, sizeof(*made));
	u8 header[TAPE_HEADER] = TAPE_MAGIC;
	const u16 version = TAPE_VERSION, size = TAPE_HEADER;

	*writer = NULL;
	if (!made)
		return ST_NO_MEMORY;
	made->file = fopen(path, "wbe");
	if (!made->file) {
		free(made);
		return ST_IO;
	}
	memcpy(header + 8, &version, sizeof(version));
	memcpy(header + 10, &size, sizeof(size));

	const u32 crc = crc32c(0, header, TAPE_HEADER - sizeof(u32));

	memcpy(header + TAPE_HEADER - sizeof(crc), &crc, sizeof(crc));
	*writer = made;
	return put(made, header, sizeof(header));
}

static enum status index_add(struct tape_writer *writer, const struct chunk *chunk)
{
	struct block block;
	u8 *entry;

	if (block_read(chunk, &block) != ST_OK)
		return ST_OK;
	if (writer->index_count == writer->index_room) {
		const size_t room = MAX(256, 2 * writer->index_room);
		u8 *const index = realloc(writer->index, room * TAPE_INDEX_ENTRY);

		if (!index)
			return ST_NO_MEMORY;
		writer->index = index;
		writer->index_room = room;
	}
	entry = writer->index + writer->index_count++ * TAPE_INDEX_ENTRY;
	memset(entry, 0, TAPE_INDEX_ENTRY);
	memcpy(entry, &writer->written, 8);
	memcpy(entry + 8, &block.first_seq, 8);
	memcpy(entry + 16, &block.first_tsc, 8);
	memcpy(entry + 24, &block.last_tsc, 8);
	memcpy(entry + 32, &block.events, 4);
	memcpy(entry + 36, &block.counted, 4);
	memcpy(entry + 40, &block.dropped, 4);
	memcpy(entry + 44, &chunk->cpu, 2);
	return ST_OK;
}

enum status tape_append(struct tape_writer *writer, const struct chunk *chunk, const u8 *header)
{
	enum status status = index_add(writer, chunk);

	if (status == ST_OK)
		status = put(writer, header, chunk_header_size(chunk));
	if (status == ST_OK)
		status = put(writer, chunk->payload, chunk->size);
	/* Whoever follows the file, or finds it after a crash, sees whole chunks. */
	if (status == ST_OK && fflush(writer->file))
		status = ST_IO;
	return status;
}

u64 tape_written(const struct tape_writer *writer)
{
	return writer->written;
}

enum status tape_finish(struct tape_writer *writer, bool complete)
{
	const bool fits = writer->index_count < CHUNK_MAX_SIZE / TAPE_INDEX_ENTRY;
	const size_t entries = fits ? writer->index_count * TAPE_INDEX_ENTRY : 0;
	const u32 facts[2] = { (u32)writer->index_count, complete ? TAPE_COMPLETE : 0 };
	const u64 offset = writer->written;
	u8 *const payload = realloc(writer->index, entries + TAPE_INDEX_TAIL);
	u8 header[CHUNK_HEADER + TAPE_INDEX_EXTRA];

	if (!payload)
		return ST_NO_MEMORY;
	writer->index = payload;
	memcpy(payload + entries, &offset, 8);
	memcpy(payload + entries + 8, TAPE_INDEX_MAGIC, 8);

	const struct chunk chunk = { .type = CHUNK_INDEX,
				     .extra_size = TAPE_INDEX_EXTRA,
				     .extra = (const u8 *)facts,
				     .size = (u32)(entries + TAPE_INDEX_TAIL),
				     .payload = payload };

	chunk_write_header(&chunk, header);
	return tape_append(writer, &chunk, header);
}

enum status tape_close(struct tape_writer *writer)
{
	enum status status;

	if (!writer)
		return ST_OK;
	status = ferror(writer->file) ? ST_IO : ST_OK;
	if (fclose(writer->file))
		status = ST_IO;
	free(writer->index);
	free(writer);
	return status;
}

/* --- reading ---------------------------------------------------------------------------------- */

void tape_damaged(struct tape *tape, const char *format, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	va_list args;

	pthread_mutex_lock(&lock);
	if (!tape->damage[0]) {
		va_start(args, format);
		vsnprintf(tape->damage, sizeof(tape->damage), format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&lock);
}

static enum status read_header(const char *name, struct tape *tape, u64 *end, char *error,
			       size_t error_size)
{
	struct cursor in = cursor_over(tape->bytes, tape->size);
	const u8 *const magic = cursor_take(&in, TAPE_MAGIC_SIZE);
	u32 incompatible, crc;
	u16 size;

	if (!magic || memcmp(magic, TAPE_MAGIC, TAPE_MAGIC_SIZE)) {
		snprintf(error, error_size, "'%s' is no tape of vmxtape", name);
		return ST_INVALID;
	}
	tape->version = cursor_u16(&in);
	size = cursor_u16(&in);
	incompatible = cursor_u32(&in);
	if (in.status != ST_OK || size < TAPE_HEADER || size > tape->size) {
		snprintf(error, error_size, "'%s': its header is %s", name,
			 tape->size < TAPE_HEADER ? "cut off" : "damaged");
		return ST_CORRUPT;
	}
	memcpy(&crc, tape->bytes + size - sizeof(crc), sizeof(crc));
	if (crc != crc32c(0, tape->bytes, size - sizeof(crc))) {
		snprintf(error, error_size, "'%s': its header is damaged", name);
		return ST_CORRUPT;
	}
	if (tape->version > TAPE_VERSION) {
		snprintf(error, error_size,
			 "'%s' has format version %u, this vmxtape reads up to %u: use a newer one",
			 name, tape->version, TAPE_VERSION);
		return ST_NEWER;
	}
	if (incompatible) {
		snprintf(error, error_size,
			 "'%s' uses features (0x%x) of the format that this vmxtape does not know: "
			 "use a newer one",
			 name, incompatible);
		return ST_NEWER;
	}
	*end = size;
	return ST_OK;
}

static void read_index(struct tape *tape, const struct chunk *chunk, const struct cursor *in)
{
	struct cursor extra = cursor_over(chunk->extra, chunk->extra_size);
	const u32 named = cursor_u32(&extra);
	const u32 flags = cursor_u32(&extra);
	size_t found = 0;

	for (size_t i = 0; i < tape->chunk_count; i++)
		found += tape->chunks[i].chunk.type == CHUNK_BLOCK;
	tape->finished = cursor_left(in) == 0;
	tape->complete = tape->finished && (flags & TAPE_COMPLETE);
	if (named != found)
		tape_damaged(tape, "its index names %u blocks, but there are %zu", named, found);
	if (named <= chunk->size / TAPE_INDEX_ENTRY) {
		tape->index = chunk->payload;
		tape->index_count = named;
	}
}

u64 tape_index_end(const struct tape *tape, u16 cpu)
{
	u64 end = 0;

	for (size_t i = 0; i < tape->index_count; i++) {
		struct cursor in =
			cursor_over(tape->index + i * TAPE_INDEX_ENTRY, TAPE_INDEX_ENTRY);

		cursor_take(&in, 8);
		const u64 first_seq = cursor_u64(&in);

		cursor_take(&in, 16);
		const u32 events = cursor_u32(&in);

		cursor_take(&in, 8);
		if (cursor_u16(&in) == cpu && first_seq <= BLOCK_MAX_SEQ)
			end = MAX(end, first_seq + events);
	}
	return end;
}

static enum status chunk_add(struct tape *tape, size_t *room, const struct tape_chunk *chunk)
{
	if (tape->chunk_count == *room) {
		const size_t more = MAX(64, 2 * *room);
		struct tape_chunk *const chunks =
			realloc(tape->chunks, more * sizeof(*tape->chunks));

		if (!chunks)
			return ST_NO_MEMORY;
		tape->chunks = chunks;
		*room = more;
	}
	tape->chunks[tape->chunk_count++] = *chunk;
	return ST_OK;
}

/* Sorts a chunk whose header is good; false when it is not worth keeping. */
static void take_machine(struct tape *tape, const struct chunk *chunk)
{
	if (tape->machine)
		return;
	tape->machine = chunk->payload;
	tape->machine_size = chunk->size;
}

static bool chunk_known(struct tape *tape, struct tape_chunk *found, const struct cursor *in)
{
	switch (found->chunk.type) {
	case CHUNK_SCHEMA:
		return true;
	case CHUNK_BLOCK:
		if (block_read(&found->chunk, &found->block) == ST_OK)
			return true;
		break;
	case CHUNK_LOSS:
		if (loss_read(&found->chunk, &found->loss) == ST_OK)
			return true;
		break;
	case CHUNK_INDEX:
		if (chunk_read_payload(&(struct cursor){ found->chunk.payload, in->end, ST_OK },
				       &found->chunk) == ST_OK) {
			read_index(tape, &found->chunk, in);
			return false;
		}
		break;
	case CHUNK_MACHINE:
		if (chunk_read_payload(&(struct cursor){ found->chunk.payload, in->end, ST_OK },
				       &found->chunk) == ST_OK) {
			take_machine(tape, &found->chunk);
			return false;
		}
		break;
	default:
		tape->unknown_chunks++;
		return false;
	}
	tape_damaged(tape, "the chunk at offset %llu is damaged",
		     (unsigned long long)found->offset);
	return false;
}

static enum status find_chunks(struct tape *tape, u64 start)
{
	struct cursor in = cursor_over(tape->bytes + start, tape->size - start);
	bool damage = false;
	size_t room = 0;

	while (cursor_left(&in)) {
		struct tape_chunk found = { .offset = (u64)(in.at - tape->bytes),
					    .after_damage = damage };
		const enum status status = chunk_read_header(&in, &found.chunk);

		if (status != ST_OK) {
			tape_damaged(
				tape,
				status == ST_TRUNCATED
					? "it is cut off at offset %llu"
					: "there is no chunk at offset %llu, as there should be",
				(unsigned long long)found.offset);
			damage = true;
			in.at++;
			chunk_find(&in);
			continue;
		}
		if (!cursor_take(&in, found.chunk.size)) {
			tape_damaged(tape, "it is cut off within the chunk at offset %llu",
				     (unsigned long long)found.offset);
			break;
		}
		damage = false;
		if (!chunk_known(tape, &found, &in)) {
			damage = found.chunk.type == CHUNK_BLOCK;
			continue;
		}
		if (chunk_add(tape, &room, &found) != ST_OK)
			return ST_NO_MEMORY;
	}
	if (!tape->finished)
		tape_damaged(tape, "it ends without an index: the recording was cut off");
	return ST_OK;
}

enum status tape_open_memory(const char *name, const void *bytes, size_t size, struct tape *tape,
			     char *error, size_t error_size)
{
	u64 start;
	enum status status;

	*tape = (struct tape){ .bytes = size ? bytes : (const void *)"", .size = size };
	status = read_header(name, tape, &start, error, error_size);
	if (status == ST_OK)
		status = find_chunks(tape, start);
	if (status == ST_NO_MEMORY)
		snprintf(error, error_size, "'%s': %s", name, status_text(status));
	if (status != ST_OK)
		free(tape->chunks);
	return status;
}

enum status tape_open(const char *path, struct tape *tape, char *error, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat facts;
	void *bytes = NULL;
	enum status status;

	if (fd < 0 || fstat(fd, &facts)) {
		snprintf(error, size, "cannot open '%s': %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ST_IO;
	}
	if (facts.st_size)
		bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED) {
		snprintf(error, size, "cannot read '%s': %s", path, strerror(errno));
		return ST_IO;
	}
	status = tape_open_memory(path, bytes, (size_t)facts.st_size, tape, error, size);
	if (status != ST_OK && bytes)
		munmap(bytes, (size_t)facts.st_size);
	return status;
}

void tape_free(struct tape *tape)
{
	free(tape->chunks);
	tape->chunks = NULL;
}

void tape_unmap(struct tape *tape)
{
	tape_free(tape);
	munmap((void *)tape->bytes, tape->size);
}
