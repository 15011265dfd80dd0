#include "replay/event_json.h"
#include "replay/event_text.h"
#include "replay/put.h"
#include "replay/symbols.h"
#include "tests/test.h"
#include "vmx/tables.h"

static const struct trace_item exit_items[] = {
	{ VMCS_GUEST_RIP, 0x1004 },
	{ VMCS_EXIT_QUALIFICATION, 0x710008 },
	{ ITEM_REG + REG_RAX, 1 },
	{ ITEM_IO_BITMAP, 0xff },
};

#define EVENT_OF(KIND, columns, ...)                                                             \
	{                                                                                        \
		.kind = EV_##KIND, .cpu = 1, .seq = 42, .tsc = 7, .col = (const u64 *)(columns), \
		__VA_ARGS__                                                                      \
	}

static const struct trace_event vmwrite = EVENT_OF(
	VMWRITE, (&(struct ev_vmwrite){ .vmcs = 0x2000, .field = VMCS_GUEST_CR4, .value = 0x2668 }),
	.level = 1, .rip = 0xffffffffc05d4f88, .code = (const u8 *)"\x0f\x79", .code_count = 2);
static const struct trace_event l2_exit =
	EVENT_OF(L2_EXIT, (&(struct ev_l2_exit){ .reason = EXIT_IO, .vmcs = 0x2000 }), .level = 2,
		 .rip = 0x1004, .items = exit_items, .item_count = ARRAY_SIZE(exit_items));

static const struct trace_event vmread_failed = EVENT_OF(
	VMREAD, (&(struct ev_vmread){ .vmcs = 0x2000, .outcome = OUTCOME_FAIL_VALID, .error = 12 }),
	.level = 1);

static struct event_names names;

static int set_names(void **state)
{
	(void)state;
	names = (struct event_names){ .schema = trace_schema_builtin() };
	return 0;
}

static const char *text_of(const struct trace_event *event, const struct model *model)
{
	static char line[EVENT_TEXT_MAX];

	*event_text(line, &names, event, model) = 0;
	return line;
}

static const char *json_of(const struct trace_event *event, const struct model *model)
{
	static char line[EVENT_JSON_MAX];

	*event_json(line, &names, event, 100, model) = 0;
	return line;
}

