#include "replay/code_lines.h"

#include <stdlib.h>
#include <string.h>

#define READ_EVENTS   2000000 /* of a tape at most */
#define LEAST_BYTES   8	      /* fewer are in a program by chance */
#define LOADED_AT     4096    /* programs are loaded at multiples of this */
#define MAX_DISTANCES 4096    /* more proposals are chance: a line of zeroes, say */

static bool has_line(const struct code_lines *lines, u64 rip)
{
	for (size_t i = 0; i < lines->count; i++)
		if (lines->lines[i].rip == rip)
			return true;
	return false;
}

void code_lines_read(struct reader *reader, struct code_lines *lines)
{
	const struct trace_event *event;

	lines->count = 0;
	if (reader_seek(reader, 0) != ST_OK)
		return;
	for (u64 n = 0; n < READ_EVENTS && lines->count < CODE_LINES_MAX &&
			reader_next(reader, &event) == ST_OK;
	     n++) {
		struct code_line *const line = &lines->lines[lines->count];

		if (!event->code || event->level != 1 || event->code_count < LEAST_BYTES ||
		    has_line(lines, event->rip))
			continue;
		line->rip = event->rip;
		line->count = MIN(event->code_count, (u8)TRACE_MAX_CODE);
		memcpy(line->bytes, event->code, line->count);
		lines->count++;
	}
	reader_seek(reader, 0);
}

struct distances {
	size_t count;
	struct {
		u64 distance;
		unsigned lines;
		size_t last; /* the line that proposed it last, from 1: each counts once */
	} list[MAX_DISTANCES];
};

static void propose(struct distances *distances, u64 distance, size_t line)
{
	size_t i = 0;

	while (i < distances->count && distances->list[i].distance != distance)
		i++;
	if (i == MAX_DISTANCES)
		return;
	if (i == distances->count) {
		distances->list[i].distance = distance;
		distances->list[i].lines = 0;
		distances->list[i].last = 0;
		distances->count++;
	}
	if (distances->list[i].last != line)
		distances->list[i].lines++;
	distances->list[i].last = line;
}

static bool is_at(const struct code_line *line, const struct code_piece *piece, size_t at)
{
	for (unsigned i = 0; i < line->count; i++)
		if (piece->bytes[at + i] != line->bytes[i] &&
		    !(piece->changed && piece->changed[at + i]))
			return false;
	return true;
}

/* Pages keep their order of bytes, so that only places with the same offset in a page count. */
static void search(struct distances *distances, const struct code_line *line, size_t number,
		   const struct code_piece *piece)
{
	size_t at = (size_t)((line->rip - piece->address) % LOADED_AT);

	for (; at < piece->size && piece->size - at >= line->count; at += LOADED_AT)
		if (is_at(line, piece, at))
			propose(distances, line->rip - (piece->address + at), number);
}

unsigned code_lines_place(const struct code_lines *lines, const struct code_piece *pieces,
			  size_t count, u64 *distance)
{
	struct distances *const distances = calloc(1, sizeof(*distances));
	unsigned best = 0, equals = 0;

	if (!distances)
		return 0;
	for (size_t i = 0; i < lines->count; i++)
		for (size_t k = 0; k < count; k++)
			search(distances, &lines->lines[i], i + 1, &pieces[k]);
	for (size_t i = 0; i < distances->count; i++) {
		const u64 proposed = distances->list[i].distance;

		if (distances->list[i].lines == best)
			equals++;
		if (distances->list[i].lines > best)
			equals = 0;
		if (distances->list[i].lines > best ||
		    (distances->list[i].lines == best && !proposed))
			*distance = proposed;
		best = MAX(best, distances->list[i].lines);
	}
	free(distances);
	return best && (!equals || !*distance) ? best : 0;
}
