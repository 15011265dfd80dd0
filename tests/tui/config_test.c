#include <locale.h>
#include <unistd.h>

#include "tests/test.h"
#include "tui/config.h"

static void lines_change_keys_and_settings(void **state)
{
	struct config config;
	char error[256];

	(void)state;
	config_init(&config);
	assert_int_equal(keymap_request(&config.keymap, 'j'), REQUEST_DOWN);
	assert_int_equal(config_line(&config, "bind j up", error, sizeof(error)), ST_OK);
	assert_int_equal(config_line(&config, "  bind ctrl-n down # no", error, sizeof(error)),
			 ST_INVALID);
	assert_int_equal(config_line(&config, "  bind ctrl-n down  ", error, sizeof(error)), ST_OK);
	assert_int_equal(config_line(&config, "bind q none", error, sizeof(error)), ST_OK);
	assert_int_equal(config_line(&config, "set theme light", error, sizeof(error)), ST_OK);
	assert_int_equal(config_line(&config, "set mouse no", error, sizeof(error)), ST_OK);
	assert_int_equal(config_line(&config, "# set mouse yes", error, sizeof(error)), ST_OK);
	assert_int_equal(config_line(&config, "", error, sizeof(error)), ST_OK);
	assert_int_equal(keymap_request(&config.keymap, 'j'), REQUEST_UP);
	assert_int_equal(keymap_request(&config.keymap, INPUT_CTRL('n')), REQUEST_DOWN);
	assert_int_equal(keymap_request(&config.keymap, 'q'), REQUEST_NONE);
	assert_string_equal(config.theme, "light");
	assert_false(config.mouse);
}

static void a_wrong_line_is_named_and_the_others_hold(void **state)
{
	static const struct {
		const char *line;
		const char *error;
	} rows[] = {
		{ "bind j", "neither 'bind KEY REQUEST' nor 'set NAME VALUE'" },
		{ "bind jj down", "'jj' is no key; 'ctrl-n', 'pagedown', 'f5' or 'x' are" },
		{ "bind j downwards", "'downwards' is no request; the help names them" },
		{ "set colour red",
		  "'colour' is no setting; theme, unicode, mouse and overview are" },
		{ "set theme pink", "'pink' is none of: auto dark light" },
		{ "set unicode maybe", "'maybe' is none of: auto yes no" },
		{ "what is this then", "neither 'bind KEY REQUEST' nor 'set NAME VALUE'" },
	};
	struct config config;
	char error[512], path[] = "/tmp/vmxtape-config-XXXXXX";
	FILE *file;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		config_init(&config);
		assert_int_equal(config_line(&config, rows[i].line, error, sizeof(error)),
				 ST_INVALID);
		assert_string_equal(error, rows[i].error);
	}
	file = fdopen(mkstemp(path), "w");
	fputs("bind j up\nset theme pink\nbind k down\n", file);
	fclose(file);
	assert_int_equal(config_read(&config, path, error, sizeof(error)), ST_INVALID);
	assert_non_null(strstr(error, "line 2: 'pink' is none of"));
	assert_int_equal(keymap_request(&config.keymap, 'k'), REQUEST_DOWN);
	remove(path);
	assert_int_equal(config_read(&config, path, error, sizeof(error)), ST_OK);
}

/* Every default key is one, and none is given twice. */
static void the_table_of_requests_is_sound(void **state)
{
	unsigned keys = 0;
	struct keymap keymap;

	(void)state;
	keymap_init(&keymap);
	for (size_t i = 0; i < request_table_count; i++) {
		const char *at = request_table[i].keys;

		while (at && *at) {
			const size_t size = strcspn(at, " ");

			if (input_find(at, size) == INPUT_NONE)
				fail_msg("'%.*s' is no key", (int)size, at);
			keys++;
			at += size + (at[size] == ' ');
		}
		if (request_table[i].request)
			assert_ptr_equal(
				request_find(request_table[i].name, strlen(request_table[i].name)),
				&request_table[i]);
	}
	assert_int_equal(keymap.count, keys);
}

static void names_of_keys_are_read_back(void **state)
{
	static const u32 keys[] = {
		'j', ' ', 0xe9, 1, 26, INPUT_TAB, INPUT_ESC, INPUT_UP, INPUT_F10
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char name[INPUT_MAX_NAME];

		input_name(keys[i], name);
		assert_row(name, input_find(name, strlen(name)), keys[i]);
	}
	assert_int_equal(input_find("", 0), INPUT_NONE);
	assert_int_equal(input_find("ctrl-1", 6), INPUT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_change_keys_and_settings),
		cmocka_unit_test(a_wrong_line_is_named_and_the_others_hold),
		cmocka_unit_test(the_table_of_requests_is_sound),
		cmocka_unit_test(names_of_keys_are_read_back),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("tui/config", tests, NULL, NULL);
}
