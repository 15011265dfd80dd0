/*
 * tui/view_detail.c - everything about the event under the cursor
 */
#include <stdio.h>

#include "replay/disasm.h"
#include "replay/event_text.h"
#include "replay/symbols.h"
#include "trace/text.h"
#include "tui/app_parts.h"
#include "tui/value_lines.h"
#include "vmx/qual.h"

#define LABEL_WIDTH 10
#define PARTS	    4 /* columns before the parts of a value */
#define INSN_COUNT  (EV_COLUMN(insn, cr2) + 1)

/* An event while it is shown. */
struct detail {
	struct app *app;
	struct lines *lines;
	const struct trace_event *event;
	const struct trace_kind_info *kind;
	const struct model *model;
	const struct model_region *region; /* of the VMCS that it is about, NULL: unknown */
	unsigned columns;
};

static void label(const struct detail *detail, const char *text)
{
	lines_add(detail->lines);
	lines_put(detail->lines, STYLE_LABEL, "%s", text);
	lines_pad(detail->lines, LABEL_WIDTH);
}

/* --- what every event has --------------------------------------------------------------------- */

static void put_head(const struct detail *detail)
{
	const struct trace_event *const event = detail->event;
	const char *const title = trace_text_title(event->kind);
	struct app *const app = detail->app;

	lines_title(detail->lines, "%s", title ? title : detail->kind->name);
	label(detail, "event");
	lines_put(detail->lines, STYLE_PLAIN, "@c%u:%llu", event->cpu,
		  (unsigned long long)event->seq);
	if (app->n != event->seq)
		lines_put(detail->lines, STYLE_LABEL, " = @%llu", (unsigned long long)app->n);
	if (event->level)
		lines_put(detail->lines, STYLE_PLAIN, ", L%u", event->level);
	if (app->n) {
		const struct event_row *const before =
			event_row_get(app->texts, app->look, app->n - 1);

		if (before->tsc <= event->tsc)
			lines_put(detail->lines, STYLE_LABEL, ", %llu ticks after %s",
				  (unsigned long long)(event->tsc - before->tsc), before->position);
	}
}

static void put_rip(const struct detail *detail)
{
	const struct trace_event *const event = detail->event;
	char name[SYMBOLS_MAX_NAME];

	if (!event->rip)
		return;
	label(detail, "rip");
	lines_put(detail->lines, STYLE_PLAIN, "0x%llx", (unsigned long long)event->rip);
	if (symbols_text(reader_names(detail->app->look)->symbols, event->level, event->rip, name))
		lines_put(detail->lines, STYLE_STRONG, "  %s", name);
}

static void put_code(const struct detail *detail)
{
	const struct trace_event *const event = detail->event;
	const u64 mode = ((const struct ev_insn *)event->col)->mode;
	char text[DISASM_MAX];
	size_t length;

	if (!event->code || !event->code_count)
		return;
	label(detail, "code");
	length = disasm_text(event->code, event->code_count, disasm_mode(mode), event->rip, text);
	lines_put(detail->lines, length ? STYLE_STRONG : STYLE_WARNING, "%s", text);
	lines_put(detail->lines, STYLE_FAINT, "  ");
	for (size_t i = 0; i < (length ? length : event->code_count); i++)
		lines_put(detail->lines, STYLE_FAINT, " %02x", event->code[i]);
}

static void put_text(const struct detail *detail)
{
	char text[4 * TRACE_MAX_BYTES + 1];

	if (!detail->event->byte_count)
		return;
	*event_text_bytes(text, detail->event->bytes,
			  MIN(detail->event->byte_count, (u32)TRACE_MAX_BYTES)) = 0;
	lines_wrap(detail->lines, STYLE_PLAIN, 2, detail->columns, text);
}

static void put_findings(const struct detail *detail)
{
	const struct findings *const findings = survey_findings(detail->app->survey);

	if (!survey_is_evidence(detail->app->survey, detail->app->n))
		return;
	for (unsigned i = 0; i < findings->count; i++) {
		const struct finding *const finding = findings->list[i];
		char text[512];

		for (unsigned k = 0; k < finding->evidence_count; k++) {
			if (finding->evidence[k].n != detail->app->n)
				continue;
			snprintf(text, sizeof(text), "finding %u (%s, fault %s): %s", i + 1,
				 finding_severity_name(finding->severity),
				 finding_fault_name(finding_rows[finding->id].fault),
				 finding->title ? finding->title : finding_rows[finding->id].rule);
			lines_wrap(detail->lines, STYLE_WARNING, 0, detail->columns, text);
			break;
		}
	}
}

