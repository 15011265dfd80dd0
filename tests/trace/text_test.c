#include "tests/test.h"
#include "trace/text.h"
#include "vmx/tables.h"

static void values_read_as_their_type_says(void **state)
{
	static const struct {
		const char *name;
		unsigned type;
		u64 value;
		const char *text;
	} rows[] = {
		{ "number", TYPE_NUM, 18446744073709551615ull, "18446744073709551615" },
		{ "hexadecimal", TYPE_HEX, 0xffffffffffffffffull, "0xffffffffffffffff" },
		{ "address", TYPE_ADDR, 0, "0x0" },
		{ "mode", TYPE_MODE, BIT(MODE_PE) | BIT(MODE_VMXE) | 3, "CPL=3, CR0.PE, CR4.VMXE" },
		{ "field", TYPE_FIELD, 0x681e, "guest_rip" },
		{ "high half", TYPE_FIELD, 0x2001, "io_bitmap_a_high" },
		{ "field that is none", TYPE_FIELD, 0x4fff, "0x4fff" },
		{ "high half of what has none", TYPE_FIELD, 0x681f, "0x681f" },
		{ "field with high bits", TYPE_FIELD, 0x10000681e, "0x10000681e" },
		{ "reason", TYPE_REASON, 10, "cpuid" },
		{ "reason of a failed entry", TYPE_REASON, 0x80000021,
		  "invalid_guest_state:entry" },
		{ "reason that is none", TYPE_REASON, 0xffff, "0xffff" },
		{ "MSR", TYPE_MSR, 0x480, "ia32_vmx_basic" },
		{ "MSR that is none", TYPE_MSR, 0x12345678, "0x12345678" },
		{ "outcome", TYPE_OUTCOME, OUTCOME_FAIL_INVALID, "fail_invalid" },
		{ "flag", TYPE_BOOL, 1, "1" },
		{ "type of the future", 200, 16, "0x10" },
	};
	char text[TRACE_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const size_t length =
			trace_text_value(text, sizeof(text), rows[i].type, rows[i].value);

		assert_row(rows[i].name, length, strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

static void the_longest_mode_has_room(void **state)
{
	char text[TRACE_TEXT_SIZE];

	(void)state;
	assert_true(trace_text_value(text, sizeof(text), TYPE_MODE, ~0ull) < sizeof(text));
}

static void outcomes_name_their_error(void **state)
{
	static const struct {
		u64 outcome;
		u64 error;
		const char *text;
	} rows[] = {
		{ OUTCOME_SUCCEED, 0, "succeed" },
		{ OUTCOME_FAIL_INVALID, 0, "fail_invalid" },
		{ OUTCOME_FAIL_VALID, 12, "fail_valid:12" },
		{ OUTCOME_FAULT, 13, "fault:13" },
		{ 77, 1, "0x4d" },
	};
	char text[TRACE_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		trace_text_outcome(text, sizeof(text), rows[i].outcome, rows[i].error);
		assert_string_equal(text, rows[i].text);
	}
}

static void items_are_named_by_their_range(void **state)
{
	static const struct {
		u32 id;
		const char *text;
	} rows[] = {
		{ 0x4402, "exit_reason" },	     { ITEM_REG + 8, "r8" },
		{ ITEM_EPT12 + 4, "ept12:4" },	     { ITEM_VTPR, "vtpr" },
		{ ITEM_MSR_LOAD + 3, "msr_load:3" }, { 0xffff, "0xffff" },
		{ ITEM_VMCS02, "vmcs02:vpid" },	     { ITEM_EPT02 + 1, "ept02:1" },
	};
	char text[TRACE_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		trace_text_item(text, sizeof(text), trace_schema_builtin(), rows[i].id);
		assert_string_equal(text, rows[i].text);
	}
}

static void every_field_has_an_item_of_vmcs01_and_of_vmcs02(void **state)
{
	char text[TRACE_TEXT_SIZE], name[TRACE_TEXT_SIZE];

	(void)state;
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const u32 encoding = vmcs_fields[ix].encoding;

		assert_int_equal(trace_item_field(trace_item_id(ITEM_VMCS02, encoding)), encoding);
		assert_int_equal(trace_item_field(trace_item_id(ITEM_VMCS01, encoding)), encoding);
		trace_text_item(text, sizeof(text), trace_schema_builtin(),
				trace_item_id(ITEM_VMCS01, encoding));
		snprintf(name, sizeof(name), "vmcs01:%s", vmcs_fields[ix].name);
		assert_string_equal(text, name);
	}
}

static void a_whole_event_is_one_line(void **state)
{
	const struct ev_vmwrite write = { .length = 3,
					  .outcome = OUTCOME_FAIL_VALID,
					  .error = 12,
					  .field = 0x6800,
					  .value = 0x31 };
	const struct ev_console console = { .port = 0x3f8 };
	const struct trace_event events[] = {
		{ .kind = EV_VMWRITE, .rip = 0x1000, .col = (const u64 *)&write },
		{ .kind = EV_CONSOLE,
		  .col = (const u64 *)&console,
		  .bytes = (const u8 *)"a\"\n",
		  .byte_count = 3 },
	};
	char text[200], cut[11];

	(void)state;
	trace_text_event(text, sizeof(text), trace_schema_builtin(), &events[0]);
	assert_string_equal(text, "vmwrite rip=0x1000 mode=CPL=0 length=3 outcome=fail_valid:12 "
				  "error=12 field=guest_cr0 value=0x31");
	trace_text_event(text, sizeof(text), trace_schema_builtin(), &events[1]);
	assert_string_equal(text, "console port=0x3f8 \"a\\x22\\x0a\"");
	assert_int_equal(trace_text_event(cut, sizeof(cut), trace_schema_builtin(), &events[1]),
			 strlen(text));
	assert_string_equal(cut, "console po");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_read_as_their_type_says),
		cmocka_unit_test(the_longest_mode_has_room),
		cmocka_unit_test(outcomes_name_their_error),
		cmocka_unit_test(items_are_named_by_their_range),
		cmocka_unit_test(every_field_has_an_item_of_vmcs01_and_of_vmcs02),
		cmocka_unit_test(a_whole_event_is_one_line),
	};
	return cmocka_run_group_tests_name("trace/text", tests, NULL, NULL);
}
