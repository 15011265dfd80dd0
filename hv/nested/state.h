/*
 * hv/nested/state.h - VMX as L1 has it: where each processor stands, and the VMCS12s it holds
 *
 * Active VMCS12s live in slots of hv's own memory, as processors keep them. A slot that L1 cleared
 * remembers what hv wrote to the region, so that the next VMPTRLD can tell what L1 changed there.
 */
#ifndef HV_NESTED_STATE_H
#define HV_NESTED_STATE_H

#include "base/base.h"
#include "hv/hwvmcs.h"
#include "hv/nested/bitmaps02.h"
#include "trace/event.h"
#include "vmx/caps.h"
#include "vmx/tables.h"
#include "vmx/vmcs12.h"

#define NESTED_SLOTS	 64
#define NESTED_NONE	 (~0ull) /* the pointer that names no VMCS */
#define NESTED_EPT_ROOTS 4
#define NESTED_EPT_PAGES 2048 /* of EPT02 on one processor, at most */
#define NESTED_SET_WORDS ARRAY_SIZE(((struct vmcs_set *)NULL)->word)

struct msr_undo;
struct percpu;

enum nested_mode {
	NESTED_OFF,  /* L1 is not in VMX operation */
	NESTED_ROOT, /* L1 runs in VMX root operation */
	NESTED_L2,   /* L2 runs */
};

/* Whether two sets of fields have one in common. */
static inline bool nested_sets_meet(const struct vmcs_set *a, const struct vmcs_set *b)
{
	u64 both = 0;

	for (unsigned i = 0; i < NESTED_SET_WORDS; i++)
		both |= a->word[i] & b->word[i];
	return both;
}

struct msrs_of_l2 {
	u64 efer, pat, debugctl;
};

/* One VMCS12 that hv knows. */
struct nested_vmcs {
	u64 pointer;	      /* of its region; NESTED_NONE: the slot is free */
	bool active;	      /* false: @written is what hv left in the region, the rest is stale */
	bool launched;	      /* launch state */
	bool prepared;	      /* @vmcs02 has what all VMCS02s have */
	bool heartbeat;	      /* the timer of @vmcs02 is hv's */
	bool told;	      /* an exit has recorded all that exits save, changed or not */
	bool forgotten;	      /* what it was when L1 loaded it is not told yet */
	bool imaged;	      /* nothing changed since the key frame of block @image_block */
	u16 results;	      /* general registers that the next l2_entry shows, by the last exit */
	u64 image_block;      /* number of a block */
	u64 used;	      /* of struct nested.clock, for eviction */
	u64 written_tsc;      /* when the region and @written were the same for sure */
	struct hwvmcs vmcs02; /* pa 0: none yet */
	u64 ept02;	      /* EPT pointer in VMCS02 */
	struct bitmaps02_use msrs02, ports02;
	bool msrs_known; /* MSRs in @vmcs02 are @msrs, as L2 had no way to write them since */
	struct msrs_of_l2 msrs;
	u8 tables_open;	   /* entries, this one included, for which L2 may use LGDT and its like */
	u8 registers_open; /* exits until L2 exits for writes to CR0, CR4 and DR7 again */
	bool registers_closed; /* it does: vmcs02_registers.h */
	bool dr7_known;	       /* DR7 in @vmcs02 is @dr7 */
	u64 dr7;
	struct vmcs_set dirty;	    /* fields that VMCS02 does not have yet */
	struct vmcs_set unshadowed; /* fields that the shadow VMCS does not have yet */
	u64 field[VMCS_FIELD_COUNT];
	struct vmcs12 written; /* the region as hv last read or wrote it */
};

/* The pages of EPT02 trees, which never leave their processor. */
struct ept02_root {
	u64 key;    /* bits 51:12 and 6 of the EPTP of L1; NESTED_NONE: free */
	u64 *table; /* PML4 */
	u64 used;
	unsigned linked; /* tables below that the processor was given since all were stale */
	unsigned top;	 /* of those, the ones that @table leads to */
};

struct ept02 {
	struct ept02_root root[NESTED_EPT_ROOTS];
	u64 **page;    /* NESTED_EPT_PAGES: tables in use, then free ones with what they had */
	u8 *page_root; /* which root a table in use belongs to */
	unsigned in_use;
	unsigned total;
};

