/*
 * trace/event.h - one event in memory, for hv, the codec and every reader
 *
 * All kinds share one struct: numbers stand in @col in the order of the kind's columns in
 * trace/events.def, VMCS fields, registers and consulted words in @items, text in @bytes. So the
 * codec, the printers and the filters are loops over the schema, and a reader can carry kinds and
 * columns that it does not know.
 */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

#include "base/base.h"
#include "base/status.h"

#define TRACE_MAX_COLUMNS 32
#define TRACE_MAX_ITEMS	  256
#define TRACE_MAX_BYTES	  4096
#define TRACE_MAX_CODE	  16
#define TRACE_MAX_ITEM_ID 0x10000 /* ids of items are below */

enum trace_kind {
#define EVENT(KIND, name, id, key, flags, title, columns) EV_##KIND = id,
#include "trace/events.def"
#undef EVENT
};

/*
 * struct ev_<kind>: the columns of a kind by name, every one a u64, so that it is laid over @col.
 * struct ev_insn is what all instructions of L1 begin with.
 */
#define C(name, type, predictor, title) u64 name;
#define EVENT(KIND, name, id, key, flags, title, columns) \
	struct ev_##name {                                \
		columns                                   \
	};
#include "trace/events.def"
#undef EVENT
struct ev_insn {
	INSN_COLUMNS
};
#undef C

/* Where column @name of struct ev_@kind is in @col. */
#define EV_COLUMN(kind, name) (offsetof(struct ev_##kind, name) / sizeof(u64))

enum trace_outcome { OUTCOME_SUCCEED, OUTCOME_FAIL_INVALID, OUTCOME_FAIL_VALID, OUTCOME_FAULT };
enum trace_origin { ORIGIN_MEMORY, ORIGIN_ERROR, ORIGIN_SHADOW, ORIGIN_WRITE_BACK };
enum trace_end {
	END_POWER_OFF,
	END_RESET,
	END_TRIPLE_FAULT,
	END_REFUSED_SLEEP,
	END_PANIC,
	END_UNSUPPORTED,
	END_ASKED
};
enum trace_gap { GAP_RING_FULL, GAP_LOST_BLOCK, GAP_DAMAGED_BLOCK, GAP_CUT, GAP_OVERWRITTEN };
enum trace_file { FILE_KALLSYMS, FILE_MODULES }; /* of Linux: /proc/kallsyms, /proc/modules */
/* Column `walked` of regs: which paging structures the tape holds as they are now. */
enum trace_walked { WALKED_RIP = 1, WALKED_RSP = 2 };
enum trace_deep { DEEP_BEGINS, DEEP_ENDS, DEEP_PAGES_USED, DEEP_TYPES_CHANGED };
enum trace_text { TEXT_HV_OPTIONS, TEXT_L1_COMMAND_LINE, TEXT_L1_NAME };

enum trace_capture {
	CAPTURE_UNTOLD,
#define CAPTURE(NAME, name, number, title) CAPTURE_##NAME = (number),
#include "trace/captures.def"
#undef CAPTURE
};

enum trace_mode_bit {
#define MODE(NAME, low, bits, text) MODE_##NAME = low,
#include "trace/mode.def"
#undef MODE
};

enum trace_item_id {
#define ITEM(NAME, name, first, count, title) ITEM_##NAME = first,
#include "trace/items.def"
#undef ITEM
};

/*
 * Fields of VMCSs that are not L1's have ids of their own behind ITEM_VMCS02, ITEM_VMCS01 and
 * ITEM_STATE, from their encodings without bit 0 (full or high half) and bit 12 (reserved).
 */
static inline u32 trace_item_id(u32 first, u32 encoding)
{
	return first + (u32)(BITS(encoding, 11, 1) | BITS(encoding, 14, 13) << 11);
}

/* The encoding of the field that @id, an id of ITEM_VMCS02, ITEM_VMCS01 or ITEM_STATE, names. */
static inline u32 trace_item_field(u32 id)
{
	return (u32)(BITS(id, 10, 0) << 1 | BITS(id, 12, 11) << 13);
}

struct trace_item {
	u32 id; /* trace/items.def */
	u64 value;
};

struct trace_event {
	u8 kind;  /* enum trace_kind, or another tape's */
	u8 level; /* 1 or 2: who executed; 0: hv */
	u16 cpu;  /* filled by the reader; the writer's CPU is its recorder's */
	u64 seq;  /* filled by the reader: number of the event on its CPU, from 0 */
	u64 tsc;
	u64 rip; /* of level; 0 where there is none */
	const u64 *col;
	const struct trace_item *items;
	u32 item_count;
	u32 byte_count;
	const u8 *bytes;
	const u8 *code; /* filled by the reader: instruction bytes at rip, NULL when not recorded */
	u8 code_count;
};

/* A VMX instruction: its first columns are those of struct ev_insn. */
static inline bool trace_event_is_insn(const struct trace_event *event)
{
	return event->kind >= EV_VMXON && event->kind <= EV_VMFUNC;
}

/*
 * A VMX instruction that ended with VMfailValid: its error became the field VM-instruction error.
 */
static inline bool trace_event_fails_valid(const struct trace_event *event)
{
	return trace_event_is_insn(event) &&
	       ((const struct ev_insn *)event->col)->outcome == OUTCOME_FAIL_VALID;
}

#endif
