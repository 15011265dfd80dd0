/*
 * trace/outline.h - when the events of a block were, without what they say
 *
 * Where an event is does not depend on the values of columns, which have streams of their own. Who
 * only looks for a place passes over events by their times; of what they say, an outline tells the
 * numbers of the hand-over counter, and which regions are named.
 */
#ifndef TRACE_OUTLINE_H
#define TRACE_OUTLINE_H

#include "trace/decode.h"

struct trace_outline {
	u64 before; /* events whose time is not below this are not passed ... */
	u64 shift;  /* ... which is their TSC + @shift, or that of an earlier event, if later */
	u64 time;   /* of the last event passed; at first, of the one before the first */
	u64 count;  /* of events that were passed */
	/*
	 * A number, not 0, that the next event has ends an outline before it, for who knows the
	 * order may want @shift and @time to be others. The next call then begins with that event.
	 */
	u64 order;
	u64 order_time; /* of that event, by what @shift and @time are */
	/*
	 * Events name the region at @pointer: their columns `vmcs` or `pointer`. At least once
	 * after another one was named. NULL: nobody asks.
	 */
	void (*at_region)(void *owner, u64 pointer);
	void *owner;
};

/*
 * Pass over events of the block that is open. ST_OK: the next one is not before outline->before, or
 * has a number. ST_END: there is none. ST_CORRUPT; ST_UNSUPPORTED: by the tape's schema, it cannot
 * be. Behind it, the decoder can go on like this only, or open a block.
 */
enum status trace_decoder_outline(struct trace_decoder *decoder, struct trace_outline *outline);

#endif
