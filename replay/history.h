/*
 * replay/history.h - who wrote a VMCS field, back through time
 *
 * Goes from a position towards the start of the tape and gives everything that says what the field
 * became: VMWRITEs that succeeded, what VM entries and exits changed, writes that no instruction
 * made, key frames that differ from what was written before, and gaps, in which anything may have
 * happened.
 */
#ifndef REPLAY_HISTORY_H
#define REPLAY_HISTORY_H

#include "replay/model.h"
#include "replay/reader.h"

enum history_origin {
	HISTORY_VMWRITE,
	HISTORY_ENTRY,
	HISTORY_EXIT,
	HISTORY_MEMORY, /* L1 wrote to the region itself; the event is when that was noticed */
	HISTORY_ERROR,	/* VM-instruction error */
	HISTORY_SHADOW, /* a VMWRITE that did not exit; the event is when hv looked */
	HISTORY_FRAME,	/* a key frame has another value than the last write */
	HISTORY_GAP,	/* events are missing: nothing is written, older values mean nothing */
};

struct history_write {
	struct model_place place;
	u8 origin;     /* enum history_origin */
	u64 since_tsc; /* MEMORY, SHADOW: it was written behind this, and before @place; else 0 */
	u64 mask;      /* the bits that were written; a whole field, or a part of it */
	u64 value;     /* of these bits */
};

#define HISTORY_ANY_VMCS (~0ull)

/* What event number @n writes to field @index of the VMCS at @vmcs; false: nothing. */
bool history_take(const struct trace_event *event, u64 n, u64 vmcs, int index,
		  struct history_write *write);

struct history;

/*
 * The history of field @index (enum vmcs_index) of the VMCS at @vmcs, before event @n. @reader
 * outlives it. NULL when there is no memory.
 */
struct history *history_new(struct reader *reader, u64 vmcs, int index, u64 n);
void history_free(struct history *history);

/*
 * Let @before say where to read next: it moves *@first and *@end, which is where reading began
 * last, back to a part of the tape, all of what is between having nothing that matters to this
 * history; false when there is no more. @owner, from malloc(), is the history's from then on.
 */
void history_skip(struct history *history, bool (*before)(void *owner, u64 *first, u64 *end),
		  void *owner);

/*
 * Let @older read the tape instead: it gives history_put() what a part of it wrote, oldest first,
 * before all that it gave in calls before. ST_END: there is nothing older. @owner outlives it.
 */
void history_from(struct history *history,
		  enum status (*older)(void *owner, struct history *history), void *owner);
enum status history_put(struct history *history, const struct history_write *write);

/* The next older one, ST_END before the first, ST_NO_MEMORY. */
enum status history_next(struct history *history, struct history_write *write);

/* Which write made bits of a field what they are. */
struct history_question {
	int index; /* enum vmcs_index */
	u64 mask;  /* the bits, in the field */
	bool found;
	struct history_write write; /* the answer; a gap: it is lost there */
};

/*
 * Answers a question about the field of @history: the last write that changed one of the bits, or,
 * without a change, the first that wrote them. ST_NO_MEMORY.
 */
enum status history_answer(struct history *history, struct history_question *question);

/* "vmwrite", "exit" ... */
const char *history_origin_name(unsigned origin);

#endif
