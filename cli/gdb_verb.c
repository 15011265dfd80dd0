#include "cli/gdb_verb.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGUMENTS 128
#define LOOK_EVERY_MS 100

static _Noreturn void child(const char *const *argv, int output)
{
	const int nothing = open("/dev/null", O_RDONLY);

	if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	execv("/proc/self/exe", (char *const *)argv);
	_exit(127);
}

/* Prints what comes out of @fd until its end, or until gdb has had enough: false then. */
static bool pass_on(struct gdb_server *server, int fd, gdb_print print, void *to)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	char text[4096];

	for (;;) {
		const int ready = poll(&poller, 1, LOOK_EVERY_MS);
		ssize_t got;

		if (server && gdb_server_interrupted(server))
			return false;
		if (ready <= 0)
			continue;
		got = read(fd, text, sizeof(text));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return true;
		print(to, text, (size_t)got);
	}
}

static void complain(const char *text, gdb_print print, void *to)
{
	print(to, text, strlen(text));
}

void gdb_verb_run(void *owner, const char *const *argv, gdb_print print, void *to)
{
	const struct gdb_verb_owner *const verb = owner;
	const char *words[MAX_ARGUMENTS + 1] = { "vmxtape", argv[0] };
	size_t count = 2;
	int pipe_fds[2];
	pid_t pid;

	for (argv++; *argv && count < MAX_ARGUMENTS; argv++)
		words[count++] = *argv;
	if (*argv) {
		complain("too many words\n", print, to);
		return;
	}
	if (pipe2(pipe_fds, O_CLOEXEC)) {
		complain("cannot make a pipe\n", print, to);
		return;
	}
	pid = fork();
	if (!pid)
		child(words, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid > 0 && !pass_on(verb->server, pipe_fds[0], print, to)) {
		kill(pid, SIGKILL);
		complain("interrupted\n", print, to);
	}
	close(pipe_fds[0]);
	if (pid < 0)
		complain("cannot start the verb\n", print, to);
	else
		waitpid(pid, NULL, 0);
}
