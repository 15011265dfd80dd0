#include "replay/event_json.h"

#include <stdio.h>
#include <string.h>

#include "replay/memory_event.h"
#include "replay/names.h"
#include "replay/put.h"
#include "replay/symbols.h"
#include "trace/text.h"

char *json_string(char *to, const void *text, size_t count)
{
	const u8 *const bytes = text;

	*to++ = '"';
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] >= ' ' && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\') {
			*to++ = (char)bytes[i];
		} else if (bytes[i] == '"' || bytes[i] == '\\') {
			*to++ = '\\';
			*to++ = (char)bytes[i];
		} else {
			to = put_bytes(to, "\\u00", 4);
			*to++ = "0123456789abcdef"[bytes[i] >> 4];
			*to++ = "0123456789abcdef"[bytes[i] & 15];
		}
	}
	return put_char(to, '"');
}

static char *put_key(char *to, const char *name)
{
	to = put_text(put_bytes(to, ",\"", 2), name);
	return put_bytes(to, "\":", 2);
}

static char *put_hex_string(char *to, u64 value)
{
	return put_char(put_hex(put_char(to, '"'), value), '"');
}

static char *put_name(char *to, const char *name, u64 value)
{
	if (!name)
		return put_hex_string(to, value);
	return put_char(put_text(put_char(to, '"'), name), '"');
}

/* Events of hv's own can be about a level, which a column of that name tells. */
#define LEVEL_COLUMN "level"

static u64 level_of(const struct trace_kind_info *kind, const struct trace_event *event)
{
	for (u8 i = 0; kind && i < kind->column_count; i++)
		if (!strcmp(kind->columns[i].name, LEVEL_COLUMN))
			return event->col[i];
	return event->level;
}

static char *put_start(char *to, const struct trace_event *event, u64 n, const char *kind,
		       u64 level)
{
	to = put_text(to, "{\"schema\":1,\"n\":");
	to = put_dec(to, n);
	to = put_dec(put_text(to, ",\"cpu\":"), event->cpu);
	to = put_dec(put_text(to, ",\"seq\":"), event->seq);
	to = put_dec(put_text(to, ",\"tsc\":"), event->tsc);
	to = put_dec(put_text(to, ",\"level\":"), level);
	to = put_name(put_key(to, "kind"), kind, event->kind);
	return event->rip ? put_hex_string(put_key(to, "rip"), event->rip) : to;
}

static char *put_symbol(char *to, const struct symbols *symbols, const struct trace_event *event)
{
	const struct symbol *const symbol =
		event->rip ? symbols_find(symbols, event->level, event->rip) : NULL;
	char text[SYMBOLS_MAX_NAME], source[SYMBOLS_MAX_SOURCE];
	const char *file;
	unsigned line;
	size_t length;

	if (!symbol)
		return to;
	length = symbols_text(symbols, event->level, event->rip, text);
	to = json_string(put_key(to, "symbol"), text, length);
	if (symbol->module)
		to = json_string(put_key(to, "module"), symbol->module, strlen(symbol->module));
	if (!symbols_source(symbols, event->level, event->rip, &file, &line))
		return to;
	snprintf(source, sizeof(source), "%s:%u", file, line);
	to = json_string(put_key(to, "source"), source, strlen(source));
	return to;
}

static char *put_field_name(char *to, u64 encoding)
{
	const int index = vmcs_access_index(encoding);

	if (index < 0)
		return put_hex_string(to, encoding);
	to = put_text(put_char(to, '"'), vmcs_fields[index].name);
	return put_text(to, vmcs_encoding_is_high(encoding) ? "_high\"" : "\"");
}

static char *put_outcome(char *to, u64 outcome, u64 error)
{
	to = put_text(put_char(to, '"'), name_outcome(outcome));
	if (outcome == OUTCOME_FAIL_VALID || outcome == OUTCOME_FAULT)
		to = put_dec(put_char(to, ':'), error);
	return put_char(to, '"');
}

/* Named numbers of one kind only. */
static const char *name_of(const struct trace_event *event, const char *column, u64 value)
{
	if (event->kind == EV_END && !strcmp(column, "why"))
		return trace_text_end(value);
	if (event->kind == EV_GAP && !strcmp(column, "why"))
		return trace_text_gap(value);
	if (event->kind == EV_VMCS12_WRITE && !strcmp(column, "origin"))
		return trace_text_origin(value);
	return NULL;
}

