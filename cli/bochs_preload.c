/*
 * cli/bochs_preload.c - loaded into Bochs before its own libraries: it repeats itself, and can be
 *			 copied
 *
 * Bochs makes what RDRAND and RDSEED give out of rand(), which it seeds with the time of day: a
 * guest that uses them would run differently in every second. Without a seed it always is the same.
 *
 * While the debugger waits for a command, Bochs is one thread that does nothing (the other one
 * serves a display that nobody sees): a copy of the process is a copy of the machine, which costs
 * what the two change from there on. The command line BOCHS_COPY "PATH PARENT" makes one, whose
 * commands come from the pipe PATH.in and whose output goes to PATH.out, where it says its process
 * number first. It is a child of PARENT, which must be a subreaper, and ends with it.
 *
 * Built as a shared object that is part of vmxtape (Makefile).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bochs.h"
#include "cli/bochs_rounds.h"

#define MAX_LINE 8192

void srand(unsigned seed);
char *readline(const char *prompt);

void srand(unsigned seed)
{
	(void)seed;
}

/* --- lines of the debugger's input ------------------------------------------------------------ */

static char input[MAX_LINE];
static size_t input_length;

/* The line at the begin of the input, without its end, goes to @line. */
static int take_line(char *line)
{
	char *const end = memchr(input, '\n', input_length);
	size_t length;

	if (!end)
		return 0;
	length = (size_t)(end - input);
	memcpy(line, input, length);
	line[length] = 0;
	input_length -= length + 1;
	memmove(input, end + 1, input_length);
	return 1;
}

static int read_line(char *line)
{
	while (!take_line(line)) {
		const ssize_t got = read(0, input + input_length, sizeof(input) - input_length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		input_length += (size_t)got;
	}
	return 1;
}

/* --- copies ----------------------------------------------------------------------------------- */

static void take_pipe(const char *path, const char *end, int flags, int to)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s.%s", path, end);
	fd = open(name, flags);
	if (fd < 0 || dup2(fd, to) < 0)
		_exit(126);
	close(fd);
}

/* In the copy, once its first parent is gone. */
static void settle(const char *path, pid_t first_parent, pid_t parent)
{
	while (getppid() == first_parent)
		usleep(100);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	take_pipe(path, "in", O_RDONLY, 0);
	take_pipe(path, "out", O_WRONLY, 1);
	input_length = 0;
	printf("%d\n", (int)getpid());
}

static void copy(char *arguments)
{
	char *const number = strrchr(arguments, ' ');
	pid_t between, self;

	if (!number)
		return;
	*number = 0;
	fflush(NULL);
	/* Shares the memory, so that it is copied only once. */
	between = vfork();
	if (between > 0)
		waitpid(between, NULL, 0);
	if (between)
		return;
	self = getpid();
	if (fork())
		_exit(0);
	settle(arguments, self, (pid_t)atoi(number + 1));
}

/* Bochs's debugger asks for its commands by this; NULL: there are no more. */
char *readline(const char *prompt)
{
	char line[MAX_LINE];

	for (;;) {
		fputs(prompt, stdout);
		fflush(stdout);
		if (!read_line(line))
			return NULL;
		if (!strncmp(line, BOCHS_COPY, sizeof(BOCHS_COPY) - 1))
			copy(line + sizeof(BOCHS_COPY) - 1);
		else if (!bochs_rounds_command(line))
			return strdup(line);
	}
}
