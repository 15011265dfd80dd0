/*
 * replay/memory_text.h - translations of addresses as text
 */
#ifndef REPLAY_MEMORY_TEXT_H
#define REPLAY_MEMORY_TEXT_H

#include "replay/memory_walk.h"

#define MEMORY_TEXT_MAX 160

/* "l1", "l1p", "l2", "l2p". */
const char *memory_space_name(enum memory_space space);

/* The space that @name names; false when none. */
bool memory_space_find(const char *name, enum memory_space *space);

/*
 * One entry: "  EPT PDPTE  gpa1 0x101000  0x0000000000102007  read write execute". Those of EPT12
 * are indented, for they translate what the others lead to.
 */
void memory_step_text(const struct memory_step *step, char *to, size_t size);

/* What comes of it: "gpa1 0x7234, page of 4 KiB: write user execute", or why nothing does. */
void memory_walk_text(const struct memory_walk *walk, char *to, size_t size);

/* "mapped", "not_present" ... */
const char *memory_walk_end_name(enum memory_walk_end end);

#endif