/* Words of a bitmap of VMCS01's that are not 0. */
struct word_list {
	unsigned count;
	u16 index[64];
};

/* A VM entry whose success is not known yet: what is emitted at the exit after it. */
struct nested_entry {
	bool waits;
	u8 kind; /* of the event of VMLAUNCH or VMRESUME, which is cpu->pending but for that */
	u64 tsc, rip, injected, hv_ticks;
	u32 bad_msr; /* entry of the MSR-load list, from 1, that must not be loaded; 0: none */
	u32 item_count;
	struct trace_item *items; /* TRACE_MAX_ITEMS */
};

/* What VMCS01 has of L1 since L1 entered L2, for the next exit to know. */
struct left01 {
	u64 cr3, blocking, rflags, ss_rights;
	u64 efer, pat; /* LEFT_UNKNOWN: it was not looked at */
	u64 cr0, cr4;  /* while these registers are kept */
};

#define LEFT_UNKNOWN (~0ull)

/* Host state in VMCS01 that L1 can't have changed since an exit of L2 loaded it: host_state.h. */
enum kept_part {
	KEPT_TABLES,	/* LDTR, TR, GDTR and IDTR */
	KEPT_MSRS,	/* those of vmcs01_is_watched() */
	KEPT_REGISTERS, /* CR0, CR4 and DR7 */
	KEPT_COUNT
};

struct kept01 {
	const struct nested_vmcs *of; /* whose it is; NULL: it is not known */
	bool watched;		      /* what would change it exits */
	u8 open;		      /* exits of L2 to come until it does again */
};

/* For capture=+l0, l0_record.h. */
struct l0_record {
	struct trace_item *items; /* of the event being built, TRACE_MAX_ITEMS; NULL: it is off */
	u32 item_count;
	u64 cleared;  /* the region of a VMCLEAR that is to be told, NESTED_NONE: none */
	bool exited;  /* L2 did, and what became of it is not told yet */
	u16 results;  /* registers that the last exit of L2 gives to L2 where hv handles it */
	u64 *page;    /* to look at one of L1's */
	u64 tsc, rip; /* of @entry */
	struct ev_l0_entry entry;
};

/* For capture=thin, vmcs_shadow.h. */
struct vmcs_shadow {
	struct hwvmcs vmcs;	       /* pa 0: it is off */
	struct vmcs_set reads, writes; /* fields that L1 reads and writes without an exit */
	u8 *read_bitmap, *write_bitmap;
	struct nested_vmcs *of; /* whose fields it has, NULL: nobody's */
	bool in_use;		/* VMCS01 has it */
	bool writable;		/* and L1 can write to it */
	u64 given_tsc;		/* when both were the same for sure */
};

struct nested {
	enum nested_mode mode;
	bool long_mode; /* L1 is in VMX operation, and in IA-32e mode, which it can't leave then */
	u64 vmxon_pointer;	     /* NESTED_NONE when mode is NESTED_OFF */
	u64 current_pointer;	     /* current-VMCS pointer of L1 */
	struct nested_vmcs *current; /* the slot of current_pointer, NULL when there is none */
	struct nested_vmcs *slots;   /* NESTED_SLOTS */
	unsigned tell_left; /* how many writes to memory of VMCSs this exit may still tell */
	unsigned active_slots;
	unsigned image_turn;   /* slot that is the next to have a key frame */
	struct vmcs12 *region; /* a copy of a region, while it is looked at */
	struct vmcs12 *left;   /* what another processor left in one, likewise */
	u64 clock;
	u32 stamps; /* of struct vmcs12, by this processor so far */

	struct vmx_caps shown;
	struct vmcs_set exists;				/* fields that L1 can name */
	struct vmcs_set control_fields, host_fields;	/* of them, those that entries check */
	struct vmcs_set checked_fields;			/* these two together */
	struct vmcs_set copied_fields, computed_fields; /* of them, vmcs02.h */
	struct vmcs_set register_fields;		/* vmcs02_registers.h */
	struct vmcs_set prepared_fields;		/* these two together */
	bool can_keep_tables;	    /* the processor has descriptor-table exiting */
	struct hwvmcs spare_vmcs02; /* the first, so that there is one; pa 0 once it is taken */

