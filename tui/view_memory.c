/*
 * tui/view_memory.c - the guests' memory, as far as the tape holds it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/memory.h"
#include "replay/registers.h"
#include "tui/app_parts.h"

#define SPACE_NONE ~0u
#define ROW	   16u
#define ROWS	   64u
#define BEFORE	   4u /* rows before the one that was asked for */
#define HEX_AT	   20
#define ASCII_AT   (HEX_AT + 3 * ROW + 2)

static const struct {
	const char *prefix;
	const char *title;
	enum memory_space space;
	u8 level;
	bool physical;
} spaces[] = {
	{ "l1:", "linear addresses of L1", MEMORY_L1_LINEAR, 1, false },
	{ "l2:", "linear addresses of L2", MEMORY_L2_LINEAR, 2, false },
	{ "p1:", "physical addresses of L1", MEMORY_L1_PHYSICAL, 1, true },
	{ "p2:", "physical addresses of L2", MEMORY_L2_PHYSICAL, 2, true },
};

static u16 cpu_at(struct app *app)
{
	const struct trace_event *const event = timeline_event(app->timeline);

	return event ? event->cpu : 0;
}

/* Which level runs at the cursor. */
static unsigned running_level(struct app *app)
{
	struct registers registers;

	registers_at(app->timeline, cpu_at(app), 2, &registers);
	return registers.runs ? 2 : 1;
}

static bool find_register(const char *word, enum register_name *name)
{
	for (unsigned i = 0; i < REGISTER_COUNT; i++)
		if (!strcmp(register_info((enum register_name)i)->name, word)) {
			*name = (enum register_name)i;
			return true;
		}
	return false;
}

bool app_memory_at(struct app *app, const char *text)
{
	struct view *const view = &app->views[VIEW_MEMORY];
	unsigned space = SPACE_NONE;
	struct registers registers;
	enum register_name name;
	char *end;

	if (!app_seek(app))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++)
		if (!strncmp(text, spaces[i].prefix, strlen(spaces[i].prefix))) {
			space = i;
			text += strlen(spaces[i].prefix);
		}
	if (space == SPACE_NONE)
		space = running_level(app) - 1;
	if (find_register(text, &name)) {
		registers_at(app->timeline, cpu_at(app), spaces[space].level, &registers);
		if (!register_known(&registers, name, &view->address)) {
			app_fail(app, "%s of L%u is not known here", text, spaces[space].level);
			return false;
		}
	} else {
		view->address = strtoull(text, &end, 16);
		if (!*text || *end) {
			app_fail(app, "'%s' is neither an address, in hexadecimal, nor a register",
				 text);
			return false;
		}
	}
	view->space = space;
	view->stale = true;
	view->top = 0;
	view->selected = BEFORE;
	return true;
}

/* A row, and which of its bytes are known. */
static u32 read_row(struct app *app, unsigned space, u64 address, u8 bytes[ROW])
{
	u32 known = 0;

	for (unsigned i = 0; i < ROW;) {
		const size_t count = memory_read(app->timeline, cpu_at(app), spaces[space].space,
						 address + i, bytes + i, ROW - i);

		for (size_t k = 0; k < count; k++)
			known |= 1u << (i + k);
		i += MAX((unsigned)count, 1u);
	}
	return known;
}

static void put_row(struct app *app, struct view *view, u64 address)
{
	struct lines *const lines = &view->lines;
	u8 bytes[ROW] = { 0 };
	const u32 known = read_row(app, view->space, address, bytes);

	lines_add(lines);
	lines_put(lines, STYLE_LABEL, "%016llx", (unsigned long long)address);
	for (unsigned i = 0; i < ROW; i++) {
		const bool here = address + i == view->address;

		lines_pad(lines, HEX_AT + 3 * i + (i >= ROW / 2));
		if (known & 1u << i)
			lines_put(lines, here ? STYLE_CHANGED : STYLE_PLAIN, "%02x", bytes[i]);
		else
			lines_put(lines, STYLE_FAINT, "..");
	}
	lines_pad(lines, ASCII_AT + 1);
	for (unsigned i = 0; i < ROW; i++)
		lines_put(lines, STYLE_PLAIN, "%c",
			  !(known & 1u << i)		       ? ' '
			  : bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i]
							       : '.');
}

static void make(struct app *app, struct view *view)
{
	const u64 first = ALIGN_DOWN(view->address, (u64)ROW) - BEFORE * ROW;

	for (unsigned i = 0; i < ROWS; i++)
		put_row(app, view, first + i * ROW);
	if (memory_on_tape(app->timeline))
		return;
	lines_add(&view->lines);
	lines_put(&view->lines, STYLE_LABEL,
		  "this tape holds no memory but instructions: record with --hv capture=default");
}

static void title(struct app *app, const struct view *view, char *to, size_t size)
{
	(void)app;
	snprintf(to, size, "%s, .. is unknown", spaces[view->space].title);
}

static bool open(struct app *app, struct view *view)
{
	(void)view;
	app_prompt_open(app, PROMPT_MEMORY);
	return false;
}

const struct view_ops view_memory_ops = {
	.make = make, .title = title, .open = open, .moment = true, .wide = true
};
