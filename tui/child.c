#include "tui/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(const char *program, char *const *args, int out)
{
	const int nothing = open("/dev/null", O_RDONLY);

	dup2(nothing, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execv(program, args);
	_exit(127);
}

bool child_start(struct child *child, const char *program, char *const *args)
{
	int ends[2];

	*child = (struct child){ .fd = -1 };
	if (pipe2(ends, O_CLOEXEC))
		return false;
	child->pid = fork();
	if (!child->pid)
		run(program, args, ends[1]);
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
