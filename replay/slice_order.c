/*
 * replay/slice_order.c - the order of a slice's events across the CPUs
 */
#include <stdlib.h>
#include <string.h>

#include "replay/slice_parts.h"

#define STEP 16 /* events that are looked at as one */

/* --- numbers of the hand-over counter ----------------------------------------------------------
 */

static int compare_orders(const void *a, const void *b)
{
	const struct slice_order *const x = a, *const y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* All numbers of the counter, in the order of time. False without memory. */
static bool gather_orders(struct slice *slice, size_t *count)
{
	*count = 0;
	for (unsigned i = 0; i < slice->reader->track_count; i++)
		*count += slice->lanes[i].order_count;
	if (*count > slice->order_room) {
		free(slice->orders);
		slice->order_room = 2 * *count;
		slice->orders = malloc(slice->order_room * sizeof(*slice->orders));
		if (!slice->orders)
			slice->order_room = 0;
	}
	if (!*count || !slice->orders)
		return !*count;
	*count = 0;
	for (unsigned i = 0; i < slice->reader->track_count; i++) {
		const struct slice_lane *const lane = &slice->lanes[i];

		if (lane->order_count)
			memcpy(&slice->orders[*count], lane->orders,
			       lane->order_count * sizeof(*slice->orders));
		*count += lane->order_count;
	}
	qsort(slice->orders, *count, sizeof(*slice->orders), compare_orders);
	return true;
}

bool slice_is_in_order(struct slice *slice)
{
	struct reader *const reader = slice->reader;
	size_t count;

	if (!gather_orders(slice, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (slice->orders[i].order != reader->order + 1 + i ||
		    slice->orders[i].time < reader->order_time) {
			slice->obstacle = slice->orders[i].time;
			return false;
		}
	if (count) {
		reader->order += count;
		reader->order_time = slice->orders[count - 1].time;
	}
	return true;
}

/* --- numbers of the tape -----------------------------------------------------------------------
 */

/* How many events of @lane come before @time, or, with @equal, at it. */
static u64 count_before(const struct slice_lane *lane, u64 time, bool equal)
{
	u64 low = 0, high = lane->count;

	while (low < high) {
		const u64 middle = (low + high) / 2;

		if (lane->times[middle] < time || (equal && lane->times[middle] == time))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u64 slice_number(const struct slice *slice, unsigned cpu, u64 at)
{
	const u64 number = at & ~SLICE_AT;
	u64 n = slice->first + number;

	/* Of events at the same time, those of the lower CPU come first. */
	for (unsigned i = 0; i < slice->reader->track_count; i++)
		if (i != cpu)
			n += count_before(&slice->lanes[i], slice->lanes[cpu].times[number],
					  i < cpu);
	return n;
}

u64 slice_time(const struct slice *slice, unsigned cpu, u64 at)
{
	return slice->lanes[cpu].times[at & ~SLICE_AT];
}

/* --- cuts ----------------------------------------------------------------------------------------
 */

static int compare_times(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* Times of events of all CPUs, as many of each as its share is, ascending. */
static unsigned sample_times(const struct slice *slice, u64 *times, unsigned most)
{
	const u64 step = slice->events / most + 1;
	unsigned count = 0;

	for (unsigned i = 0; i < slice->reader->track_count; i++) {
		const struct slice_lane *const lane = &slice->lanes[i];

		for (u64 at = step - 1; at < lane->count && count < most; at += step)
			times[count++] = lane->times[at];
	}
	qsort(times, count, sizeof(*times), compare_times);
	return count;
}

/* How many events of @lane come before @time, which are not less than @at: mostly few more. */
static u32 count_on(const struct slice_lane *lane, u32 at, u64 time)
{
	while (at + STEP < lane->count && lane->times[at + STEP] < time)
		at += STEP;
	while (at < lane->count && lane->times[at] < time)
		at++;
	return at;
}

/* How many events are before each of @times, which become those of the cuts. */
static unsigned fill_cuts(const struct slice *slice, const u64 *times, unsigned count,
			  struct slice_cut *cuts)
{
	unsigned made = 0;

	for (unsigned i = 0; i < count; i++)
		cuts[i] = (struct slice_cut){ 0, times[i] };
	for (unsigned k = 0; k < slice->reader->track_count; k++) {
		u32 at = 0;

		for (unsigned i = 0; i < count; i++) {
			at = count_on(&slice->lanes[k], at, times[i]);
			cuts[i].events += at;
		}
	}
	for (unsigned i = 0; i < count; i++)
		if (cuts[i].events > (made ? cuts[made - 1].events : 0))
			cuts[made++] = cuts[i];
	return made;
}

unsigned slice_cuts(const struct slice *slice, struct slice_cut *cuts, unsigned most)
{
	u64 times[SLICE_MAX_CUTS];
	unsigned count;

	if (slice->reader->track_count < 2)
		return 0;
	count = sample_times(slice, times, MIN(most, (unsigned)SLICE_MAX_CUTS));
	return fill_cuts(slice, times, count, cuts);
}