static void each_kind_has_its_line(void **state)
{
	const struct {
		const char *text;
		struct trace_event event;
	} rows[] = {
		{ "@c1:42                       vmxoff\n",
		  EVENT_OF(VMXOFF, (&(struct ev_vmxoff){ 0 })) },
		{ "@c1:42      0000000000001000 vmptrld   0x2000\n",
		  EVENT_OF(VMPTRLD, (&(struct ev_vmptrld){ .pointer = 0x2000 }), .rip = 0x1000) },
		{ "@c1:42                       vmptrld   0x2001  -> fail_valid:9 VMPTRLD with "
		  "invalid physical "
		  "address\n",
		  EVENT_OF(VMPTRLD, (&(struct ev_vmptrld){ .pointer = 0x2001,
							   .outcome = OUTCOME_FAIL_VALID,
							   .error = 9 })) },
		{ "@c1:42                       vmread    exit_reason = 0xa cpuid\n",
		  EVENT_OF(VMREAD,
			   (&(struct ev_vmread){ .field = VMCS_EXIT_REASON, .value = 10 })) },
		{ "@c1:42                       vmread    field 0x6fff  -> fail_invalid\n",
		  EVENT_OF(VMREAD, (&(struct ev_vmread){ .field = 0x6fff,
							 .outcome = OUTCOME_FAIL_INVALID })) },
		{ "@c1:42                       vmwrite   tsc_offset_high 0x5\n",
		  EVENT_OF(VMWRITE,
			   (&(struct ev_vmwrite){ .field = VMCS_TSC_OFFSET + 1, .value = 5 })) },
		{ "@c1:42                       vmclear   0x3000  -> #PF(0x2) cr2=0xdead000\n",
		  EVENT_OF(VMCLEAR, (&(struct ev_vmclear){ .pointer = 0x3000,
							   .outcome = OUTCOME_FAULT,
							   .error = 14,
							   .fault_code = 2,
							   .cr2 = 0xdead000 })) },
		{ "@c1:42                       invvpid   type 1 0x7\n",
		  EVENT_OF(INVVPID, (&(struct ev_invvpid){ .type = 1, .descriptor_low = 7 })) },
		{ "@c1:42                       msr_read  ia32_vmx_misc = 0x123\n",
		  EVENT_OF(MSR_READ,
			   (&(struct ev_msr_read){ .msr = MSR_VMX_MISC, .value = 0x123 })) },
		{ "@c1:42                       msr_read  ia32_vmx_vmfunc  -> #GP\n",
		  EVENT_OF(MSR_READ, (&(struct ev_msr_read){ .msr = MSR_VMX_VMFUNC,
							     .outcome = OUTCOME_FAULT,
							     .error = 13 })) },
		{ "@c1:42                       cr_write  cr4 0x20 -> 0x2020\n",
		  EVENT_OF(CR_WRITE,
			   (&(struct ev_cr_write){ .cr = 4, .old = 0x20, .value = 0x2020 })) },
		{ "@c1:42                       console   | tab\\x09 \\x5c end\n",
		  EVENT_OF(CONSOLE, (&(struct ev_console){ 0 }),
			   .bytes = (const u8 *)"tab\t \\ end", .byte_count = 10) },
		{ "@c1:42                       gap       --- 12 events are missing: ring_full "
		  "---\n",
		  EVENT_OF(GAP, (&(struct ev_gap){ .why = GAP_RING_FULL, .events = 12 })) },
		{ "@c1:42                       vmcs12_write guest_rip 0x1 -> 0x2 (memory, by "
		  "then)\n",
		  EVENT_OF(VMCS12_WRITE,
			   (&(struct ev_vmcs12_write){
				   .field = VMCS_GUEST_RIP, .old = 1, .value = 2 })) },
		{ "@c1:42                       end       triple_fault\n",
		  EVENT_OF(END, (&(struct ev_end){ .why = END_TRIPLE_FAULT })) },
		{ "@c1:42                       vmx_state vmxon=0x1000 current=none level=1\n",
		  EVENT_OF(VMX_STATE, (&(struct ev_vmx_state){ .in_vmx = 1,
							       .vmxon_pointer = 0x1000,
							       .vmcs = ~0ull,
							       .level = 1 })) },
		{ "@c1:42                       cpuid     0x7.0 00000000 00000001 00000000 "
		  "00000000 (real "
		  "00000000 00000003 00000000 00000000)\n",
		  EVENT_OF(CPUID,
			   (&(struct ev_cpuid){
				   .leaf = 7, .shown_ab = BIT(32), .real_ab = 3 * BIT(32) })) },
		{ "@c1:42                       inject    info=0x80000b0e error_code=0x2\n",
		  EVENT_OF(INJECT, (&(struct ev_inject){ .info = 0x80000b0e, .error_code = 2 })) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(text_of(&rows[i].event, NULL), rows[i].text);
}

static void l2_is_indented_and_its_exit_decoded(void **state)
{
	(void)state;
	assert_string_equal(text_of(&l2_exit, NULL),
			    "@c1:42        0000000000001004 l2_exit   io in port=0x71 size=1\n");
}

static void the_old_value_comes_from_the_model(void **state)
{
	struct model *const model = model_new();
	const struct ev_vmptrld vmptrld = { .pointer = 0x2000 };
	const struct trace_event load = EVENT_OF(VMPTRLD, &vmptrld);

	(void)state;
	assert_non_null(model);
	assert_int_equal(model_step(model, &load, 0), ST_OK);
	assert_string_equal(text_of(&vmwrite, model),
			    "@c1:42      ffffffffc05d4f88 vmwrite   guest_cr4 ? -> 0x2668\n");
	assert_int_equal(model_step(model, &vmwrite, 1), ST_OK);
	assert_string_equal(text_of(&vmwrite, model),
			    "@c1:42      ffffffffc05d4f88 vmwrite   guest_cr4 0x2668 -> 0x2668\n");
	assert_string_equal(text_of(&vmwrite, NULL),
			    "@c1:42      ffffffffc05d4f88 vmwrite   guest_cr4 0x2668\n");
	model_free(model);
}

static void a_kind_of_another_version_is_shown_by_its_columns(void **state)
{
	struct trace_schema *const schema = calloc(1, sizeof(*schema));
	const u64 columns[TRACE_MAX_COLUMNS] = { 5, 0x1000 };
	const struct trace_event event = { .kind = 120, .level = 1, .col = columns };
	char line[EVENT_TEXT_MAX];

	(void)state;
	trace_schema_start(schema);
	trace_schema_add_kind(schema, "novelty", 120, KEY_COL0, 0);
	trace_schema_add_column(schema, "count", TYPE_NUM, PREDICTOR_SITE);
	trace_schema_add_column(schema, "where", 99, PREDICTOR_SITE);
	*event_text(line, &(struct event_names){ .schema = schema }, &event, NULL) = 0;
	assert_string_equal(line, "@c0:0                        novelty   count=5 where=0x1000\n");
	*event_text(line, &names, &event, NULL) = 0;
	assert_string_equal(line, "@c0:0                        kind 120\n");
	free(schema);
}

static void addresses_with_a_name_are_shown_by_it(void **state)
{
	static const struct symbol vmx = { 0xffffffffc05d4f00, 0x100, "vmx_set_cr4", "kvm_intel" };
	struct symbols *const symbols = symbols_new();

	(void)state;
	assert_int_equal(symbols_add(symbols, 1, &vmx, true), ST_OK);
	symbols_seal(symbols);
	names.symbols = symbols;
	assert_string_equal(
		text_of(&vmwrite, NULL),
		"@c1:42      vmx_set_cr4+0x88                  vmwrite   guest_cr4 0x2668\n");
	assert_non_null(strstr(json_of(&vmwrite, NULL), "\"rip\":\"0xffffffffc05d4f88\","
							"\"symbol\":\"vmx_set_cr4+0x88\","
							"\"module\":\"kvm_intel\","));
	/* L2 has none. */
	assert_non_null(strstr(text_of(&l2_exit, NULL), "  0000000000001004  "));
	assert_null(strstr(json_of(&l2_exit, NULL), "symbol"));
	names.symbols = NULL;
	symbols_free(symbols);
}

static void items_become_lines_of_their_own(void **state)
{
	char line[EVENT_TEXT_MAX];

	(void)state;
	*event_text_item(line, &l2_exit, 0, NULL) = 0;
	assert_string_equal(
		line, "@c1:42                         vmcs12_write guest_rip 0x1004 (exit)\n");
	assert_ptr_equal(event_text_item(line, &l2_exit, 2, NULL), line);
	*event_text_error(line, &vmread_failed, NULL) = 0;
	assert_string_equal(
		line,
		"@c1:42                         vmcs12_write vm_instruction_error 0xc (error)\n");
	*event_json_error(line, &vmread_failed, 3, NULL) = 0;
	assert_non_null(strstr(line, "\"kind\":\"vmcs12_write\""));
	assert_non_null(strstr(line, "\"origin\":\"error\",\"vmcs\":\"0x2000\",\"field\":"
				     "\"vm_instruction_error\",\"value\":\"0xc\"}"));
}

static void json_has_the_columns_by_name(void **state)
{
	(void)state;
	assert_string_equal(
		json_of(&vmwrite, NULL),
		"{\"schema\":1,\"n\":100,\"cpu\":1,\"seq\":42,\"tsc\":7,\"level\":1,\"kind\":"
		"\"vmwrite\","
		"\"rip\":\"0xffffffffc05d4f88\",\"mode\":\"0x0\",\"rflags\":\"0x0\",\"rflags_"
		"after\":\"0x0\","
		"\"cr3\":\"0x0\",\"vmcs\":\"0x2000\",\"length\":0,\"info\":\"0x0\",\"outcome\":"
		"\"succeed\","
		"\"linear\":\"0x0\",\"gpa\":\"0x0\",\"field\":\"guest_cr4\",\"value\":\"0x2668\","
		"\"code\":\"0f79\"}\n");
	assert_string_equal(
		json_of(&l2_exit, NULL),
		"{\"schema\":1,\"n\":100,\"cpu\":1,\"seq\":42,\"tsc\":7,\"level\":2,\"kind\":\"l2_"
		"exit\","
		"\"rip\":\"0x1004\",\"reason\":\"io\",\"vmcs\":\"0x2000\",\"hv_ticks\":0,\"hidden_"
		"exits\":0,\"packing_ticks\":0,"
		"\"fields\":{\"guest_rip\":\"0x1004\",\"exit_qualification\":\"0x710008\"},"
		"\"regs\":{\"rax\":\"0x1\"},\"consulted\":{\"io_bitmap\":\"0xff\"}}\n");
}

static void what_hv_does_below_reads_like_what_l1_sees(void **state)
{
	const struct ev_l0_exit exit = {
		.reason = EXIT_EPT_VIOLATION,
		.vmcs = 0x2000,
		.qualification = 0x181,
		.gpa2 = 0x5000,
		.vectoring_info = 0x80000020,
	};
	const struct ev_l0_entry entry = { .vmcs = 0x2000, .resumed = 1, .flushed = 1 };
	const struct trace_event exit_event = EVENT_OF(L0_EXIT, (&exit), .level = 2);
	const struct trace_event entry_event = EVENT_OF(L0_ENTRY, (&entry), .level = 2);
	const char *text;

	(void)state;
	text = text_of(&exit_event, NULL);
	assert_non_null(strstr(text, "l0_exit   ept_violation "));
	assert_non_null(strstr(text, " gpa=0x5000 delivering "));
	text = text_of(&entry_event, NULL);
	assert_non_null(strstr(text, "l0_entry  L2 goes on, translations dropped, 0 items\n"));
}

static void json_has_fields_of_hv_s_vmcss_apart(void **state)
{
	const struct trace_item items[] = {
		{ trace_item_id(ITEM_VMCS02, VMCS_VPID), 2 },
		{ ITEM_EPT02 + 1, 0x37 },
		{ trace_item_id(ITEM_VMCS01, VMCS_GUEST_RIP), 0x1234 },
	};
	const struct trace_event entry =
		EVENT_OF(L0_ENTRY, (&(struct ev_l0_entry){ .vmcs = 0x2000 }), .items = items,
			 .item_count = ARRAY_SIZE(items));

	(void)state;
	assert_non_null(strstr(json_of(&entry, NULL), "\"consulted\":{\"ept02:1\":\"0x37\"},"
						      "\"vmcs02\":{\"vpid\":\"0x2\"},"
						      "\"vmcs01\":{\"guest_rip\":\"0x1234\"}}"));
}

/* No key stands twice: what an event of hv's is about takes the place of who executed. */
static void json_has_one_level(void **state)
{
	const struct trace_event mark = EVENT_OF(MARK, (&(struct ev_mark){ .level = 2 }),
						 .bytes = (const u8 *)"here", .byte_count = 4);
	const char *const json = json_of(&mark, NULL);
	const char *const level = strstr(json, "\"level\":2");

	(void)state;
	assert_non_null(level);
	assert_null(strstr(level + 1, "\"level\""));
	assert_ptr_equal(strstr(json, "\"level\""), level);
}

static void json_says_how_an_instruction_failed(void **state)
{
	const struct ev_vmclear fault = {
		.outcome = OUTCOME_FAULT, .error = 14, .fault_code = 2, .cr2 = 0x1000
	};
	const struct ev_vmclear valid = { .outcome = OUTCOME_FAIL_VALID, .error = 12 };
	const struct ev_vmclear invalid = { .outcome = OUTCOME_FAIL_INVALID };
	const struct trace_event events[] = {
		EVENT_OF(VMCLEAR, &fault),
		EVENT_OF(VMCLEAR, &valid),
		EVENT_OF(VMCLEAR, &invalid),
	};

	(void)state;
	assert_non_null(
		strstr(json_of(&events[0], NULL),
		       "\"outcome\":\"fault:14\",\"fault_code\":\"0x2\",\"cr2\":\"0x1000\","));
	assert_non_null(
		strstr(json_of(&events[1], NULL), "\"outcome\":\"fail_valid:12\",\"linear\""));
	assert_non_null(
		strstr(json_of(&events[2], NULL), "\"outcome\":\"fail_invalid\",\"linear\""));
}

static void json_strings_survive_any_byte(void **state)
{
	const char bytes[] = { 'a', '"', '\\', '\n', (char)0xff, 0 };
	char text[64];

	(void)state;
	*json_string(text, bytes, sizeof(bytes)) = 0;
	assert_string_equal(text, "\"a\\\"\\\\\\u000a\\u00ff\\u0000\"");
}

static void numbers_are_written_without_libc(void **state)
{
	static const u64 numbers[] = { 0, 9, 10, 15, 16, 4095, 0x80000000, ~0ull };
	char ours[32], theirs[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		*put_hex(ours, numbers[i]) = 0;
		snprintf(theirs, sizeof(theirs), "0x%llx", (unsigned long long)numbers[i]);
		assert_string_equal(ours, theirs);
		*put_dec(ours, numbers[i]) = 0;
		snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)numbers[i]);
		assert_string_equal(ours, theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_line),
		cmocka_unit_test(l2_is_indented_and_its_exit_decoded),
		cmocka_unit_test(the_old_value_comes_from_the_model),
		cmocka_unit_test(a_kind_of_another_version_is_shown_by_its_columns),
		cmocka_unit_test(addresses_with_a_name_are_shown_by_it),
		cmocka_unit_test(items_become_lines_of_their_own),
		cmocka_unit_test(json_has_the_columns_by_name),
		cmocka_unit_test(what_hv_does_below_reads_like_what_l1_sees),
		cmocka_unit_test(json_has_fields_of_hv_s_vmcss_apart),
		cmocka_unit_test(json_has_one_level),
		cmocka_unit_test(json_says_how_an_instruction_failed),
		cmocka_unit_test(json_strings_survive_any_byte),
		cmocka_unit_test(numbers_are_written_without_libc),
	};

	return cmocka_run_group_tests_name("replay/event_text", tests, set_names, NULL);
}
