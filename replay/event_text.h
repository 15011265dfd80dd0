/*
 * replay/event_text.h - one event as one line of text
 *
 *	@c0:1850  ffffffffc05d4f88  vmwrite   guest_cr4 0x0 -> 0x2668
 *	@c0:1853    0000000000001004  l2_exit   cpuid
 *
 * What L2 executed is indented. The position pastes back into every command. Where there are
 * symbols, "function+0x12" stands for an address that has a name, and the source line at the end
 * where it is known. An outcome is named when it is not success.
 */
#ifndef REPLAY_EVENT_TEXT_H
#define REPLAY_EVENT_TEXT_H

#include "replay/event_names.h"
#include "replay/model.h"

/* Bytes that any line can take. */
#define EVENT_TEXT_MAX KIB(32)

/*
 * Writes @event, of a tape with @names, at @to (EVENT_TEXT_MAX bytes), with a newline behind it
 * and no 0, and returns the byte behind that. @model is in the state before the event and tells old
 * values of fields; NULL: they are left out.
 */
char *event_text(char *to, const struct event_names *names, const struct trace_event *event,
		 const struct model *model);

/* What event_text() writes behind the name of the kind, without a newline. */
char *event_text_what(char *to, const struct event_names *names, const struct trace_event *event,
		      const struct model *model);

/* A line for item @index of @event when it is a VMCS field, nothing (@to) otherwise. */
char *event_text_item(char *to, const struct trace_event *event, u32 index,
		      const struct model *model);

/* That of the error that @event, for which trace_event_fails_valid(), left in its VMCS. */
char *event_text_error(char *to, const struct trace_event *event, const struct model *model);

/* The position alone: "@c0:1850", at most 32 bytes. */
char *event_text_position(char *to, u16 cpu, u64 seq);

/* Bytes as text: what cannot be shown becomes \xNN. At most 4 bytes for each of them. */
char *event_text_bytes(char *to, const u8 *bytes, u32 count);

#endif
