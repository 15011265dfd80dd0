/*
 * cli/guest_walk.h - instructions of L1 and L2 in a machine in Bochs, one by one in both directions
 *
 * A place is between two instructions of the guests: what hv does meanwhile belongs to none. Where
 * hv handled an exit that the guests do not know of, and the instruction began anew, that is one.
 * An iteration of a repeated string instruction is an instruction, as it is to the trap flag. A
 * halted processor is at a place too, and its wait is one step.
 *
 * With several processors places are those of one of them, and so are ticks; the others run along.
 */
#ifndef CLI_GUEST_WALK_H
#define CLI_GUEST_WALK_H

#include "cli/hv_code.h"
#include "cli/machine_time.h"

struct guest_walk {
	struct machine_time machine;
	struct hv_code hv;
	u64 first, last; /* ticks: of the first place, and behind the last */
	struct debugger_watcher watcher;
	const struct debugger_watcher *given;
	bool deaf; /* on the way back from where it was interrupted */
};

enum guest_way { WALK_FORWARD, WALK_BACKWARD };

/*
 * Start the machine of @setup with the hypervisor image @hv and go to its first place. @last is a
 * tick behind which nothing is of interest. ST_IO, ST_INTERRUPTED; Bochs has ended then.
 */
enum status guest_walk_start(struct guest_walk *walk, const struct bochs_setup *setup,
			     const struct debugger_watcher *watcher, const char *hv, u64 last);
void guest_walk_stop(struct guest_walk *walk);

static inline const struct debugger_place *guest_walk_place(const struct guest_walk *walk)
{
	return &walk->machine.now.place;
}

/*
 * To the next place, or to the one before. Each of these leaves it at a place. ST_END: there is
 * none that way; it stays where it was. The same when it is interrupted: ST_INTERRUPTED.
 * ST_IO: Bochs fails.
 */
enum status guest_walk_step(struct guest_walk *walk, enum guest_way way);

/*
 * Backward: to the last place of processor @cpu before @tick; forward: to the first one at @tick or
 * behind.
 */
enum status guest_walk_to(struct guest_walk *walk, unsigned cpu, u64 tick, enum guest_way way);

/* To the next place of processor @cpu, or the one before that. */
enum status guest_walk_turn(struct guest_walk *walk, unsigned cpu, enum guest_way way);

/* Says whether to stop at @place. */
typedef bool (*guest_walk_stops)(void *owner, const struct debugger_place *place);

struct guest_breaks {
	u64 addresses[DEBUGGER_MAX_BREAKS]; /* linear ones, of code */
	unsigned count;
	guest_walk_stops stops; /* whether to stop at that place, which has one of them */
	void *owner;
	struct debugger_watch watches[DEBUGGER_MAX_WATCHES]; /* these always stop */
	unsigned watch_count;
};

/*
 * By at least one step to the next place where a break stops: at an address; behind an instruction
 * that does what is watched or, backward, before it, and then *@watched is the address of the watch
 * (else 0). Also hv may do it, for L1; and any processor, which then is the one that counts. @limit
 * is a tick (0: none): forward, ST_NOT_FOUND at the first place there; backward, at the first place
 * behind it. ST_END: there is no break, and it went to the last place that way. ST_INTERRUPTED:
 * forward, it came as far as it is; backward, it stays.
 */
enum status guest_walk_run(struct guest_walk *walk, enum guest_way way,
			   const struct guest_breaks *breaks, u64 limit, u64 *watched);

#endif
