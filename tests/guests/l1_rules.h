/*
 * tests/guests/l1_rules.h - the cases of l1_rules, and what they share
 */
#ifndef TESTS_GUESTS_L1_RULES_H
#define TESTS_GUESTS_L1_RULES_H

#include "tests/guests/lib/guest_l2.h"

struct rule_case {
	const char *name; /* at most 27 characters */
	void (*run)(void);
	bool alone;   /* its rule looks at the whole tape */
	bool outside; /* begins and ends outside of VMX operation */
};

#define RULE_CASE(name_, ...)                             \
	{                                                 \
		.name = #name_, .run = name_, __VA_ARGS__ \
	}

/* The life of a VMCS and of VMX operation. */
extern const struct rule_case l1_rules_life_cases[];
extern const size_t l1_rules_life_count;

/* What VMXON and VMCSs are given that they do not take. */
extern const struct rule_case l1_rules_misuse_cases[];
extern const size_t l1_rules_misuse_count;

/* Controls and state that a VM entry does not take. */
extern const struct rule_case l1_rules_state_cases[];
extern const size_t l1_rules_state_count;

/* Events that exits and entries carry. */
extern const struct rule_case l1_rules_event_cases[];
extern const size_t l1_rules_event_count;

/* What is cached of EPT and page tables. */
extern const struct rule_case l1_rules_memory_cases[];
extern const size_t l1_rules_memory_count;

/* What L2 meets. */
extern const struct rule_case l1_rules_l2_cases[];
extern const size_t l1_rules_l2_count;

/* VM entries, and rules about whole tapes. */
extern const struct rule_case l1_rules_entry_cases[];
extern const size_t l1_rules_entry_count;

/* Checks the outcome of the instruction @what; the second also VMfailValid's error. */
void rules_want(enum vmx_outcome outcome, enum vmx_outcome expected, const char *what);
void rules_want_error(enum vmx_outcome outcome, u32 error, const char *what);

/* VMCLEAR, which must succeed. */
void rules_clear(const void *region);

/* An L2 that executes VMCALL again and again, made current with a new region and no options. */
void rules_l2_code(void);
void rules_create(struct l2 *l2);

/* One entry of that L2, and past its VMCALL. */
void rules_run_once(struct l2 *l2);

/*
 * Runs such an L2 for a while. A case that leaves VMX operation does this before, or the sessions
 * of this guest would be found to be mere toggling.
 */
void rules_work(void);

#endif
