#include "replay/report.h"
#include "tests/replay/script.h"

static char text[16384];
static size_t length;

static void take(void *owner, const char *from, size_t size)
{
	(void)owner;
	assert_true(length + size < sizeof(text));
	memcpy(text + length, from, size);
	length += size;
	text[length] = 0;
}

static char *line_of(void *owner, const struct model_place *place, char *to)
{
	(void)owner;
	return to + sprintf(to, "event %llu\n", (unsigned long long)place->n);
}

static const struct report_ops ops = { .write = take, .event = line_of };

static const struct finding finding = {
	.id = FINDING_VMPTRLD_NO_VMCLEAR,
	.count = 3,
	.severity = SEVERITY_WARNING,
	.confidence = CONFIDENCE_HIGH,
	.evidence_count = 2,
	.evidence = { { .n = 5, .seq = 50, .cpu = 1, .kind = EV_VMXON },
		      { .n = 6, .seq = 60, .cpu = 0, .kind = EV_VMPTRLD } },
	.title = (char *)"VMCS 0x2000 was made current without VMCLEAR",
	.note = (char *)"first line\nsecond \"line\"",
	.explanation = (char *)"One sentence that is long enough to need a second line in a report "
			       "of one hundred "
			       "columns.",
	.next = (char *)"do this",
};

static void a_finding_reads_as_a_paragraph(void **state)
{
	(void)state;
	length = 0;
	report_text(&ops, NULL, &finding, 2);
	assert_string_equal(
		text,
		"warning  L1.vmptrld-no-vmclear      @finding:2, fault L1, confidence high, 3 "
		"times\n"
		"  VMCS 0x2000 was made current without VMCLEAR.\n"
		"  evidence  event 5\n"
		"            event 6\n"
		"            first line\n"
		"            second \"line\"\n"
		"  expected  SDM, \"Initializing a VMCS\", \"Software Use of Virtual-Machine "
		"Control "
		"Structures\"\n"
		"  effect    One sentence that is long enough to need a second line in a report of "
		"one hundred\n"
		"            columns.\n"
		"  next      do this\n");
}

static void a_long_title_takes_more_lines(void **state)
{
	struct finding long_one = finding;

	(void)state;
	long_one.title = (char *)"guest_cr3 breaks a rule of VM entry: guest CR3 has no bit set "
				 "beyond the width of a physical address of this processor";
	length = 0;
	report_text(&ops, NULL, &long_one, 2);
	assert_non_null(strstr(text, "\n  guest_cr3 breaks"));
	assert_non_null(strstr(text, "of this processor.\n"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 100);
}

static void a_finding_is_a_json_object(void **state)
{
	(void)state;
	length = 0;
	report_json(&ops, NULL, &finding, 2);
	assert_string_equal(
		text,
		"{\"schema\":1,\"finding\":2,\"rule\":\"L1.vmptrld-no-vmclear\","
		"\"severity\":\"warning\",\"fault\":\"L1\","
		"\"title\":\"VMCS 0x2000 was made current without VMCLEAR\","
		"\"evidence\":[\"@c1:50\",\"@c0:60\"],"
		"\"notes\":[\"first line\",\"second \\\"line\\\"\"],"
		"\"expected\":\"\\\"Initializing a VMCS\\\", \\\"Software Use of Virtual-Machine "
		"Control Structures\\\"\","
		"\"explanation\":\"One sentence that is long enough to need a second line in a "
		"report of one hundred columns.\",\"next\":\"do this\",\"unknown\":null,"
		"\"confidence\":\"high\",\"count\":3}\n");
}

static void a_command_line_is_not_broken(void **state)
{
	struct finding command = finding;
	char next[300] = "vmxtape bisect --caps ";

	(void)state;
	memset(next + strlen(next), 'x', 200);
	command.next = next;
	length = 0;
	report_text(&ops, NULL, &command, 1);
	assert_non_null(strstr(text, next));
}

static void a_word_longer_than_a_line_is_not_lost(void **state)
{
	struct finding wordy = finding;
	char word[200];

	(void)state;
	memset(word, 'y', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	wordy.explanation = word;
	length = 0;
	report_text(&ops, NULL, &wordy, 1);
	assert_non_null(strstr(text, word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finding_reads_as_a_paragraph),
		cmocka_unit_test(a_long_title_takes_more_lines),
		cmocka_unit_test(a_finding_is_a_json_object),
		cmocka_unit_test(a_command_line_is_not_broken),
		cmocka_unit_test(a_word_longer_than_a_line_is_not_lost),
	};

	return cmocka_run_group_tests_name("replay/report", tests, NULL, NULL);
}
