/*
 * tui/view_disasm.c - instructions around the one of the event, of its level
 *
 * Where instructions begin is known from the events near by; from there on it goes as far as the
 * tape holds the bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "replay/disasm.h"
#include "replay/memory.h"
#include "replay/registers.h"
#include "replay/symbols.h"
#include "tui/app_parts.h"

#define EVENTS	   2048u  /* on each side that are looked at */
#define NEAR	   0x200u /* bytes on each side of the instruction */
#define MAX_STARTS 1024u
#define AHEAD	   24u /* instructions behind one that an event names */
#define MAX_CODE   16u

#define CODE_AT	   20
#define TEXT_AT	   46

struct disassembly {
	struct app *app;
	struct lines *lines;
	u16 cpu;
	u8 level;
	enum disasm_mode mode;
	u64 rip;
	u64 starts[MAX_STARTS];
	size_t count;
};

static int compare(const void *a, const void *b)
{
	const u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return (left > right) - (left < right);
}

/* Addresses that events of the CPU and level near by are at. */
static void gather(struct disassembly *work)
{
	struct app *const app = work->app;
	const u64 first = app->n - MIN(app->n, EVENTS), end = MIN(app->n + EVENTS, app->events);
	const struct trace_event *event;
	size_t kept = 0;

	work->starts[work->count++] = work->rip;
	if (reader_seek(app->look, first) != ST_OK)
		return;
	while (reader_tell(app->look) < end && work->count < MAX_STARTS &&
	       reader_next(app->look, &event) == ST_OK)
		if (event->cpu == work->cpu && event->level == work->level && event->rip &&
		    event->rip + NEAR >= work->rip && event->rip <= work->rip + NEAR)
			work->starts[work->count++] = event->rip;
	qsort(work->starts, work->count, sizeof(*work->starts), compare);
	for (size_t i = 0; i < work->count; i++)
		if (!i || work->starts[i] != work->starts[kept - 1])
			work->starts[kept++] = work->starts[i];
	work->count = kept;
}

static size_t read_code(struct disassembly *work, u64 address, u8 code[MAX_CODE])
{
	const enum memory_space space = work->level == 2 ? MEMORY_L2_LINEAR : MEMORY_L1_LINEAR;

	return memory_read(work->app->timeline, work->cpu, space, address, code, MAX_CODE);
}

/* Returns the length; 0 when the bytes are unknown, or none. */
static size_t put_instruction(struct disassembly *work, u64 address)
{
	const struct symbols *const symbols = reader_names(work->app->look)->symbols;
	const bool here = address == work->rip;
	char text[DISASM_MAX], name[SYMBOLS_MAX_NAME];
	u8 code[MAX_CODE];
	const size_t count = read_code(work, address, code);
	const size_t length = count ? disasm_text(code, count, work->mode, address, text) : 0;

	if (!length)
		return 0;
	lines_add(work->lines);
	lines_put(work->lines, here ? STYLE_CHANGED : STYLE_LABEL, "%016llx",
		  (unsigned long long)address);
	lines_pad(work->lines, CODE_AT);
	for (size_t i = 0; i < length; i++)
		lines_put(work->lines, STYLE_FAINT, "%02x", code[i]);
	lines_pad(work->lines, TEXT_AT);
	lines_put(work->lines, here ? STYLE_CHANGED : STYLE_PLAIN, "%s", text);
	if (symbols_text(symbols, work->level, address, name))
		lines_put(work->lines, STYLE_LABEL, "   %s", name);
	return length;
}

static void put_unknown(struct disassembly *work, u64 address)
{
	lines_add(work->lines);
	lines_put(work->lines, address == work->rip ? STYLE_CHANGED : STYLE_LABEL, "%016llx",
		  (unsigned long long)address);
	lines_pad(work->lines, TEXT_AT);
	lines_put(work->lines, STYLE_LABEL, "its bytes are not on this tape");
}

/* From start @index on, up to the next one; returns where it came to. */
static u64 put_run(struct disassembly *work, size_t index)
{
	const u64 next = index + 1 < work->count ? work->starts[index + 1] : ~0ull;

	u64 at = work->starts[index];

	for (unsigned i = 0; i < AHEAD && at < next; i++) {
		const size_t length = put_instruction(work, at);

		if (!length)
			break;
		at += length;
	}
	if (at == work->starts[index])
		put_unknown(work, at);
	return at;
}

/* SDM: "Operating Modes": CS.L counts in IA-32e mode only. */
static enum disasm_mode mode_of(struct disassembly *work)
{
	struct registers registers;
	u64 efer, access;

	registers_at(work->app->timeline, work->cpu, work->level, &registers);
	if (!register_known(&registers, REGISTER_CS_RIGHTS, &access))
		return DISASM_64;
	if (register_known(&registers, REGISTER_EFER, &efer) && efer & BIT(10) && access & BIT(13))
		return DISASM_64;
	return access & BIT(14) ? DISASM_32 : DISASM_16;
}

static void make(struct app *app, struct view *view)
{
	const struct trace_event *const event = timeline_event(app->timeline);
	struct disassembly work = { .app = app, .lines = &view->lines };
	u64 at = 0;

	if (!event || !event->rip || !event->level) {
		lines_add(&view->lines);
		lines_put(&view->lines, STYLE_LABEL, "no instruction belongs to this event");
		return;
	}
	work.cpu = event->cpu;
	work.level = event->level;
	work.rip = event->rip;
	work.mode = event->kind >= EV_VMXON && event->kind <= EV_CR_WRITE
			    ? disasm_mode(((const struct ev_insn *)event->col)->mode)
			    : mode_of(&work);
	gather(&work);
	for (size_t i = 0; i < work.count; i++) {
		if (i && at != work.starts[i]) {
			lines_add(&view->lines);
			lines_put(&view->lines, STYLE_FAINT, "...");
		}
		if (work.starts[i] == work.rip)
			view->selected = view->lines.count;
		at = put_run(&work, i);
	}
}

static void title(struct app *app, const struct view *view, char *to, size_t size)
{
	char position[32];

	(void)view;
	app_position(app, app->n, position);
	snprintf(to, size, "around %s", position);
}

const struct view_ops view_disasm_ops = {
	.make = make, .title = title, .moment = true, .wide = true
};
