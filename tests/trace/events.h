/*
 * tests/trace/events.h - events made from a number, for tests of everything that carries them
 *
 * test_event(schema, n, &to) always makes the same event of @n: mostly what a recorder sees (few
 * instructions, values that stay or move a little), now and then anything that fits.
 */
#ifndef TESTS_TRACE_EVENTS_H
#define TESTS_TRACE_EVENTS_H

#include "trace/event.h"
#include "trace/schema.h"

struct test_event {
	struct trace_event event;
	u64 col[TRACE_MAX_COLUMNS];
	struct trace_item items[TRACE_MAX_ITEMS];
	u8 bytes[TRACE_MAX_BYTES];
};

static inline u64 test_random(u64 *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	u64 value = *state;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static inline u64 test_value(u64 *state, u64 base)
{
	switch (test_random(state) % 8) {
	case 0:
		return test_random(state);
	case 1:
		return base * 0x1000 + test_random(state) % 256;
	case 2:
		return 0 - test_random(state) % 3;
	default:
		return base;
	}
}

/* How the instruction bytes of a site read, for trace_read_code. */
static inline unsigned test_read_code(void *owner, unsigned level, u64 rip, u8 *to)
{
	(void)owner;
	for (unsigned i = 0; i < TRACE_MAX_CODE; i++)
		to[i] = (u8)(rip * 31 + level + i);
	return rip % (TRACE_MAX_CODE + 1);
}

static inline void test_event(const struct trace_schema *schema, u64 n, struct test_event *to)
{
	u64 state = n * 0x2545f4914f6cdd1dull + 1;
	const struct trace_kind_info *kind;

	do {
		kind = trace_schema_kind(schema,
					 (unsigned)(test_random(&state) % SCHEMA_MAX_KINDS));
	} while (!kind);
	to->event = (struct trace_event){
		.kind = kind->id,
		.level = (u8)(test_random(&state) % 3),
		.tsc = n * 1000 + test_random(&state) % 900,
		.col = to->col,
		.items = to->items,
		.bytes = to->bytes,
	};
	to->event.rip = test_random(&state) % 16
				? 0xffffffff81000000ull + test_random(&state) % 5 * 4
				: test_random(&state);
	for (unsigned i = 0; i < kind->column_count; i++)
		to->col[i] = test_value(&state, kind->columns[i].stream);
	if (kind->flags & KIND_ITEMS) {
		const unsigned shape = (unsigned)(test_random(&state) % 6);

		to->event.item_count =
			shape < 5 ? shape * 3 : (u32)(test_random(&state) % TRACE_MAX_ITEMS);
		for (unsigned i = 0; i < to->event.item_count; i++) {
			to->items[i].id = shape < 5
						  ? 0x4000 + shape * 0x100 + 2 * i
						  : (u32)(test_random(&state) % TRACE_MAX_ITEM_ID);
			to->items[i].value = test_value(&state, i);
		}
	}
	if (kind->flags & KIND_BYTES) {
		to->event.byte_count = (u32)(test_random(&state) % 8
						     ? test_random(&state) % 40
						     : test_random(&state) % (TRACE_MAX_BYTES + 1));
		for (unsigned i = 0; i < to->event.byte_count; i++)
			to->bytes[i] = (u8)(n + i);
	}
}

/* What is different between an event and its copy that went through a codec; NULL for nothing. */
static inline const char *test_event_differs(const struct trace_schema *schema,
					     const struct trace_event *a,
					     const struct trace_event *b)
{
	const struct trace_kind_info *const kind = trace_schema_kind(schema, a->kind);

	if (a->kind != b->kind || a->level != b->level)
		return "kind or level";
	if (a->tsc != b->tsc)
		return "tsc";
	if (a->rip != b->rip)
		return "rip";
	if (memcmp(a->col, b->col, kind->column_count * sizeof(u64)))
		return "a column";
	if (a->item_count != b->item_count)
		return "the number of items";
	for (unsigned i = 0; i < a->item_count; i++)
		if (a->items[i].id != b->items[i].id || a->items[i].value != b->items[i].value)
			return "an item";
	if (a->byte_count != b->byte_count ||
	    (a->byte_count && memcmp(a->bytes, b->bytes, a->byte_count)))
		return "the bytes";
	return NULL;
}

#endif
