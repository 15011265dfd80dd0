/*
 * tests/tui/verb_program.h - a test program in the place of vmxtape, for the verbs that the UI runs
 *
 * `PROGRAM make-tape NAME` makes a tape of screen_tape.h in the current folder, for scripts.
 */
#ifndef TESTS_TUI_VERB_PROGRAM_H
#define TESTS_TUI_VERB_PROGRAM_H

#include "cli/commands.h"
#include "tests/test.h"
#include "tests/tui/screen_tape.h"

#define VERB_PROGRAM "/proc/self/exe"

/* Runs the verb that @argv names. */
static inline int verb_program(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} verbs[] = {
#define COMMAND(name, summary) { #name, cmd_##name },
#include "cli/commands.def"
#undef COMMAND
	};

	if (argc == 3 && !strcmp(argv[1], "make-tape"))
		return !screen_tape_make(argv[2]);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, argv[1]))
			return verbs[i].run(argc - 1, argv + 1);
	printf("no verb '%s'\n", argv[1]);
	return 2;
}

#endif
