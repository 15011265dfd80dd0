/*
 * tests/guests/l1_rules.h - the cases of l1_rules
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

extern const struct rule_case l1_rules_cases[];
extern const size_t l1_rules_count;

#endif
