#include "trace/text.h"

#include "vmx/tables.h"

static size_t put_hex(char *to, size_t size, u64 value)
{
	return fmt(to, size, "0x%llx", (unsigned long long)value);
}

static size_t put_name(char *to, size_t size, const char *name, u64 value)
{
	return name ? fmt(to, size, "%s", name) : put_hex(to, size, value);
}

static const char *field_name(u64 encoding)
{
	const int index = vmcs_field_index(encoding);

	return index < 0 ? NULL : vmcs_fields[index].name;
}

static size_t put_field(char *to, size_t size, u64 encoding)
{
	const char *low = NULL;

	/* The high half of a 64-bit field is accessed with bit 0 set. */
	if (vmcs_encoding_is_high(encoding) && vmcs_encoding_width(encoding) == VMCS_WIDTH_64)
		low = field_name(encoding & ~1ull);
	return low ? fmt(to, size, "%s_high", low)
		   : put_name(to, size, field_name(encoding), encoding);
}

static size_t put_reason(char *to, size_t size, u64 reason)
{
	const struct vmx_exit *const row = vmx_exit_by_reason((u32)reason);

	if (!row || reason >> 32)
		return put_hex(to, size, reason);
	return fmt(to, size, "%s%s", row->name, reason & EXIT_REASON_ENTRY_FAILURE ? ":entry" : "");
}

static size_t put_mode(char *to, size_t size, u64 mode)
{
	static const struct {
		const char *text;
		u8 low;
		u8 bits;
	} rows[] = {
#define MODE(NAME, low, bits, text) { text, low, bits },
#include "trace/mode.def"
#undef MODE
	};
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 value = mode >> rows[i].low & (BIT(rows[i].bits) - 1);
		char *const at = to + MIN(length, size);
		const size_t left = size - MIN(length, size);

		if (rows[i].bits > 1)
			length += fmt(at, left, "%s%s=%u", length ? ", " : "", rows[i].text,
				      (unsigned)value);
		else if (value)
			length += fmt(at, left, "%s%s", length ? ", " : "", rows[i].text);
	}
	return length;
}

size_t trace_text_value(char *to, size_t size, unsigned type, u64 value)
{
	switch (type) {
	case TYPE_NUM:
	case TYPE_TICKS:
	case TYPE_BOOL:
		return fmt(to, size, "%llu", (unsigned long long)value);
	case TYPE_MODE:
		return put_mode(to, size, value);
	case TYPE_OUTCOME:
		return trace_text_outcome(to, size, value, 0);
	case TYPE_FIELD:
		return put_field(to, size, value);
	case TYPE_REASON:
		return put_reason(to, size, value);
	case TYPE_MSR:
		return put_name(to, size, value >> 32 ? NULL : vmx_msr_name((u32)value), value);
	default:
		return put_hex(to, size, value);
	}
}

size_t trace_text_outcome(char *to, size_t size, u64 outcome, u64 error)
{
	switch (outcome) {
	case OUTCOME_SUCCEED:
		return fmt(to, size, "succeed");
	case OUTCOME_FAIL_INVALID:
		return fmt(to, size, "fail_invalid");
	case OUTCOME_FAIL_VALID:
		return fmt(to, size, "fail_valid:%llu", (unsigned long long)error);
	case OUTCOME_FAULT:
		return fmt(to, size, "fault:%llu", (unsigned long long)error);
	default:
		return put_hex(to, size, outcome);
	}
}

size_t trace_text_item(char *to, size_t size, const struct trace_schema *schema, u32 id)
{
	const struct trace_item_range *const range = trace_schema_range(schema, id);
	size_t length;

	if (!range)
		return put_hex(to, size, id);
	if (range->first == ITEM_FIELD)
		return put_field(to, size, id);
	if (range->first == ITEM_REG)
		return fmt(to, size, "%s", vmx_reg_name(id - ITEM_REG));
	if (range->count == 1)
		return fmt(to, size, "%s", range->name);
	if (range->first == ITEM_VMCS02 || range->first == ITEM_VMCS01) {
		length = fmt(to, size, "%s:", range->name);
		return length + put_field(to + MIN(length, size), size - MIN(length, size),
					  trace_item_field(id));
	}
	return fmt(to, size, "%s:%u", range->name, id - range->first);
}

static const char *text_of(const char *const *texts, size_t count, u64 value)
{
	return value < count ? texts[value] : NULL;
}

const char *trace_text_origin(u64 origin)
{
	static const char *const texts[] = {
		[ORIGIN_MEMORY] = "memory",
		[ORIGIN_ERROR] = "error",
		[ORIGIN_SHADOW] = "shadow",
		[ORIGIN_WRITE_BACK] = "write_back",
	};

	return text_of(texts, ARRAY_SIZE(texts), origin);
}

