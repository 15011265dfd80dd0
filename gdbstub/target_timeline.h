/*
 * gdbstub/target_timeline.h - a tape as what gdb debugs: the ops of target.h over a timeline
 *
 * gdb's place is the timeline's cursor, so that whoever else shows the timeline moves along. gdb
 * stops at events that have an address: instructions of L1, entries and exits of L2. The others
 * (key frames, memory, lines of the console) are passed over.
 */
#ifndef GDBSTUB_TARGET_TIMELINE_H
#define GDBSTUB_TARGET_TIMELINE_H

#include "gdbstub/target.h"
#include "replay/memory_walk.h"
#include "replay/registers.h"

/*
 * Where fields of the current VMCS can be read and watched as memory, each 8 bytes: field E (its
 * encoding) at GDB_VMCS_WINDOW + 8 * E. No linear address of x86-64 and no physical one is there.
 */
#define GDB_VMCS_WINDOW		0x564d435300000000ull
#define GDB_VMCS_WINDOW_SIZE	(8 * 0x8000ull)

#define GDB_MAX_WATCHES		16
#define GDB_MAX_EVENT_ADDRESSES 16
#define GDB_MAX_BOOKMARKS	64
#define GDB_MAX_BOOKMARK_NAME	32

/* Where addresses of memory belong: by the thread, or physical ones of a level. */
enum gdb_phys { GDB_PHYS_OFF, GDB_PHYS_L1, GDB_PHYS_L2 };

struct gdb_tape_point {
	bool is_used;
	bool is_break; /* of an address of code */
	int ids[2];    /* of the timeline's breaks; 0: none */
	struct query *query;
	u8 kind; /* enum gdb_point_kind */
	u64 address, end;
};

struct gdb_tape_watch {
	int id; /* of the timeline's break; 0: the slot is free */
	int field;
	u64 vmcs;
};

struct gdb_tape_bookmark {
	char name[GDB_MAX_BOOKMARK_NAME]; /* "": the slot is free */
	u64 n;
};

/* Which addresses are those of events, as far as it was asked. */
struct gdb_tape_known {
	u64 address;
	u8 level; /* 0: the slot is free */
	bool has_event;
};

struct gdb_tape {
	struct timeline *timeline;
	gdb_verb verb;
	void *owner;
	enum gdb_phys phys;
	bool old_stack;		/* also stack that may have changed since it was seen */
	bool between;		/* the place may be anywhere before the event that is next */
	struct gdb_thread last; /* the thread of the last event that was looked at */
	u64 stopped_at;		/* @N of the last two stops */
	u64 stopped_before;
	u64 stopped_for; /* address of the GDB_POINT_RANGE that stopped there; 0: it was none */
	struct gdb_tape_point points[GDB_MAX_POINTS];
	struct gdb_tape_watch watches[GDB_MAX_WATCHES];
	struct gdb_tape_bookmark bookmarks[GDB_MAX_BOOKMARKS];
	struct gdb_tape_known known[256];
	u64 registers_moves; /* timeline_moves() + 1 for which these are */
	struct gdb_thread registers_thread;
	struct registers registers;
};

/* @tape is the caller's memory, @timeline too; it goes on to the first event with an address. */
void gdb_tape_start(struct gdb_tape *tape, struct timeline *timeline, gdb_verb verb, void *owner);
/* Takes its breaks off the timeline. */
void gdb_tape_stop(struct gdb_tape *tape);

extern const struct gdb_target_ops gdb_tape_ops;

/* --- for the parts of the target -------------------------------------------------------------- */

/* Whether gdb can stop at @event: it is at an address. */
bool gdb_tape_has_address(struct gdb_tape *tape, const struct trace_event *event);
struct gdb_thread gdb_tape_current(void *target);

/* tape_state.c */
bool gdb_tape_read_register(void *target, struct gdb_thread thread, unsigned number, u64 *value);
bool gdb_tape_has_register(void *target, unsigned number);
size_t gdb_tape_read_memory(void *target, struct gdb_thread thread, u64 address, u8 *to,
			    size_t size);
/* Where the addresses of @thread are, as `monitor phys` says. */
enum memory_space gdb_tape_space(const struct gdb_tape *tape, struct gdb_thread thread);
void gdb_tape_name(void *target, struct gdb_thread thread, char *to);
void gdb_tape_about(void *target, struct gdb_thread thread, char *to);

/* tape_points.c */
int gdb_tape_insert(void *target, const struct gdb_point *point, enum gdb_point_kind *kind,
		    char *text);
void gdb_tape_remove(void *target, int number);
bool gdb_tape_is_return(void *target, struct gdb_thread thread, u64 address);
/*
 * Into @to of GDB_MAX_EVENT_ADDRESSES: where events of @level are, in the symbol around @address,
 * ascending. As many as there is room for: there may be more.
 */
unsigned gdb_tape_event_addresses(struct gdb_tape *tape, u8 level, u64 address, u64 *to);
/* The point that break @id of the timeline belongs to, -1: none. */
int gdb_tape_point_of(const struct gdb_tape *tape, int id);

/* monitor.c */
bool gdb_tape_monitor(void *target, const char *command, gdb_print print, void *to);

#endif
