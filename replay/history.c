#include "replay/history.h"

#include <stdlib.h>

#include "replay/array.h"

#define CHUNK 100000 /* events that are read at a time, forwards */

struct history {
	struct reader *reader;
	u64 vmcs;
	int index;
	u64 start;		    /* events from here on were read */
	struct history_write *list; /* of the chunk that was read last, oldest first */
	size_t count;		    /* those that were not given yet */
	size_t room;
	bool (*before)(void *owner, u64 *first, u64 *end);	    /* NULL: the next CHUNK */
	void *owner;						    /* from malloc() */
	enum status (*older)(void *owner, struct history *history); /* NULL: the reader is read */
	void *older_owner;
};

struct history *history_new(struct reader *reader, u64 vmcs, int index, u64 n)
{
	struct history *const history = calloc(1, sizeof(*history));

	if (!history)
		return NULL;
	history->reader = reader;
	history->vmcs = vmcs;
	history->index = index;
	history->start = n;
	return history;
}

void history_skip(struct history *history, bool (*before)(void *owner, u64 *first, u64 *end),
		  void *owner)
{
	history->before = before;
	history->owner = owner;
}

void history_from(struct history *history,
		  enum status (*older)(void *owner, struct history *history), void *owner)
{
	history->older = older;
	history->older_owner = owner;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	free(history->owner);
	free(history->list);
	free(history);
}

enum status history_put(struct history *history, const struct history_write *write)
{
	if (!array_reserve(&history->list, &history->room, history->count, 1,
			   sizeof(*history->list)))
		return ST_NO_MEMORY;
	history->list[history->count++] = *write;
	return ST_OK;
}

/* --- what an event writes --------------------------------------------------------------------- */

/* A field of a VMCS. */
struct target {
	u64 vmcs; /* HISTORY_ANY_VMCS: of any */
	int index;
};

static bool is_of(const struct target *target, u64 vmcs)
{
	return target->vmcs == vmcs || target->vmcs == HISTORY_ANY_VMCS;
}

static bool take_item(const struct target *target, const struct trace_event *event,
		      struct history_write *write)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == vmcs_fields[target->index].encoding) {
			write->value = event->items[i].value;
			return true;
		}
	return false;
}

static bool take_vmwrite(const struct target *target, const struct trace_event *event,
			 struct history_write *write)
{
	const struct ev_vmwrite *const insn = (const struct ev_vmwrite *)event->col;
	const bool wide = (insn->mode >> MODE_LMA & 1) && (insn->mode >> MODE_CS_L & 1);

	if (!is_of(target, insn->vmcs) || insn->outcome != OUTCOME_SUCCEED ||
	    vmcs_access_index(insn->field) != target->index)
		return false;
	write->origin = HISTORY_VMWRITE;
	write->value = vmcs_write_result(target->index, 0, insn->field, wide, insn->value);
	if (vmcs_encoding_is_high(insn->field))
		write->mask = MASK(63, 32);
	return true;
}

static bool take_vmcs12_write(const struct target *target, const struct trace_event *event,
			      struct history_write *write)
{
	const struct ev_vmcs12_write *const change = (const struct ev_vmcs12_write *)event->col;

	if (!is_of(target, change->vmcs) || vmcs_field_index(change->field) != target->index)
		return false;
	write->origin = change->origin == ORIGIN_MEMORY	  ? HISTORY_MEMORY
			: change->origin == ORIGIN_SHADOW ? HISTORY_SHADOW
			: change->origin == ORIGIN_ERROR  ? HISTORY_ERROR
							  : HISTORY_MEMORY;
	write->value = change->value;
	if (write->origin != HISTORY_ERROR)
		write->since_tsc = change->since_tsc;
	return true;
}

static bool take_exit(const struct target *target, const struct trace_event *event,
		      struct history_write *write)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)event->col;

	write->origin = HISTORY_EXIT;
	write->value = exit->reason;
	return is_of(target, exit->vmcs) &&
	       (target->index == VMCS_IX_EXIT_REASON || take_item(target, event, write));
}

static bool take_error(const struct target *target, const struct trace_event *event,
		       struct history_write *write)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;

	write->origin = HISTORY_ERROR;
	write->value = insn->error;
	return is_of(target, insn->vmcs) && target->index == VMCS_IX_VM_INSTRUCTION_ERROR;
}

