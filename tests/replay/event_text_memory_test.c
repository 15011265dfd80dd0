#include "replay/event_json.h"
#include "replay/event_text.h"
#include "tests/test.h"
#include "trace/ram.h"
#include "vmx/tables.h"

static const char *line_of(const struct trace_event *event)
{
	static char text[EVENT_TEXT_MAX];
	const struct event_names names = { .schema = trace_schema_builtin() };

	*event_text_what(text, &names, event, NULL) = 0;
	return text;
}

static void registers_that_are_known_are_named(void **state)
{
	const struct trace_item items[] = { { trace_item_id(ITEM_STATE, VMCS_GUEST_CR4), 0x20 },
					    { ITEM_STATE + 0x3ff, 1 } };
	struct ev_regs regs = { .level = 1, .known = 5, .rax = 0x10, .rdx = 7, .stack = 512 };
	const struct trace_event event = { .kind = EV_REGS,
					   .level = 1,
					   .col = (const u64 *)&regs,
					   .items = items,
					   .item_count = 2 };

	(void)state;
	assert_string_equal(line_of(&event), "rax=0x10 rdx=0x7 stack=512 cr4=0x20");
	regs.known = 0;
	assert_string_equal(line_of(&event), "removed");
}

static void words_are_named_by_their_address(void **state)
{
	const struct ev_ram ram = { .level = 1 };
	const u64 words[] = { 1, 2, 3 };
	u8 bytes[128];
	struct ram_writer writer = { .to = bytes };
	struct trace_event event = { .kind = EV_RAM, .level = 2, .col = (const u64 *)&ram };
	const struct event_names names = { .schema = trace_schema_builtin() };
	static char json[EVENT_JSON_MAX];

	(void)state;
	assert_string_equal(line_of(&event), "removed");
	ram_put(&writer, 0x1000, words, 1);
	ram_put(&writer, 0x2008, words, 3);
	event.bytes = bytes;
	event.byte_count = writer.size;
	assert_string_equal(line_of(&event), "gpa1 0x1000+8, 0x2008+24");
	*event_json(json, &names, &event, 5, NULL) = 0;
	assert_non_null(strstr(json,
			       "\"runs\":[{\"gpa\":\"0x1000\",\"bytes\":\"0100000000000000\"},"
			       "{\"gpa\":\"0x2008\",\"bytes\":\"01000000000000000200"));
	/* What is no list ends there. */
	event.byte_count = writer.size - 1;
	assert_string_equal(line_of(&event), "gpa1 0x1000+8");
}

static void pages_say_what_names_them_and_where_they_are(void **state)
{
	struct ev_page page = { .gpa = 0x5000, .level = 1, .field = VMCS_MSR_BITMAP };
	static const u8 bytes[4096];
	struct trace_event event = {
		.kind = EV_PAGE, .col = (const u64 *)&page, .bytes = bytes, .byte_count = 4096
	};

	(void)state;
	assert_string_equal(line_of(&event), "gpa1 0x5000 msr_bitmap 4096 bytes");
	event.byte_count = 0;
	page.since = 18;
	assert_string_equal(line_of(&event), "gpa1 0x5000 msr_bitmap as in event 17");
	page.since = page.field = 0;
	assert_string_equal(line_of(&event), "gpa1 0x5000 removed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_that_are_known_are_named),
		cmocka_unit_test(words_are_named_by_their_address),
		cmocka_unit_test(pages_say_what_names_them_and_where_they_are),
	};
	return cmocka_run_group_tests_name("replay/event_text_memory", tests, NULL, NULL);
}
