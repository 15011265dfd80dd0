/*
 * tests/cli/verb_run.h - runs a verb as a program of its own and keeps what it printed
 */
#ifndef TESTS_CLI_VERB_RUN_H
#define TESTS_CLI_VERB_RUN_H

#include <unistd.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "tests/test.h"

#define VERB_TEXT_MAX 65536

/* <sys/wait.h> brings REG_RAX and others, which are names of vmx/regs.h too. */
pid_t waitpid(pid_t pid, int *status, int options);

static char verb_text[VERB_TEXT_MAX]; /* stdout and stderr of the last one */

/* Runs @run with @words (ended by NULL) and returns its exit status, -1 when it was killed. */
static inline int verb_run(int (*run)(int, char **), const char *const *words)
{
	size_t length = 0;
	int ends[2], status, count = 0;
	char *argv[16];
	ssize_t got;
	pid_t pid;

	while ((argv[count] = (char *)words[count]))
		count++;
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		exit(run(count, argv));
	}
	close(ends[1]);
	while (length < sizeof(verb_text) - 1 &&
	       (got = read(ends[0], verb_text + length, sizeof(verb_text) - 1 - length)) > 0)
		length += (size_t)got;
	verb_text[length] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define VERB(verb, ...) verb_run(cmd_##verb, (const char *const[]){ #verb, __VA_ARGS__, NULL })

/* @text stands in what the last verb printed. */
#define assert_printed(text)                                                                 \
	do {                                                                                 \
		if (!strstr(verb_text, (text)))                                              \
			fail_msg("'%s' is not in what was printed:\n%s", (text), verb_text); \
	} while (0)

#define assert_not_printed(text)                                                         \
	do {                                                                             \
		if (strstr(verb_text, (text)))                                           \
			fail_msg("'%s' is in what was printed:\n%s", (text), verb_text); \
	} while (0)

/*
 * The next long option, without dashes, of the --help that the last verb printed, from *@text on,
 * which moves behind it; false at the end. *@text begins with verb_text.
 */
static inline bool verb_option(const char **text, char name[64])
{
	for (const char *line = *text; line && *line; line = *text) {
		const char *const end = strchr(line, '\n'), *const at = strstr(line, " --");

		*text = end ? end + 1 : NULL;
		if (!at || at > line + 6)
			continue;
		snprintf(name, 64, "%.*s", (int)strcspn(at + 3, " \n"), at + 3);
		return true;
	}
	return false;
}

#endif
