/*
 * tui/view_vmcs.c - the VMCS at the cursor, and what changed in it since L2 ran last
 *
 * Both compare with the state before the last VM entry of that VMCS on that CPU. The entry is
 * looked for backwards; where it is far away the panes show what they know and are made again.
 */
#include <stdio.h>

#include "replay/field_use.h"
#include "tui/app_parts.h"
#include "tui/value_lines.h"
#include "vmx/vmcs_area.h"

#define NAME_WIDTH  38
#define VALUE_WIDTH 20
#define MAX_DECODED 1024

/* What both panes compare. */
struct comparison {
	const struct model_region *now;
	const struct model_region *then; /* NULL: there is none to compare with */
	enum rows_found entry;		 /* whether it was found */
	u64 entry_n;			 /* the moment compared with */
};

static const struct model_region *current_region(struct app *app, u16 *cpu)
{
	const struct trace_event *const event = timeline_event(app->timeline);
	const struct model *const model = timeline_model(app->timeline);
	u64 vmcs;

	*cpu = event ? event->cpu : 0;
	if (model_current(model, *cpu))
		return model_current(model, *cpu);
	vmcs = event ? event_vmcs(event) : MODEL_NO_POINTER;
	return vmcs == MODEL_NO_POINTER ? NULL : model_region(model, vmcs);
}

/* With the moment before event @from; PLACES_NOWHERE: with the last entry. */
static struct comparison compare(struct app *app, u64 from)
{
	struct comparison result = { .entry = ROWS_NONE };
	const struct model *model;
	u64 pointer;
	u16 cpu;

	result.now = current_region(app, &cpu);
	if (!result.now)
		return result;
	pointer = result.now->pointer;
	result.entry = ROWS_FOUND;
	result.entry_n = from;
	if (from == PLACES_NOWHERE)
		result.entry = app_last_entry(app, pointer, cpu, &result.entry_n);
	if (result.entry != ROWS_FOUND)
		return result;
	model = event_rows_state(app->texts, result.entry_n);
	result.then = model ? model_region(model, pointer) : NULL;
	return result;
}

static bool differs(const struct comparison *comparison, int index)
{
	const struct model_region *const now = comparison->now, *const then = comparison->then;

	return then && (now->known[index] != then->known[index] ||
			(now->value[index] ^ then->value[index]) & now->known[index]);
}

static void put_name(struct lines *lines, enum style style, const struct model_region *region,
		     int index)
{
	lines_add(lines);
	lines_field(lines, index);
	if (model_place_is(&region->writer[index]))
		lines_event(lines, region->writer[index].n);
	lines_put(lines, style, "  %s", vmcs_fields[index].name);
	lines_pad(lines, NAME_WIDTH);
}

static void put_unused(struct lines *lines, const struct model_region *region, int index)
{
	const struct vmx_control *const by = field_unused_by(region, index);

	if (by)
		lines_put(lines, STYLE_FAINT, "  (unused: %s is 0)", by->name);
}

/* --- the VMCS --------------------------------------------------------------------------------- */

static void put_field(struct lines *lines, const struct comparison *comparison, int index)
{
	const struct model_region *const region = comparison->now;
	const u64 whole = vmcs_width_mask(vmcs_fields[index].width);
	const bool changed = differs(comparison, index);
	const enum style style = field_unused_by(region, index) ? STYLE_FAINT
				 : changed			? STYLE_CHANGED
								: STYLE_PLAIN;
	char decoded[MAX_DECODED] = "";

	put_name(lines, style, region, index);
	value_put(lines, style, value_of_field(region, index), whole);
	lines_pad(lines, NAME_WIDTH + VALUE_WIDTH);
	if ((region->known[index] & whole) == whole)
		field_decode(region, index, region->value[index], decoded, sizeof(decoded));
	lines_put(lines, style, "%s", decoded);
	if (changed) {
		lines_put(lines, STYLE_CHANGED, "%swas ", *decoded ? "  " : "");
		value_put(lines, STYLE_CHANGED, value_of_field(comparison->then, index), whole);
	}
	put_unused(lines, region, index);
}

static void no_vmcs(struct view *view)
{
	lines_add(&view->lines);
	lines_put(&view->lines, STYLE_LABEL, "no VMCS is current here, as far as the tape tells");
}

