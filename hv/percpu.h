/*
 * hv/percpu.h - everything hv keeps for one logical processor
 *
 * A processor reads and writes its own struct percpu only, but for what says otherwise; nothing in
 * it is locked. The assembly in vmexit.S knows @regs by its offset 0.
 */
#ifndef HV_PERCPU_H
#define HV_PERCPU_H

#include "base/base.h"
#include "hv/guestmem.h"
#include "hv/hv_time.h"
#include "hv/hwvmcs.h"
#include "hv/nested/state.h"
#include "trace/event.h"
#include "vmx/caps.h"
#include "vmx/regs.h"

struct deep;
struct descriptor_tables;
struct rec;
struct ring;
struct snapshot;

/*
 * An exit of the guest that runs now, read once by exit_dispatch(); what only some exits need stays
 * in the VMCS. Of exits that are L1's to handle, @insn_length, @rflags and @blocking are not read.
 */
struct exit_info {
	u32 reason;	 /* all 32 bits */
	u32 insn_length; /* bytes; defined for instruction exits only */
	u64 rip;	 /* of the guest that exited */
	u64 rflags;	 /* before hv did anything */
	u64 ss_rights;	 /* of an instruction of VMX: exit_insn_event() */
	u64 blocking;	 /* interruptibility state, likewise */
	u64 tsc;	 /* when hv was entered */
};

/* The event that a handler fills and exit_dispatch() emits: kind 0 is none. */
struct pending_event {
	struct trace_event event;
	u64 columns[TRACE_MAX_COLUMNS];
	bool snapshot_taken; /* registers and memory of it are on the tape */
};

#define KEPT_STATE_SIZE 160

struct percpu {
	u64 regs[REG_COUNT]; /* of the guest; RSP is not kept here but in the VMCS */
	struct percpu *self; /* for vmexit.S, at PERCPU_SELF */
	union {
		u64 attention; /* one of these: before the guest goes on there is something to do */
		struct {
			bool nmi_pending;  /* an NMI of L1's came in root mode, or has to wait */
			bool init_pending; /* INIT, while L1 is in VMX root operation */
			bool kicked;	   /* for kick_answer() */
			bool nmi_arrived;  /* since exit_attend() looked; at PERCPU_ARRIVED */
			bool types_stale;  /* an MTRR was written, EPT01 is as before */
			bool ept01_stale;  /* another processor changed EPT01; atomic */
		};
	};
	u32 id;
	u32 apic_id;
	struct hwvmcs *hw; /* the current VMCS: &vmcs01 or a VMCS02 */
	struct hwvmcs vmcs01;
	u64 vmxon_pa;
	struct exit_info exit;
	struct nested nested;
	struct pending_event pending;
	struct hv_time time;
	struct walk_memory walks[8]; /* by the linear page number */
	struct rec *rec;
	bool events_off;	   /* capture=off: @rec gets no events of VMX */
	bool emits_apart;	   /* @events_off, or @snapshot is there */
	struct snapshot *snapshot; /* NULL: capture=lean */
	struct deep *deep;	   /* NULL: not capture=deep */
	struct ring *ring;
	u64 l1_xcr0;
	u64 feature_control; /* IA32_FEATURE_CONTROL as L1 sees it */
	bool smi_stays;	     /* exit_unblock_smi() has to be called at each exit */
	bool more_to_do;     /* at each exit, for @snapshot, @deep, nested.l0, nested.shadow or
				@smi_stays */
	u64 seen_init_rip;   /* an INIT that arrives there is one that L1 has had; ~0: none is */
	unsigned init_again; /* how often it did, without an instruction in between */
	struct trace_event parked_by; /* INIT that is not on the tape yet; kind 0: there is none */
	u64 parked_by_columns[TRACE_MAX_COLUMNS];
	u64 kept_state[KEPT_STATE_SIZE / 8]; /* across a reset, ap_restart.c */
	u8 *fxsave;	    /* 512 bytes for L1's vector registers while blocks are packed */
	u8 *drain_payload;  /* DRAIN_MAX_PAYLOAD bytes */
	u32 drain_sequence; /* number of the next frame */
	u64 tsc_offset, tsc_uncertainty; /* to the TSC of processor 0, as EV_CLOCK has them */
	u64 look_until;			 /* TSC: kick_look(); 0: not now */
	u64 sealed_tsc;			 /* when a block was last sealed because of its age */
	u64 idle_ticks;			 /* since then, until record_idle() has work; 0: it has */
	bool packing;			 /* sealed blocks are packed until none is left */
	bool hurries;			 /* record_push() does not wait for that */
	u8 *stack_top;
	struct descriptor_tables *tables; /* GDT and TSS, traps.c */

	/* Read and written by others as well, with atomic accesses. */
	u32 kicks;	 /* enum kick: an NMI comes for these */
	bool parked;	 /* in wait-for-SIPI, where no NMI gets through */
	bool restarting; /* it resets itself, processor 0 is to start it: ap_restart() */
	bool attended;	 /* processor 0 waits for that, and L1 does not run there */
	bool finished;	 /* its part of the tape is whole; it will not run again */
};

_Static_assert(offsetof(struct percpu, regs) == 0, "vmexit.S");
_Static_assert(offsetof(struct percpu, self) == 128, "PERCPU_SELF of vmexit.S");
_Static_assert(offsetof(struct percpu, nmi_arrived) == 139, "PERCPU_ARRIVED of vmexit.S");

/* More than that, and hv refuses to start. */
#define PERCPU_MAX 64

/* The processor that asks. NULL before percpu_set_boot(). */
struct percpu *percpu_this(void);

/* All of them: 0 is the one that booted. NULL from percpu_count() on. */
struct percpu *percpu_of(unsigned id);
unsigned percpu_count(void);

/* @cpu is the processor that booted, the only one so far. */
void percpu_set_boot(struct percpu *cpu);

/* Give @cpu the next number. Before it asks for itself, its GS base must lead to it. */
void percpu_add(struct percpu *cpu);

/* Memory for a processor, with a stack; panics when there is none. */
struct percpu *percpu_create(void);

/* The guest's general register @reg of the level that exited last; RSP is in the current VMCS. */
u64 percpu_reg(const struct percpu *cpu, unsigned reg);
void percpu_set_reg(struct percpu *cpu, unsigned reg, u64 value);

#endif
