/*
 * replay/event_writes.h - which fields of a VMCS an event writes
 *
 * The same as history_take() of replay/history.h says of one field, for all at once.
 */
#ifndef REPLAY_EVENT_WRITES_H
#define REPLAY_EVENT_WRITES_H

#include "trace/event.h"
#include "vmx/vmcs12.h"

struct event_write {
	int index; /* enum vmcs_index */
	u64 mask;  /* the bits that were written */
	u64 value; /* of these bits */
};

#define EVENT_MAX_WRITES (TRACE_MAX_ITEMS + 1)

/*
 * What @event writes to the VMCS at *@vmcs: how many entries of @writes (EVENT_MAX_WRITES) that is.
 * A field may be there twice: the first counts. Of a key frame, what it shows.
 */
unsigned event_writes(const struct trace_event *event, u64 *vmcs, struct event_write *writes);

#endif
