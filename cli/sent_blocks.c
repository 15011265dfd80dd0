#include "cli/sent_blocks.h"

#include <string.h>

#include "cli/message.h"
#include "trace/event.h"
#include "trace/file.h"

static bool is_same(const struct tape *tape, const struct tape *sent, size_t i)
{
	const struct tape_chunk *const chunk = &sent->chunks[i];
	const size_t size = chunk_header_size(&chunk->chunk) + chunk->chunk.size;

	return i < tape->chunk_count && tape->chunks[i].offset + size <= tape->size &&
	       !memcmp(tape->bytes + tape->chunks[i].offset, sent->bytes + chunk->offset, size);
}

/* Whether the machine itself ended the recording. */
static bool has_end(const struct tape *tape)
{
	for (size_t i = 0; i < tape->chunk_count; i++)
		if (tape->chunks[i].chunk.type == CHUNK_BLOCK &&
		    tape->chunks[i].block.kinds & block_kind(EV_END))
			return true;
	return false;
}

static bool is_last(const struct tape *tape, size_t at)
{
	for (size_t i = at + 1; i < tape->chunk_count; i++)
		if (tape->chunks[i].chunk.type == CHUNK_BLOCK &&
		    tape->chunks[i].chunk.cpu == tape->chunks[at].chunk.cpu)
			return false;
	return true;
}

unsigned sent_blocks_until(const char *tape, u64 tsc)
{
	struct tape file;
	char error[512];
	unsigned count = 0, until = 0;
	bool all;

	if (tape_open(tape, &file, error, sizeof(error)) != ST_OK)
		die("%s", error);
	all = has_end(&file);
	for (size_t i = 0; i < file.chunk_count; i++) {
		if (file.chunks[i].chunk.type != CHUNK_BLOCK)
			continue;
		if (!all && is_last(&file, i))
			break;
		count++;
		if (file.chunks[i].block.first_tsc <= tsc)
			until = count;
	}
	tape_unmap(&file);
	return until;
}

void sent_blocks_compare(const char *tape, const char *sent, struct sent_blocks *blocks)
{
	struct tape a, b;
	char error[512];

	*blocks = (struct sent_blocks){ 0 };
	if (tape_open(tape, &a, error, sizeof(error)) != ST_OK ||
	    tape_open(sent, &b, error, sizeof(error)) != ST_OK)
		die("%s", error);
	for (size_t i = 0; i < b.chunk_count && !blocks->differ; i++) {
		if (b.chunks[i].chunk.type != CHUNK_BLOCK)
			continue;
		if (is_same(&a, &b, i)) {
			blocks->same++;
			continue;
		}
		blocks->differ = true;
		blocks->offset = i < a.chunk_count ? a.chunks[i].offset : 0;
	}
	tape_unmap(&a);
	tape_unmap(&b);
}
