/*
 * replay/array.h - arrays that grow as they are filled, and numbers in order
 */
#ifndef REPLAY_ARRAY_H
#define REPLAY_ARRAY_H

#include <stdlib.h>

#include "base/base.h"

#define ARRAY_LEAST 64 /* elements */

/*
 * Makes room for @more elements of @size bytes behind the @count that are in an array. @array is
 * where the pointer to it is, of whatever type, and *@room how many it has room for; both change
 * when it moves to where it has twice as much, or more. False when there is no memory: nothing
 * changed. An array that is NULL has no room.
 */
static inline bool array_reserve(void *array, size_t *room, size_t count, size_t more, size_t size)
{
	const size_t wanted = MAX(MAX(2 * *room, count + more), (size_t)ARRAY_LEAST);
	void *list, *made;

	if (count + more <= *room)
		return true;
	if (wanted > (size_t)PTRDIFF_MAX / size)
		return false;
	memcpy(&list, array, sizeof(list));
	made = realloc(list, wanted * size);
	if (!made)
		return false;
	memcpy(array, &made, sizeof(made));
	*room = wanted;
	return true;
}

/* How many of the @count ascending numbers at @list are below @bound. */
static inline size_t array_below(const u64 *list, size_t count, u64 bound)
{
	size_t low = 0, high = count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (list[middle] < bound)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif
