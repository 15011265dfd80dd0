/*
 * replay/slice_order.c - the order of a slice's events across the CPUs
 */
#include <stdlib.h>
#include <string.h>

#include "replay/slice_parts.h"

#define STEP 16 /* events that are looked at as one */

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

/* --- numbers of the hand-over counter ----------------------------------------------------------
 */

static int compare_orders(const void *a, const void *b)
{
	const struct slice_order *const x = a, *const y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

/* All numbers of the counter that are new, ascending. False without memory. */
static bool gather_orders(struct slice *slice, size_t *count)
{
	*count = 0;
	for (unsigned i = 0; i < slice->reader->track_count; i++)
		*count += slice->lanes[i].order_count - slice->lanes[i].ordered;
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
		struct slice_lane *const lane = &slice->lanes[i];

		for (; lane->ordered < lane->order_count; lane->ordered++)
			slice->orders[(*count)++] = lane->orders[lane->ordered];
	}
	qsort(slice->orders, *count, sizeof(*slice->orders), compare_orders);
	return true;
}

/* The events at @time that wait for each other, in their order: of each CPU the last. */
struct chain {
	u64 time;
	unsigned count;
	struct slice_order events[SLICE_MAX_SHIFTS];
};

static bool add_to_chain(struct chain *chain, unsigned lane, u32 at)
{
	unsigned i = 0;

	while (i < chain->count && chain->events[i].lane != lane)
		i++;
	if (i == SLICE_MAX_SHIFTS)
		return false;
	chain->events[i] = (struct slice_order){ .lane = lane, .at = at };
	chain->count = MAX(chain->count, i + 1);
	return true;
}

static bool find_chain(const struct slice *slice, const struct slice_order *last,
		       struct chain *chain)
{
	bool fits = true;

	chain->count = 0;
	for (unsigned i = 0; i < slice->shift_count && fits; i++) {
		const struct slice_shift *const shift = &slice->shifts[i];

		if (shift->time != chain->time)
			continue;
		if (shift->first != SLICE_NO_LANE)
			fits = add_to_chain(chain, shift->first, shift->first_at);
		fits = fits && add_to_chain(chain, shift->second, shift->second_at);
	}
	return fits && (!last || add_to_chain(chain, last->lane, last->at));
}

/* Whether a lane above @lane that is not in the chain has an event at its time, too. */
static bool any_other(const struct slice *slice, const struct chain *chain, unsigned lane)
{
	for (unsigned i = lane + 1; i < slice->reader->track_count; i++) {
		bool other = count_before(&slice->lanes[i], chain->time, true) !=
			     count_before(&slice->lanes[i], chain->time, false);

		for (unsigned k = 0; k < chain->count; k++)
			other &= chain->events[k].lane != i;
		if (other)
			return true;
	}
	return false;
}

static bool add_shift(struct slice *slice, u64 time, const struct slice_order *first,
		      const struct slice_order *second)
{
	if (slice->shift_count == SLICE_MAX_SHIFTS)
		return false;
	slice->shifts[slice->shift_count++] =
		(struct slice_shift){ .time = time,
				      .shifted = slice->shifted,
				      .first = first ? first->lane : SLICE_NO_LANE,
				      .second = second->lane,
				      .first_at = first ? first->at : 0,
				      .second_at = second->at };
	return true;
}

/*
 * @event is not behind @last, which has the number before its own: it waits for that, and is at the
 * same time. False: that is not simple.
 */
static bool shift_behind(struct slice *slice, const struct slice_order *event,
			 const struct slice_order *last, u64 time)
{
	struct slice_lane *const lane = &slice->lanes[event->lane];
	const u64 ticks = time - lane->times[event->at];
	struct chain chain = { .time = time };
	bool fits;

	if (!find_chain(slice, last, &chain) || any_other(slice, &chain, event->lane))
		return false;
	for (u32 i = event->at; i < lane->count; i++)
		lane->times[i] += ticks;
	lane->track->shift += ticks;
	lane->track->time += ticks;
	slice->shifted += ticks;
	fits = add_shift(slice, time, NULL, event);
	for (unsigned i = 0; i < chain.count; i++)
		if (chain.events[i].lane != event->lane)
			fits = fits && add_shift(slice, time, &chain.events[i], event);
	return fits;
}

bool slice_put_in_order(struct slice *slice)
{
	struct reader *const reader = slice->reader;
	size_t count;

	if (!gather_orders(slice, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct slice_order *const event = &slice->orders[i];
		const struct slice_order *const last = slice->has_last ? &slice->last : NULL;
		const u64 time = slice->lanes[event->lane].times[event->at];
		const bool behind =
			time > reader->order_time ||
			(time == reader->order_time && (!last || event->lane >= last->lane));

		slice->waits = event->order > reader->order + 1;
		if (event->order != reader->order + 1 ||
		    (!behind && !shift_behind(slice, event, last, reader->order_time))) {
			slice->obstacle = time;
			for (; i < count; i++)
				slice->lanes[slice->orders[i].lane].ordered--;
			return false;
		}
		reader->order = event->order;
		reader->order_time = slice->lanes[event->lane].times[event->at];
		slice->last = *event;
		slice->has_last = true;
	}
	return true;
}

/* --- numbers of the tape -----------------------------------------------------------------------
 */

/*
 * Of events at the same time, those of the lower CPU come first; but not one that waited for one of
 * a higher CPU. How many more, then, are before event @number of @cpu.
 */
static u64 correct_number(const struct slice *slice, unsigned cpu, u64 number)
{
	const u64 time = slice->lanes[cpu].times[number];
	u64 more = 0;

	for (unsigned i = 0; i < slice->shift_count; i++) {
		const struct slice_shift *const shift = &slice->shifts[i];

		if (shift->time != time || shift->first == SLICE_NO_LANE ||
		    shift->first < shift->second)
			continue;
		if (cpu == shift->second && number >= shift->second_at)
			more += shift->first_at + 1 -
				count_before(&slice->lanes[shift->first], time, false);
		if (cpu == shift->first && number <= shift->first_at)
			more -= count_before(&slice->lanes[shift->second], time, true) -
				shift->second_at;
	}
	return more;
}

u64 slice_number(const struct slice *slice, unsigned cpu, u64 at)
{
	const u64 number = at & ~SLICE_AT;
	u64 n = slice->first + number + correct_number(slice, cpu, number);

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

		/* Not all at the same moments. */
		for (u64 at = step * (i + 1) / slice->reader->track_count;
		     at < lane->count && count < most; at += step)
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

/*
 * What slices have to end before to end at @time: lanes that shift come to more events than they
 * seem to at first. False: too near to that.
 */
static bool find_end(const struct slice *slice, u64 *time)
{
	u64 shifted = 0;

	for (unsigned i = 0; i < slice->shift_count; i++) {
		const struct slice_shift *const shift = &slice->shifts[i];

		if (shift->time > *time + slice->shifted)
			break;
		if (shift->time + slice->shifted >= *time)
			return false;
		shifted = shift->shifted;
	}
	*time -= shifted;
	return true;
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
		if (cuts[i].events > (made ? cuts[made - 1].events : 0) &&
		    find_end(slice, &cuts[i].time))
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
