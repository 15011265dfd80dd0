#include "tests/replay/machine_change.h"
#include "replay/entry_outcome.h"

/* One violation of each kind. */
#define NO_VMCS	    L1_SET(CURRENT, ~0ull)
#define SHADOW	    L1_ON(REVISION, BIT(31))
#define BY_MOV_SS   L1_ON(MODE, BIT(MODE_MOV_SS))
#define LAUNCHED    L1_ON(LAUNCH, CHECK_LAUNCHED)
#define BAD_CONTROL SET(VPID, 0)
#define BAD_HOST    SET(HOST_TR_SELECTOR, 0)
#define BAD_GUEST   SET(GUEST_RFLAGS, 0)
#define BAD_LINK    SET(VMCS_LINK_POINTER, 1)
#define BAD_LIST                                                                 \
	SET(VM_ENTRY_MSR_LOAD_ADDRESS, 0x8000), SET(VM_ENTRY_MSR_LOAD_COUNT, 1), \
		MEMORY(8, 0x8000, MSR_FS_BASE), MEMORY(8, 0x8008, 0)
#define OUTSIDE L1_OFF(MODE, BIT(MODE_VMX_ROOT))
#define COMPAT	L1_OFF(MODE, BIT(MODE_CS_L))
#define CPL_3	L1_ON(MODE, 3)

struct row {
	const char *name;
	const char *expected; /* members in order, with a question mark where not sure */
	struct change changes[MAX_CHANGES];
};

