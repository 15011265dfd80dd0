#include "replay/history.h"

#include <stdlib.h>

#define CHUNK	  100000 /* events that are read at a time, forwards */
#define MAX_STEPS (1u << 20)

struct history {
	struct reader *reader;
	u64 vmcs;
	int index;
	u64 start;		    /* events from here on were read */
	struct history_write *list; /* of the chunk that was read last, oldest first */
	size_t count;		    /* those that were not given yet */
	size_t room;
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

void history_free(struct history *history)
{
	if (!history)
		return;
	free(history->list);
	free(history);
}

static enum status append(struct history *history, const struct history_write *write)
{
	if (history->count == history->room) {
		const size_t room = MAX(2 * history->room, (size_t)64);
		void *const list = realloc(history->list, room * sizeof(*history->list));

		if (!list)
			return ST_NO_MEMORY;
		history->list = list;
		history->room = room;
	}
	history->list[history->count++] = *write;
	return ST_OK;
}

/* --- what an event writes --------------------------------------------------------------------- */

static bool take_item(const struct history *history, const struct trace_event *event,
		      struct history_write *write)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == vmcs_fields[history->index].encoding) {
			write->value = event->items[i].value;
			return true;
		}
	return false;
}

static bool take_vmwrite(const struct history *history, const struct trace_event *event,
			 struct history_write *write)
{
	const struct ev_vmwrite *const insn = (const struct ev_vmwrite *)event->col;
	const bool wide = (insn->mode >> MODE_LMA & 1) && (insn->mode >> MODE_CS_L & 1);

	if (insn->vmcs != history->vmcs || insn->outcome != OUTCOME_SUCCEED ||
	    vmcs_access_index(insn->field) != history->index)
		return false;
	write->origin = HISTORY_VMWRITE;
	write->value = vmcs_write_result(history->index, 0, insn->field, wide, insn->value);
	if (vmcs_encoding_is_high(insn->field))
		write->mask = MASK(63, 32);
	return true;
}

static bool take_vmcs12_write(const struct history *history, const struct trace_event *event,
			      struct history_write *write)
{
	const struct ev_vmcs12_write *const change = (const struct ev_vmcs12_write *)event->col;

	if (change->vmcs != history->vmcs || vmcs_field_index(change->field) != history->index)
		return false;
	write->origin = change->origin == ORIGIN_MEMORY ? HISTORY_MEMORY : HISTORY_ERROR;
	write->value = change->value;
	return true;
}

static bool take_exit(const struct history *history, const struct trace_event *event,
		      struct history_write *write)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)event->col;

	write->origin = HISTORY_EXIT;
	write->value = exit->reason;
	return exit->vmcs == history->vmcs &&
	       (history->index == VMCS_IX_EXIT_REASON || take_item(history, event, write));
}

static bool take(const struct history *history, const struct trace_event *event,
		 struct history_write *write)
{
	switch (event->kind) {
	case EV_VMWRITE:
		return take_vmwrite(history, event, write);
	case EV_VMCS12_WRITE:
		return take_vmcs12_write(history, event, write);
	case EV_L2_EXIT:
		return take_exit(history, event, write);
	case EV_L2_ENTRY:
		write->origin = HISTORY_ENTRY;
		return ((const struct ev_l2_entry *)event->col)->vmcs == history->vmcs &&
		       take_item(history, event, write);
	case EV_VMCS_IMAGE:
		write->origin = HISTORY_FRAME;
		return ((const struct ev_vmcs_image *)event->col)->vmcs == history->vmcs &&
		       take_item(history, event, write);
	case EV_GAP:
		write->origin = HISTORY_GAP;
		write->mask = 0;
		return true;
	default:
		return false;
	}
}

static enum status read_chunk(struct history *history)
{
	const u64 end = history->start, first = end > CHUNK ? end - CHUNK : 0;
	const u64 mask = vmcs_width_mask(vmcs_fields[history->index].width);
	const struct trace_event *event;
	enum status status = reader_seek(history->reader, first);
	u64 n;

	while (status == ST_OK && (n = reader_tell(history->reader)) < end &&
	       reader_next(history->reader, &event) == ST_OK) {
		struct history_write write = { .mask = mask };

		if (!take(history, event, &write))
			continue;
		write.place = model_place_of(event, n);
		write.value &= write.mask;
		status = append(history, &write);
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

enum status history_last(struct reader *reader, u64 vmcs, int index, u64 mask, u64 n,
			 struct history_write *write)
{
	struct history *const history = history_new(reader, vmcs, index, n);
	struct history_write older;
	bool found = false;
	enum status status;

	if (!history)
		return ST_NO_MEMORY;
	mask &= vmcs_width_mask(vmcs_fields[index].width);
	for (unsigned step = 0; step < MAX_STEPS; step++) {
		status = history_next(history, &older);
		if (status != ST_OK)
			break;
		/* The bits have been what they are since the oldest of a run of writes. */
		if (found && (older.origin == HISTORY_GAP || (older.mask & mask) != mask ||
			      ((older.value ^ write->value) & mask)))
			break;
		if (older.origin != HISTORY_GAP && !(older.mask & mask))
			continue;
		*write = older;
		found = true;
		if (older.origin == HISTORY_GAP)
			break;
	}
	history_free(history);
	if (found)
		return ST_OK;
	return status == ST_NO_MEMORY ? status : ST_NOT_FOUND;
}

const char *history_origin_name(unsigned origin)
{
	static const char *const names[] = {
		[HISTORY_VMWRITE] = "vmwrite", [HISTORY_ENTRY] = "entry",
		[HISTORY_EXIT] = "exit",       [HISTORY_MEMORY] = "memory",
		[HISTORY_ERROR] = "error",     [HISTORY_FRAME] = "key_frame",
		[HISTORY_GAP] = "gap",
	};

	return origin < ARRAY_SIZE(names) ? names[origin] : "unknown";
}
