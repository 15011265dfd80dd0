/*
 * replay/l0_walk.h - the entries of EPT12 that L0 consulted for an exit
 */
#ifndef REPLAY_L0_WALK_H
#define REPLAY_L0_WALK_H

#include "trace/event.h"
#include "vmx/caps.h"

#define L0_WALK_LEVELS 4

struct l0_walk {
	u64 entry[L0_WALK_LEVELS + 1]; /* by level */
	unsigned last;		       /* the lowest level that was read */
};

/* False: the event has none. */
bool l0_walk_take(const struct trace_event *event, struct l0_walk *walk);

/*
 * What is wrong with the first entry that is misconfigured, and its level; NULL when none is. What
 * depends on mode-based execute control is left out. SDM, "EPT Misconfigurations".
 */
const char *l0_walk_misconfigured(const struct l0_walk *walk, const struct vmx_caps *caps,
				  unsigned *level);

static inline u64 l0_walk_page_size(unsigned level)
{
	return 4096ull << 9 * (level - 1);
}

/* Whether @entry maps a page, at @level. */
static inline bool l0_walk_is_leaf(unsigned level, u64 entry)
{
	return level == 1 || (level <= 3 && entry & BIT(7));
}

#endif
