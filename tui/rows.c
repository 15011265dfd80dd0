#include "tui/rows.h"

#include <stdlib.h>

#include "tui/clock.h"

#define CACHED	4 /* chunks whose rows are kept */

#define UNKNOWN 0xffff

struct chunk_rows {
	u64 chunk; /* number */
	u64 used;  /* when, 0: free */
	unsigned count;
	struct row rows[ROWS_CHUNK];
};

struct rows {
	struct reader *reader;
	struct query *query;
	bool folding;
	u64 hidden; /* kinds that are left out without a query */
	u64 events;
	u64 chunks;
	u16 *counts; /* rows of each chunk, or UNKNOWN */
	u64 known;   /* chunks that are not UNKNOWN */
	u64 uses;
	u64 deadline; /* clock_microseconds() from which a chunk is not looked at any more */
	bool pending;
	u64 wanted; /* the chunk that was not looked at, and on which way it lies */
	enum rows_way way;
	struct chunk_rows cache[CACHED];
};

struct rows *rows_new(struct reader *reader)
{
	struct rows *const rows = calloc(1, sizeof(*rows));

	if (!rows)
		return NULL;
	rows->folding = true;
	rows->deadline = ~0ull;
	if (rows_grow(rows, reader, reader_info(reader)->events, 0) == ST_OK)
		return rows;
	free(rows);
	return NULL;
}

void rows_free(struct rows *rows)
{
	if (!rows)
		return;
	query_free(rows->query);
	free(rows->counts);
	free(rows);
}

/* Nothing is known from chunk @from on. */
static void forget(struct rows *rows, u64 from)
{
	for (u64 i = from; i < rows->chunks; i++)
		rows->counts[i] = UNKNOWN;
	rows->known = 0;
	for (u64 i = 0; i < from; i++)
		rows->known += rows->counts[i] != UNKNOWN;
	for (unsigned i = 0; i < CACHED; i++)
		if (rows->cache[i].chunk >= from)
			rows->cache[i].used = 0;
	rows->pending = false;
}

enum status rows_grow(struct rows *rows, struct reader *reader, u64 events, u64 same)
{
	const u64 chunks = (events + ROWS_CHUNK - 1) / ROWS_CHUNK;
	u16 *const counts = realloc(rows->counts, MAX(chunks, 1ull) * sizeof(*counts));

	if (!counts)
		return ST_NO_MEMORY;
	rows->reader = reader;
	rows->counts = counts;
	rows->events = events;
	rows->chunks = chunks;
	forget(rows, MIN(same, events) / ROWS_CHUNK);
	return ST_OK;
}

void rows_set_query(struct rows *rows, struct query *query)
{
	query_free(rows->query);
	rows->query = query;
	forget(rows, 0);
}

const struct query *rows_query(const struct rows *rows)
{
	return rows->query;
}

void rows_set_hidden(struct rows *rows, u64 kinds)
{
	rows->hidden = kinds;
	forget(rows, 0);
}

u64 rows_hidden(const struct rows *rows)
{
	return rows->hidden;
}

void rows_set_folding(struct rows *rows, bool folding)
{
	rows->folding = folding;
	forget(rows, 0);
}

bool rows_folding(const struct rows *rows)
{
	return rows->folding;
}

/* --- chunks ----------------------------------------------------------------------------------- */

/* What repeats must have in common. */
struct sameness {
	u64 rip;
	u64 n;
	u64 outcome;
	u64 subject; /* the field, MSR or region that it is about */
	u16 cpu;
	u8 kind;
	u8 level;
};

static u64 subject(const struct trace_event *event)
{
	switch (event->kind) {
	case EV_VMREAD:
	case EV_VMWRITE:
		return ((const struct ev_vmread *)event->col)->field;
	case EV_MSR_READ:
	case EV_MSR_WRITE:
		return ((const struct ev_msr_read *)event->col)->msr;
	case EV_VMXON:
	case EV_VMCLEAR:
	case EV_VMPTRLD:
		return ((const struct ev_vmptrld *)event->col)->pointer;
	default:
		return 0;
	}
}

static struct sameness sameness(const struct trace_event *event, u64 n)
{
	const bool insn = event->kind >= EV_VMXON && event->kind <= EV_CR_WRITE;

	return (struct sameness){
		.rip = event->rip,
		.n = n,
		.outcome = insn ? ((const struct ev_insn *)event->col)->outcome : 0,
		.subject = subject(event),
		.cpu = event->cpu,
		.kind = event->kind,
		.level = event->level,
	};
}

static bool repeats(const struct sameness *last, const struct sameness *next)
{
	return next->rip && last->rip == next->rip && last->n + 1 == next->n &&
	       last->outcome == next->outcome && last->cpu == next->cpu &&
	       last->kind == next->kind && last->level == next->level &&
	       last->subject == next->subject;
}

static bool is_hidden(const struct rows *rows, const struct trace_event *event)
{
	return event->kind < 64 && rows->hidden >> event->kind & 1;
}

static void fill(struct rows *rows, struct chunk_rows *chunk)
{
	const u64 first = chunk->chunk * ROWS_CHUNK, end = MIN(first + ROWS_CHUNK, rows->events);
	const struct trace_event *event;
	struct sameness last = { 0 };
	u64 n;

	chunk->count = 0;
	if (reader_seek(rows->reader, first) != ST_OK)
		return;
	while ((n = reader_tell(rows->reader)) < end &&
	       reader_next(rows->reader, &event) == ST_OK) {
		struct sameness next;

		if (rows->query ? !query_match(rows->query, event, n) : is_hidden(rows, event))
			continue;
		next = sameness(event, n);
		if (rows->folding && chunk->count && repeats(&last, &next))
			chunk->rows[chunk->count - 1].count++;
		else
			chunk->rows[chunk->count++] = (struct row){ .n = n, .count = 1 };
		last = next;
	}
}

