/*
 * gdbstub/tape_points.c - gdb's breakpoints and watchpoints as breaks of a timeline
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/gdb_regs.h"
#include "gdbstub/target_timeline.h"
#include "replay/symbols.h"

/* A symbol of unknown size is taken to be no longer. */
#define MAX_SYMBOL KIB(64)

/* Bytes of the stack that are looked at for return addresses. */
#define MAX_STACK  KIB(1)

/* --- where events are ------------------------------------------------------------------------- */

/* Whether any event of @level is at @address: looked up once. */
static bool has_event(struct gdb_tape *tape, u8 level, u64 address)
{
	struct gdb_tape_known *const known =
		&tape->known[(address ^ address >> 8 ^ level) % ARRAY_SIZE(tape->known)];
	struct query *query;
	enum status status;
	char text[64], error[128];
	u64 n;

	if (known->level == level && known->address == address)
		return known->has_event;
	snprintf(text, sizeof(text), "level==%u && rip==0x%llx", level,
		 (unsigned long long)address);
	if (query_compile(text, reader_schema(timeline_reader(tape->timeline)), &query, error,
			  sizeof(error)) != ST_OK)
		return true;
	status = timeline_next_match(tape->timeline, query, 0, TIMELINE_FORWARD, &n);
	query_free(query);
	/* Interrupted: nobody knows. */
	if (status != ST_OK && status != ST_NOT_FOUND)
		return true;
	*known = (struct gdb_tape_known){ address, level, status == ST_OK };
	return known->has_event;
}

/* The symbol around @address: its ends, and its name into @name; false without one. */
static bool symbol_around(struct gdb_tape *tape, u8 level, u64 address, u64 *start, u64 *end,
			  char *name)
{
	const struct symbols *const symbols =
		reader_names(timeline_reader(tape->timeline))->symbols;
	const struct symbol *const symbol = symbols_find(symbols, level, address);

	if (!symbol)
		return false;
	*start = symbol->address;
	*end = symbol->address + symbol->size;
	if (!symbol->size)
		for (*end = address + 1;
		     symbols_find(symbols, level, *end) == symbol && *end - *start < MAX_SYMBOL;)
			++*end;
	snprintf(name, GDB_MAX_NAME, "%s", symbol->name);
	return true;
}

/* The first event of @level from event @from on, at an address in [@start, @end) that is none of
 * @known.
 */
static enum status next_elsewhere(struct gdb_tape *tape, u8 level, u64 start, u64 end,
				  const u64 *known, unsigned count, u64 from, u64 *n)
{
	char text[96 + 32 * GDB_MAX_EVENT_ADDRESSES], error[128];
	size_t length;
	struct query *query;
	enum status status;

	length = (size_t)snprintf(text, sizeof(text), "level==%u && rip>=0x%llx && rip<0x%llx",
				  level, (unsigned long long)start, (unsigned long long)end);
	for (unsigned i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, " && rip!=0x%llx",
					   (unsigned long long)known[i]);
	status = query_compile(text, reader_schema(timeline_reader(tape->timeline)), &query, error,
			       sizeof(error));
	if (status != ST_OK)
		return status;
	status = timeline_next_match(tape->timeline, query, from, TIMELINE_FORWARD, n);
	query_free(query);
	return status;
}

