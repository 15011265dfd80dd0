#include "replay/finder.h"

#define POLL_EVERY     65536 /* events */
#define LOOK_NEAR      65536 /* events that are looked at before an index is made */
#define MOST_INTERVALS 16    /* that are looked at together when going backwards */

static bool interrupted(struct finder *finder, u64 events, u64 done, u64 total)
{
	finder->polled += events;
	if (finder->polled < POLL_EVERY)
		return false;
	finder->polled = 0;
	return timeline_interrupted(finder->timeline, done, total);
}

/*
 * At @n, where interval @i begins: the next place that is worth a look, the end of the tape without
 * one. The reader goes there.
 */
static u64 skip_forward(struct finder *finder, u64 n, u64 *i)
{
	const u64 events = reader_info(finder->reader)->events, from = *i;

	while (*i < finder->index->count && !finder_may_stop(finder, *i))
		++*i;
	if (*i == from)
		return n;
	n = index_begin(finder->index, *i, events);
	finder_forget_inside(finder);
	reader_seek(finder->reader, n);
	return n;
}

/*
 * The first place behind @first, or at it with @here, where a break stops. Without one, found->n is
 * where the search ended: after @limit events, at the end, or, ST_INTERRUPTED, somewhere.
 */
static enum status find_forward(struct finder *finder, u64 first, bool here, u64 limit,
				struct found *found)
{
	const u64 events = reader_info(finder->reader)->events;
	const struct trace_event *event;
	u64 passed = 0, interval = finder->index ? index_find(finder->index, first) + 1 : 0;
	int before, behind, pending = 0;

	if (reader_seek(finder->reader, first) != ST_OK)
		return ST_RANGE;
	for (;;) {
		*found = (struct found){ .n = reader_tell(finder->reader) };
		if (finder->index && !pending &&
		    found->n >= index_begin(finder->index, interval, ~0ull)) {
			found->n = skip_forward(finder, found->n, &interval);
			interval++;
		}
		if (reader_next(finder->reader, &event) != ST_OK) {
			found->id = pending;
			return ST_OK;
		}
		finder_stops_at(finder, event, found->n, &before, &behind);
		if (found->n == first && !here)
			before = 0;
		if (pending && before)
			before = MIN(before, pending);
		found->id = before ? before : pending;
		if (found->id || (limit && passed == limit))
			return ST_OK;
		pending = behind;
		passed++;
		if (interrupted(finder, 1, found->n - first, events - first))
			return ST_INTERRUPTED;
	}
}

/*
 * One window of find_backward(): the last stop in it, how many events, and of which @nth is what.
 */
static void look_through(struct finder *finder, u64 first, u64 end, u64 nth, struct found *found,
			 u64 *count, u64 *number)
{
	const struct trace_event *event;
	int before, behind;
	u64 n;

	*found = (struct found){ 0 };
	*count = 0;
	finder_forget_inside(finder);
	reader_seek(finder->reader, first);
	while ((n = reader_tell(finder->reader)) < end &&
	       reader_next(finder->reader, &event) == ST_OK) {
		if ((*count)++ == nth)
			*number = n;
		finder_stops_at(finder, event, n, &before, &behind);
		if (before && behind)
			before = MIN(before, behind);
		if (before || behind)
			*found = (struct found){ before ? before : behind, n };
	}
}

/*
 * Moves *@end back over what is not worth a look, and puts *@first to the begin of what is, at most
 * @window intervals.
 */
static void skip_backward(const struct finder *finder, u64 window, u64 *first, u64 *end)
{
	const struct timeline_index *const index = finder->index;
	u64 i = index_find(index, *end - 1);

	while (!finder_may_stop(finder, i)) {
		*end = index_at(index, i)->mark[0];
		if (!i) {
			*first = 0;
			return;
		}
		i--;
	}
	while (i && --window && finder_may_stop(finder, i - 1))
		i--;
	*first = index_at(index, i)->mark[0];
}

/* The last place before @n; likewise. */
static enum status find_backward(struct finder *finder, u64 n, u64 limit, struct found *found)
{
	u64 end = n, passed = 0,
	    window = limit && limit < FINDER_WINDOW ? 2 * limit + 64 : FINDER_WINDOW;
	u64 intervals = 1;

	while (end) {
		u64 first = end > window ? end - window : 0, count, number = 0;

		if (finder->index) {
			skip_backward(finder, intervals, &first, &end);
			intervals = MIN(2 * intervals, (u64)MOST_INTERVALS);
		}
		look_through(finder, first, end, ~0ull, found, &count, &number);
		/* All of it is inside the gap of a damaged block, which begins before. */
		if (!count && first && !finder->index) {
			window *= 2;
			continue;
		}
		if (limit && passed + count >= limit) {
			struct found again;

			look_through(finder, first, end, count - (limit - passed), &again, &count,
				     &number);
			if (!found->id || found->n < number)
				*found = (struct found){ .n = number };
			return ST_OK;
		}
		if (found->id)
			return ST_OK;
		passed += count;
		end = first;
		found->n = end;
		if (interrupted(finder, count, n - end, n))
			return ST_INTERRUPTED;
	}
	found->n = 0;
	return ST_OK;
}

/*
 * What lies near is found without an index, so that it need not be made for that; for what is far
 * it is.
 */
enum status finder_search(struct finder *finder, enum timeline_way way, u64 n, bool here, u64 limit,
			  struct found *found)
{
	const bool back = way == TIMELINE_BACKWARD;
	const u64 near = limit ? limit : LOOK_NEAR * finder->timeline->interval;
	enum status status;
	u64 end;

	if (limit || finder->timeline->has != INDEX_READY) {
		status = back ? find_backward(finder, n, near, found)
			      : find_forward(finder, n, here, near, found);
		end = back ? 0 : reader_info(finder->reader)->events;
		if (limit || status != ST_OK || found->id || found->n == end)
			return status;
		n = found->n;
		finder_forget_inside(finder);
		status = timeline_get_index(finder->timeline, &finder->index);
		if (status != ST_OK)
			return status;
		/* That one was looked at, but for what stops when it is passed. */
		here = false;
	} else {
		finder->index = &finder->timeline->index;
	}
	return back ? find_backward(finder, n, 0, found) : find_forward(finder, n, here, 0, found);
}
