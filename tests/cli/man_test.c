#include <unistd.h>

#include "cli/commands.h"
#include "tests/test.h"

#define PAGE "docs/man/vmxtape.1"

static char page[65536];

static int read_page(void **state)
{
	FILE *const file = fopen(PAGE, "r");

	(void)state;
	if (!file) {
		fprintf(stderr, "cannot read '%s': run this from the top of the tree\n", PAGE);
		return -1;
	}
	page[fread(page, 1, sizeof(page) - 1, file)] = 0;
	fclose(file);
	return 0;
}

/*
 * The long options in what `vmxtape verb --help` prints must each stand in the page as ".Fl -name".
 */
static void check_help(const char *verb, int (*run)(int, char **))
{
	char command[16] = "", help[] = "--help", line[512];
	char *words[] = { command, help, NULL };
	unsigned options = 0;
	int ends[2];
	FILE *text;

	snprintf(command, sizeof(command), "%s", verb);
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	if (!fork()) {
		dup2(ends[1], 1);
		exit(run(2, words));
	}
	close(ends[1]);
	text = fdopen(ends[0], "r");
	while (fgets(line, sizeof(line), text)) {
		char *const at = strstr(line, " --");
		char macro[64];

		if (!at || at > line + 6)
			continue;
		snprintf(macro, sizeof(macro), "Fl -%.*s", (int)strcspn(at + 3, " \n"), at + 3);
		if (strcmp(macro, "Fl -help") && !strstr(page, macro))
			fail_msg("'%s' of '%s' is not in " PAGE, macro, verb);
		options++;
	}
	fclose(text);
	assert_true(options);
}

static void the_manual_has_every_option(void **state)
{
	(void)state;
#define COMMAND(name, summary) check_help(#name, cmd_##name);
#include "cli/commands.def"
#undef COMMAND
}

static void the_manual_has_every_verb(void **state)
{
	(void)state;
#define COMMAND(name, summary) assert_non_null(strstr(page, ".Cm " #name));
#include "cli/commands.def"
#undef COMMAND
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_has_every_option),
		cmocka_unit_test(the_manual_has_every_verb),
	};

	return cmocka_run_group_tests_name("docs/man", tests, read_page, NULL);
}
