/*
 * replay/event_text_memory.h - what event_text() says of regs, ram and page events
 */
#ifndef REPLAY_EVENT_TEXT_MEMORY_H
#define REPLAY_EVENT_TEXT_MEMORY_H

#include "trace/event.h"

/* Each writes at @to, within what event_text() has, and returns the byte behind it. */
char *event_text_regs(char *to, const struct trace_event *event);
char *event_text_ram(char *to, const struct trace_event *event);
char *event_text_page(char *to, const struct trace_event *event);

#endif
