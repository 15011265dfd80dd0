#include "replay/query.h"
#include "tests/test.h"
#include "vmx/tables.h"

static struct query *compiled(const char *text)
{
	struct query *query;
	char error[256] = "";

	if (query_compile(text, trace_schema_builtin(), &query, error, sizeof(error)) != ST_OK)
		fail_msg("'%s': %s", text, error);
	return query;
}

static bool matches(const char *text, const struct trace_event *event)
{
	struct query *const query = compiled(text);
	const bool match = query_match(query, event, 4711);

	query_free(query);
	return match;
}

static const struct ev_vmread vmread = {
	.mode = BIT(MODE_PE),
	.vmcs = 0x2000,
	.field = VMCS_GUEST_CR4,
	.value = 0x2668,
};
static const struct ev_vmlaunch failed = { .outcome = OUTCOME_FAIL_VALID, .error = 7 };
static const struct ev_l2_exit l2_exit = { .reason = EXIT_CPUID, .hidden_exits = 3 };
static const struct ev_l2_exit failed_entry = {
	.reason = EXIT_INVALID_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE,
};
static const struct ev_msr_read msr_read = { .msr = MSR_VMX_MISC, .value = 1 };
static const struct ev_console console = { .port = 0x3f8 };
static const struct ev_regs regs = { .known = BIT(REG_RCX), .rcx = 5 };
static const struct trace_item items[] = {
	{ VMCS_GUEST_RIP, 0x7000 },
	{ ITEM_REG + REG_RCX, 5 },
	{ ITEM_IO_BITMAP, 0xff },
};

#define ROW_EVENT(KIND, columns, ...)                                          \
	{                                                                      \
		.kind = EV_##KIND, .col = (const u64 *)&(columns), __VA_ARGS__ \
	}

static const struct trace_event events[] = {
	ROW_EVENT(VMREAD, vmread, .level = 1, .cpu = 2, .seq = 99, .tsc = 1000,
		  .rip = 0xffffffff81000123),
	ROW_EVENT(VMLAUNCH, failed, .level = 1, .rip = 0x1000),
	ROW_EVENT(L2_EXIT, l2_exit, .level = 2, .items = items, .item_count = 3),
	ROW_EVENT(L2_EXIT, failed_entry, .level = 2),
	ROW_EVENT(MSR_READ, msr_read, .level = 1),
	ROW_EVENT(CONSOLE, console, .level = 1, .bytes = (const u8 *)"Hello, world",
		  .byte_count = 12),
	ROW_EVENT(REGS, regs, .level = 1),
};

enum { VMREAD, VMLAUNCH, L2_EXIT, FAILED_ENTRY, MSR_READ, CONSOLE, REGS };