static void make_vmcs(struct app *app, struct view *view)
{
	const struct comparison comparison = compare(app, PLACES_NOWHERE);
	const struct model *const model = timeline_model(app->timeline);

	if (!comparison.now) {
		no_vmcs(view);
		return;
	}
	for (unsigned area = 0; area < VMCS_AREA_COUNT; area++) {
		lines_title(&view->lines, "%s", vmcs_area_title((enum vmcs_area)area));
		for (int i = 0; i < VMCS_FIELD_COUNT; i++)
			if (vmcs_area(i) == area &&
			    (vmx_caps_field_exists(&model->shown, i) || comparison.now->known[i]))
				put_field(&view->lines, &comparison, i);
	}
}

static void title_vmcs(struct app *app, const struct view *view, char *to, size_t size)
{
	static const char *const launch[] = {
		[LAUNCH_UNKNOWN] = "launch state unknown",
		[LAUNCH_CLEAR] = "clear",
		[LAUNCH_LAUNCHED] = "launched",
	};
	const struct model_region *region;
	char position[32];
	u16 cpu;

	(void)view;
	app_position(app, app->n, position);
	region = timeline_tell(app->timeline) == app->n ? current_region(app, &cpu) : NULL;
	if (region)
		snprintf(to, size, "0x%llx before %s, %s", (unsigned long long)region->pointer,
			 position, launch[region->launch]);
}

/* --- the difference --------------------------------------------------------------------------- */

static void put_difference(struct lines *lines, const struct comparison *comparison, int index)
{
	const struct model_region *const now = comparison->now, *const then = comparison->then;
	const u64 whole = vmcs_width_mask(vmcs_fields[index].width);
	const bool unused = field_unused_by(now, index);

	put_name(lines, unused ? STYLE_FAINT : STYLE_PLAIN, now, index);
	value_put(lines, STYLE_LABEL, value_of_field(then, index), whole);
	lines_put(lines, STYLE_LABEL, " -> ");
	value_put(lines, unused ? STYLE_FAINT : STYLE_CHANGED, value_of_field(now, index), whole);
	if ((now->known[index] & then->known[index] & whole) == whole)
		value_put_changes(lines, vmx_field_kind(index), then->value[index],
				  now->value[index]);
	if (model_place_is(&now->writer[index]))
		lines_put(lines, STYLE_LINK, "  @c%u:%llu", now->writer[index].cpu,
			  (unsigned long long)now->writer[index].seq);
	put_unused(lines, now, index);
}

static void make_diff(struct app *app, struct view *view)
{
	const struct comparison comparison = compare(app, app->diff_from);
	unsigned count = 0;

	if (!comparison.now) {
		no_vmcs(view);
		return;
	}
	if (!comparison.then) {
		lines_add(&view->lines);
		lines_put(&view->lines, STYLE_LABEL, "%s",
			  comparison.entry == ROWS_PENDING ? "looking for the entry before ..."
			  : comparison.entry == ROWS_NONE
				  ? "L2 has not run with this VMCS before: nothing to compare with"
				  : "the state at the entry before is not known");
		return;
	}
	for (unsigned area = 0; area < VMCS_AREA_COUNT; area++)
		for (int i = 0; i < VMCS_FIELD_COUNT; i++)
			if (vmcs_area(i) == area && differs(&comparison, i)) {
				put_difference(&view->lines, &comparison, i);
				count++;
			}
	if (!count) {
		lines_add(&view->lines);
		lines_put(&view->lines, STYLE_LABEL, "no field differs");
	}
}

static void title_diff(struct app *app, const struct view *view, char *to, size_t size)
{
	char from[32], position[32];
	struct comparison comparison;

	(void)view;
	if (timeline_tell(app->timeline) != app->n)
		return;
	comparison = compare(app, app->diff_from);
	app_position(app, app->n, position);
	if (!comparison.then)
		return;
	app_position(app, comparison.entry_n, from);
	snprintf(to, size, "of VMCS 0x%llx, from %s %s to before %s",
		 (unsigned long long)comparison.now->pointer,
		 app->diff_from == PLACES_NOWHERE ? "the entry" : "before", from, position);
}

/* The entry before was too far away to be found at once. */
static bool work(struct app *app, struct view *view)
{
	if (!app_last_entry_work(app))
		return false;
	view->stale = true;
	return true;
}

const struct view_ops view_vmcs_ops = {
	.make = make_vmcs, .title = title_vmcs, .work = work, .moment = true, .wide = true
};

const struct view_ops view_diff_ops = {
	.make = make_diff, .title = title_diff, .work = work, .moment = true, .wide = true
};