static void put_note(const struct detail *detail)
{
	const char *const note = places_note_at(&detail->app->places, detail->app->n);

	if (!note)
		return;
	label(detail, "note");
	lines_put(detail->lines, STYLE_MARK, "%s", note);
}

/* --- instructions ----------------------------------------------------------------------------- */

static void put_outcome(const struct detail *detail)
{
	const struct ev_insn *const insn = (const struct ev_insn *)detail->event->col;
	const bool good = insn->outcome == OUTCOME_SUCCEED;
	char text[TRACE_TEXT_SIZE];
	const char *words = NULL;

	label(detail, "outcome");
	trace_text_outcome(text, sizeof(text), insn->outcome, insn->error);
	lines_put(detail->lines, good ? STYLE_PLAIN : STYLE_ERROR, "%s", text);
	if (insn->outcome == OUTCOME_FAIL_VALID)
		words = vmx_insn_error_text((u32)insn->error);
	else if (insn->outcome == OUTCOME_FAULT)
		words = vmx_exception_name((unsigned)insn->error);
	if (words)
		lines_put(detail->lines, STYLE_ERROR, "  %s", words);
	if (insn->outcome == OUTCOME_FAULT && (insn->fault_code || insn->cr2))
		lines_put(detail->lines, STYLE_ERROR, "  code 0x%llx, cr2 0x%llx",
			  (unsigned long long)insn->fault_code, (unsigned long long)insn->cr2);
}

/* Kinds whose first columns behind those of all instructions tell of an operand in memory. */
static bool has_operand(const struct trace_kind_info *kind)
{
	return kind->column_count > INSN_COUNT + 1 &&
	       !strcmp(kind->columns[INSN_COUNT].name, "linear");
}

static void put_operand(const struct detail *detail)
{
	const u64 linear = detail->event->col[INSN_COUNT], gpa = detail->event->col[INSN_COUNT + 1];

	if (!linear && !gpa)
		return;
	label(detail, "operand");
	lines_put(detail->lines, STYLE_PLAIN, "in memory at 0x%llx, gpa1 0x%llx",
		  (unsigned long long)linear, (unsigned long long)gpa);
}

static void put_mode(const struct detail *detail)
{
	const struct ev_insn *const insn = (const struct ev_insn *)detail->event->col;
	char text[TRACE_TEXT_SIZE];

	label(detail, "mode");
	trace_text_value(text, sizeof(text), TYPE_MODE, insn->mode);
	lines_put(detail->lines, STYLE_PLAIN, "%u bit, %s", disasm_mode(insn->mode), text);
	label(detail, "rflags");
	lines_put(detail->lines, STYLE_PLAIN, "0x%llx", (unsigned long long)insn->rflags);
	if (insn->rflags != insn->rflags_after) {
		lines_put(detail->lines, STYLE_PLAIN, " -> 0x%llx",
			  (unsigned long long)insn->rflags_after);
		value_put_changes(detail->lines, VMX_VALUE_RFLAGS, insn->rflags,
				  insn->rflags_after);
	}
	if (insn->cr3)
		lines_put(detail->lines, STYLE_PLAIN, "   cr3 0x%llx",
			  (unsigned long long)insn->cr3);
	label(detail, "vmcs");
	if (insn->vmcs == MODEL_NO_POINTER)
		lines_put(detail->lines, STYLE_PLAIN, "none is current");
	else
		lines_put(detail->lines, STYLE_PLAIN, "0x%llx is current",
			  (unsigned long long)insn->vmcs);
}

/* --- columns ---------------------------------------------------------------------------------- */