static void a_query_matches_what_it_says(void **state)
{
	static const struct {
		const char *text;
		unsigned matching; /* bit n: events[n] */
	} rows[] = {
		{ "kind==vmread", BIT(VMREAD) },
		{ "kind == vmread && field == guest_cr4", BIT(VMREAD) },
		{ "field==0x6804", BIT(VMREAD) },
		{ "field==6804h", BIT(VMREAD) },
		{ "field~guest_", BIT(VMREAD) },
		{ "field~host_", 0 },
		{ "field~CR4", BIT(VMREAD) },
		{ "kind~read", BIT(VMREAD) | BIT(MSR_READ) },
		{ "kind!=vmread", MASK(REGS, VMLAUNCH) },
		{ "rip>=0xffffffff81000000", BIT(VMREAD) },
		{ "rip<0xffffffff81000000 && kind==vmlaunch", BIT(VMLAUNCH) },
		{ "outcome==succeed", BIT(VMREAD) | BIT(MSR_READ) },
		{ "outcome!=succeed", BIT(VMLAUNCH) },
		{ "outcome==fail_valid:7", BIT(VMLAUNCH) },
		{ "outcome==fail_valid:8", 0 },
		{ "outcome!=fail_valid:8", BIT(VMREAD) | BIT(VMLAUNCH) | BIT(MSR_READ) },
		{ "reason==cpuid", BIT(L2_EXIT) },
		{ "reason==10", BIT(L2_EXIT) },
		{ "reason==invalid_guest_state", BIT(FAILED_ENTRY) },
		{ "reason & 0x80000000", BIT(FAILED_ENTRY) },
		{ "reason==0x80000021", BIT(FAILED_ENTRY) },
		{ "reason~guest_state", BIT(FAILED_ENTRY) },
		{ "msr==ia32_vmx_misc", BIT(MSR_READ) },
		{ "msr~vmx_", BIT(MSR_READ) },
		{ "msr==0x485", BIT(MSR_READ) },
		{ "guest_cr4 & 0x2000", BIT(VMREAD) },
		{ "guest_cr4 & 0x2000 == 0x2000", BIT(VMREAD) },
		{ "guest_cr4 & 0x10", 0 },
		{ "guest_rip==0x7000", BIT(L2_EXIT) },
		{ "rcx==5", BIT(L2_EXIT) | BIT(REGS) },
		{ "io_bitmap", BIT(L2_EXIT) },
		{ "hidden_exits", BIT(L2_EXIT) },
		{ "hidden_exits>2", BIT(L2_EXIT) },
		{ "text~world", BIT(CONSOLE) },
		{ "text~\"Hello, \"", BIT(CONSOLE) },
		{ "text==\"Hello, world\"", BIT(CONSOLE) },
		{ "text!=\"Hello, world\"", 0 },
		{ "level==2", BIT(L2_EXIT) | BIT(FAILED_ENTRY) },
		{ "cpu==2 && seq==99 && tsc==1000", BIT(VMREAD) },
		{ "n==4711", MASK(REGS, VMREAD) },
		{ "n<4711", 0 },
		{ "!(kind==vmread || kind==console)", MASK(MSR_READ, VMLAUNCH) | BIT(REGS) },
		{ "!field==guest_cr4", MASK(REGS, VMLAUNCH) },
		{ "kind==vmread || kind==vmlaunch && error==7", BIT(VMREAD) | BIT(VMLAUNCH) },
		{ "(kind==vmread || kind==vmlaunch) && error==7", BIT(VMLAUNCH) },
		{ "port==0x3f8", BIT(CONSOLE) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t j = 0; j < ARRAY_SIZE(events); j++)
			if (matches(rows[i].text, &events[j]) != (rows[i].matching >> j & 1))
				fail_msg("'%s' on event %zu", rows[i].text, j);
}

static void what_an_event_does_not_have_compares_false_either_way(void **state)
{
	(void)state;
	assert_false(matches("field==guest_cr4", &events[CONSOLE]));
	assert_false(matches("field!=guest_cr4", &events[CONSOLE]));
	assert_false(matches("guest_rsp==0", &events[L2_EXIT]));
	assert_false(matches("guest_rsp!=0", &events[L2_EXIT]));
}

static void a_kind_that_cannot_match_is_known_beforehand(void **state)
{
	struct query *const query = compiled("kind==vmread && value>5 || reason==cpuid");

	(void)state;
	assert_true(query_wants(query, EV_VMREAD));
	assert_true(query_wants(query, EV_L2_EXIT));
	assert_false(query_wants(query, EV_VMWRITE));
	assert_false(query_wants(query, 127));
	assert_false(query_wants(query, 200));
	query_free(query);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{ "", "a name is missing" },
		{ "kind", NULL },
		{ "nonsense==1", "nothing is called 'nonsense'" },
		{ "kind==vmrad", "'kind' is never 'vmrad'" },
		{ "field==guest_cr5", "'field' is never 'guest_cr5'" },
		{ "reason==halt", "'reason' is never 'halt'" },
		{ "outcome==good", "no outcome is called 'good'" },
		{ "outcome==fail_valid:x", "no number" },
		{ "value==", "a value is missing" },
		{ "value==1 &&", "a name is missing" },
		{ "(value==1", ") is missing" },
		{ "value==1)", "nothing can be made of ')'" },
		{ "value~guest", "~ wants names or text" },
		{ "value & x", "& wants a number" },
		{ "text<5", "text knows only" },
		{ "text~\"open", "not closed" },
		{ "value==0x", "'value' is never '0x'" },
	};
	struct query *query;
	char error[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const enum status status = query_compile(rows[i].text, trace_schema_builtin(),
							 &query, error, sizeof(error));

		if (!rows[i].part) {
			assert_int_equal(status, ST_OK);
			query_free(query);
			continue;
		}
		if (status != ST_INVALID || query || !strstr(error, rows[i].part))
			fail_msg("'%s': status %d, error '%s'", rows[i].text, status, error);
	}
}

static void depth_and_size_have_limits(void **state)
{
	struct query *query;
	char text[8192], error[256];

	(void)state;
	memset(text, '(', 5000);
	text[5000] = 0;
	assert_int_equal(query_compile(text, trace_schema_builtin(), &query, error, sizeof(error)),
			 ST_INVALID);
	assert_non_null(strstr(error, "nested too deep"));
	text[0] = 0;
	for (unsigned i = 0; i < 400; i++)
		strcat(text, i ? " && n>1" : "n>1");
	assert_int_equal(query_compile(text, trace_schema_builtin(), &query, error, sizeof(error)),
			 ST_INVALID);
	assert_non_null(strstr(error, "too many parts"));
}

/* The generator is fixed, so that a failure comes again. */
static void no_text_makes_the_parser_stumble(void **state)
{
	static const char *const pieces[] = {
		"kind",
		"==",
		"vmread",
		"&&",
		"||",
		"!",
		"(",
		")",
		"&",
		"~",
		"0x10",
		"field",
		"\"",
		" ",
		"guest_rip",
		"outcome",
		"fail_valid:7",
		"<",
		">=",
		"text",
		"12h",
		"reason",
		".",
		"\x80",
	};
	u64 seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct query *query;
		char text[256] = "", error[128];

		for (unsigned i = 0; i < 12; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			strcat(text, pieces[(seed >> 33) % ARRAY_SIZE(pieces)]);
		}
		if (query_compile(text, trace_schema_builtin(), &query, error, sizeof(error)) ==
		    ST_OK)
			for (size_t i = 0; i < ARRAY_SIZE(events); i++)
				(void)query_match(query, &events[i], i);
		else if (!*error || query)
			fail_msg("'%s' is refused without a word", text);
		query_free(query);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_matches_what_it_says),
		cmocka_unit_test(what_an_event_does_not_have_compares_false_either_way),
		cmocka_unit_test(a_kind_that_cannot_match_is_known_beforehand),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(depth_and_size_have_limits),
		cmocka_unit_test(no_text_makes_the_parser_stumble),
	};

	return cmocka_run_group_tests_name("replay/query", tests, NULL, NULL);
}