static int compare_addresses(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

unsigned gdb_tape_event_addresses(struct gdb_tape *tape, u8 level, u64 address, u64 *to)
{
	struct reader *const reader = timeline_reader(tape->timeline);
	const struct trace_event *event;
	char name[GDB_MAX_NAME];
	unsigned count = 0;
	u64 start, end, n = 0;

	if (!symbol_around(tape, level, address, &start, &end, name))
		return 0;
	while (count < GDB_MAX_EVENT_ADDRESSES &&
	       next_elsewhere(tape, level, start, end, to, count, n, &n) == ST_OK &&
	       reader_seek(reader, n) == ST_OK && reader_next(reader, &event) == ST_OK)
		to[count++] = event->rip;
	qsort(to, count, sizeof(*to), compare_addresses);
	return count;
}

/* --- setting ---------------------------------------------------------------------------------- */

static int add(struct gdb_tape *tape, const struct timeline_break *how)
{
	const int id = timeline_break_add(tape->timeline, how);

	return MAX(id, 0);
}

static void set_break(struct gdb_tape *tape, const struct gdb_point *point,
		      struct gdb_tape_point *to, char *name)
{
	struct timeline_break how = {
		.kind = BREAK_RIP, .level = point->level, .cpu = -1, .address = point->address
	};

	to->is_break = true;
	to->address = point->address;
	to->kind = GDB_POINT_EXACT;
	if (!has_event(tape, point->level, point->address)) {
		to->kind = GDB_POINT_DEAD;
		if (symbol_around(tape, point->level, point->address, &how.address, &how.end,
				  name)) {
			to->kind = GDB_POINT_RANGE;
			how.kind = BREAK_RANGE;
		}
	}
	to->ids[0] = add(tape, &how);
}

/* The field that @size bytes at @address of the window are in, -1: none. */
static int field_at(u64 address, u64 size)
{
	const u64 offset = address - GDB_VMCS_WINDOW;

	if (offset >= GDB_VMCS_WINDOW_SIZE || !size || size > 8 - offset % 8)
		return -1;
	return vmcs_field_index(offset / 8);
}

static void set_field_watch(struct gdb_tape *tape, const struct gdb_point *point, int field,
			    struct gdb_tape_point *to)
{
	const struct timeline_break written = {
		.kind = BREAK_FIELD, .cpu = -1, .vmcs = HISTORY_ANY_VMCS, .field = field
	};
	struct timeline_break read = { .kind = BREAK_QUERY, .cpu = -1 };
	char text[128], error[128];

	if (point->type != GDB_WATCH_READ)
		to->ids[0] = add(tape, &written);
	if (point->type == GDB_WATCH_WRITE)
		return;
	snprintf(text, sizeof(text), "kind==vmread && field==0x%x && outcome==succeed",
		 vmcs_fields[field].encoding);
	if (query_compile(text, reader_schema(timeline_reader(tape->timeline)), &to->query, error,
			  sizeof(error)) != ST_OK)
		return;
	read.query = to->query;
	to->ids[1] = add(tape, &read);
}

/* Memory is watched by what the tape tells of it, which goes by physical addresses of L1. */
static void set_memory_watch(struct gdb_tape *tape, const struct gdb_point *point,
			     struct gdb_tape_point *to)
{
	const struct gdb_thread thread = { point->level, tape->last.cpu };
	struct timeline_break how = { .kind = BREAK_MEMORY, .level = 1, .cpu = -1 };
	struct memory_walk walk;

	if (point->type != GDB_WATCH_WRITE ||
	    memory_walk(tape->timeline, thread.cpu, gdb_tape_space(tape, thread), point->address,
			&walk) != ST_OK ||
	    walk.end != WALK_MAPPED)
		return;
	how.address = walk.gpa1;
	how.end = walk.gpa1 + point->size;
	to->ids[0] = add(tape, &how);
}

int gdb_tape_insert(void *target, const struct gdb_point *point, enum gdb_point_kind *kind,
		    char *text)
{
	struct gdb_tape *const tape = target;
	struct gdb_tape_point *to = NULL;
	int number = 0;

	while (number < GDB_MAX_POINTS && tape->points[number].is_used)
		number++;
	if (number == GDB_MAX_POINTS)
		return -1;
	to = &tape->points[number];
	*to = (struct gdb_tape_point){ .kind = GDB_POINT_EXACT };
	if (point->type < GDB_WATCH_WRITE) {
		set_break(tape, point, to, text);
	} else {
		const int field = field_at(point->address, point->size);

		if (field >= 0)
			set_field_watch(tape, point, field, to);
		else
			set_memory_watch(tape, point, to);
	}
	*kind = (enum gdb_point_kind)to->kind;
	to->is_used = true;
	if (to->ids[0] || to->ids[1])
		return number;
	gdb_tape_remove(tape, number);
	return -1;
}

void gdb_tape_remove(void *target, int number)
{
	struct gdb_tape *const tape = target;
	struct gdb_tape_point *const point = &tape->points[number];

	for (unsigned i = 0; i < ARRAY_SIZE(point->ids); i++)
		timeline_break_remove(tape->timeline, point->ids[i]);
	query_free(point->query);
	*point = (struct gdb_tape_point){ 0 };
}

int gdb_tape_point_of(const struct gdb_tape *tape, int id)
{
	for (int i = 0; i < GDB_MAX_POINTS; i++)
		if (tape->points[i].is_used &&
		    (tape->points[i].ids[0] == id || tape->points[i].ids[1] == id))
			return i;
	return -1;
}

bool gdb_tape_is_return(void *target, struct gdb_thread thread, u64 address)
{
	u64 rsp, words[MAX_STACK / sizeof(u64)];
	size_t known;

	if (!gdb_tape_read_register(target, thread, GDB_REG_RSP, &rsp))
		return false;
	known = gdb_tape_read_memory(target, thread, rsp, (u8 *)words, sizeof(words));
	for (size_t i = 0; i < known / sizeof(*words); i++)
		if (words[i] == address)
			return true;
	return false;
}
