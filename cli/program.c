#include "cli/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/message.h"

char *program_find(const char *name, const char *package)
{
	const char *path = getenv("PATH");
	char *found;

	if (!path || !*path)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path) {
		const size_t length = strcspn(path, ":");

		if (asprintf(&found, "%.*s/%s", (int)length, path, name) < 0)
			die("out of memory");
		if (length && !access(found, X_OK))
			return found;
		free(found);
		path += length + (path[length] == ':');
	}
	die("no program '%s' on PATH; on Debian: apt-get install %s", name, package);
}

void program_need_file(const char *path, const char *package)
{
	if (access(path, R_OK))
		die_errno("cannot read '%s' (on Debian: apt-get install %s)", path, package);
}

static _Noreturn void child(const char *const *argv, u64 date, int output)
{
	char number[24];
	const int nothing = open("/dev/null", O_RDONLY);

	snprintf(number, sizeof(number), "%llu", (unsigned long long)date);
	if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
	    setenv("SOURCE_DATE_EPOCH", number, 1) || setenv("LC_ALL", "C", 1) ||
	    setenv("TZ", "UTC", 1))
		_exit(126);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

void program_run(const char *const *argv, u64 date)
{
	char text[4096], rest[4096];
	size_t length = 0;
	ssize_t got;
	int pipe_fds[2], status;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		die_errno("cannot make a pipe");
	pid = fork();
	if (pid < 0)
		die_errno("cannot start '%s'", argv[0]);
	if (!pid)
		child(argv, date, pipe_fds[1]);
	close(pipe_fds[1]);
	while ((got = read(pipe_fds[0], rest, sizeof(rest))) > 0) {
		const size_t room = sizeof(text) - 1 - length, part = MIN((size_t)got, room);

		memcpy(text + length, rest, part);
		length += part;
	}
	text[length] = 0;
	close(pipe_fds[0]);
	if (waitpid(pid, &status, 0) != pid)
		die_errno("cannot wait for '%s'", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		die("'%s' failed%s%s", argv[0], length ? ":\n" : "", text);
}
