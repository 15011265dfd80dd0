/*
 * replay/position.h - places in a tape as people write them
 *
 *	@c1:88123	event 88123 of CPU 1, as dump and findings print it
 *	@N		event N of the merged order
 *	@50%		a part of the way
 *	@entry:42	the 42nd time that L2 runs, from 1
 *	@finding:3	the last event that the third finding of check rests on
 *	@tsc:0x1234	the first event at that TSC or later
 *	@mark:NAME	the first mark of that text
 *	@last		the last event
 *
 *	A..B  A..  ..B  A	ranges: both ends belong to them
 */
#ifndef REPLAY_POSITION_H
#define REPLAY_POSITION_H

#include "replay/reader.h"

/* Numbers of events: those from @first up to, not including, @end. */
struct position_range {
	u64 first;
	u64 end;
};

/*
 * The number @n of the event that @text names. Moves the reader. On failure @error (of @size bytes)
 * has a line: ST_INVALID it is no position, ST_NOT_FOUND the tape does not have it, ST_NO_MEMORY.
 */
enum status position_resolve(struct reader *reader, const char *text, u64 *n, char *error,
			     size_t size);

/*
 * Whether @text is like "@entry:42", with @word for entry; *@value becomes the number, decimal or
 * hexadecimal behind 0x.
 */
bool position_counts(const char *text, const char *word, u64 *value);

/* Likewise a range, which may be empty. An end behind the tape's is the tape's end. */
enum status position_resolve_range(struct reader *reader, const char *text,
				   struct position_range *range, char *error, size_t size);

#endif
