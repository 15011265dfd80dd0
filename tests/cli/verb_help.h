/*
 * tests/cli/verb_help.h - what `vmxtape VERB --help` prints, and the options in it
 */
#ifndef TESTS_CLI_VERB_HELP_H
#define TESTS_CLI_VERB_HELP_H

#include <sys/wait.h>

#include <unistd.h>

#include "cli/commands.h"
#include "tests/test.h"

/* Prints it to the file @to, as a process of its own would. */
static inline void verb_help(const char *verb, int (*run)(int, char **), FILE *to)
{
	char command[16], help[] = "--help";
	char *words[] = { command, help, NULL };
	int status;

	snprintf(command, sizeof(command), "%s", verb);
	fflush(NULL);
	if (!fork()) {
		dup2(fileno(to), 1);
		exit(run(2, words));
	}
	wait(&status);
	assert_int_equal(status, 0);
	rewind(to);
}

/* The next long option of such a text, without dashes, in @name; false at the end. */
static inline bool verb_help_option(FILE *help, char name[64])
{
	char line[512];

	while (fgets(line, sizeof(line), help)) {
		const char *const at = strstr(line, " --");

		if (!at || at > line + 6)
			continue;
		snprintf(name, 64, "%.*s", (int)strcspn(at + 3, " \n"), at + 3);
		return true;
	}
	return false;
}

#endif
