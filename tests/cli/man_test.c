#include "tests/cli/verb_run.h"

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

/* The options of the verb must each stand in the page as ".Fl -name". */
static void check_help(const char *verb, int (*run)(int, char **))
{
	const char *help = verb_text;
	char name[64], macro[80];
	unsigned options = 0;

	assert_int_equal(verb_run(run, (const char *const[]){ verb, "--help", NULL }), EXIT_CLEAN);
	for (; verb_option(&help, name); options++) {
		snprintf(macro, sizeof(macro), "Fl -%s", name);
		if (strcmp(name, "help") && !strstr(page, macro))
			fail_msg("'%s' of '%s' is not in " PAGE, macro, verb);
	}
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
