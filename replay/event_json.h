/*
 * replay/event_json.h - one event as one JSON object on a line
 *
 * Keys: schema (1), n, cpu, seq, tsc, level, kind, rip, then the columns of the kind under their
 * names (trace/events.def), then what else the event has: fields and regs (objects), consulted (an
 * object of the words hv looked at), vmcs02 and vmcs01 (objects of fields of hv's own VMCSs), text
 * or bytes, code. Where an event has an outcome it reads "succeed", "fail_invalid", "fail_valid:12"
 * or "fault:13"; what the outcome makes meaningless is left out. `old` is the value of a field
 * before, where it is known. Addresses and what can have 64 bits are strings "0x...", names are
 * strings, counts are numbers.
 */
#ifndef REPLAY_EVENT_JSON_H
#define REPLAY_EVENT_JSON_H

#include "replay/event_names.h"
#include "replay/model.h"

#define EVENT_JSON_MAX KIB(64)

/* Like event_text(); a line of at most EVENT_JSON_MAX bytes for event number @n. */
char *event_json(char *to, const struct event_names *names, const struct trace_event *event, u64 n,
		 const struct model *model);

/* The line of kind vmcs12_write for item @index; nothing (@to) when it is no VMCS field. */
char *event_json_item(char *to, const struct trace_event *event, u64 n, u32 index,
		      const struct model *model);

/* That of the error that @event, for which trace_event_fails_valid(), left in its VMCS. */
char *event_json_error(char *to, const struct trace_event *event, u64 n, const struct model *model);

/* @count bytes as a JSON string with its quotes: at most 6 bytes for each, and 2. */
char *json_string(char *to, const void *text, size_t count);

#endif
