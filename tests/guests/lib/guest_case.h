/*
 * tests/guests/lib/guest_case.h - many small claims about L2 in one boot
 *
 * A case is a function that runs in L2 and one that runs in L1 and says which exits that must give.
 * L2 judges what only it sees and passes its verdict with l2_vmcall(): true says all is well.
 */
#ifndef TESTS_GUESTS_LIB_GUEST_CASE_H
#define TESTS_GUESTS_LIB_GUEST_CASE_H

#include "tests/guests/lib/guest_l2.h"

struct l2_case {
	const char *name;
	void (*code)(void);	      /* in L2; ends with l2_vmcall(verdict) */
	void (*check)(struct l2 *l2); /* in L1, with the VMCS made and not yet entered */
	struct l2_options options;    /* without eptp, cr3 and vpid */
	bool (*possible)(void);	      /* NULL: always, but for the controls in options */
	bool needs_ept;
};

/* A row whose functions are code_NAME() and check_NAME(); what differs from 0 follows. */
#define L2_CASE(name, ...) L2_CASE_OF(name, code_##name, check_##name, __VA_ARGS__)
#define L2_CASE_OF(name_, code_, check_, ...)                               \
	{                                                                   \
		.name = #name_, .code = code_, .check = check_, __VA_ARGS__ \
	}

/* What the L2 of the running case may have besides: set before l2_cases_run(). */
struct l2_mode {
	const char *name;
	bool ept;
	bool vpid;
};

/*
 * Runs those of @cases that the processor can run in @mode, each between a mark with its name and
 * the next. Failures and cases left out are printed. case=NAME on the command line leaves out all
 * others.
 */
void l2_cases_run(const struct l2_case *cases, size_t count, const struct l2_mode *mode);

/* --- for check functions --------------------------------------------------------------------- */

/* The EPTP and the page tables of the running case: its own copies. eptp is 0 without EPT. */
extern u64 l2_case_eptp, l2_case_cr3;

/* guest_check() with the case's name in front. */
bool l2_check(bool holds, const char *format, ...) printf_like(2, 3);

/* Enters L2 and expects an exit with exactly this reason field. */
bool l2_expect(struct l2 *l2, u32 reason);

/* Enters L2 and expects its last l2_vmcall(), with the verdict true. */
bool l2_expect_end(struct l2 *l2);

/* Expects a field of the VMCS to hold @value. */
bool l2_expect_field(u32 field, u64 value);

#endif