static bool take(const struct target *target, const struct trace_event *event,
		 struct history_write *write)
{
	if (trace_event_fails_valid(event))
		return take_error(target, event, write);
	switch (event->kind) {
	case EV_VMWRITE:
		return take_vmwrite(target, event, write);
	case EV_VMCS12_WRITE:
		return take_vmcs12_write(target, event, write);
	case EV_L2_EXIT:
		return take_exit(target, event, write);
	case EV_L2_ENTRY:
		write->origin = HISTORY_ENTRY;
		return is_of(target, ((const struct ev_l2_entry *)event->col)->vmcs) &&
		       take_item(target, event, write);
	case EV_VMCS_IMAGE:
		write->origin = HISTORY_FRAME;
		return is_of(target, ((const struct ev_vmcs_image *)event->col)->vmcs) &&
		       take_item(target, event, write);
	case EV_GAP:
		write->origin = HISTORY_GAP;
		write->mask = 0;
		return true;
	default:
		return false;
	}
}

bool history_take(const struct trace_event *event, u64 n, u64 vmcs, int index,
		  struct history_write *write)
{
	const struct target target = { vmcs, index };

	*write = (struct history_write){ .mask = vmcs_width_mask(vmcs_fields[index].width) };
	if (!take(&target, event, write))
		return false;
	write->place = model_place_of(event, n);
	write->value &= write->mask;
	return true;
}

static enum status read_chunk(struct history *history)
{
	u64 end = history->start, first = end > CHUNK ? end - CHUNK : 0, n;
	const struct trace_event *event;
	enum status status;

	if (history->older) {
		status = history->older(history->older_owner, history);
		history->start = status != ST_END;
		return status == ST_END ? ST_OK : status;
	}
	if (history->before && !history->before(history->owner, &first, &end)) {
		history->start = 0;
		return ST_OK;
	}
	status = reader_seek(history->reader, first);
	while (status == ST_OK && (n = reader_tell(history->reader)) < end &&
	       reader_next(history->reader, &event) == ST_OK) {
		struct history_write write;

		if (history_take(event, n, history->vmcs, history->index, &write))
			status = history_put(history, &write);
	}
	history->start = first;
	return status;
}

/* --- back through time ------------------------------------------------------------------------ */

/* The one before those given, without taking it away. */
static enum status peek(struct history *history, struct history_write *write)
{
	enum status status = ST_OK;

	while (!history->count && history->start && status == ST_OK)
		status = read_chunk(history);
	if (status != ST_OK)
		return status;
	if (!history->count)
		return ST_END;
	*write = history->list[history->count - 1];
	return ST_OK;
}

/* A key frame repeats what was written before, as a rule: then it says nothing. */
enum status history_next(struct history *history, struct history_write *write)
{
	struct history_write older;
	enum status status = peek(history, write);

	while (status == ST_OK) {
		history->count--;
		if (write->origin != HISTORY_FRAME)
			break;
		status = peek(history, &older);
		if (status == ST_END)
			return ST_OK;
		if (status == ST_OK && ((older.value ^ write->value) & older.mask))
			break;
		if (status == ST_OK && older.origin == HISTORY_GAP)
			break;
		*write = older;
	}
	return status;
}

/* --- which write ------------------------------------------------------------------------------ */

/* Writes take a whole field, or half of one. */
struct half {
	u64 mask; /* the bits that are asked for */
	bool found;
	bool settled;		    /* an older write, or a gap, says that @write is the one */
	struct history_write write; /* the oldest so far after which they stayed as they are */
};

static void take_older(struct half *half, const struct history_write *older)
{
	const bool gap = older->origin == HISTORY_GAP;

	if (!half->mask || (!gap && !(older->mask & half->mask)))
		return;
	half->settled = gap || (half->found && (older->value ^ half->write.value) & half->mask);
	if (half->found && half->settled)
		return;
	half->found = true;
	half->write = *older;
}

enum status history_answer(struct history *history, struct history_question *question)
{
	struct half halves[] = {
		{ .mask = question->mask & MASK(31, 0) },
		{ .mask = question->mask & MASK(63, 32) },
	};
	enum status status = ST_OK;
	struct history_write older;
	bool settled = false;

	while (!settled && (status = history_next(history, &older)) == ST_OK)
		for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
			take_older(&halves[i], &older);
			settled |= halves[i].settled;
		}
	question->found = false;
	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		if (!halves[i].found || halves[i].settled != settled ||
		    (question->found && halves[i].write.place.n < question->write.place.n))
			continue;
		question->found = true;
		question->write = halves[i].write;
	}
	return status == ST_END ? ST_OK : status;
}

const char *history_origin_name(unsigned origin)
{
	static const char *const names[] = {
		[HISTORY_VMWRITE] = "vmwrite", [HISTORY_ENTRY] = "entry",
		[HISTORY_EXIT] = "exit",       [HISTORY_MEMORY] = "memory",
		[HISTORY_ERROR] = "error",     [HISTORY_FRAME] = "key_frame",
		[HISTORY_GAP] = "gap",	       [HISTORY_SHADOW] = "shadow",
	};

	return origin < ARRAY_SIZE(names) ? names[origin] : "unknown";
}
