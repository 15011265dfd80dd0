/*
 * tests/golden/future_tape.h - what stands in tests/golden/draft/future.vxt
 */
#ifndef TESTS_GOLDEN_FUTURE_TAPE_H
#define TESTS_GOLDEN_FUTURE_TAPE_H

#include <string.h>

#include "tests/trace/events.h"
#include "tests/trace/future.h"

#define FUTURE_EVENTS 400

/* Makes the next event from number @n on that has few bytes; returns the number after it. */
static inline u64 future_event(const struct trace_schema *schema, u64 n, struct test_event *to)
{
	do
		test_event(schema, n++, to);
	while (to->event.item_count > 10 || to->event.byte_count > 40);
	return n;
}

#endif
