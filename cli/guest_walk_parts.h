/*
 * cli/guest_walk_parts.h - what the files that move a machine by instructions of guests share
 */
#ifndef CLI_GUEST_WALK_PARTS_H
#define CLI_GUEST_WALK_PARTS_H

#include "cli/guest_walk.h"

/* Whether hv's instruction is next. */
bool guest_walk_is_hv(const struct guest_walk *walk);

/* machine_time_go() */
enum status guest_walk_go(struct guest_walk *walk, u64 tick);

/* On through hv, into a guest. */
enum status guest_walk_leave_hv(struct guest_walk *walk);

/* Back where it was at @tick, which can't be interrupted; @status stays what there is to say. */
enum status guest_walk_return(struct guest_walk *walk, u64 tick, enum status status);

/* To the last place before @tick. */
enum status guest_walk_back_from(struct guest_walk *walk, u64 tick);

/* From an instruction that began anew behind an exit to where it began first. */
enum status guest_walk_first_begin(struct guest_walk *walk);

#endif
