#include "tests/test.h"

#include "cli/bochs_text.h"

static void places_are_read_whatever_led_there(void **state)
{
	static const struct {
		const char *name, *text;
		struct debugger_place place;
	} rows[] = {
		{ "a step",
		  "Next at t=88063939\n(0) [0x000001004320] 0010:0000000001004320 (unk. ctxt): jbe "
		  ".+4 "
		  " (0x01004326)     ; 7604\n\n<bochs:9> ",
		  { .tick = 88063939, .rip = 0x1004320, .physical = 0x1004320 } },
		{ "real mode",
		  "Next at t=5\n(0) [0x0000000fe063] f000:e063 (unk. ctxt): out 0xd6, al ; e6d6\n",
		  { .tick = 5, .rip = 0xe063, .physical = 0xfe063 } },
		{ "a time",
		  "(0) Caught time breakpoint\nNext at t=88060979\n(0) [0x00001eb12d9d] "
		  "0008:ffffffff80112d9d (unk. ctxt): mov eax, dword ptr ds:[r8+180] ; 41\n",
		  { .tick = 88060979,
		    .rip = 0xffffffff80112d9d,
		    .physical = 0x1eb12d9d,
		    .why = DEBUGGER_AT_TIME } },
		{ "a break",
		  "(0) Breakpoint 12, 0x00000000000fe063 in ?? ()\nNext at t=7\n(0) "
		  "[0x0000000fe063] "
		  "f000:e063 (unk. ctxt): hlt ; f4\n",
		  { .tick = 7,
		    .rip = 0xe063,
		    .physical = 0xfe063,
		    .why = DEBUGGER_AT_BREAK,
		    .linear = 0xfe063 } },
		{ "a watch",
		  "(0) Caught write watch point at 0x000001423f68\nNext at t=9\n(0) "
		  "[0x00000100049a] "
		  "0010:000000000100049a (unk. ctxt): vmclear qword ptr ss:[rsp+8] ; 66\n",
		  { .tick = 9,
		    .rip = 0x100049a,
		    .physical = 0x100049a,
		    .why = DEBUGGER_AT_WATCH,
		    .watched = 0x1423f68 } },
		{ "an exit",
		  "(0) Caught VMEXIT breakpoint\nNext at t=10\n(0) [0x00001eb250cd] "
		  "0008:ffffffff801250cd (unk. ctxt): mov qword ptr gs:0, rax ; 65\n",
		  { .tick = 10,
		    .rip = 0xffffffff801250cd,
		    .physical = 0x1eb250cd,
		    .why = DEBUGGER_AT_EXIT } },
		{ "an address that nothing translates",
		  "Next at t=87005162\n(0).[87005162] ??? (physical address not available)\n",
		  { .tick = 87005162, .physical = ~0ull } },
		{ "the last of several",
		  "(0) Caught time breakpoint\nNext at t=1\n(0) [0x1] 0:1 (unk. ctxt): nop ; 90\n"
		  "<bochs:2> Next at t=2\n(0) [0x000000000002] 0000:0002 (unk. ctxt): nop ; 90\n",
		  { .tick = 2, .rip = 2, .physical = 2, .why = DEBUGGER_AT_TIME } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct debugger_place place;

		assert_row(rows[i].name,
			   bochs_text_place(rows[i].text, strlen(rows[i].text), &place), true);
		assert_row(rows[i].name, place.tick, rows[i].place.tick);
		assert_row(rows[i].name, place.rip, rows[i].place.rip);
		assert_row(rows[i].name, place.physical, rows[i].place.physical);
		assert_row(rows[i].name, place.why, rows[i].place.why);
		assert_row(rows[i].name, place.linear, rows[i].place.linear);
		assert_row(rows[i].name, place.watched, rows[i].place.watched);
	}
}

static void bytes_of_the_guest_before_are_passed_over(void **state)
{
	static const char text[] =
		"\x00\xff<bochs\0Next\0at t=\n(0) [\0x(0) Caught time breakpoint\n"
		"Next at t=77\n(0) [0x000000000100] 0000:0100 (unk.): nop\n";
	struct debugger_place place;

	(void)state;
	assert_true(bochs_text_place(text, sizeof(text) - 1, &place));
	assert_u64(place.tick, 77);
	assert_u64(place.rip, 0x100);
	assert_u64(place.why, DEBUGGER_AT_TIME);
}

static void what_is_cut_off_tells_no_place(void **state)
{
	static const char *const texts[] = { "", "Next at t=", "Next at t=12", "Next at t=12\n",
					     "(0) [0x1] 0:1 nop\nNext at t=12\n(" };
	struct debugger_place place;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_row(texts[i], bochs_text_place(texts[i], strlen(texts[i]), &place), false);
}

static void places_between_rounds_have_a_line_of_their_own(void **state)
{
	static const char line[] = "x\0y<bochs:3> \nvmxtape-place 1 1000 1003 ffff80001234 1234 "
				   "ffff80005234 10 2008\n<bochs:3> ";
	static const char cut[] = "vmxtape-place 1 1000 1003 ffff80001234";
	struct debugger_place place;

	(void)state;
	assert_true(bochs_text_rounds_place(line, sizeof(line) - 1, &place));
	assert_int_equal(place.cpu, 1);
	assert_u64(place.round, 1000);
	assert_u64(place.tick, 1003);
	assert_u64(place.rip, 0xffff80001234);
	assert_u64(place.physical, 0x1234);
	assert_u64(place.linear, 0xffff80005234);
	assert_int_equal(place.why, DEBUGGER_AT_BREAK | DEBUGGER_AT_WATCH);
	assert_u64(place.watched, 0x2008);
	assert_false(bochs_text_rounds_place(cut, sizeof(cut) - 1, &place));
	assert_false(bochs_text_rounds_place("", 0, &place));
}

static void registers_have_two_halves(void **state)
{
	static const char text[] = "CPU0:\nrax: 00000001_00000002\nrsp: ffff8000_1ebcc000\n"
				   "rip: ffffffff_801250cd\neflags 0x2";
	u64 value;

	(void)state;
	assert_true(bochs_text_register(text, "rip", &value));
	assert_u64(value, 0xffffffff801250cd);
	assert_true(bochs_text_register(text, "rsp", &value));
	assert_u64(value, 0xffff80001ebcc000);
	assert_false(bochs_text_register(text, "rbx", &value));
	assert_false(bochs_text_register("rip: ", "rip", &value));
	assert_false(bochs_text_register("r15: 1_2\n", "rip", &value));
}

static void words_are_those_of_all_lines(void **state)
{
	static const char text[] = "[bochs]:\n0x0000000001004320 <bogus+       "
				   "0>:\t0x8440786789480476\t0x84f8b48078b48f6\n"
				   "0x0000000001004330 <bogus+      16>:\t0x185f8b4810578b48\n";
	u64 words[4];

	(void)state;
	assert_u64(bochs_text_words(text, words, 4), 3);
	assert_u64(words[0], 0x8440786789480476);
	assert_u64(words[1], 0x84f8b48078b48f6);
	assert_u64(words[2], 0x185f8b4810578b48);
	assert_u64(bochs_text_words(text, words, 2), 2);
	assert_u64(bochs_text_words("[bochs]:\n", words, 4), 0);
}

static void parameters_are_found_by_their_whole_names(void **state)
{
	static const char text[] = "show param name: <cpu0.GS>\nGS = {\n  selector = 0x0\n"
				   "  segment = true\n  base = 0xffff80001ebc3000\n  base2 = 0x1\n"
				   "  odd = 0x\n}\n";
	u64 value;

	(void)state;
	assert_true(bochs_text_parameter(text, "base", &value));
	assert_u64(value, 0xffff80001ebc3000);
	assert_false(bochs_text_parameter(text, "ase", &value));
	assert_false(bochs_text_parameter(text, "bas", &value));
	assert_false(bochs_text_parameter(text, "segment", &value));
	assert_false(bochs_text_parameter(text, "odd", &value));
	assert_false(bochs_text_parameter("", "base", &value));
}

/* A block that comes out of the machine may be cut by a stop anywhere. */
static void bytes_of_the_guest_end_where_bochs_begins(void **state)
{
	static const struct {
		const char *name, *guest, *own;
	} rows[] = {
		{ "a step", "abc\n",
		  "Next at t=1\n(0) [0x1] 0:1 (unk. ctxt): nop ; 90\n<bochs:9> " },
		{ "a time in a line", "\n(0) x",
		  "(0) Caught time breakpoint\nNext at t=1\n(0) [0x1] 0:1 (unk. ctxt): nop ; "
		  "90\n<bochs:9> " },
		{ "two reasons", "(0) Caught",
		  "(0) Breakpoint 1, 0x1 in ?? ()\n(0) Caught VMEXIT breakpoint\nNext at t=1\n(0) "
		  "[0x1] 0:1 (unk. ctxt): nop ; 90\n<bochs:9> " },
		{ "text like its own", "Next at t=1\n(0) [0x1]",
		  "Next at t=2\n(0) [0x1] 0:1 (unk. ctxt): nop ; 90\n<bochs:9> " },
		{ "rounds", "vmxtape-place ", "vmxtape-place 1 2 3 4 5 6 7 8\n<bochs:9> " },
		{ "no stop", "some text Next at t=5\n", "" },
		{ "a prompt alone", "some text\n<bochs:3> ", "" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), "%s%s", rows[i].guest, rows[i].own);
		if (bochs_text_stop(text, strlen(text)) != strlen(rows[i].guest))
			fail_msg("%s", rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_read_whatever_led_there),
		cmocka_unit_test(bytes_of_the_guest_end_where_bochs_begins),
		cmocka_unit_test(bytes_of_the_guest_before_are_passed_over),
		cmocka_unit_test(what_is_cut_off_tells_no_place),
		cmocka_unit_test(places_between_rounds_have_a_line_of_their_own),
		cmocka_unit_test(registers_have_two_halves),
		cmocka_unit_test(parameters_are_found_by_their_whole_names),
		cmocka_unit_test(words_are_those_of_all_lines),
	};

	return cmocka_run_group_tests_name("cli/bochs_text", tests, NULL, NULL);
}