#define ENDS(name, expected, ...)   \
	{                           \
		name, expected,     \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

static const struct row in_order[] = {
	ENDS("all is well", "VMsucceed", { 0 }),
	ENDS("outside VMX operation", "#UD", OUTSIDE),
	ENDS("compatibility mode", "#UD", COMPAT, CPL_3),
	ENDS("#UD before CPL", "#UD", OUTSIDE, CPL_3),
	ENDS("CPL 3", "#GP", CPL_3),
	ENDS("CPL before no VMCS", "#GP", CPL_3, NO_VMCS),
	ENDS("no current VMCS", "VMfailInvalid", NO_VMCS),
	ENDS("no current VMCS before MOV SS", "VMfailInvalid", NO_VMCS, BY_MOV_SS),
	ENDS("shadow VMCS", "VMfailInvalid", SHADOW),
	ENDS("shadow VMCS before MOV SS", "VMfailInvalid", SHADOW, BY_MOV_SS),
	ENDS("MOV SS", "VMfailValid(26)", BY_MOV_SS),
	ENDS("MOV SS before launch state", "VMfailValid(26)", BY_MOV_SS, LAUNCHED),
	ENDS("MOV SS before controls", "VMfailValid(26)", BY_MOV_SS, BAD_CONTROL),
	ENDS("launch state", "VMfailValid(4)", LAUNCHED),
	ENDS("launch state of VMRESUME", "VMfailValid(5)", L1_ON(LAUNCH, CHECK_RESUME)),
	ENDS("launch state before controls and host", "VMfailValid(4)", LAUNCHED, BAD_CONTROL,
	     BAD_HOST),
	ENDS("launch state before guest", "VMfailValid(4)", LAUNCHED, BAD_GUEST),
	ENDS("controls", "VMfailValid(7)", BAD_CONTROL),
	ENDS("host", "VMfailValid(8)", BAD_HOST),
	ENDS("controls and host", "VMfailValid(7) | VMfailValid(8)", BAD_CONTROL, BAD_HOST),
	ENDS("controls before guest", "VMfailValid(7)", BAD_CONTROL, BAD_GUEST),
	ENDS("host before guest", "VMfailValid(8)", BAD_HOST, BAD_GUEST),
	ENDS("guest", "exit 33, qualification 0", BAD_GUEST),
	ENDS("link pointer", "exit 33, qualification 4", BAD_LINK),
	ENDS("guest and link pointer", "exit 33, qualification 0 | exit 33, qualification 4",
	     BAD_GUEST, BAD_LINK),
	ENDS("PDPTEs", "exit 33, qualification 2", OFF(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST),
	     SET(GUEST_PDPTE0, 3)),
	ENDS("NMI and STI, which a processor may accept",
	     "exit 33, qualification 0 | exit 33, qualification 3 | VMsucceed",
	     SET(VM_ENTRY_INTERRUPTION_INFO, VMX_EVENT_VALID | VMX_EVENT_NMI << 8 | 2),
	     SET(GUEST_INTERRUPTIBILITY_STATE, 1), ON(GUEST_RFLAGS, BIT(9))),
	ENDS("guest before MSR list", "exit 33, qualification 0", BAD_GUEST, BAD_LIST),
	ENDS("MSR list", "exit 34, qualification 1", BAD_LIST),
	ENDS("host before MSR list", "VMfailValid(8)", BAD_HOST, BAD_LIST),
};

#define LIST_OF(n) SET(VM_ENTRY_MSR_LOAD_ADDRESS, 0x8000), SET(VM_ENTRY_MSR_LOAD_COUNT, n)
#define ENTRY(n, index, data) \
	MEMORY(8, 0x7ff0 + 16 * (n), index), MEMORY(8, 0x7ff8 + 16 * (n), data)

static const struct row lists[] = {
	ENDS("third of three", "exit 34, qualification 3", LIST_OF(3), ENTRY(1, MSR_STAR, 0),
	     ENTRY(2, MSR_STAR, 0), ENTRY(3, MSR_GS_BASE, 0)),
	ENDS("first of the bad ones", "exit 34, qualification 2", LIST_OF(3), ENTRY(1, MSR_STAR, 0),
	     ENTRY(2, MSR_LSTAR, BIT(63)), ENTRY(3, MSR_GS_BASE, 0)),
	ENDS("a microcode MSR may be refused", "exit 34, qualification 1 | VMsucceed?", LIST_OF(1),
	     ENTRY(1, MSR_BIOS_SIGN_ID, 0)),
	ENDS("an unknown MSR before a bad one", "exit 34, qualification 1 to 2?", LIST_OF(2),
	     ENTRY(1, 0x12345, 0), ENTRY(2, MSR_FS_BASE, 0)),
	ENDS("nothing known of three", "exit 34, qualification 1 to 3? | VMsucceed?", LIST_OF(3)),
	ENDS("count not known", "exit 34, qualification 1 to 4? | VMsucceed?", LIST_OF(0),
	     FORGET(VM_ENTRY_MSR_LOAD_COUNT, BIT(2))),
};

static const struct row unknown[] = {
	ENDS("mode", "#UD? | #GP? | VMfailValid(26)? | VMfailValid(8)? | VMsucceed?",
	     L1_FORGET(MODE, ~0ull)),
	ENDS("launch state", "VMfailValid(4)? | VMsucceed?", L1_FORGET(LAUNCH, CHECK_LAUNCHED)),
	ENDS("VMLAUNCH or VMRESUME", "VMfailValid(5)? | VMsucceed?",
	     L1_FORGET(LAUNCH, CHECK_RESUME)),
	ENDS("a control", "VMfailValid(7)? | VMsucceed?", FORGET(VPID, 0xffff)),
	ENDS("a control, bad host", "VMfailValid(7)? | VMfailValid(8)", FORGET(VPID, 0xffff),
	     BAD_HOST),
	ENDS("a control, bad guest", "VMfailValid(7)? | exit 33, qualification 0?",
	     FORGET(VPID, 0xffff), BAD_GUEST),
	ENDS("a control that is bad twice", "VMfailValid(7)", FORGET(EPT_POINTER, ~0ull),
	     BAD_CONTROL),
	ENDS("a guest field", "exit 33, qualification 0? | VMsucceed?", FORGET(GUEST_RFLAGS, 2)),
	ENDS("a guest field, bad list", "exit 33, qualification 0? | exit 34, qualification 1?",
	     FORGET(GUEST_RFLAGS, 2), BAD_LIST),
	ENDS("an unknown bit that decides nothing", "VMsucceed", FORGET(GUEST_RSP, ~0ull)),
};

static void check_rows_of(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char actual[512] = "", member[64];
		struct legal_set set;
		struct machine m;

		machine_init(&m);
		for (size_t n = 0; n < MAX_CHANGES && rows[i].changes[n].op; n++)
			machine_change(&m, &rows[i].changes[n]);
		entry_outcome(&m.input, &set);
		for (unsigned int n = 0; n < set.count; n++)
			snprintf(actual + strlen(actual), sizeof(actual) - strlen(actual), "%s%s%s",
				 n ? " | " : "", legal_text(&set.of[n], member, sizeof(member)),
				 set.of[n].sure ? "" : "?");
		if (strcmp(actual, rows[i].expected))
			fail_msg("%s: %s, not %s", rows[i].name, actual, rows[i].expected);
	}
}