const char *trace_text_end(u64 why)
{
	static const char *const texts[] = {
		[END_POWER_OFF] = "power_off",
		[END_RESET] = "reset",
		[END_TRIPLE_FAULT] = "triple_fault",
		[END_REFUSED_SLEEP] = "refused_sleep",
		[END_PANIC] = "panic",
		[END_UNSUPPORTED] = "unsupported",
		[END_ASKED] = "asked",
	};

	return text_of(texts, ARRAY_SIZE(texts), why);
}

const char *trace_text_capture(u64 capture)
{
	static const char *const texts[] = {
#define CAPTURE(NAME, name, number, title) [CAPTURE_##NAME] = #name,
#include "trace/captures.def"
#undef CAPTURE
	};

	return text_of(texts, ARRAY_SIZE(texts), capture);
}

const char *trace_text_capture_title(u64 capture)
{
	static const char *const texts[] = {
#define CAPTURE(NAME, name, number, title) [CAPTURE_##NAME] = (title),
#include "trace/captures.def"
#undef CAPTURE
	};

	return text_of(texts, ARRAY_SIZE(texts), capture);
}

const char *trace_text_gap(u64 why)
{
	static const char *const texts[] = {
		[GAP_RING_FULL] = "ring_full",	       [GAP_LOST_BLOCK] = "lost_block",
		[GAP_DAMAGED_BLOCK] = "damaged_block", [GAP_CUT] = "cut",
		[GAP_OVERWRITTEN] = "overwritten",
	};

	return text_of(texts, ARRAY_SIZE(texts), why);
}

const char *trace_text_title(unsigned kind)
{
	switch (kind) {
#define EVENT(KIND, name, id, key, flags, title, columns) \
	case id:                                          \
		return title;
#include "trace/events.def"
#undef EVENT
	default:
		return NULL;
	}
}

/* --- a whole event ---------------------------------------------------------------------------- */

/* Where the next piece of text goes, and how long all of them are. */
struct line {
	char *to;
	size_t size;
	size_t length;
};

static char *line_at(const struct line *line)
{
	return line->to + MIN(line->length, line->size);
}

static size_t line_left(const struct line *line)
{
	return line->size - MIN(line->length, line->size);
}

static void put_columns(struct line *line, const struct trace_kind_info *kind,
			const struct trace_event *event)
{
	const unsigned outcome = EV_COLUMN(insn, outcome);
	const bool is_insn = kind->column_count > EV_COLUMN(insn, error) &&
			     !strcmp(kind->columns[outcome].name, "outcome");

	for (unsigned i = 0; i < kind->column_count; i++) {
		const struct trace_column *const column = &kind->columns[i];

		if (i && !event->col[i])
			continue;
		line->length += fmt(line_at(line), line_left(line), " %s=", column->name);
		if (is_insn && i == outcome)
			line->length += trace_text_outcome(line_at(line), line_left(line),
							   event->col[i], event->col[i + 1]);
		else
			line->length += trace_text_value(line_at(line), line_left(line),
							 column->type, event->col[i]);
	}
}

static void put_items(struct line *line, const struct trace_schema *schema,
		      const struct trace_event *event)
{
	for (u32 i = 0; i < event->item_count; i++) {
		line->length += fmt(line_at(line), line_left(line), " ");
		line->length +=
			trace_text_item(line_at(line), line_left(line), schema, event->items[i].id);
		line->length += fmt(line_at(line), line_left(line), "=0x%llx",
				    (unsigned long long)event->items[i].value);
	}
}

static void put_string(struct line *line, const struct trace_event *event)
{
	line->length += fmt(line_at(line), line_left(line), " \"");
	for (u32 i = 0; i < event->byte_count; i++) {
		const u8 byte = event->bytes[i];
		const bool plain = byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';

		line->length += fmt(line_at(line), line_left(line), plain ? "%c" : "\\x%02x", byte);
	}
	line->length += fmt(line_at(line), line_left(line), "\"");
}

size_t trace_text_event(char *to, size_t size, const struct trace_schema *schema,
			const struct trace_event *event)
{
	const struct trace_kind_info *const kind = trace_schema_kind(schema, event->kind);
	struct line line = { .to = to, .size = size };

	if (!kind)
		return fmt(to, size, "kind %u", event->kind);
	line.length = fmt(to, size, "%s", kind->name);
	if (event->rip)
		line.length += fmt(line_at(&line), line_left(&line), " rip=0x%llx",
				   (unsigned long long)event->rip);
	put_columns(&line, kind, event);
	put_items(&line, schema, event);
	if (kind->flags & KIND_BYTES)
		put_string(&line, event);
	return line.length;
}