/* Makes the first event of chunk @at the next of the reader; false when there is no time for it. */
static bool approach(struct rows *rows, u64 at)
{
	do {
		if (reader_approach(rows->reader, at * ROWS_CHUNK, READER_STEP))
			return true;
	} while (clock_microseconds() < rows->deadline);
	return false;
}

/* The rows of chunk number @at; NULL when that would take too long now. */
static const struct chunk_rows *chunk_rows(struct rows *rows, u64 at, enum rows_way way)
{
	struct chunk_rows *chunk = &rows->cache[0];

	for (unsigned i = 0; i < CACHED; i++) {
		if (rows->cache[i].used && rows->cache[i].chunk == at) {
			rows->cache[i].used = ++rows->uses;
			return &rows->cache[i];
		}
		if (rows->cache[i].used < chunk->used)
			chunk = &rows->cache[i];
	}
	if (clock_microseconds() >= rows->deadline || !approach(rows, at)) {
		rows->pending = true;
		rows->wanted = at;
		rows->way = way;
		return NULL;
	}
	chunk->chunk = at;
	chunk->used = ++rows->uses;
	fill(rows, chunk);
	rows->known += rows->counts[at] == UNKNOWN;
	rows->counts[at] = (u16)chunk->count;
	return chunk;
}

static enum rows_found first_from(struct rows *rows, u64 at, struct row *row)
{
	for (; at < rows->chunks; at++) {
		const struct chunk_rows *chunk;

		if (!rows->counts[at])
			continue;
		chunk = chunk_rows(rows, at, ROWS_FORWARD);
		if (!chunk)
			return ROWS_PENDING;
		if (chunk->count) {
			*row = chunk->rows[0];
			return ROWS_FOUND;
		}
	}
	return ROWS_NONE;
}

/* The last row of the chunks before @end. */
static enum rows_found last_before(struct rows *rows, u64 end, struct row *row)
{
	while (end--) {
		const struct chunk_rows *chunk;

		if (!rows->counts[end])
			continue;
		chunk = chunk_rows(rows, end, ROWS_BACKWARD);
		if (!chunk)
			return ROWS_PENDING;
		if (chunk->count) {
			*row = chunk->rows[chunk->count - 1];
			return ROWS_FOUND;
		}
	}
	return ROWS_NONE;
}

/* How many rows of @chunk begin at @n or before. */
static unsigned rows_up_to(const struct chunk_rows *chunk, u64 n)
{
	unsigned low = 0, high = chunk->count;

	while (low < high) {
		const unsigned middle = (low + high) / 2;

		if (chunk->rows[middle].n <= n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum rows_found find(struct rows *rows, u64 n, enum rows_way way, bool itself,
			    struct row *row)
{
	const struct chunk_rows *chunk;
	unsigned at;

	rows->pending = false;
	if (!rows->chunks)
		return ROWS_NONE;
	if (n >= rows->events)
		return way == ROWS_FORWARD ? ROWS_NONE : last_before(rows, rows->chunks, row);
	chunk = chunk_rows(rows, n / ROWS_CHUNK, way);
	if (!chunk)
		return ROWS_PENDING;
	at = rows_up_to(chunk, n);
	if (itself && at && n < chunk->rows[at - 1].n + chunk->rows[at - 1].count) {
		*row = chunk->rows[at - 1];
		return ROWS_FOUND;
	}
	if (way == ROWS_FORWARD) {
		if (at == chunk->count)
			return first_from(rows, chunk->chunk + 1, row);
		*row = chunk->rows[at];
		return ROWS_FOUND;
	}
	/* Before the row that holds @n. */
	if (!itself && at && n < chunk->rows[at - 1].n + chunk->rows[at - 1].count)
		at--;
	if (!at)
		return last_before(rows, chunk->chunk, row);
	*row = chunk->rows[at - 1];
	return ROWS_FOUND;
}

enum rows_found rows_at(struct rows *rows, u64 n, enum rows_way way, struct row *row)
{
	return find(rows, n, way, true, row);
}

enum rows_found rows_next(struct rows *rows, const struct row *row, struct row *next)
{
	return find(rows, row->n + row->count - 1, ROWS_FORWARD, false, next);
}

enum rows_found rows_previous(struct rows *rows, const struct row *row, struct row *previous)
{
	return find(rows, row->n, ROWS_BACKWARD, false, previous);
}

/* --- in slices -------------------------------------------------------------------------------- */

void rows_give(struct rows *rows, u64 microseconds)
{
	rows->deadline = clock_microseconds() + microseconds;
}

/* Whether there is a chunk to look at on the way of the one that was wanted. */
static bool want_next(struct rows *rows)
{
	do {
		if (rows->way == ROWS_BACKWARD && !rows->wanted)
			return false;
		rows->wanted += rows->way == ROWS_FORWARD ? 1 : ~0ull;
		if (rows->wanted >= rows->chunks)
			return false;
	} while (!rows->counts[rows->wanted]);
	return true;
}

bool rows_work(struct rows *rows, u64 microseconds)
{
	const struct chunk_rows *chunk;

	rows_give(rows, microseconds);
	while (rows->pending) {
		chunk = chunk_rows(rows, rows->wanted, rows->way);
		if (!chunk)
			break;
		rows->pending = !chunk->count && want_next(rows);
	}
	return rows->pending;
}

bool rows_is_pending(const struct rows *rows)
{
	return rows->pending;
}

unsigned rows_progress(const struct rows *rows)
{
	if (!rows->query || !rows->chunks)
		return 100;
	return (unsigned)(100 * rows->known / rows->chunks);
}
