/*
 * tests/guests/l1_bounds.c - an L1 that keeps a hypervisor below it busy for as long as it can
 *
 * Options: row=NAME, that row alone. Each row begins with a mark of its name. Prints what L1 waited
 * at most for one step of each, with what L2 did meanwhile:
 *
 *	bound: NAME: TICKS
 *
 * How long single exits took a recorder below L1 knows.
 */
#include "tests/guests/l1_bounds.h"

static const struct bound *const tables[] = { bounds_of_memory, bounds_of_lists, bounds_of_vmcss,
					      bounds_of_ept, bounds_of_others };

struct l2 bounds_l2;
unsigned bounds_turn;

static void code_cpuid(void)
{
	for (;;)
		cpuid(0, 0);
}

void bounds_make_l2(const struct l2_options *options)
{
	l2_create(&bounds_l2, code_cpuid, options);
	l2_run(&bounds_l2);
}

static void run(const struct bound *row)
{
	u64 longest = 0;

	guest_mark(row->name);
	if (row->prepare)
		row->prepare();
	for (bounds_turn = 0; bounds_turn < row->times; bounds_turn++) {
		u64 start;

		if (row->before)
			row->before();
		start = rdtsc();
		row->step();
		longest = MAX(longest, rdtsc() - start);
	}
	if (row->restore)
		row->restore();
	guest_print("bound: %s: %lu\n", row->name, longest);
}

void guest_main(void)
{
	char only[64] = "";

	guest_option("row", only, sizeof(only));
	guest_vmx_init();
	guest_vmx_on();
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct bound *row = tables[i]; row->name; row++)
			if (!*only || !strcmp(only, row->name))
				run(row);
	guest_mark("end");
	guest_vmx_off();
	guest_check(true, "measured");
	guest_check_end();
}
