/*
 * replay/memory_event.h - what page and ram events tell of memory
 */
#ifndef REPLAY_MEMORY_EVENT_H
#define REPLAY_MEMORY_EVENT_H

#include "trace/event.h"
#include "trace/ram.h"

#define MEMORY_PAGE  4096u
#define MEMORY_NEVER (~0ull) /* number of no event */

/* One run of bytes in physical memory. */
struct memory_piece {
	u64 address;
	u32 size;
	u8 level;	 /* whose physical address it is: 1 or 2 */
	const u8 *bytes; /* the event's; NULL: not here ... */
	u64 since;	 /* ... but in the page event of this CPU with this seq + 1; 0: nowhere */
};

/* Where one is among those of an event. */
struct memory_pieces {
	const struct trace_event *event;
	struct ram_reader reader;
	bool done;
};

static inline bool memory_event_is(const struct trace_event *event)
{
	return event->kind == EV_PAGE || event->kind == EV_RAM;
}

/* Begin with the pieces of @event, which has none when it is of another kind. */
struct memory_pieces memory_event_pieces(const struct trace_event *event);

/* The next one; false behind the last. What is no piece, and all behind it, is passed over. */
bool memory_event_next(struct memory_pieces *pieces, struct memory_piece *piece);

/* Whether @event tells bytes of [@address, @end), physical addresses of @level; 0: of any. */
bool memory_event_tells(const struct trace_event *event, unsigned level, u64 address, u64 end);

#endif
