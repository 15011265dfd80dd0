#include <locale.h>

#include "tests/test.h"
#include "tui/input.h"
#include "tui/lines.h"
#include "tui/prompt.h"

static void type(struct prompt *prompt, const char *text)
{
	for (; *text; text++)
		assert_int_equal(prompt_key(prompt, (u8)*text), PROMPT_EDITED);
}

static void keys_edit_the_line(void **state)
{
	struct prompt prompt = { .kind = PROMPT_NONE };

	(void)state;
	prompt_open(&prompt, PROMPT_SEARCH, "");
	type(&prompt, "one two");
	prompt_key(&prompt, INPUT_LEFT);
	prompt_key(&prompt, INPUT_BACKSPACE);
	assert_string_equal(prompt.text, "one to");
	prompt_key(&prompt, INPUT_DELETE);
	assert_string_equal(prompt.text, "one t");
	prompt_key(&prompt, INPUT_HOME);
	type(&prompt, "x");
	prompt_key(&prompt, INPUT_END);
	prompt_key(&prompt, INPUT_CTRL('w'));
	assert_string_equal(prompt.text, "xone ");
	prompt_key(&prompt, 0xe9);
	prompt_key(&prompt, INPUT_BACKSPACE);
	assert_string_equal(prompt.text, "xone ");
	prompt_key(&prompt, INPUT_CTRL('u'));
	assert_string_equal(prompt.text, "");
	assert_int_equal(prompt_key(&prompt, INPUT_BACKSPACE), PROMPT_LEFT);
	assert_int_equal(prompt_key(&prompt, INPUT_ESC), PROMPT_LEFT);
	assert_int_equal(prompt_key(&prompt, INPUT_ENTER), PROMPT_ENTERED);
	assert_int_equal(prompt_key(&prompt, INPUT_F1), PROMPT_IGNORED);
	prompt_free(&prompt);
}

static void the_line_has_an_end(void **state)
{
	struct prompt prompt = { .kind = PROMPT_NONE };

	(void)state;
	prompt_open(&prompt, PROMPT_NOTE, "");
	for (unsigned i = 0; i < 2 * PROMPT_MAX; i++)
		prompt_key(&prompt, 0x20ac);
	assert_true(prompt.size < PROMPT_MAX);
	assert_int_equal(prompt.size % 3, 0);
	prompt_free(&prompt);
}

static void lines_that_were_entered_come_back(void **state)
{
	struct prompt prompt = { .kind = PROMPT_NONE };

	(void)state;
	for (unsigned i = 0; i < 2 * PROMPT_HISTORY; i++) {
		char text[16];

		snprintf(text, sizeof(text), "line %u", i);
		prompt_open(&prompt, PROMPT_COMMAND, text);
		prompt_close(&prompt, true);
	}
	prompt_open(&prompt, PROMPT_COMMAND, "");
	prompt_key(&prompt, INPUT_UP);
	assert_string_equal(prompt.text, "line 99");
	for (unsigned i = 0; i < 2 * PROMPT_HISTORY; i++)
		prompt_key(&prompt, INPUT_UP);
	assert_string_equal(prompt.text, "line 50");
	prompt_key(&prompt, INPUT_DOWN);
	assert_string_equal(prompt.text, "line 51");
	prompt_open(&prompt, PROMPT_SEARCH, "");
	prompt_key(&prompt, INPUT_UP);
	assert_string_equal(prompt.text, "");
	prompt_free(&prompt);
}

/* What a console printed may be anything. */
static void text_that_is_none_becomes_question_marks(void **state)
{
	static const struct {
		const char *bytes;
		const char *shown;
	} rows[] = {
		{ "plain", "plain" },	 { "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9" },
		{ "\x1b[31m", "?[31m" }, { "\xc3", "?" },
		{ "\xff\xfe", "??" },	 { "\xc0\xaf", "?" },
		{ "a\xe2\x82", "a?" },	 { "\xf4\x90\x80\x80", "?" },
		{ "\xe5\xad\x97", "?" }, /* two columns wide */
		{ "\x01\x7f", "??" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *at = rows[i].bytes, *const end = at + strlen(at);
		char shown[64], *to = shown;

		while (at < end)
			to = grid_put_utf8(to, grid_code_point(&at, end));
		*to = 0;
		assert_string_equal(shown, rows[i].shown);
	}
}

static void lines_name_positions(void **state)
{
	static const struct {
		const char *text;
		const char *position; /* NULL: none */
	} rows[] = {
		{ "@c0:12", "@c0:12" },
		{ "see @c13:9 and @c0:1", "@c13:9" },
		{ "@c:1 @c0: @c0 @", NULL },
		{ "a@c1:2b", "@c1:2" },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lines lines = { 0 };
		char position[LINES_POSITION] = "";

		lines_add(&lines);
		lines_put_linked(&lines, STYLE_PLAIN, rows[i].text, strlen(rows[i].text));
		assert_row(rows[i].text, lines_position(&lines, 0, position),
			   rows[i].position != NULL);
		if (rows[i].position)
			assert_string_equal(position, rows[i].position);
		lines_free(&lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_edit_the_line),
		cmocka_unit_test(the_line_has_an_end),
		cmocka_unit_test(lines_that_were_entered_come_back),
		cmocka_unit_test(text_that_is_none_becomes_question_marks),
		cmocka_unit_test(lines_name_positions),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("tui/prompt", tests, NULL, NULL);
}
