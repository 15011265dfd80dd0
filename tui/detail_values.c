/*
 * The values of an event: its columns and its items, each with what it means.
 */
#include "trace/text.h"
#include "tui/detail_parts.h"
#include "tui/value_lines.h"
#include "vmx/qual.h"

#define PARTS	    4 /* columns before the parts of a value */
#define ITEM_COLUMN 34

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

	detail_label(detail, info->name);
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

void detail_put_columns(const struct detail *detail, bool insn)
{
	const u8 first =
		insn ? (u8)(DETAIL_INSN_COLUMNS + (detail_has_operand(detail->kind) ? 2 : 0)) : 0;

	for (u8 i = first; i < detail->kind->column_count; i++)
		if (!is_silent(detail, i))
			put_column(detail, i);
}

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

	lines_pad(detail->lines, ITEM_COLUMN);
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

void detail_put_items(const struct detail *detail)
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
		lines_pad(detail->lines, ITEM_COLUMN);
		lines_put(detail->lines, STYLE_PLAIN, "0x%llx",
			  (unsigned long long)event->items[i].value);
	}
}
