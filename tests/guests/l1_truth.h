/*
 * tests/guests/l1_truth.h - VM entries beside the boundary of what is legal, and how they end
 *
 * A case begins with one of a few VMCSs that are good for an entry (l1_truth_bases.c), moves one to
 * three fields by a bit or a step, enters, and prints the moves and the outcome. The text holds
 * all that the outcome rests on, so that a model can judge it again: tests/tools/truth.c. What L2
 * would do does not matter: the VMX-preemption timer is 0, so that it exits at once.
 */
#ifndef TESTS_GUESTS_L1_TRUTH_H
#define TESTS_GUESTS_L1_TRUTH_H

#include "tests/guests/lib/guest_l2.h"
#include "tests/guests/lib/guest_paging.h"
#include "vmx/qual.h"

#define TRUTH_MAX_MOVES 4

enum truth_base {
	BASE_64,	/* 64-bit mode, few controls */
	BASE_FULL,	/* 64-bit mode, with EPT and whatever else there is */
	BASE_PAE,	/* PAE paging, EPT, injects an exception with an error code */
	BASE_V86,	/* virtual-8086 mode */
	BASE_REAL,	/* real mode, unrestricted */
	BASE_PAE_PLAIN, /* PAE paging without EPT */
	BASE_INTERRUPT, /* 64-bit mode, injects an external interrupt */
	BASE_32,	/* of an L1 in protected mode; only for directed cases */
	BASE_COUNT
};

struct truth_move {
	u16 field; /* enum vmcs_index */
	u64 value; /* the whole field then */
};

/* How an entry is tried, besides the moves. */
enum truth_way {
	TRUTH_WAY_CLEAR = 1,	  /* behind a VMCLEAR, so that the launch state is clear */
	TRUTH_WAY_OTHER_INSN = 2, /* VMRESUME where VMLAUNCH is right, and the other way round */
	TRUTH_WAY_NO_VMCS = 4,	  /* with no current VMCS */
	TRUTH_WAY_SHADOW = 8,	  /* with a shadow VMCS as the current one */
	TRUTH_WAY_MOV_SS = 16,	  /* behind a MOV SS */
};

struct truth_case {
	u8 base;
	u8 way; /* enum truth_way */
	u8 count;
	struct truth_move moves[TRUTH_MAX_MOVES];
};

/* A base by field, with what exists. */
struct truth_vmcs {
	bool there; /* the processor can do it */
	u64 value[VMCS_FIELD_COUNT];
};

/* Places in memory that directed cases point fields to. */
enum truth_place {
	PLACE_REGION,	      /* a region of the processor's revision, as a link pointer wants it */
	PLACE_OTHER_REVISION, /* one of another */
	PLACE_SHADOW,	      /* one that is a shadow VMCS */
	PLACE_CURRENT,	      /* the current VMCS */
	PLACE_BAD_PDPTES,     /* a reserved bit in a present entry */
	PLACE_KEPT_PDPTES,    /* the same, but the L1 in protected mode had loaded them before */
	PLACE_LIST_RESERVED,  /* MSR lists of one entry: bits 63:32 are not 0, ... */
	PLACE_LIST_FS_BASE,
	PLACE_LIST_X2APIC,
	PLACE_LIST_EFER, /* LME is not what the entry made it */
	PLACE_LIST_EFER_SAME,
	PLACE_LIST_SMM,
	PLACE_LIST_MICROCODE,
	PLACE_LIST_LONG, /* truth_long_list() entries */
	PLACE_LIST_VALUE,
	PLACE_COUNT
};

extern u64 truth_places[PLACE_COUNT];

extern struct truth_vmcs truth_bases[BASE_COUNT];
extern bool truth_exists[VMCS_FIELD_COUNT];

/*
 * What l1_truth_32.S needs: physical addresses. Once the PDPTEs are loaded one of them may be
 * spoiled.
 */
struct truth_leg {
	u64 vmxon, vmcs;
	u32 cr3, poke_address, poke_value;
};

#define PDPTE_RESERVED BIT(1)

extern struct truth_leg truth_leg;
unsigned truth_switch_32(void);
void truth_exit_32(void);

/* Pages that bases point to; their contents are printed. */
void truth_make_bases(u64 current);

/* Makes the VMCS that cases run with, and returns its address. In VMX operation. */
u64 truth_create(void);

/* Runs @c and prints it, unless the processor cannot or it would end the guest. */
void truth_run(const struct truth_case *c);
extern unsigned truth_count;

bool truth_is_writable(unsigned field);

/*
 * Cases for rules that single bits do not reach, each some times with a move that does not matter.
 */
void truth_directed(unsigned times);

/* One entry more than the processor recommends for an MSR list. */
u64 truth_long_list(void);

/* The bits of a field that may be moved without endangering the guest itself. */
u64 truth_movable(unsigned field);

/* Of physical addresses, in bits. */
unsigned truth_address_width(void);

u64 truth_random(void);

#endif
