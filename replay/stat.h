/*
 * replay/stat.h - what a dialogue costs: counts by instruction, exit reason, field and call site
 *
 * Feed every event in order, then read the members. Memory does not grow with the tape: sites
 * beyond STAT_MAX_SITES are counted together.
 *
 * A round begins with an exit of L2 and lasts until L2 runs again. Its ticks are TSC ticks of the
 * CPU between the two; hv's share of them is what hv reports with the next exit, and is known only
 * where hv handled no exit of L2 alone in between. What is left is L1's own. Packing and sending
 * the tape count as neither, if the tape tells them apart.
 */
#ifndef REPLAY_STAT_H
#define REPLAY_STAT_H

#include "replay/model.h"

#define STAT_MAX_SITES	65536
#define STAT_REASONS	EXIT_REASON_COUNT /* the number itself: a reason that no table has */
#define STAT_KINDS	64
#define STAT_INV_TYPES	4
#define STAT_INV_OTHERS STAT_INV_TYPES /* types that no processor has */

struct stat_insn {
	u64 count;
	u64 failed;  /* ended with VMfail ... */
	u64 faulted; /* ... or a fault */
};

struct stat_exit {
	u64 count;
	u64 entry_failures; /* of these: VM entries that failed */
	u64 rounds;	    /* that ended: L2 ran again */
	u64 ticks;	    /* of these rounds */
	u64 split;	    /* rounds whose ticks are split into: */
	u64 own_ticks;	    /* L1 ... */
	u64 hv_ticks;	    /* ... and hv */
	u64 reads, writes;  /* VMREAD and VMWRITE in rounds that ended */
	u64 others;	    /* other VMX instructions in them, without the one that ends a round */
};

struct stat_field {
	u64 reads;
	u64 reread; /* of these: again since L2 ran last, or another VMCS was made current */
	u64 writes;
	u64 same; /* of these: the value that the field had */
	u64 failed;
};

/* Where an instruction is executed, or an exit of L2 happens. */
struct stat_site {
	u64 rip;
	u64 count;
	u64 failed;
	u32 detail; /* VMREAD, VMWRITE: encoding; exits: reason; others 0 */
	u8 kind;    /* enum trace_kind; 0: the slot is free */
};

struct stat_inv {
	u64 count;
	u64 failed;
	u64 idle; /* no L2 ran on the CPU since the one before with the same operands */
};

/* hv's time in exits of one level for one reason. */
struct stat_hv {
	u64 exits, ticks, longest;
	u64 longest_tsc; /* TSC of the exit that took longest */
};

struct stat {
	struct stat_insn insns[STAT_KINDS]; /* by enum trace_kind, VMX instructions and others */
	struct stat_exit exits[STAT_REASONS + 1];
	struct stat_field fields[VMCS_FIELD_COUNT];
	struct stat_inv invept[STAT_INV_TYPES + 1], invvpid[STAT_INV_TYPES + 1];
	u64 events, vmx_insns, l2_entries, l2_exits, hidden_exits;
	u64 first_tsc, last_tsc;
	u64 ticks;	   /* of each CPU, from its first event to its last, in sum */
	u64 l2_ticks;	   /* from entries to exits, hidden exits included */
	u64 hv_ticks;	   /* hv's time up to the last exit */
	u64 packing_ticks; /* hv's time besides, for packing and sending the tape */
	/* As hv counted: of L1 and of L2, from the first hv_time event before the range on */
	struct stat_hv hv[2][STAT_REASONS + 1];
	struct stat_hv packing;
	struct stat_site *sites; /* STAT_MAX_SITES slots */
	unsigned site_count;
	u64 other_sites; /* events at sites that had no room */
	struct stat_cpu *cpus;
	struct model *model;
};

/* NULL when there is no memory. */
struct stat *stat_new(void);
void stat_free(struct stat *stat);

/* Event number @n. ST_NO_MEMORY. */
enum status stat_event(struct stat *stat, const struct trace_event *event, u64 n);

#endif
