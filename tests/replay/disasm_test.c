#include "replay/disasm.h"
#include "tests/test.h"

/* SDM: "Instruction Set Reference". */
static void instructions_are_what_the_manual_says(void **state)
{
	static const struct {
		const char *name;
		const char *code;
		size_t count;
		enum disasm_mode mode;
		const char *text;
		size_t length;
	} rows[] = {
		{ "vmread", "\x0f\x78\xc2", 3, DISASM_64, "vmread rdx, rax", 3 },
		{ "vmwrite", "\x0f\x79\xc2", 3, DISASM_64, "vmwrite rax, rdx", 3 },
		{ "vmwrite32", "\x0f\x79\xc2", 3, DISASM_32, "vmwrite eax, edx", 3 },
		{ "vmlaunch", "\x0f\x01\xc2", 3, DISASM_64, "vmlaunch", 3 },
		{ "vmcall", "\x0f\x01\xc1", 3, DISASM_64, "vmcall", 3 },
		{ "vmxon", "\xf3\x0f\xc7\x30", 4, DISASM_64, "vmxon qword ptr [rax]", 4 },
		{ "vmclear", "\x66\x0f\xc7\x30", 4, DISASM_64, "vmclear qword ptr [rax]", 4 },
		{ "vmxon with 66", "\xf3\x66\x0f\xc7\x30", 5, DISASM_64, "vmxon qword ptr [rax]",
		  5 },
		{ "rdpid", "\xf3\x0f\xc7\xf8", 4, DISASM_64, "rdpid rax", 4 },
		{ "rdpid r8", "\xf3\x41\x0f\xc7\xf8", 5, DISASM_64, "rdpid r8", 5 },
		{ "rdpid32", "\xf3\x0f\xc7\xf9", 4, DISASM_32, "rdpid ecx", 4 },
		{ "senduipi", "\xf3\x0f\xc7\xf0", 4, DISASM_64, "senduipi rax", 4 },
		{ "rdseed", "\x0f\xc7\xf8", 3, DISASM_64, "rdseed eax", 3 },
		{ "seamcall", "\x66\x0f\x01\xcf", 4, DISASM_64, "seamcall", 4 },
		{ "tdcall", "\x66\x0f\x01\xcc", 4, DISASM_64, "tdcall", 4 },
		{ "enclv", "\x0f\x01\xc0", 3, DISASM_64, "enclv", 3 },
		{ "wbnoinvd", "\xf3\x0f\x09", 3, DISASM_64, "wbnoinvd", 3 },
		{ "f2 66 vmclear", "\xf2\x66\x0f\xc7\x30", 5, DISASM_64, "(bad)", 0 },
		{ "f3 vmread", "\xf3\x0f\x78\xc2", 4, DISASM_64, "(bad)", 0 },
		{ "66 vmcall", "\x66\x0f\x01\xc1", 4, DISASM_64, "(bad)", 0 },
		{ "cut", "\x0f", 1, DISASM_64, "(bad)", 0 },
		{ "nothing", "", 0, DISASM_64, "(bad)", 0 },
		{ "prefixes alone", "\xf3\x66\x66", 3, DISASM_64, "(bad)", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[DISASM_MAX];

		assert_row(rows[i].name,
			   disasm_text((const u8 *)rows[i].code, rows[i].count, rows[i].mode,
				       0x1000, text),
			   rows[i].length);
		if (strcmp(text, rows[i].text))
			fail_msg("%s: '%s', not '%s'", rows[i].name, text, rows[i].text);
	}
}

static void the_mode_of_an_event_says_how_wide_its_code_is(void **state)
{
	(void)state;
	assert_int_equal(disasm_mode(BIT(MODE_LMA) | BIT(MODE_CS_L)), DISASM_64);
	assert_int_equal(disasm_mode(BIT(MODE_LMA) | BIT(MODE_CS_D)), DISASM_32);
	assert_int_equal(disasm_mode(BIT(MODE_PE) | BIT(MODE_CS_D)), DISASM_32);
	assert_int_equal(disasm_mode(BIT(MODE_PE)), DISASM_16);
	/* Without IA32_EFER.LMA bit L of CS is not looked at. */
	assert_int_equal(disasm_mode(BIT(MODE_CS_L)), DISASM_16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_are_what_the_manual_says),
		cmocka_unit_test(the_mode_of_an_event_says_how_wide_its_code_is),
	};

	return cmocka_run_group_tests_name("replay/disasm", tests, NULL, NULL);
}
