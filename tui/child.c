#include "tui/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct command {
	const char *program;
	char *const *args;
};

static void run_program(void *owner, int out)
{
	const struct command *const command = owner;
	const int nothing = open("/dev/null", O_RDONLY);

	dup2(nothing, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execv(command->program, command->args);
	_exit(127);
}

bool child_fork(struct child *child, void (*run)(void *owner, int fd), void *owner)
{
	int ends[2];

	*child = (struct child){ .fd = -1 };
	if (pipe2(ends, O_CLOEXEC))
		return false;
	child->pid = fork();
	if (!child->pid) {
		close(ends[0]);
		signal(SIGPIPE, SIG_IGN);
		run(owner, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (child->pid < 0) {
		close(ends[0]);
		child->pid = 0;
		return false;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	child->fd = ends[0];
	return true;
}

bool child_start(struct child *child, const char *program, char *const *args)
{
	struct command command = { program, args };

	return child_fork(child, run_program, &command);
}

/* Its output has ended, so it has, or does so soon. */
static void finish(struct child *child)
{
	int status = 0;

	close(child->fd);
	child->fd = -1;
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	child->pid = 0;
}

size_t child_read(struct child *child, char *to, size_t size)
{
	ssize_t count;

	if (!child->pid)
		return 0;
	count = read(child->fd, to, size);
	if (count > 0)
		return (size_t)count;
	if (!count || (errno != EAGAIN && errno != EINTR))
		finish(child);
	return 0;
}

bool child_is_running(const struct child *child)
{
	return child->pid;
}

void child_stop(struct child *child)
{
	if (!child->pid)
		return;
	kill(child->pid, SIGKILL);
	finish(child);
}
