/*
 * tests/guests/l1_bounds.h - an L1 that keeps a hypervisor below it busy for as long as it can
 *
 * Each row lets one exit look at all of something: memory types, MSR lists, VMCSs, EPT tables. All
 * that the hypervisor keeps of it is as large as L1 can make it.
 */
#ifndef TESTS_GUESTS_L1_BOUNDS_H
#define TESTS_GUESTS_L1_BOUNDS_H

#include "tests/guests/lib/guest_l2.h"
#include "tests/guests/lib/guest_paging.h"

/* All functions but step may be NULL: nothing is to be done. */
struct bound {
	const char *name; /* at most 32 characters */
	void (*prepare)(void);
	void (*before)(void); /* each step */
	void (*step)(void);   /* what is measured */
	void (*restore)(void);
	unsigned times;
};

/* Each ends with a row without a name. */
extern const struct bound bounds_of_memory[], bounds_of_lists[], bounds_of_vmcss[], bounds_of_ept[],
	bounds_of_others[];

/* How often the step of this row was done before. */
extern unsigned bounds_turn;

/* Makes an L2 that executes CPUID for ever, with such controls, and enters it once. */
extern struct l2 bounds_l2;
void bounds_make_l2(const struct l2_options *options);

/* --- l1_bounds_vmx.c -------------------------------------------------------------------------- */

/* Makes 60 VMCSs active; and writes to some of them, so that what was told of them is old. */
void bounds_make_many(void);
void bounds_change_many(void);

/* --- l1_bounds_memory.c: MTRRs ---------------------------------------------------------------- */

/* As many pages of different types as L1 can have, and more; and as the firmware had it. */
void bounds_scatter_types(void);
void bounds_restore_types(void);

#endif
