/*
 * cli/bochs_debugger.h - the dialogue with the debugger of a Bochs
 *
 * Bochs counts time in ticks, which are instructions but for processors that halt. It stops between
 * two of them, reads commands, and can be copied there (bochs_preload.c): the copy is a machine of
 * its own. Text comes mixed with what the guest writes to port E9.
 *
 * Of several processors, one is looked at: places are its own, and time is counted by its
 * instructions; bochs_rounds.c runs them.
 */
#ifndef CLI_BOCHS_DEBUGGER_H
#define CLI_BOCHS_DEBUGGER_H

#include "base/status.h"
#include "cli/bochs.h"
#include "cli/bochs_text.h"

#define DEBUGGER_MAX_TEXT    131072 /* of what is said last */
#define DEBUGGER_MAX_BREAKS  14	    /* Bochs has room for 16 */
#define DEBUGGER_MAX_WATCHES 8	    /* Bochs has room for 16 of each kind */
#define DEBUGGER_MAX_TIMES   3	    /* Bochs has room for 5 */

struct debugger_watcher {
	/* What the guest writes to port E9. May be NULL. */
	void (*hear)(void *owner, const void *bytes, size_t size);
	/* Asked several times a second while a machine runs; true: it must stop. May be NULL. */
	bool (*poll)(void *owner);
	void *owner;
};

struct debugger_break {
	u64 address; /* linear */
	unsigned id; /* as Bochs counts */
};

struct debugger_watch {
	u64 address; /* physical */
	u64 size;
	bool read, write;
};

struct debugger {
	struct bochs bochs; /* of a copy, log and serial pipe are the original's */
	const struct debugger_watcher *watcher;
	struct debugger_place place;
	unsigned cpus;
	unsigned cpu;	/* that is looked at */
	bool all_break; /* breaks and watches stop whichever it is, and then that one is looked at
			 */
	bool is_copy;
	char *text; /* what was said since the last command, as far as it has room */
	size_t length;
	size_t heard;	      /* of it, by the watcher */
	unsigned prompts;     /* among that */
	unsigned next_id;     /* of a break */
	unsigned break_count; /* that are set */
	struct debugger_break breaks[DEBUGGER_MAX_BREAKS];
	unsigned watch_count;
	struct debugger_watch watches[DEBUGGER_MAX_WATCHES];
	bool stops_at_exits;
	unsigned exits_of; /* this processor, then */
	unsigned time_count;
	u64 times[DEBUGGER_MAX_TIMES]; /* ticks where it stops */
};

/*
 * Start a Bochs that waits before its first instruction; @setup->waits is taken as set. Dies when
 * that fails. @watcher outlives it.
 */
void debugger_start(const struct bochs_setup *setup, const struct debugger_watcher *watcher,
		    struct debugger *debugger);

/*
 * Kill it, and wait until it is gone. Nothing happens to one that is all zeros. *@end, of one that
 * is no copy, becomes its last words; NULL: nobody wants them.
 */
void debugger_stop(struct debugger *debugger, struct bochs_end *end);

/* Make *@copy another machine in the same state; its pipes go to folder @work. ST_IO. */
enum status debugger_copy(struct debugger *debugger, const char *work, struct debugger *copy);

/*
 * A command that lets no instruction run: @debugger->text becomes the answer. ST_IO: Bochs has
 * ended, or does not answer.
 */
enum status debugger_ask(struct debugger *debugger, const char *command);

/*
 * On, to what is set to stop it. ST_INTERRUPTED: the watcher's poll stopped it somewhere.
 * ST_UNSUPPORTED: several processors, and a Bochs whose insides are not known.
 */
enum status debugger_continue(struct debugger *debugger);

/* One instruction, or the delivery of an event, or a wait. */
enum status debugger_step(struct debugger *debugger);

/*
 * On to @tick, or where first a processor has it: a wait goes beyond. Ends earlier at a break, a
 * watch or a VM exit, if those are set; with a watch also at times of earlier runs, where Bochs
 * does not tell whether the watch was met too. ST_NO_SPACE: too many earlier runs ended early.
 */
enum status debugger_run_to(struct debugger *debugger, u64 tick);

#endif
