/*
 * tui/rows.h - which events a list shows: those a filter lets through, repeats folded into one row
 *
 * Made chunk by chunk as rows are asked for, so that the memory does not grow with the tape: of
 * each chunk only how many rows it has is kept. Where a filter lets little through, finding the
 * next row can take long; then the answer is ROWS_PENDING, and rows_work() goes on with it.
 *
 * A repeat is an event of the same CPU, level, kind, outcome and RIP as the one before it, and
 * about the same field, MSR or region.
 */
#ifndef TUI_ROWS_H
#define TUI_ROWS_H

#include "replay/query.h"
#include "replay/reader.h"

#define ROWS_CHUNK 4096 /* events */

struct row {
	u64 n;	   /* number of the event */
	u32 count; /* events that it stands for; 1: itself alone */
};

enum rows_found { ROWS_FOUND, ROWS_NONE, ROWS_PENDING };
enum rows_way { ROWS_FORWARD, ROWS_BACKWARD };

struct rows;

/* @reader outlives it. NULL when there is no memory. */
struct rows *rows_new(struct reader *reader);
void rows_free(struct rows *rows);

/*
 * The tape has @events events now: @reader is of it, and those before @same are as they were.
 * ST_NO_MEMORY.
 */
enum status rows_grow(struct rows *rows, struct reader *reader, u64 events, u64 same);

/* Owns @query from then on, which may be NULL: every event. */
void rows_set_query(struct rows *rows, struct query *query);
const struct query *rows_query(const struct rows *rows);

/*
 * Without a query, events of these kinds (bit n: kind n, below 64) are left out. From the start
 * none are.
 */
void rows_set_hidden(struct rows *rows, u64 kinds);
u64 rows_hidden(const struct rows *rows);

/* Repeats are folded, from the start they are. Rows are other ones then. */
void rows_set_folding(struct rows *rows, bool folding);
bool rows_folding(const struct rows *rows);

/* The row that event @n is in, or else the next one on @way. */
enum rows_found rows_at(struct rows *rows, u64 n, enum rows_way way, struct row *row);
/* The one after, or before, @row. */
enum rows_found rows_next(struct rows *rows, const struct row *row, struct row *next);
enum rows_found rows_previous(struct rows *rows, const struct row *row, struct row *previous);

/*
 * Answers may take @microseconds from now on, all together; what takes longer is ROWS_PENDING. At
 * first they take as long as they need.
 */
void rows_give(struct rows *rows, u64 microseconds);

/*
 * Goes on with what was ROWS_PENDING last for about @microseconds. False when there is nothing to
 * do: asking again is answered.
 */
bool rows_work(struct rows *rows, u64 microseconds);

/* The last answer was ROWS_PENDING, and rows_work() is not through with it. */
bool rows_is_pending(const struct rows *rows);

/* How much of the tape was looked at for the filter, in percent; 100 without a filter. */
unsigned rows_progress(const struct rows *rows);

#endif
