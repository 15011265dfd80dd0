/*
 * cli/gdb_rerun.h - a recorded machine that runs again, as what gdb debugs
 *
 * The second target of gdbstub/target.h: a step is an instruction of L1 or L2, registers and memory
 * are those of the machine, and the tape tells of each place which events came before. What only
 * a tape has, such as VMCS fields and the commands of `monitor`, comes from gdbstub's target for
 * tapes.
 */
#ifndef CLI_GDB_RERUN_H
#define CLI_GDB_RERUN_H

#include "cli/live_machine.h"
#include "gdbstub/target_timeline.h"

struct gdb_rerun {
	struct gdb_tape tape;
	struct live_machine live;
	struct gdb_point points[GDB_MAX_POINTS];
	bool is_used[GDB_MAX_POINTS];
	u64 gpa1[GDB_MAX_POINTS]; /* of what is watched: it is watched there */
	bool told;		  /* that the machine goes another way */
};

/* As live_machine_start(). @verb and @verb_owner are for `monitor`. */
void gdb_rerun_start(struct gdb_rerun *rerun, struct timeline *timeline, const char *work,
		     bool (*poll)(void *owner), void *owner, gdb_verb verb, void *verb_owner);
void gdb_rerun_stop(struct gdb_rerun *rerun);

extern const struct gdb_target_ops gdb_rerun_ops;

#endif
