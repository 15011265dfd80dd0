/*
 * cli/live_machine.h - a recorded machine that runs again, together with its tape
 *
 * Ticks tie them: the TSC counts them, and each event says its TSC. The machine is at a place
 * between two instructions of L1 or L2 (guest_walk.h), and the timeline's cursor is before the
 * first event that is still to come there; so the state of the tape is that of the machine.
 * Registers and memory at the cursor come from the machine. Blocks that it sends are compared with
 * the tape's, with one processor.
 *
 * With several processors the place is that of one of them, until another one is asked for, or
 * stops.
 */
#ifndef CLI_LIVE_MACHINE_H
#define CLI_LIVE_MACHINE_H

#include "cli/guest_walk.h"
#include "replay/memory_state.h"
#include "recorder/capture.h"
#include "replay/timeline.h"

#define LIVE_PAGES    64
#define LIVE_MAX_TEXT 16384

struct live_page {
	u64 address; /* all ones: the slot is free */
	u8 bytes[4096];
};

/* When L2 was entered and left on a processor, by ticks. */
struct live_switches {
	u64 *ticks;
	size_t count, room;
};

/* What a processor is at that is not the one that counts. */
struct live_other {
	bool is_asked;
	bool is_known;
	u64 tick; /* before that instruction */
	char registers[LIVE_MAX_TEXT];
};

struct live_machine {
	struct timeline *timeline;
	struct bochs_setup setup;
	struct guest_walk walk;
	struct debugger_watcher watcher;
	bool (*poll)(void *owner);
	void *owner;
	struct memory_machine memory;
	struct live_switches *entries, *exits; /* of each processor */
	unsigned cpus;
	struct capture *sent; /* what it sends, again */
	char *sent_path;
	u64 compared;		    /* blocks of that */
	bool differs;		    /* from the tape: it goes another way */
	u64 synced_from, synced_to; /* ticks for which the cursor is right */
	bool has_rsp, has_registers;
	u64 rsp;
	char registers[LIVE_MAX_TEXT];
	struct live_other *others; /* of each processor */
	struct live_page pages[LIVE_PAGES];
};

/*
 * Start the machine of @timeline's tape, and put it where the cursor is: at the tape's begin, where
 * L1 begins. Files go to folder @work. @poll, asked now and then, says whether to stop. Dies when
 * the machine cannot run again as it did.
 */
void live_machine_start(struct live_machine *live, struct timeline *timeline, const char *work,
			bool (*poll)(void *owner), void *owner);
void live_machine_stop(struct live_machine *live);

/* The level that runs on processor @cpu at @tick. */
u8 live_machine_level(const struct live_machine *live, unsigned cpu, u64 tick);

/* RSP of the level that runs; cheaper than all registers. */
bool live_machine_rsp(struct live_machine *live, u64 *rsp);

/* The next tick above @tick, or the last below, at which hv enters @level there; 0: none. */
u64 live_machine_switch(const struct live_machine *live, u64 tick, u8 level, enum guest_way way);

/* As the functions of guest_walk.h; the cursor follows. */
enum status live_machine_step(struct live_machine *live, enum guest_way way);
enum status live_machine_run(struct live_machine *live, enum guest_way way,
			     const struct guest_breaks *breaks, u64 limit, u64 *watched);
enum status live_machine_to(struct live_machine *live, unsigned cpu, u64 tick, enum guest_way way);

/*
 * By one instruction of processor @cpu, which is not the one that counts, and then is. Where hv
 * runs on it, it is at the instruction that led there.
 */
enum status live_machine_step_other(struct live_machine *live, unsigned cpu, enum guest_way way);

/*
 * To the instruction of the event at the cursor, or of the first one behind that has one: before
 * it, but behind the entry where it is one of L2. ST_NOT_FOUND: it is not executed there, and the
 * machine is where it should be.
 */
enum status live_machine_follow(struct live_machine *live);

#endif
