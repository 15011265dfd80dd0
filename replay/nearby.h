/*
 * replay/nearby.h - what the events around a place of a tape tell of one CPU
 *
 * Registers are told by events of their own before the event that they belong to, and some of them
 * only where they change, since the start of the block. So the events before a place are read, from
 * a block's start at least, up to the next event of the CPU that has a RIP.
 */
#ifndef REPLAY_NEARBY_H
#define REPLAY_NEARBY_H

#include "replay/reader.h"
#include "replay/tri.h"
#include "vmx/regs.h"
#include "vmx/vmcs12.h"

#define NEARBY_CODES 64

/* A copy of an event. */
struct nearby_event {
	bool there;
	u64 n;
	u8 kind, level;
	u64 rip;
	u64 col[TRACE_MAX_COLUMNS];
	u32 item_count, code_count;
	struct trace_item items[TRACE_MAX_ITEMS];
	u8 code[TRACE_MAX_CODE];
};

/* The last regs event of a level. */
struct nearby_regs {
	bool there;
	bool of_next; /* it is that of nearby->next */
	u64 n;	      /* of the event that it is of; of @next where that has not come */
	struct ev_regs col;
};

/* Instruction bytes of L1. */
struct nearby_code {
	u64 n, rip, cr3;
	u8 count;
	u8 bytes[TRACE_MAX_CODE];
};

struct nearby {
	u16 cpu;
	struct nearby_event next;      /* at the place or behind: whose registers are asked for */
	struct nearby_event entry;     /* the last VMLAUNCH or VMRESUME before that entered L2 */
	struct nearby_event exit;      /* the last l2_exit before */
	struct nearby_regs regs[2];    /* of L1, of L2 */
	struct nearby_regs entry_regs; /* of @entry */
	struct nearby_regs exit_regs;  /* of @exit */
	struct word state[VMCS_FIELD_COUNT];	   /* of L1, by the guest-state field */
	struct word entry_state[VMCS_FIELD_COUNT]; /* likewise, at @entry */
	struct nearby_code codes[NEARBY_CODES];	   /* the sites met last, each once */
	unsigned code_count;
	bool new_block; /* @state is of the block before, until this one has a regs event */
	bool state_whole, entry_state_whole; /* that block was read from its start */
};

/*
 * Fill @nearby for @cpu and the place before event @n. Nothing from before a gap of that CPU is
 * used. The reader moves.
 */
void nearby_read(struct reader *reader, u16 cpu, u64 n, struct nearby *nearby);

#endif
