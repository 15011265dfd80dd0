/*
 * gdbstub/gdb_points.h - what becomes of breakpoints when gdb lets the debuggee go on
 */
#ifndef GDBSTUB_GDB_POINTS_H
#define GDBSTUB_GDB_POINTS_H

#include "gdbstub/session.h"

/* The point that is number @number of the target's; NULL: none. */
const struct gdb_session_point *gdb_points_find(const struct gdb_session *session, int number);

/* Tell the user once what a point will do, where that is not what he thinks. */
void gdb_points_tell(struct gdb_session *session, u16 cpu);

/* Whether gdb wants to stop where perhaps nothing ever comes by: going on is one event then. */
bool gdb_points_lost(const struct gdb_session *session, u16 cpu);

/*
 * gdb takes its breakpoints away whenever it has stopped, and sets those that are still wanted
 * before it goes on: only now is it known which those are.
 */
void gdb_points_forget(struct gdb_session *session);

/*
 * Whether the point that stopped the debuggee has conditions, and none holds here. One that cannot
 * be judged holds.
 */
bool gdb_points_pass(const struct gdb_session *session, const struct gdb_stop *stop);

/* Give back what points hold. */
void gdb_points_free(struct gdb_session *session);

#endif
