/*
 * cli/bisect_search.h - the few of many things that something does not work without
 */
#ifndef CLI_BISECT_SEARCH_H
#define CLI_BISECT_SEARCH_H

#include "base/base.h"

#define BISECT_MAX 256 /* things */

/* A set of things, by number. */
struct bisect_set {
	u64 bits[BISECT_MAX / 64];
};

static inline bool bisect_has(const struct bisect_set *set, size_t thing)
{
	return set->bits[thing / 64] >> thing % 64 & 1;
}

static inline void bisect_add(struct bisect_set *set, size_t thing)
{
	set->bits[thing / 64] |= BIT(thing % 64);
}

/* Whether it works with @kept and none of the others. May take long. */
typedef bool (*bisect_works)(void *owner, const struct bisect_set *kept);

enum bisect_result {
	BISECT_FOUND,	/* it works with @needed */
	BISECT_NEVER,	/* it does not work with all things */
	BISECT_UNSTEADY /* it does not work with what halving found: more can be less */
};

/*
 * Finds what of @count things (at most BISECT_MAX) is needed: without any one of @needed it does
 * not work, given that more things never hurt; where they do, the answer may be BISECT_UNSTEADY, or
 * a set that works and could be smaller. Asks at most about 2k * log2(count/k) + 2k times for k
 * things that are needed, fewer where these stand together, and for no set twice.
 */
enum bisect_result bisect_search(size_t count, bisect_works works, void *owner,
				 struct bisect_set *needed);

#endif
