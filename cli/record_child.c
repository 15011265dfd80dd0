#include "cli/record_child.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/message.h"

/* The last line that a recording said, when it could not record. */
_Noreturn static void die_of(const char *log)
{
	FILE *const file = fopen(log, "re");
	char line[512] = "", last[512] = "it says no more";

	while (file && fgets(line, sizeof(line), file))
		if (strcspn(line, "\n"))
			snprintf(last, sizeof(last), "%.*s", (int)strcspn(line, "\n"), line);
	die("'vmxtape record' could not record: %s", last);
}

void record_child(char **words, const char *console, const char *log)
{
	posix_spawn_file_actions_t actions;
	extern char **environ;
	int status, error;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, console,
					 O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC,
					 0600);
	error = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		die("cannot start 'vmxtape record': %s", strerror(error));
	if (waitpid(pid, &status, 0) != pid)
		die_errno("lost 'vmxtape record'");
	if (WIFSIGNALED(status) || WEXITSTATUS(status) == EXIT_USAGE)
		die_of(log);
}