static char *put_value(char *to, const struct trace_event *event, const struct trace_column *column,
		       u64 value)
{
	const char *const name = name_of(event, column->name, value);

	if (name)
		return put_name(to, name, value);
	switch (column->type) {
	case TYPE_NUM:
	case TYPE_TICKS:
		return put_dec(to, value);
	case TYPE_BOOL:
		return put_text(to, value ? "true" : "false");
	case TYPE_FIELD:
		return put_field_name(to, value);
	case TYPE_REASON:
		return put_name(to,
				vmx_exit_by_reason((u32)value) ? vmx_exit_name((u32)value) : NULL,
				value);
	case TYPE_MSR:
		return put_name(to, value <= ~0u ? vmx_msr_name((u32)value) : NULL, value);
	default:
		return put_hex_string(to, value);
	}
}

/* The columns that INSN_COLUMNS has about a failure. */
static bool about_failure(const char *name)
{
	return !strcmp(name, "error") || !strcmp(name, "fault_code") || !strcmp(name, "cr2");
}

static char *put_columns(char *to, const struct trace_kind_info *kind,
			 const struct trace_event *event)
{
	bool outcome = false;

	for (u8 i = 0; i < kind->column_count; i++) {
		const struct trace_column *const column = &kind->columns[i];

		if (!strcmp(column->name, LEVEL_COLUMN))
			continue;
		if (column->type == TYPE_OUTCOME) {
			const u64 error = i + 1 < kind->column_count ? event->col[i + 1] : 0;

			outcome = true;
			to = put_outcome(put_key(to, column->name), event->col[i], error);
		} else if (outcome && about_failure(column->name)) {
			if (event->col[i] && strcmp(column->name, "error"))
				to = put_hex_string(put_key(to, column->name), event->col[i]);
		} else {
			to = put_value(put_key(to, column->name), event, column, event->col[i]);
		}
	}
	return to;
}

/* What the field that the event writes held before. */
static char *put_old(char *to, const struct model *model, u64 vmcs, u64 encoding)
{
	const struct model_region *const region = model ? model_region(model, vmcs) : NULL;
	const int index = vmcs_access_index(encoding);
	u64 value;

	if (!region || index < 0 || !model_field(region, index, ~0ull, &value))
		return to;
	if (vmcs_encoding_is_high(encoding))
		value >>= 32;
	return put_hex_string(put_key(to, "old"), value);
}

enum item_class { ITEMS_FIELDS, ITEMS_REGS, ITEMS_CONSULTED, ITEMS_VMCS02, ITEMS_VMCS01 };

static enum item_class class_of(u32 id)
{
	return id < ITEM_REG		   ? ITEMS_FIELDS
	       : id < ITEM_REG + REG_COUNT ? ITEMS_REGS
	       : id < ITEM_VMCS02	   ? ITEMS_CONSULTED
	       : id < ITEM_VMCS01	   ? ITEMS_VMCS02
	       : id < ITEM_VMCS01 + 0x2000 ? ITEMS_VMCS01
					   : ITEMS_CONSULTED;
}

static char *put_item_name(char *to, const struct trace_schema *schema, u32 id)
{
	char text[TRACE_TEXT_SIZE];

	if (class_of(id) == ITEMS_FIELDS)
		return put_field_name(to, id);
	if (class_of(id) == ITEMS_VMCS02 || class_of(id) == ITEMS_VMCS01)
		return put_field_name(to, trace_item_field(id));
	if (class_of(id) == ITEMS_REGS)
		return put_name(to, vmx_reg_name(id - ITEM_REG), id);
	trace_text_item(text, sizeof(text), schema, id);
	return put_name(to, text, id);
}

/* The items of @class as an object under @key; nothing when there are none. */
static char *put_items(char *to, const struct trace_schema *schema, const struct trace_event *event,
		       enum item_class class, const char *key)
{
	bool any = false;

