/*
 * gdbstub/agent.h - expressions that gdb compiles: conditions of breakpoints
 *
 * gdb's manual: "The GDB Agent Expression Mechanism".
 */
#ifndef GDBSTUB_AGENT_H
#define GDBSTUB_AGENT_H

#include "gdbstub/target.h"

/* Whose registers and memory an expression is about. */
struct agent_place {
	const struct gdb_target_ops *ops;
	void *target;
	struct gdb_thread thread;
};

/*
 * The value of the expression @code. ST_INVALID: it is none, or does not end soon; ST_NOT_FOUND: a
 * register or memory that it needs is not known there.
 */
enum status agent_evaluate(const struct agent_place *place, const u8 *code, size_t size,
			   u64 *value);

#endif