	/* What VMCS02 takes over from VMCS01, read when L1 enters for the first time. */
	bool vmcs01_known;
	u32 exit01, exceptions01;
	u64 last_vpid12; /* whose translations are tagged with VPID_L2; 0: nobody's */

	u64 *msr_bitmap, *io_bitmap; /* merged, 1 and 2 pages; bitmaps02.h */
	u64 *ones_bitmap;	     /* a page on which everything exits */
	struct word_list own_msrs, own_ports;
	u8 *dummy; /* a page of ones, for addresses that nothing answers */
	struct ept02 ept02;

	struct nested_entry entry;
	struct left01 left01;
	struct kept01 kept01[KEPT_COUNT];
	struct msr_undo *msr_undo; /* of the entry that waits */
	u64 hv_ticks;		   /* added to by hv_time_exit(), taken by l2_exit */
	u64 packing_ticks;	   /* likewise by hv_time_packed() */
	u64 entries;		   /* VM entries of L1 that hv tried */
	u64 hidden_exits;	   /* of L2 since its entry */
	bool nmi_window;	   /* hv, not L1, asked for the NMI window of VMCS02 */
	bool early_exit; /* the preemption timer of VMCS02 is 0 for an NMI or INIT of L1 */
	u64 timer_left;	 /* what it was before */
	bool flushed01;	 /* hv dropped all translations of L1 for the last exit of L2 */
	bool flushed02;	 /* hv dropped all translations of L2 since it ran */
	struct l0_record l0;
	struct vmcs_shadow shadow;
	/* What L2 changes of VMCS12, which gets it at the exit to L1. */
	u64 eptp;
	u16 eptp_index, pml_index;
	bool timer_zero; /* VMCS02 was entered with a preemption timer of 0 */

	u32 item_count;
	struct trace_item *items;	/* of the l2_exit being built, TRACE_MAX_ITEMS */
	struct trace_item *image_items; /* of key frames, TRACE_MAX_ITEMS */
};

/* The value of a field of the slot, by its name in fields.def. */
#define F12(vmcs, NAME) ((vmcs)->field[VMCS_IX_##NAME])

/* Controls that are in force: a word that is not activated counts as 0. */
static inline u32 nested_secondary(const struct nested_vmcs *vmcs)
{
	return F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_SECONDARY_CONTROLS
		       ? (u32)F12(vmcs, SECONDARY_PROC_BASED_CONTROLS)
		       : 0;
}

static inline bool nested_uses_ept(const struct nested_vmcs *vmcs)
{
	return nested_secondary(vmcs) & SECONDARY_EPT;
}

/* The slot of an active VMCS12, or NULL. */
struct nested_vmcs *nested_vmcs_find(struct nested *nested, u64 pointer);

/*
 * Make the VMCS12 at @pointer active, from what its region holds, unless it is active already.
 * Another one may be written back for it. Emits what L1 changed in memory.
 */
struct nested_vmcs *nested_vmcs_load(struct percpu *cpu, u64 pointer);

/*
 * VMCLEAR: write the VMCS12 to its region if it is active, and clear its launch state there either
 * way. Emits what L1 changed in memory.
 */
void nested_vmcs_clear(struct percpu *cpu, u64 pointer);

/* VMXOFF: release them all, launch states as they are. */
void nested_vmcs_release_all(struct percpu *cpu);

/* Bytes 0-3, and the launch state, of a region that is not active. */
u32 nested_region_revision(u64 pointer);
bool nested_region_launched(u64 pointer);

/* L1 or the processor changed field @ix. */
static inline void nested_field_set(struct nested_vmcs *vmcs, unsigned ix, u64 value)
{
	vmcs->field[ix] = value;
	vmcs->imaged = false;
	vmcs_set_add(&vmcs->dirty, (int)ix);
	vmcs_set_add(&vmcs->unshadowed, (int)ix);
}

/* A physical address of VMX's: @align is a power of two. SDM, "VMX Support", physical width. */
bool nested_address_ok(const struct nested *nested, u64 address, u64 align);

static inline bool nested_is_canonical(const struct nested *nested, u64 address)
{
	const unsigned shift = 64 - nested->shown.linear_width;

	return (u64)((s64)(address << shift) >> shift) == address;
}

#endif
