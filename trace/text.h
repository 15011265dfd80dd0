/*
 * trace/text.h - names of kinds, columns and items, and their values as text
 *
 * For people and for JSON alike: names are those of the tables, numbers are as a column's type
 * says. All functions write in the manner of fmt(): at most @size bytes, the last of which is 0,
 * and return the length of the whole text. What the tables do not know comes out as a hexadecimal
 * number.
 */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include "base/fmt.h"
#include "trace/schema.h"

/* The room that any value, item name or outcome needs. */
#define TRACE_TEXT_SIZE 192

/* @value as a column of @type (enum trace_type, or one that is unknown) reads. */
size_t trace_text_value(char *to, size_t size, unsigned type, u64 value);

/* "succeed", "fail_invalid", "fail_valid:12", "fault:13". */
size_t trace_text_outcome(char *to, size_t size, u64 outcome, u64 error);

/* "guest_rip", "rax", "ept12:4", "msr_load:3" ... */
size_t trace_text_item(char *to, size_t size, const struct trace_schema *schema, u32 id);

/* The values of the enumerations of trace/event.h; NULL where they have no such value. */
const char *trace_text_origin(u64 origin);
const char *trace_text_end(u64 why);
const char *trace_text_gap(u64 why);
const char *trace_text_capture(u64 capture);
const char *trace_text_capture_title(u64 capture);

/* Title of a kind of trace/events.def; NULL for another. */
const char *trace_text_title(unsigned kind);

/*
 * A whole event, columns in order: "vmwrite rip=0xffffffff81000000 field=guest_cr4 ...". For what
 * must see all of it, of any kind; replay/event_text.h is for people. Columns after the first that
 * are 0 are left out.
 */
size_t trace_text_event(char *to, size_t size, const struct trace_schema *schema,
			const struct trace_event *event);

#endif
