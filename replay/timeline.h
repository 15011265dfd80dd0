/*
 * replay/timeline.h - a tape with a cursor that moves both ways
 *
 * The cursor stands before an event, @N; the state is what all events before it made: the same
 * however the cursor came there. Everything that shows a tape interactively shares one timeline,
 * and breaks belong to it. Not for several threads at a time.
 *
 * A damaged block has one event, its gap, for all of its numbers: the cursor is never inside.
 */
#ifndef REPLAY_TIMELINE_H
#define REPLAY_TIMELINE_H

#include "replay/cpu_facts.h"
#include "replay/finding.h"
#include "replay/history.h"
#include "replay/model.h"
#include "replay/query.h"
#include "replay/reader.h"

struct timeline;

/*
 * Open the tape @path; the cursor is before the first event. Fails as reader_open() does, with a
 * line in @error; *@timeline is NULL then.
 */
enum status timeline_open(const char *path, struct timeline **timeline, char *error, size_t size);

/* Likewise @size bytes in memory, which stay the caller's. @name is for @error. */
enum status timeline_open_memory(const char *name, const void *bytes, size_t size,
				 struct timeline **timeline, char *error, size_t error_size);
void timeline_close(struct timeline *timeline);

/*
 * A second reader of the tape, to look around without moving the cursor. It is the timeline's; any
 * other function of the timeline may move it.
 */
struct reader *timeline_reader(struct timeline *timeline);

/* The end of @N. */
u64 timeline_events(const struct timeline *timeline);

/* --- the cursor ------------------------------------------------------------------------------- */

/* Where it is: before event @N, or timeline_events(): behind the last one. */
u64 timeline_tell(const struct timeline *timeline);

/* Grows with every move, so that observers know that they are out of date. */
u64 timeline_moves(const struct timeline *timeline);

/*
 * Put the cursor before event @n; inside a damaged block, behind it. ST_RANGE when @n is more than
 * timeline_events(). The first time that it goes far, an index of the tape is made, if it is not
 * there yet: ST_INTERRUPTED when the poll ends that; the cursor has not moved then. ST_NO_MEMORY:
 * the cursor is somewhere, with a state that is right for it.
 */
enum status timeline_seek(struct timeline *timeline, u64 n);

/*
 * The same for a look at one VMX instruction, where an index of a long tape is not worth its time:
 * if there is none, and replay/glance.h can tell, the state is that of the instruction's CPU, its
 * current VMCS and capabilities alone, until the cursor moves again.
 */
enum status timeline_glance(struct timeline *timeline, u64 n);

/* The event at the cursor, NULL behind the last. It holds until the cursor moves. */
const struct trace_event *timeline_event(struct timeline *timeline);

/* The state before that event. It holds until the cursor moves. Never NULL. */
const struct model *timeline_model(struct timeline *timeline);

/* What CPUID shows to the CPU of that event; behind the last event, to CPU 0. */
const struct cpu_facts *timeline_cpu_facts(struct timeline *timeline);

/* A number for the whole state and the place: the same in the same place, however one came there.
 */
u64 timeline_hash(struct timeline *timeline);

/* --- running ---------------------------------------------------------------------------------- */

enum timeline_way { TIMELINE_FORWARD, TIMELINE_BACKWARD };

enum timeline_break_kind {
	/* These stop with the cursor before the event, whichever way it came. */
	BREAK_RIP,     /* an event at @address */
	BREAK_RANGE,   /* at [@address, @end), where the last of its CPU and level was not */
	BREAK_QUERY,   /* an event that matches @query */
	BREAK_EVENT,   /* any event, of that CPU and level */
	BREAK_FINDING, /* the last evidence of a finding: of all, or of number @address, from 1 */
	/* These stop when the cursor has passed the event: behind it, and backwards, before it. */
	BREAK_FIELD, /* one that writes @field of @vmcs; gaps and key frames write nothing */
	/*
	 * One that makes a byte of [@address, @end), physical addresses of @level, another than it
	 * was known to be.
	 */
	BREAK_MEMORY,
};

