/*
 * tests/replay/exit_fixture.h - tables of cases for what entries and exits do to the VMCS
 *
 * A case is an event and a few changes to the VMCS of tests/replay/machine.h before it. Beside the
 * verdict, run_exit_cases() proves that a predicate looks only at what its row declares, that
 * forgetting bits never turns one verdict into another, and that what it says is wrong is.
 */
#ifndef TESTS_REPLAY_EXIT_FIXTURE_H
#define TESTS_REPLAY_EXIT_FIXTURE_H

#include "replay/exit_check.h"
#include "tests/replay/machine.h"
#include "vmx/qual.h"
#include "vmx/regs.h"

#define EXIT_MAX_CHANGES     8
#define FAILED_ENTRY(reason) (EXIT_REASON_ENTRY_FAILURE | (reason))

enum exit_op { XOP_NONE, XOP_WAS, XOP_ITEM, XOP_FORGET, XOP_CAP, XOP_NO_CAP, XOP_INJECTED };

struct exit_change {
	u8 op;
	u32 what;
	u64 value;
};

struct exit_case {
	const char *name;
	u16 id;
	u8 expected; /* enum check_verdict */
	bool entry;
	u64 reason;
	struct exit_change changes[EXIT_MAX_CHANGES];
};

#define WAS(NAME, value)                         \
	{                                        \
		XOP_WAS, VMCS_IX_##NAME, (value) \
	}
#define BECOMES(NAME, value)                   \
	{                                      \
		XOP_ITEM, VMCS_##NAME, (value) \
	}
#define NOTED(NAME, offset, value)                        \
	{                                                 \
		XOP_ITEM, ITEM_##NAME + (offset), (value) \
	}
#define FORGOT(NAME, bits)                         \
	{                                          \
		XOP_FORGET, VMCS_IX_##NAME, (bits) \
	}
#define CAP_IS(NAME, value)                      \
	{                                        \
		XOP_CAP, VMX_CAP_##NAME, (value) \
	}
#define CAP_FORGOT(NAME)                      \
	{                                     \
		XOP_NO_CAP, VMX_CAP_##NAME, 0 \
	}
#define INJECTED(info)                  \
	{                               \
		XOP_INJECTED, 0, (info) \
	}

#define AT_EXIT(ID, verdict, name, reason, ...)                          \
	{                                                                \
		name, EXIT_CHECK_##ID, CHECK_##verdict, false, (reason), \
		{                                                        \
			__VA_ARGS__                                      \
		}                                                        \
	}
#define AT_ENTRY(ID, verdict, name, ...)                         \
	{                                                        \
		name, EXIT_CHECK_##ID, CHECK_##verdict, true, 0, \
		{                                                \
			__VA_ARGS__                              \
		}                                                \
	}

struct exit_machine {
	struct machine m;
	struct exit_situation at;
	struct trace_event event;
	struct model_region region;
	u64 col[TRACE_MAX_COLUMNS];
	struct trace_item items[EXIT_MAX_CHANGES];
};

static void exit_change_apply(struct exit_machine *x, const struct exit_change *change)
{
	switch ((enum exit_op)change->op) {
	case XOP_WAS:
		x->m.value[change->what] = change->value;
		break;
	case XOP_FORGET:
		x->m.known[change->what] &= ~change->value;
		break;
	case XOP_ITEM:
		x->items[x->event.item_count++] =
			(struct trace_item){ .id = change->what, .value = change->value };
		break;
	case XOP_CAP:
		x->m.caps.msr[change->what] = change->value;
		break;
	case XOP_NO_CAP:
		x->m.caps.known &= ~BIT(change->what);
		x->m.caps.msr[change->what] = 0;
		break;
	case XOP_INJECTED:
		x->col[EV_COLUMN(l2_entry, injected)] = change->value;
		break;
	case XOP_NONE:
		break;
	}
}

/* @x stays where it is. */
static void exit_machine_settle(struct exit_machine *x)
{
	memcpy(x->region.value, x->m.value, sizeof(x->region.value));
	memcpy(x->region.known, x->m.known, sizeof(x->region.known));
	exit_situation_make(&x->at, &x->event, &x->m.caps, &x->region);
}

static void exit_machine_of(struct exit_machine *x, const struct exit_case *row)
{
	memset(x, 0, sizeof(*x));
	machine_init(&x->m);
	x->event.kind = row->entry ? EV_L2_ENTRY : EV_L2_EXIT;
	x->event.col = x->col;
	x->event.items = x->items;
	if (!row->entry)
		x->col[EV_COLUMN(l2_exit, reason)] = row->reason;
	for (size_t i = 0; i < EXIT_MAX_CHANGES; i++)
		exit_change_apply(x, &row->changes[i]);
	exit_machine_settle(x);
}

static const char *exit_row_name(const struct exit_case *row)
{
	static char name[160];

	snprintf(name, sizeof(name), "%s: %s", exit_check_rows[row->id].id, row->name);
	return name;
}

static void exit_gives_its_verdict(const struct exit_case *row, u8 *seen)
{
	u8 reads[EXIT_WHAT_COUNT] = { 0 };
	struct exit_check_result result;
	struct exit_machine x;

	exit_machine_of(&x, row);
	assert_row(exit_row_name(row), exit_check_run(&x.at, row->id, &result, reads),
		   row->expected);
	for (unsigned what = 0; what < EXIT_WHAT_COUNT; what++) {
		const u16 *declared = exit_check_rows[row->id].reads;

		seen[what] |= reads[what];
		while (*declared != what && *declared != EXIT_WHAT_NONE)
			declared++;
		if (reads[what] && *declared == EXIT_WHAT_NONE)
			fail_msg("%s: looks at undeclared 0x%x", exit_row_name(row), what);
	}
	if (row->expected == CHECK_FAIL && result.field >= 0 && result.mask &&
	    !((result.value ^ result.want) & result.mask))
		fail_msg("%s: the bits called wrong are right", exit_row_name(row));
}

static u64 exit_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void exit_forgetting_changes_no_verdict(const struct exit_case *row, u64 *random)
{
	for (unsigned round = 0; round < 50 && row->expected != CHECK_UNKNOWN; round++) {
		enum check_verdict verdict;
		struct exit_machine x;

		exit_machine_of(&x, row);
		for (const u16 *what = exit_check_rows[row->id].reads; *what != EXIT_WHAT_NONE;
		     what++)
			if (*what < EXIT_WHAT_CAP && exit_random(random) & 1)
				x.m.known[*what % EXIT_WHAT_BEFORE] &= exit_random(random);
		exit_machine_settle(&x);
		verdict = exit_check_run(&x.at, row->id, NULL, NULL);
		if (verdict != CHECK_UNKNOWN)
			assert_row(exit_row_name(row), verdict == CHECK_FAIL,
				   row->expected == CHECK_FAIL);
	}
}

static void run_exit_cases(const struct exit_case *rows, size_t count)
{
	static u8 seen[EXIT_CHECK_COUNT][EXIT_WHAT_COUNT];
	u64 random = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < count; i++) {
		exit_gives_its_verdict(&rows[i], seen[rows[i].id]);
		exit_forgetting_changes_no_verdict(&rows[i], &random);
	}
	for (size_t i = 0; i < count; i++) {
		const u16 *what = exit_check_rows[rows[i].id].reads;

		for (; *what != EXIT_WHAT_NONE; what++)
			if (!seen[rows[i].id][*what])
				fail_msg("%s: declares 0x%x, looked at in no case",
					 exit_check_rows[rows[i].id].id, *what);
	}
}

#endif
