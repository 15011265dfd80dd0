/*
 * tests/guests/l1_fuzz.h - a hostile L1 that goes on, whatever it does
 *
 * Each step takes its random numbers from the seed and its own number, and leaves the machine fit
 * for the next. What may be written by anybody - VMCS regions, lists, bitmaps, tables of L2 - lies
 * in the arena, which is made anew now and then; addresses that are chosen at random are in the
 * arena or where L1 has nothing to lose. L2 reaches memory by EPT tables that let it write the
 * arena alone, without the VMCSs and lists that L1 goes on with and these tables, and always has a
 * preemption timer that ends it.
 */
#ifndef TESTS_GUESTS_L1_FUZZ_H
#define TESTS_GUESTS_L1_FUZZ_H

#include "tests/guests/l1_truth.h"

/* Pages of the arena. */
enum fuzz_page {
	PAGE_REGION,	     /* VMCSs that are entered ... */
	PAGE_REGION_END = 3, /* ... up to here */
	PAGE_VMXON,
	PAGE_OTHER_REGION, /* for whatever a region can be taken for */
	PAGE_IO_BITMAP,	   /* two */
	PAGE_MSR_BITMAP = 8,
	PAGE_VIRTUAL_APIC,
	PAGE_APIC_ACCESS,
	PAGE_SHADOW_BITMAP,
	PAGE_PML,
	PAGE_VE,
	PAGE_EPTP_LIST,
	PAGE_ENTRY_LIST = 16, /* MSR lists: two pages each */
	PAGE_STORE_LIST = 18,
	PAGE_LOAD_LIST = 20,
	PAGE_CODE = 22,
	PAGE_STACK = 24,
	PAGE_IDT,
	PAGE_SCRATCH,  /* four */
	PAGE_EPT = 32, /* PML4, PDPT, page directory, page tables of the arena and of page 0 */
	PAGE_EPT_ARENA = 35,
	PAGE_EPT_LOW,
	PAGE_EPT_BAD,	  /* four tables with entries of every kind */
	PAGE_TABLES = 41, /* of L2: PML4, PDPT, four page directories, PDPTEs for PAE paging */
	PAGE_PAE = 47,
	PAGE_WINDOWS, /* linear addresses of L1 that lead elsewhere, 16 */
	FUZZ_PAGES = 64
};

#define FUZZ_WINDOWS	  16
#define FUZZ_EPTP	  (EPTP_WB | EPTP_LEVEL_4) /* and PAGE_EPT */
#define FUZZ_LIST_ENTRIES 512

/* In PAGE_CODE: a VMCALL for exceptions of L2, and what it runs first. */
#define FUZZ_HANDLER	  0xf0
#define FUZZ_CODE	  0x100

/* --- l1_fuzz_arena.c ------------------------------------------------------------------------- */

/* The address of a page of the arena, linear and physical. */
u64 fuzz_page(unsigned page);
void *fuzz_at(unsigned page);

/* Everything in the arena but the regions, as good as new. */
void fuzz_arena_build(void);

/* The first @entries of the MSR lists alone: a bad one at an exit is a VMX abort, and the end. */
void fuzz_lists_build(unsigned entries);

/* What is chosen at random: a number below @limit; true in one of @n cases; a value that may
 * matter. */
u64 fuzz_below(u64 limit);
bool fuzz_one_in(u64 n);
u64 fuzz_value(void);

/* Begin step @step of @seed. */
void fuzz_random_begin(u64 seed, u64 step);

/* As the loader told before anything wrote to where it did. */
u64 fuzz_memory_end(void);

/* A physical address: in the arena, in the hypervisor below, of devices, of nothing, of no
 * processor. */
u64 fuzz_gpa(void);

/* Whether L1 can lose the page there. */
bool fuzz_is_harmless(u64 address);

/* A linear address, for an operand that L1 can lose. */
u64 fuzz_linear(void);

/* Writes memory of the arena for this step. */
void fuzz_poke(u64 *at, u64 value);
void fuzz_unpoke(void);

/* A random change to the EPT tables, a list or a bitmap, for this step. */
void fuzz_poke_at_random(void);

/* --- l1_fuzz_insn.c -------------------------------------------------------------------------- */

/* A random VMX instruction in a random form. True when it may have changed where L1 stands. */
bool fuzz_vmx_insn(void);

/* --- l1_fuzz_machine.c ----------------------------------------------------------------------- */

/* Some other instruction that a hypervisor below L1 has to do with. */
void fuzz_machine_insn(void);

/* After all of these: control registers, segments and tables of L1 as they were at the start. */
void fuzz_cpu_keep(void);
void fuzz_cpu_restore(void);

/* --- l1_fuzz_vmcs.c -------------------------------------------------------------------------- */

#define FUZZ_FIRST_TIME                                                           \
	4000 /* ticks of L2; a recorder below L1 needs some thousand to translate \
	      */

/* A VMCS region of the arena. */
struct fuzz_slot {
	unsigned base;	  /* of truth_bases[] */
	bool fresh;	  /* as its base is, but for what is undone after each step */
	unsigned entries; /* since it was fresh */
	struct l2 l2;
};

/* There is a second processor, which may mix a VMCS out of two. */
extern bool fuzz_second;

/* The bases, and what regions hold that have one. In VMX operation, once. */
void fuzz_vmcss_make(void);

/* The slot of a VMCS that is good for an entry, and current now; the one that was chosen last. */
struct fuzz_slot *fuzz_choose(void);
struct fuzz_slot *fuzz_current(void);

/* Another VMCS may be current, or none, or no VMX operation be. */
void fuzz_lose(void);

/* Changes a region where no one wrote by VMWRITE: only a recorder below keeps L1 alive then. */
void fuzz_scribble(void);

bool fuzz_has_ept(unsigned base);
bool fuzz_is_writable(unsigned ix);
void fuzz_write_field(unsigned ix, u64 value);

/* --- l1_fuzz_move.c -------------------------------------------------------------------------- */

/* Moves a field of the current VMCS, if it may be moved; at most four times, then: */
void fuzz_move(void);

/* All as they were, but for guest state that an exit has saved. */
void fuzz_undo_moves(bool exited);

/* Whether the field of index @ix may have @value in a VMCS that is entered. */
bool fuzz_may_change(unsigned ix, u64 value);

/* --- l1_fuzz_second.c ------------------------------------------------------------------------ */

/* Let a second processor write to the arena from here on, if the machine has one: option cpus=2. */
bool fuzz_second_begin(u64 seed);
void fuzz_second_end(void);

/* --- l1_fuzz_l2.c ---------------------------------------------------------------------------- */

/* Random code for L2, and its registers. */
void fuzz_l2_code(struct l2_regs *regs);

#endif
