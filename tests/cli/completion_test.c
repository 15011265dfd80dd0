#include "tests/cli/verb_run.h"
#include "tests/scratch_path.h"

/* Where bash is asked, the verb prints what is in the file. */
static const char script[] = "vmxtape() { cat %s; }; . cli/vmxtape.bash\n"
			     "COMP_WORDS=(vmxtape %s --) COMP_CWORD=2; _vmxtape\n"
			     "printf '%%s\\n' \"${COMPREPLY[@]}\"\n";

static bool offers(const char *offered, const char *option)
{
	char line[80];

	snprintf(line, sizeof(line), "\n--%s\n", option);
	return strstr(offered, line);
}

static void check_completion(const char *verb, int (*run)(int, char **))
{
	char command[1024], quoted[1200], offered[4096] = "\n", name[64];
	FILE *const file = fopen(scratch_path, "w");
	const char *help = verb_text;
	FILE *bash;

	assert_int_equal(verb_run(run, (const char *const[]){ verb, "--help", NULL }), EXIT_CLEAN);
	fputs(verb_text, file);
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof(command), script, scratch_path, verb);
	snprintf(quoted, sizeof(quoted), "bash <<'EOF'\n%sEOF\n", command);
	bash = popen(quoted, "r");
	offered[1 + fread(offered + 1, 1, sizeof(offered) - 2, bash)] = 0;
	assert_int_equal(pclose(bash), 0);
	while (verb_option(&help, name))
		if (!offers(offered, name))
			fail_msg("'--%s' of '%s' is not offered", name, verb);
}

static void bash_offers_every_option(void **state)
{
	(void)state;
#define COMMAND(name, summary) check_completion(#name, cmd_##name);
#include "cli/commands.def"
#undef COMMAND
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bash_offers_every_option),
	};

	return cmocka_run_group_tests_name("cli/vmxtape.bash", tests, make_scratch_path,
					   remove_scratch_path);
}
