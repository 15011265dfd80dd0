#include "replay/memory_event.h"

struct memory_pieces memory_event_pieces(const struct trace_event *event)
{
	struct memory_pieces pieces = { .event = event, .done = !memory_event_is(event) };

	if (event->kind == EV_RAM)
		pieces.reader.in = cursor_over(event->bytes, event->byte_count);
	return pieces;
}

static bool take_page(struct memory_pieces *pieces, struct memory_piece *piece)
{
	const struct trace_event *const event = pieces->event;
	const struct ev_page *const page = (const struct ev_page *)event->col;
	const bool here = event->byte_count;

	pieces->done = true;
	*piece = (struct memory_piece){
		.address = page->gpa,
		.size = here ? event->byte_count : MEMORY_PAGE,
		.level = (u8)page->level,
		.bytes = here ? event->bytes : NULL,
		.since = here ? 0 : page->since,
	};
	return page->gpa < RAM_END - MEMORY_PAGE && (page->level == 1 || page->level == 2);
}

bool memory_event_next(struct memory_pieces *pieces, struct memory_piece *piece)
{
	const struct ev_ram *const ram = (const struct ev_ram *)pieces->event->col;
	struct ram_run run;

	if (pieces->done)
		return false;
	if (pieces->event->kind == EV_PAGE)
		return take_page(pieces, piece);
	if (ram->level < 1 || ram->level > 2 || ram_next(&pieces->reader, &run) != ST_OK) {
		pieces->done = true;
		return false;
	}
	*piece = (struct memory_piece){
		.address = run.address,
		.size = run.size,
		.level = (u8)ram->level,
		.bytes = run.bytes,
	};
	return true;
}

bool memory_event_tells(const struct trace_event *event, unsigned level, u64 address, u64 end)
{
	struct memory_pieces pieces = memory_event_pieces(event);
	struct memory_piece piece;

	while (memory_event_next(&pieces, &piece))
		if (piece.bytes && (!level || piece.level == level) && piece.address < end &&
		    piece.address + piece.size > address)
			return true;
	return false;
}