struct timeline_break {
	enum timeline_break_kind kind;
	u8 level; /* 1 or 2: who executed; 0: any */
	int cpu;  /* -1: any */
	u64 address;
	u64 end;
	const struct query *query; /* of timeline_reader()'s schema; outlives the break */
	u64 vmcs;		   /* HISTORY_ANY_VMCS: any */
	int field;		   /* enum vmcs_index */
};

/* The number of the new break, from 1; below 0 when it makes no sense or there is no memory. */
int timeline_break_add(struct timeline *timeline, const struct timeline_break *how);
void timeline_break_remove(struct timeline *timeline, int id);

/* The break with the next number above @id, 0 when there is none: begin with 0. */
int timeline_break_next(const struct timeline *timeline, int id);
/* NULL when there is no such break. */
const struct timeline_break *timeline_break_get(const struct timeline *timeline, int id);

enum timeline_stop_why {
	STOP_STEP,  /* @limit events were passed */
	STOP_BREAK, /* @id */
	STOP_BEGIN, /* no event is before the cursor ... */
	STOP_END,   /* ... or at it */
	STOP_INTERRUPTED,
	STOP_ERROR, /* what timeline_run() returns says more */
};

struct timeline_stop {
	enum timeline_stop_why why;
	int id;
};

/*
 * Move by at least one event, where there is one, and at most @limit (0: any number), to the first
 * place where a break stops; of several breaks, the one with the lowest number. Without breaks a
 * limit of 1 is a step. When it was interrupted, nothing before the cursor would have stopped.
 */
enum status timeline_run(struct timeline *timeline, enum timeline_way way, u64 limit,
			 struct timeline_stop *stop);

/*
 * @poll is asked now and then during anything long, with how much of @total is done; when it says
 * true, that ends: with ST_INTERRUPTED, or STOP_INTERRUPTED. NULL: no poll.
 */
void timeline_on_poll(struct timeline *timeline, bool (*poll)(void *owner, u64 done, u64 total),
		      void *owner);

/* --- looking, without moving the cursor ------------------------------------------------------- */

/*
 * As position_resolve() of replay/position.h, but by the index and the findings that are there:
 * without a pass over the tape, once they are. The cursor stays.
 */
enum status timeline_resolve(struct timeline *timeline, const char *text, u64 *n, char *error,
			     size_t size);

/* The findings of the whole tape, made by the first call. They stay the timeline's. */
enum status timeline_findings(struct timeline *timeline, const struct findings **findings);

/* The number of the last event that @finding rests on; false when it rests on none. */
bool timeline_finding_place(const struct finding *finding, u64 *n);

/*
 * What wrote field @index (enum vmcs_index) of @vmcs before event @n, back through time; parts of
 * the tape that wrote nothing there are passed over. The history is the caller's, and uses
 * timeline_reader(). ST_NO_MEMORY, ST_INTERRUPTED.
 */
enum status timeline_history(struct timeline *timeline, u64 vmcs, int index, u64 n,
			     struct history **history);

/*
 * The last event before @n that wrote any bit of field @index (enum vmcs_index) of @vmcs, as
 * struct history gives it: a gap, or a key frame that shows another value, may be the answer too.
 * ST_NOT_FOUND.
 */
enum status timeline_last_writer(struct timeline *timeline, u64 vmcs, int index, u64 n,
				 struct history_write *write);

/*
 * Answers a question about a field of @vmcs before event @n, as history_answer() of that history;
 * behind timeline_glance() of @n without an index. Likewise.
 */
enum status timeline_answer(struct timeline *timeline, u64 vmcs, u64 n,
			    struct history_question *question);

/* The first match at @from or behind, or the last one before @from. ST_NOT_FOUND. */
enum status timeline_next_match(struct timeline *timeline, const struct query *query, u64 from,
				enum timeline_way way, u64 *n);

#endif