	for (u32 i = 0; i < event->item_count; i++) {
		if (class_of(event->items[i].id) != class)
			continue;
		to = any ? put_char(to, ',') : put_char(put_key(to, key), '{');
		any = true;
		to = put_char(put_item_name(to, schema, event->items[i].id), ':');
		to = put_hex_string(to, event->items[i].value);
	}
	return any ? put_char(to, '}') : to;
}

static char *put_hex_bytes(char *to, const u8 *bytes, u32 count)
{
	*to++ = '"';
	for (u32 i = 0; i < count; i++)
		to = put_hex_digits(to, bytes[i], 2);
	return put_char(to, '"');
}

/* Of a ram event. */
static char *put_runs(char *to, const struct trace_event *event)
{
	struct memory_pieces pieces = memory_event_pieces(event);
	struct memory_piece piece;
	bool any = false;

	to = put_char(put_key(to, "runs"), '[');
	while (memory_event_next(&pieces, &piece)) {
		to = put_bytes(any ? put_char(to, ',') : to, "{\"gpa\":", 7);
		to = put_hex_string(to, piece.address);
		to = put_hex_bytes(put_bytes(to, ",\"bytes\":", 9), piece.bytes, piece.size);
		to = put_char(to, '}');
		any = true;
	}
	return put_char(to, ']');
}

char *event_json(char *to, const struct event_names *names, const struct trace_event *event, u64 n,
		 const struct model *model)
{
	const struct trace_kind_info *const kind = trace_schema_kind(names->schema, event->kind);

	to = put_start(to, event, n, kind ? kind->name : NULL, level_of(kind, event));
	to = put_symbol(to, names->symbols, event);
	if (kind)
		to = put_columns(to, kind, event);
	if (event->kind == EV_VMWRITE)
		to = put_old(to, model, ((const struct ev_vmwrite *)event->col)->vmcs,
			     ((const struct ev_vmwrite *)event->col)->field);
	if (event->item_count) {
		to = put_items(to, names->schema, event, ITEMS_FIELDS, "fields");
		to = put_items(to, names->schema, event, ITEMS_REGS, "regs");
		to = put_items(to, names->schema, event, ITEMS_CONSULTED, "consulted");
		to = put_items(to, names->schema, event, ITEMS_VMCS02, "vmcs02");
		to = put_items(to, names->schema, event, ITEMS_VMCS01, "vmcs01");
	}
	if (event->kind == EV_RAM)
		to = put_runs(to, event);
	else if (event->byte_count && event->kind == EV_PAGE)
		to = put_hex_bytes(put_key(to, "bytes"), event->bytes, event->byte_count);
	else if (event->byte_count)
		to = json_string(put_key(to, "text"), event->bytes, event->byte_count);
	if (event->code)
		to = put_hex_bytes(put_key(to, "code"), event->code, event->code_count);
	return put_bytes(to, "}\n", 2);
}

/* The line of kind vmcs12_write for a field that @event wrote. */
static char *put_write(char *to, const struct trace_event *event, u64 n, const char *origin,
		       u64 vmcs, const struct trace_item *item, const struct model *model)
{
	to = put_start(to, event, n, "vmcs12_write", event->level);
	to = put_name(put_key(to, "origin"), origin, 0);
	to = put_hex_string(put_key(to, "vmcs"), vmcs);
	to = put_field_name(put_key(to, "field"), item->id);
	to = put_old(to, model, vmcs, item->id);
	to = put_hex_string(put_key(to, "value"), item->value);
	return put_bytes(to, "}\n", 2);
}

char *event_json_item(char *to, const struct trace_event *event, u64 n, u32 index,
		      const struct model *model)
{
	const struct trace_item *const item = &event->items[index];

	if (class_of(item->id) != ITEMS_FIELDS)
		return to;
	if (event->kind == EV_L2_EXIT)
		return put_write(to, event, n, "exit",
				 ((const struct ev_l2_exit *)event->col)->vmcs, item, model);
	return put_write(to, event, n, "entry", ((const struct ev_l2_entry *)event->col)->vmcs,
			 item, model);
}

char *event_json_error(char *to, const struct trace_event *event, u64 n, const struct model *model)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;
	const struct trace_item item = { VMCS_VM_INSTRUCTION_ERROR, insn->error };

	return put_write(to, event, n, "error", insn->vmcs, &item, model);
}