/* What a number of a column holds, where its name alone tells. */
static enum vmx_value_kind kind_by_name(const char *name)
{
	static const struct {
		const char *name;
		enum vmx_value_kind kind;
	} kinds[] = {
		{ "cr0", VMX_VALUE_CR0 },
		{ "cr4", VMX_VALUE_CR4 },
		{ "feature_control", VMX_VALUE_FEATURE_CONTROL },
		{ "injected", VMX_VALUE_EVENT_ENTRY },
		{ "info", VMX_VALUE_EVENT_ENTRY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	return VMX_VALUE_HEX;
}

static int column_of(const struct trace_kind_info *kind, const char *name)
{
	for (u8 i = 0; i < kind->column_count; i++)
		if (!strcmp(kind->columns[i].name, name))
			return i;
	return -1;
}

static enum vmx_value_kind kind_of_column(const struct detail *detail, u8 column)
{
	const char *const name = detail->kind->columns[column].name;
	const int field = column_of(detail->kind, "field"), msr = column_of(detail->kind, "msr"),
		  cr = column_of(detail->kind, "cr");
	const bool is_value = !strcmp(name, "value") || !strcmp(name, "old") ||
			      !strcmp(name, "shown") || !strcmp(name, "real");

	if (is_value && field >= 0) {
		const int index = vmcs_access_index(detail->event->col[field]);

		return index < 0 || vmcs_encoding_is_high(detail->event->col[field])
			       ? VMX_VALUE_HEX
			       : vmx_field_kind(index);
	}
	if (is_value && msr >= 0)
		return vmx_msr_kind((u32)detail->event->col[msr]);
	if (is_value && cr >= 0)
		return detail->event->col[cr] ? VMX_VALUE_CR4 : VMX_VALUE_CR0;
	return kind_by_name(name);
}

/* What the column's value was before: a column of the event, or the model knows. */
static struct known_value old_value(const struct detail *detail, u8 column)
{
	const int field = column_of(detail->kind, "field"), old = column_of(detail->kind, "old");

	if (strcmp(detail->kind->columns[column].name, "value"))
		return (struct known_value){ 0 };
	if (old >= 0)
		return (struct known_value){ detail->event->col[old], ~0ull };
	if (field >= 0 && detail->event->kind == EV_VMWRITE &&
	    !vmcs_encoding_is_high(detail->event->col[field]))
		return value_of_field(detail->region, vmcs_access_index(detail->event->col[field]));
	return (struct known_value){ 0 };
}

static void put_number(const struct detail *detail, u8 column)
{
	const enum vmx_value_kind kind = kind_of_column(detail, column);
	const struct known_value value = { detail->event->col[column], ~0ull };
	const struct known_value old = old_value(detail, column);
	const int field = column_of(detail->kind, "field");
	const int index = field < 0 ? -1 : vmcs_access_index(detail->event->col[field]);
	const u64 whole = index < 0 ? ~0ull : vmcs_width_mask(vmcs_fields[index].width);
	const struct vmx_part *parts;
	const bool is_write = detail->event->kind == EV_VMWRITE &&
			      !strcmp(detail->kind->columns[column].name, "value");

	if (is_write) {
		value_put(detail->lines, STYLE_PLAIN, old, whole);
		lines_put(detail->lines, STYLE_PLAIN, " -> ");
	}
	lines_put(detail->lines, is_write ? STYLE_CHANGED : STYLE_PLAIN, "0x%llx",
		  (unsigned long long)value.value);
	if (vmx_parts(kind, &parts))
		value_put_parts(detail->lines, PARTS, kind, value, old);
	else
		value_put_decoded(detail->lines, kind, value.value, NULL);
}

static void put_column(const struct detail *detail, u8 column)
{
	const struct trace_column *const info = &detail->kind->columns[column];
	const u64 value = detail->event->col[column];
	char text[TRACE_TEXT_SIZE];
	int index;

	label(detail, info->name);
	switch (info->type) {
	case TYPE_HEX:
		put_number(detail, column);
		return;
	case TYPE_ADDR:
		if (value == MODEL_NO_POINTER)
			lines_put(detail->lines, STYLE_PLAIN, "none");
		else
			lines_put(detail->lines, STYLE_PLAIN, "0x%llx", (unsigned long long)value);
		return;
	case TYPE_FIELD:
		index = vmcs_access_index(value);
		trace_text_value(text, sizeof(text), info->type, value);
		lines_put(detail->lines, STYLE_STRONG, "%s", text);
		lines_put(detail->lines, STYLE_LABEL, " (0x%llx)", (unsigned long long)value);
		if (index >= 0) {
			lines_put(detail->lines, STYLE_LABEL, "  %s", vmcs_fields[index].title);
			lines_field(detail->lines, index);
		}
		return;
	case TYPE_REASON:
		lines_put(detail->lines, STYLE_STRONG, "%s", vmx_exit_name((u32)value));
		if (vmx_exit_by_reason((u32)value))
			lines_put(detail->lines, STYLE_LABEL, "  %s",
				  vmx_exit_by_reason((u32)value)->title);
		if (value & EXIT_REASON_ENTRY_FAILURE)
			lines_put(detail->lines, STYLE_ERROR, "  the VM entry failed");
		return;
	default:
		trace_text_value(text, sizeof(text), info->type, value);
		lines_put(detail->lines, STYLE_PLAIN, "%s", text);
	}
}

/* Columns that say nothing where they are 0. */
static bool is_silent(const struct detail *detail, u8 column)
{
	static const char *const silent[] = { "dword0",		"injected",	 "hv_ticks",
					      "hidden_exits",	"packing_ticks", "error_code",
					      "descriptor_high" };

	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		if (!strcmp(silent[i], detail->kind->columns[column].name))
			return !detail->event->col[column];
	return false;
}

static void put_columns(const struct detail *detail, bool insn)
{
	const u8 first = insn ? (u8)(INSN_COUNT + (has_operand(detail->kind) ? 2 : 0)) : 0;

	for (u8 i = first; i < detail->kind->column_count; i++)
		if (!is_silent(detail, i))
			put_column(detail, i);
}

/* --- items ------------------------------------------------------------------------------------ */

/* What decoding a field of an exit needs to know of the others. */
static struct vmx_decode_context context_of(const struct trace_event *event)
{
	struct vmx_decode_context context = { 0 };

	if (event->kind == EV_L2_EXIT)
		context.exit_reason = (u32)((const struct ev_l2_exit *)event->col)->reason;
	for (u32 i = 0; i < event->item_count; i++) {
		if (event->items[i].id == VMCS_VM_EXIT_INTERRUPTION_INFO)
			context.interruption_info = (u32)event->items[i].value;
		else if (event->items[i].id == VMCS_EXIT_QUALIFICATION)
			context.qualification = event->items[i].value;
	}
	return context;
}

static void put_field_item(const struct detail *detail, const struct trace_item *item,
			   const struct vmx_decode_context *context)
{
	const int index = vmcs_access_index(item->id);
	const struct known_value old = value_of_field(detail->region, index);
	const u64 whole = index < 0 ? ~0ull : vmcs_width_mask(vmcs_fields[index].width);
	const bool changed = (old.known & whole) != whole || (old.value & whole) != item->value;

	lines_pad(detail->lines, 34);
	if (detail->event->kind != EV_VMCS_IMAGE && changed) {
		value_put(detail->lines, STYLE_LABEL, old, whole);
		lines_put(detail->lines, STYLE_LABEL, " -> ");
	}
	lines_put(detail->lines, changed ? STYLE_CHANGED : STYLE_PLAIN, "0x%llx",
		  (unsigned long long)item->value);
	if (index >= 0) {
		value_put_decoded(detail->lines, vmx_field_kind(index), item->value, context);
		lines_field(detail->lines, index);
	}
}

static void put_items(const struct detail *detail)
{
	const struct trace_event *const event = detail->event;
	const struct vmx_decode_context context = context_of(event);

	if (!event->item_count)
		return;
	lines_add(detail->lines);
	lines_put(detail->lines, STYLE_LABEL, "%s",
		  event->kind == EV_L2_EXIT    ? "what the exit wrote and hv consulted"
		  : event->kind == EV_L2_ENTRY ? "what the entry wrote and hv consulted"
					       : "values");
	for (u32 i = 0; i < event->item_count; i++) {
		char name[TRACE_TEXT_SIZE];

		trace_text_item(name, sizeof(name), detail->app->schema, event->items[i].id);
		lines_add(detail->lines);
		lines_put(detail->lines, STYLE_PLAIN, "  %s", name);
		if (event->items[i].id < ITEM_REG) {
			put_field_item(detail, &event->items[i], &context);
			continue;
		}
		lines_pad(detail->lines, 34);
		lines_put(detail->lines, STYLE_PLAIN, "0x%llx",
			  (unsigned long long)event->items[i].value);
	}
}

static bool is_insn(u8 kind)
{
	return kind >= EV_VMXON && kind <= EV_CR_WRITE;
}

static void make(struct app *app, struct view *view)
{
	struct detail detail = {
		.app = app,
		.lines = &view->lines,
		.event = app->has_state ? timeline_event(app->timeline) : app_event(app),
		.model = app->has_state ? timeline_model(app->timeline) : NULL,
		.columns = view->columns,
	};
	const bool insn = detail.event && is_insn(detail.event->kind);
	u64 vmcs;

	if (view->n != app->n)
		view->top = view->selected = 0;
	if (!detail.event)
		return;
	detail.kind = trace_schema_kind(app->schema, detail.event->kind);
	if (!detail.kind) {
		lines_title(&view->lines, "an event of kind %u, which no table describes",
			    detail.event->kind);
		return;
	}
	vmcs = event_vmcs(detail.event);
	if (detail.model && vmcs != MODEL_NO_POINTER)
		detail.region = model_region(detail.model, vmcs);
	put_head(&detail);
	put_findings(&detail);
	put_note(&detail);
	put_rip(&detail);
	if (insn) {
		put_code(&detail);
		put_outcome(&detail);
	}
	put_columns(&detail, insn);
	if (insn) {
		if (has_operand(detail.kind))
			put_operand(&detail);
		put_mode(&detail);
	}
	put_text(&detail);
	put_items(&detail);
}

static void title(struct app *app, const struct view *view, char *to, size_t size)
{
	char position[32];

	(void)view;
	app_position(app, app->n, position);
	snprintf(to, size, "%s", position);
}

const struct view_ops view_detail_ops = {
	.make = make, .title = title, .moment = true, .stateless = true
};
