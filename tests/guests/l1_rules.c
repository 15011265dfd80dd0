/*
 * tests/guests/l1_rules.c - for each rule of "vmxtape check": who breaks it, and who only nearly
 * does
 *
 * Each case stands behind a mark "case NAME"; the mark "case end" closes the last. What check must
 * find there is in l1_rules.expect, one row a case. Cases leave VMX operation as they found it: on,
 * with no current VMCS.
 *
 * Cases that need a tape for themselves run only with case=NAME on the command line, which runs any
 * one case alone.
 */
#include "base/fmt.h"
#include "tests/guests/l1_rules.h"

#define MARK_SIZE 33

static void mark(const char *name)
{
	char text[MARK_SIZE];

	fmt(text, sizeof(text), "case %s", name);
	guest_mark(text);
}

static const struct rule_case *find(const char *name)
{
	for (size_t i = 0; i < l1_rules_count; i++)
		if (!strcmp(l1_rules_cases[i].name, name))
			return &l1_rules_cases[i];
	guest_fail("no case '%s'", name);
}

static void run(const struct rule_case *row)
{
	guest_print("case %s\n", row->name);
	mark(row->name);
	row->run();
}

void guest_main(void)
{
	char only[MARK_SIZE];

	guest_vmx_init();
	if (guest_option("case", only, sizeof(only))) {
		const struct rule_case *row = find(only);

		if (!row->outside)
			guest_vmx_on();
		run(row);
		mark("end");
		if (!row->outside)
			guest_vmx_off();
	} else {
		guest_vmx_on();
		for (size_t i = 0; i < l1_rules_count; i++)
			if (!l1_rules_cases[i].alone)
				run(&l1_rules_cases[i]);
		mark("end");
		guest_vmx_off();
	}
	guest_check_end();
}
