/*
 * replay/model.h - what the SDM says the state is: followed from the events of a tape
 *
 * The model is written from the SDM alone. It takes what the processor did from the tape (outcomes,
 * values read, what exits saved) and keeps what follows: for each CPU whether it is in VMX
 * operation, its VMXON pointer and its current VMCS; for each VMCS region its launch state, where
 * it is active, and the value of every field; the capability MSRs that L1 is shown.
 *
 * Everything is known or unknown. At the start of a tape that begins with its boot record nothing
 * has happened yet, which is knowledge; a gap takes all knowledge away but what cannot change; key
 * frames bring it back. With each piece of state stands the place of the event that made it.
 */
#ifndef REPLAY_MODEL_H
#define REPLAY_MODEL_H

#include "trace/event.h"
#include "vmx/caps.h"
#include "vmx/vmcs12.h"

#define MODEL_MAX_CPUS	  256
#define MODEL_MAX_REGIONS 1024 /* more than that: the one unused for longest becomes unknown */
#define MODEL_NO_POINTER  (~0ull)

/* Which event: the number of the tape, its name (cpu and seq) and who executed it. */
struct model_place {
	u64 n;
	u64 seq;
	u64 rip;
	u16 cpu;
	u8 kind; /* 0: no event, nowhere */
};

enum model_truth { MODEL_UNKNOWN, MODEL_NO, MODEL_YES };
enum model_launch { LAUNCH_UNKNOWN, LAUNCH_CLEAR, LAUNCH_LAUNCHED };

/* What stands before @value is copied as it is, too. replay/model_hash.c hashes it all. */
struct model_region {
	u64 pointer;
	u64 used;   /* the last event that used it, or may have changed anything of it */
	u8 launch;  /* enum model_launch */
	u8 active;  /* enum model_truth: on active_cpu */
	u8 cleared; /* enum model_truth: VMCLEARed, and not lost by a VMXOFF since */
	u16 active_cpu;
	u64 holders; /* bit n: CPU n, modulo 64, made it current and has not given it up */
	bool whole;  /* every write since the tape began is known */
	bool dword0_known;
	bool pending; /* all but @pointer is still to be loaded; seen by replay/model_region.c alone
		       */
	u32 dword0;   /* bytes 0-3 of the region at the last VMPTRLD */
	struct model_place launch_place;
	struct model_place active_place; /* the VMPTRLD */
	struct model_place clear_place;	 /* the last VMCLEAR */
	u64 value[VMCS_FIELD_COUNT];	 /* by enum vmcs_index */
	u64 known[VMCS_FIELD_COUNT];	 /* the bits of value that are known */
	struct model_place writer[VMCS_FIELD_COUNT];
	/* For model_take_changes(), no part of the state. All zero: everything may have changed. */
	struct vmcs_set unchanged;
	u16 asked_by;
};

/* The region comes last, for the same reason. */
struct model_cpu {
	bool seen;
	u8 in_vmx; /* enum model_truth */
	u8 level;  /* 1 or 2: whose turn it is; 0: unknown */
	bool vmxon_known;
	bool current_known;
	u64 vmxon_pointer; /* MODEL_NO_POINTER: none */
	u64 current;	   /* the current-VMCS pointer, MODEL_NO_POINTER: none */
	struct model_place vmxon_place;
	struct model_place vmxoff_place;
	struct model_region *region; /* of `current`, or NULL */
};

/* What stands before @cpus is copied as it is by whoever keeps a state: it owns nothing. */
struct model {
	struct vmx_caps shown;			    /* what L1 sees */
	u64 shown_changes;			    /* how often that changed */
	u64 capture;				    /* enum trace_capture of the boot record */
	struct vmx_caps real;			    /* what the processor has */
	struct model_place cap_read[VMX_CAP_COUNT]; /* last RDMSR of L1 */
	bool from_start; /* the tape begins with its boot record, and nothing was lost since */
	bool forgot;	 /* a region was given up: one met anew may be an old one */
	struct model_place gap_place; /* the last gap */
	struct model_cpu cpus[MODEL_MAX_CPUS];
	struct model_region *regions[2 * MODEL_MAX_REGIONS]; /* open addressing by pointer */
	unsigned region_count;
	/* Fills a pending region, which it cannot refuse. */
	void (*load)(void *owner, struct model_region *region);
	void *load_owner;
};

/* NULL when there is no memory. */
struct model *model_new(void);
void model_free(struct model *model);

/*
 * To be called before the state of @cpu is looked at for an event of that CPU: before the first
 * event of a CPU of a whole tape nothing was executed, which is knowledge.
 */
static inline struct model_cpu *model_meet_cpu(struct model *model, u16 number)
{
	struct model_cpu *const cpu = &model->cpus[number];

	if (cpu->seen)
		return cpu;
	cpu->seen = true;
	if (model->from_start) {
		cpu->in_vmx = MODEL_NO;
		cpu->level = 1;
		cpu->vmxon_known = cpu->current_known = true;
		cpu->vmxon_pointer = cpu->current = MODEL_NO_POINTER;
	}
	return cpu;
}

/*
 * Take event number @n of the tape: before, the model is in the state before the event, afterwards
 * behind it. ST_NO_MEMORY when a region cannot be kept.
 */
enum status model_step(struct model *model, const struct trace_event *event, u64 n);

/* Whether model_step() does anything with events of @kind. */
bool model_takes(u8 kind);

/* Place of @event. */
static inline struct model_place model_place_of(const struct trace_event *event, u64 n)
{
	return (struct model_place){
		.n = n,
		.seq = event->seq,
		.rip = event->rip,
		.cpu = event->cpu,
		.kind = event->kind,
	};
}

/* The level whose RIP it has. */
static inline unsigned model_place_level(const struct model_place *place)
{
	return place->kind == EV_L2_ENTRY || place->kind == EV_L2_EXIT ? 2 : 1;
}

static inline bool model_place_is(const struct model_place *place)
{
	return place->kind;
}

/* The region at @pointer, NULL when the tape has not shown it. */
struct model_region *model_region(const struct model *model, u64 pointer);

/* The next region, in no order; start with *@at = 0, NULL is the end. */
const struct model_region *model_next_region(const struct model *model, size_t *at);

/*
 * The fields of @region whose value or being known may have changed since @cpu asked last: all of
 * them where another CPU has asked in between.
 */
struct vmcs_set model_take_changes(struct model_region *region, u16 cpu);

/* The region that is current on @cpu; NULL when there is none, or it is unknown. */
static inline const struct model_region *model_current(const struct model *model, u16 cpu)
{
	return cpu < MODEL_MAX_CPUS && model->cpus[cpu].current_known ? model->cpus[cpu].region
								      : NULL;
}

/* Whether every bit of @mask of field @index of @region is known; then *@value is the field. */
static inline bool model_field(const struct model_region *region, int index, u64 mask, u64 *value)
{
	mask &= vmcs_width_mask(vmcs_fields[index].width);
	*value = region->value[index];
	return (region->known[index] & mask) == mask;
}

/*
 * Whether control @mask of @word is on in @region; words that another control activates count as 0
 * while it is off.
 */
enum model_truth model_control(const struct model_region *region, enum vmx_word word, u64 mask);

#endif
