/*
 * tui/view_detail.c - everything about the event under the cursor
 */
#include <stdio.h>

#include "replay/disasm.h"
#include "replay/event_text.h"
#include "replay/symbols.h"
#include "trace/text.h"
#include "tui/detail_parts.h"
#include "tui/value_lines.h"
#include "vmx/qual.h"

#define LABEL_WIDTH 10

void detail_label(const struct detail *detail, const char *text)
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
	detail_label(detail, "event");
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
	detail_label(detail, "rip");
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
	detail_label(detail, "code");
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
	detail_label(detail, "note");
	lines_put(detail->lines, STYLE_MARK, "%s", note);
}

/* --- instructions ----------------------------------------------------------------------------- */

static void put_outcome(const struct detail *detail)
{
	const struct ev_insn *const insn = (const struct ev_insn *)detail->event->col;
	const bool good = insn->outcome == OUTCOME_SUCCEED;
	char text[TRACE_TEXT_SIZE];
	const char *words = NULL;

	detail_label(detail, "outcome");
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

bool detail_has_operand(const struct trace_kind_info *kind)
{
	return kind->column_count > DETAIL_INSN_COLUMNS + 1 &&
	       !strcmp(kind->columns[DETAIL_INSN_COLUMNS].name, "linear");
}

static void put_operand(const struct detail *detail)
{
	const u64 linear = detail->event->col[DETAIL_INSN_COLUMNS],
		  gpa = detail->event->col[DETAIL_INSN_COLUMNS + 1];

	if (!linear && !gpa)
		return;
	detail_label(detail, "operand");
	lines_put(detail->lines, STYLE_PLAIN, "in memory at 0x%llx, gpa1 0x%llx",
		  (unsigned long long)linear, (unsigned long long)gpa);
}

static void put_mode(const struct detail *detail)
{
	const struct ev_insn *const insn = (const struct ev_insn *)detail->event->col;
	char text[TRACE_TEXT_SIZE];

	detail_label(detail, "mode");
	trace_text_value(text, sizeof(text), TYPE_MODE, insn->mode);
	lines_put(detail->lines, STYLE_PLAIN, "%u bit, %s", disasm_mode(insn->mode), text);
	detail_label(detail, "rflags");
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
	detail_label(detail, "vmcs");
	if (insn->vmcs == MODEL_NO_POINTER)
		lines_put(detail->lines, STYLE_PLAIN, "none is current");
	else
		lines_put(detail->lines, STYLE_PLAIN, "0x%llx is current",
			  (unsigned long long)insn->vmcs);
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
	detail_put_columns(&detail, insn);
	if (insn) {
		if (detail_has_operand(detail.kind))
			put_operand(&detail);
		put_mode(&detail);
	}
	put_text(&detail);
	detail_put_items(&detail);
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