static void earlier_checks_decide(void **state)
{
	(void)state;
	check_rows_of(in_order, ARRAY_SIZE(in_order));
}

static void msr_lists_fail_at_their_first_bad_entry(void **state)
{
	(void)state;
	check_rows_of(lists, ARRAY_SIZE(lists));
}

static void what_is_unknown_leaves_outcomes_open(void **state)
{
	(void)state;
	check_rows_of(unknown, ARRAY_SIZE(unknown));
}

/* For every ordered pair of stages: both violated, the earlier one is what happens. */
static void each_stage_comes_before_the_next(void **state)
{
	static const struct {
		const char *expected;
		struct change changes[4];
	} stages[] = {
		{ "#UD", { OUTSIDE } },
		{ "#GP", { CPL_3 } },
		{ "VMfailInvalid", { NO_VMCS } },
		{ "VMfailValid(26)", { BY_MOV_SS } },
		{ "VMfailValid(4)", { LAUNCHED } },
		{ "VMfailValid(7)", { BAD_CONTROL } },
		{ "exit 33, qualification 0", { BAD_GUEST } },
		{ "exit 34, qualification 1", { BAD_LIST } },
	};

	(void)state;
	for (size_t first = 0; first < ARRAY_SIZE(stages); first++) {
		for (size_t second = first; second < ARRAY_SIZE(stages); second++) {
			struct row row = { "a pair of stages", stages[first].expected, { { 0 } } };
			size_t n = 0;

			for (size_t i = 0; i < 4 && stages[first].changes[i].op; i++)
				row.changes[n++] = stages[first].changes[i];
			for (size_t i = 0; i < 4 && stages[second].changes[i].op && second != first;
			     i++)
				row.changes[n++] = stages[second].changes[i];
			check_rows_of(&row, 1);
		}
	}
}

static void outcomes_are_judged_by_the_set(void **state)
{
	static const struct {
		struct legal observed;
		u8 known, forgotten; /* verdict with and without knowing the VPID */
	} rows[] = {
		{ { .kind = LEGAL_FAIL_VALID, .number = 7 }, LEGAL_AGREE, LEGAL_UNKNOWN },
		{ { .kind = LEGAL_FAIL_VALID, .number = 8 }, LEGAL_DIVERGE, LEGAL_DIVERGE },
		{ { .kind = LEGAL_FAIL_INVALID }, LEGAL_DIVERGE, LEGAL_DIVERGE },
		{ { .kind = LEGAL_SUCCEED }, LEGAL_DIVERGE, LEGAL_UNKNOWN },
		{ { .kind = LEGAL_ENTRY_FAILURE, .number = 33 }, LEGAL_DIVERGE, LEGAL_DIVERGE },
		{ { .kind = LEGAL_ENTRY_FAILURE, .number = 41 }, LEGAL_DIVERGE, LEGAL_AGREE },
	};
	const struct legal *member;
	struct legal_set set;
	struct machine m;

	(void)state;
	machine_init(&m);
	m.value[VMCS_IX_VPID] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		m.known[VMCS_IX_VPID] = ~0ull;
		entry_outcome(&m.input, &set);
		assert_int_equal(legal_judge(&set, &rows[i].observed, &member), rows[i].known);
		if (rows[i].known == LEGAL_AGREE)
			assert_int_equal(member->check, CHECK_VPID_ZERO);
		else
			assert_null(member);
		m.known[VMCS_IX_VPID] = 0;
		entry_outcome(&m.input, &set);
		assert_int_equal(legal_judge(&set, &rows[i].observed, NULL), rows[i].forgotten);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(earlier_checks_decide),
		cmocka_unit_test(msr_lists_fail_at_their_first_bad_entry),
		cmocka_unit_test(what_is_unknown_leaves_outcomes_open),
		cmocka_unit_test(each_stage_comes_before_the_next),
		cmocka_unit_test(outcomes_are_judged_by_the_set),
	};
	return cmocka_run_group_tests_name("replay/entry_outcome", tests, NULL, NULL);
}
