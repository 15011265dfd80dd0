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

static const struct {
	const struct rule_case *cases;
	const size_t *count;
} tables[] = {
	{ l1_rules_life_cases, &l1_rules_life_count },
	{ l1_rules_misuse_cases, &l1_rules_misuse_count },
	{ l1_rules_state_cases, &l1_rules_state_count },
	{ l1_rules_event_cases, &l1_rules_event_count },
	{ l1_rules_memory_cases, &l1_rules_memory_count },
	{ l1_rules_l2_cases, &l1_rules_l2_count },
	{ l1_rules_entry_cases, &l1_rules_entry_count },
};

static void run(const struct rule_case *row)
{
	guest_case("%s", row->name);
	mark(row->name);
	row->run();
}

static void run_all(void)
{
	guest_vmx_on();
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < *tables[t].count; i++)
			if (!tables[t].cases[i].alone)
				run(&tables[t].cases[i]);
	mark("end");
	guest_vmx_off();
}

static const struct rule_case *find(const char *name)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < *tables[t].count; i++)
			if (!strcmp(tables[t].cases[i].name, name))
				return &tables[t].cases[i];
	guest_fail("no case '%s'", name);
}

static void run_one(const struct rule_case *row)
{
	if (!row->outside)
		guest_vmx_on();
	run(row);
	mark("end");
	if (!row->outside)
		guest_vmx_off();
}

void guest_main(void)
{
	char only[MARK_SIZE];

	guest_vmx_init();
	if (guest_option("case", only, sizeof(only)))
		run_one(find(only));
	else
		run_all();
	guest_check_end();
}
