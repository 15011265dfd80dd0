/*
 * tui/view_registers.c - the registers of L1 and of L2 on the CPU of the event
 */
#include <stdio.h>

#include "replay/registers.h"
#include "tui/app_parts.h"
#include "tui/value_lines.h"

#define NAME_WIDTH  10
#define VALUE_WIDTH 26

/* What a register's bits mean, VMX_VALUE_HEX where it is a mere number. */
static enum vmx_value_kind kind_of(enum register_name name)
{
	const s32 field = register_info(name)->field;

	return field < 0 ? VMX_VALUE_HEX : vmx_field_kind(field);
}

static void put_value(struct lines *lines, const struct registers *registers,
		      enum register_name name)
{
	const struct register_info *const info = register_info(name);
	const u64 whole = info->bits == 64 ? ~0ull : BIT(info->bits) - 1;
	const struct known_value value = { registers->reg[name].value, registers->reg[name].known };

	value_put(lines, (value.known & whole) == whole ? STYLE_PLAIN : STYLE_LABEL, value, whole);
}

static void put_register(struct lines *lines, const struct registers levels[2],
			 enum register_name name)
{
	const enum vmx_value_kind kind = kind_of(name);
	const unsigned running = levels[1].runs;
	u64 value;

	lines_add(lines);
	lines_put(lines, STYLE_LABEL, "  %s", register_info(name)->name);
	for (unsigned level = 0; level < 2; level++) {
		lines_pad(lines, NAME_WIDTH + level * VALUE_WIDTH);
		put_value(lines, &levels[level], name);
	}
	/* What the bits of the level that runs say. */
	if (kind == VMX_VALUE_HEX || !register_known(&levels[running], name, &value) || !value)
		return;
	lines_pad(lines, NAME_WIDTH + 2 * VALUE_WIDTH);
	value_put_decoded(lines, kind, value, NULL);
	if (register_info(name)->field >= 0)
		lines_field(lines, register_info(name)->field);
}

static void put_head(struct lines *lines, const struct registers levels[2])
{
	lines_add(lines);
	for (unsigned level = 0; level < 2; level++) {
		lines_pad(lines, NAME_WIDTH + level * VALUE_WIDTH);
		lines_put(lines, levels[level].runs ? STYLE_TITLE : STYLE_LABEL, "L%u%s", level + 1,
			  levels[level].runs ? ", runs" : "");
	}
}

static void make(struct app *app, struct view *view)
{
	const struct trace_event *const event = timeline_event(app->timeline);
	const u16 cpu = event ? event->cpu : 0;
	struct registers levels[2];

	for (unsigned level = 0; level < 2; level++)
		registers_at(app->timeline, cpu, level + 1, &levels[level]);
	put_head(&view->lines, levels);
	for (unsigned name = 0; name < REGISTER_COUNT; name++)
		put_register(&view->lines, levels, (enum register_name)name);
}

static void title(struct app *app, const struct view *view, char *to, size_t size)
{
	char position[32];

	(void)view;
	app_position(app, app->n, position);
	snprintf(to, size, "right before %s", position);
}

const struct view_ops view_registers_ops = {
	.make = make, .title = title, .moment = true, .wide = true
};
