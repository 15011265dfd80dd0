#include "replay/nearby.h"

#include <string.h>

#include "vmx/tables.h"

#define FIRST_WINDOW 2048 /* events read before the place, at first */
#define LEAN_WINDOW  128
#define MAX_WINDOW   131072
#define MAX_AHEAD    65536 /* events read behind it */

static bool is_insn(u8 kind)
{
	return kind >= EV_VMXON && kind <= EV_CR_WRITE;
}

/* Events with a RIP that is where the guest is. */
static bool is_place(const struct trace_event *event)
{
	return is_insn(event->kind) || event->kind == EV_L2_ENTRY || event->kind == EV_L2_EXIT;
}

static bool is_entry(const struct trace_event *event)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;

	return (event->kind == EV_VMLAUNCH || event->kind == EV_VMRESUME) &&
	       insn->outcome == OUTCOME_SUCCEED;
}

static void copy_event(struct nearby_event *to, const struct trace_event *event, u64 n)
{
	to->there = true;
	to->n = n;
	to->kind = event->kind;
	to->level = event->level;
	to->rip = event->rip;
	memcpy(to->col, event->col, sizeof(to->col));
	to->item_count = MIN(event->item_count, TRACE_MAX_ITEMS);
	if (to->item_count)
		memcpy(to->items, event->items, to->item_count * sizeof(to->items[0]));
	to->code_count = event->code ? MIN(event->code_count, TRACE_MAX_CODE) : 0;
	if (to->code_count)
		memcpy(to->code, event->code, to->code_count);
}

/* --- Registers -------------------------------------------------------------------------------- */

static void take_state(struct nearby *nearby, const struct trace_event *event)
{
	if (nearby->new_block) {
		memset(nearby->state, 0, sizeof(nearby->state));
		nearby->state_whole = true;
	}
	nearby->new_block = false;
	for (u32 i = 0; i < event->item_count; i++) {
		const struct trace_item *const item = &event->items[i];
		int index;

		if (item->id < ITEM_STATE || item->id >= TRACE_MAX_ITEM_ID)
			continue;
		index = vmcs_field_index(trace_item_field(item->id));
		if (index >= 0)
			nearby->state[index] = word_of(item->value);
	}
}

static void take_regs(struct nearby *nearby, const struct trace_event *event)
{
	const struct ev_regs *const col = (const struct ev_regs *)event->col;
	struct nearby_regs *regs;

	if (col->level < 1 || col->level > 2)
		return;
	regs = &nearby->regs[col->level - 1];
	regs->there = regs->of_next = true;
	regs->col = *col;
	if (col->level == 1)
		take_state(nearby, event);
}

/* What was told since the last event of this CPU belongs to this one, and to no later one. */
static void settle_regs(struct nearby *nearby, const struct trace_event *event, u64 n)
{
	for (unsigned i = 0; i < 2; i++) {
		struct nearby_regs *const regs = &nearby->regs[i];

		if (regs->of_next && i + 1 != event->level)
			regs->there = false;
		if (regs->of_next)
			regs->n = n;
		regs->of_next = false;
	}
}

/* --- Code ------------------------------------------------------------------------------------- */

/* Where the line of a site is kept, or in the place of the oldest. */
static struct nearby_code *code_slot(struct nearby *nearby, u64 rip, u64 cr3)
{
	struct nearby_code *oldest = &nearby->codes[0];

	for (unsigned i = 0; i < nearby->code_count; i++) {
		struct nearby_code *const code = &nearby->codes[i];

		if (code->rip == rip && code->cr3 == cr3)
			return code;
		if (code->n < oldest->n)
			oldest = code;
	}
	return nearby->code_count < NEARBY_CODES ? &nearby->codes[nearby->code_count++] : oldest;
}

static void take_code(struct nearby *nearby, const struct trace_event *event, u64 n)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;
	struct nearby_code *code;

	if (!event->code || !is_insn(event->kind) || event->level != 1)
		return;
	code = code_slot(nearby, event->rip, insn->cr3);
	code->n = n;
	code->rip = event->rip;
	code->cr3 = insn->cr3;
	code->count = MIN(event->code_count, (u8)TRACE_MAX_CODE);
	memcpy(code->bytes, event->code, code->count);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* What one reading found out about whether it went back far enough. */
struct scan {
	u64 from;
	bool gap; /* nothing before is of use */
};

static void forget(struct nearby *nearby)
{
	const u16 cpu = nearby->cpu;

	memset(nearby, 0, sizeof(*nearby));
	nearby->cpu = cpu;
}

static void take_before(struct nearby *nearby, const struct trace_event *event, u64 n,
			struct scan *scan)
{
	switch (event->kind) {
	case EV_GAP:
		forget(nearby);
		scan->gap = true;
		return;
	case EV_VMX_STATE:
		nearby->new_block = true;
		return;
	case EV_REGS:
		take_regs(nearby, event);
		return;
	default:
		break;
	}
	if (!is_place(event))
		return;
	settle_regs(nearby, event, n);
	take_code(nearby, event, n);
	if (is_entry(event)) {
		copy_event(&nearby->entry, event, n);
		nearby->entry_regs = nearby->regs[0];
		memcpy(nearby->entry_state, nearby->state, sizeof(nearby->state));
		nearby->entry_state_whole = nearby->state_whole;
	} else if (event->kind == EV_L2_EXIT) {
		copy_event(&nearby->exit, event, n);
		nearby->exit_regs = nearby->regs[1];
	}
}

/* The first event at @n or behind that has a RIP, and what is told before it. */
static void take_behind(struct reader *reader, struct nearby *nearby, u64 n, struct scan *scan)
{
	const struct trace_event *event;
	u64 at;

	while ((at = reader_tell(reader)) < n + MAX_AHEAD && reader_next(reader, &event) == ST_OK) {
		if (event->cpu != nearby->cpu)
			continue;
		if (event->kind == EV_GAP)
			return;
		if (is_place(event)) {
			copy_event(&nearby->next, event, at);
			take_code(nearby, event, at);
			for (unsigned i = 0; i < 2; i++)
				if (nearby->regs[i].of_next)
					nearby->regs[i].n = at;
			return;
		}
		take_before(nearby, event, at, scan);
	}
}

/* A tape without regs events has less to look for. */
static bool is_enough(const struct nearby *nearby, const struct scan *scan, bool has_regs)
{
	const bool in_l2 = nearby->next.there && nearby->next.level == 2;

	if (!scan->from || scan->gap)
		return true;
	if (!has_regs)
		return !in_l2 || nearby->entry.there;
	if (in_l2)
		return nearby->entry.there && nearby->entry_state_whole;
	return nearby->exit.there && nearby->state_whole;
}

void nearby_read(struct reader *reader, u16 cpu, u64 n, struct nearby *nearby)
{
	const bool has_regs = reader_has(reader, EV_REGS);
	const struct trace_event *event;

	for (u64 window = has_regs ? FIRST_WINDOW : LEAN_WINDOW; window <= MAX_WINDOW;
	     window *= 4) {
		struct scan scan = { .from = n > window ? n - window : 0 };
		u64 at;

		nearby->cpu = cpu;
		forget(nearby);
		if (reader_seek(reader, scan.from) != ST_OK)
			return;
		while ((at = reader_tell(reader)) < n && reader_next(reader, &event) == ST_OK)
			if (event->cpu == cpu)
				take_before(nearby, event, at, &scan);
		take_behind(reader, nearby, n, &scan);
		if (is_enough(nearby, &scan, has_regs))
			return;
	}
}
