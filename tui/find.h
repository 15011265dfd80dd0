/*
 * tui/find.h - going to the next or an earlier event that matches, however far it is
 *
 * The search goes on in the background until it is over or stopped.
 */
#ifndef TUI_FIND_H
#define TUI_FIND_H

#include "tui/rows.h"

#define FIND_MAX 1024 /* bytes of a query */

struct find {
	struct rows *rows; /* of the query */
	char text[FIND_MAX];
	char what[64]; /* is looked for, for messages */
	enum rows_way way;
	u64 times;	 /* how often it still has to be found */
	struct row from; /* the last that was found */
	bool running;
	bool jump; /* the place that was left goes onto the jump list */
};

/* NULL when there is no memory. */
struct find *find_new(struct reader *reader);
void find_free(struct find *find);

/*
 * Look for the @times-th event from event @n on @way that matches @query, not @n itself. @what is
 * for messages: "entry". ST_INVALID and a line in @error when the query makes no sense.
 */
enum status find_start(struct find *find, const struct trace_schema *schema, const char *query,
		       const char *what, u64 n, enum rows_way way, u64 times, char *error,
		       size_t size);

enum find_result { FIND_RUNNING, FIND_FOUND, FIND_NOTHING };

/* A slice; FIND_FOUND: find->from is it. After it the search is over. */
enum find_result find_work(struct find *find, u64 microseconds);

/*
 * What @text means as a query: itself, or, where it is no query, a kind of event, an exit reason or
 * an address: "vmlaunch" is kind==vmlaunch. At most @size bytes. ST_INVALID, and why in @error.
 */
enum status find_meaning(const struct trace_schema *schema, const char *text, char *to, size_t size,
			 struct query **query, char *error, size_t error_size);

#endif
