#include "cli/record_tui.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/tape_tui.h"

#define LOOK_EVERY 50000 /* microseconds until there is a tape to show */

static pid_t recorder; /* 0: it has ended */
static int recorder_status;
static FILE *messages;

/* Ends the recording as Ctrl-C does, so that the tape is whole, and tells what it said. */
static void end_recorder(void)
{
	char line[1024];

	if (recorder) {
		kill(recorder, SIGINT);
		while (waitpid(recorder, &recorder_status, 0) < 0 && errno == EINTR)
			;
		recorder = 0;
	}
	rewind(messages);
	while (fgets(line, sizeof(line), messages))
		fputs(line, stderr);
}

static bool recorder_has_ended(void)
{
	if (recorder && waitpid(recorder, &recorder_status, WNOHANG) == recorder)
		recorder = 0;
	return !recorder;
}

static int exit_status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_USAGE;
}

void record_tui(const char *tape)
{
	const struct tape_tui how = { .path = tape, .follow = true };

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		die("--tui needs a terminal");
	output_rotate(tape);
	messages = tmpfile();
	if (!messages)
		die_errno("cannot make a file for messages");
	recorder = fork();
	if (recorder < 0)
		die_errno("cannot start the recorder");
	if (!recorder) {
		const int nothing = open("/dev/null", O_RDWR);

		dup2(nothing, STDIN_FILENO);
		dup2(nothing, STDOUT_FILENO);
		dup2(fileno(messages), STDERR_FILENO);
		return;
	}
	/* Until there is something to show, Ctrl-C is for the recorder. */
	signal(SIGINT, SIG_IGN);
	message("waiting for the first events of '%s'", tape);
	while (!recorder_has_ended() && !tape_tui_can_show(tape))
		usleep(LOOK_EVERY);
	if (tape_tui_can_show(tape)) {
		atexit(end_recorder);
		tape_tui_run(&how);
		exit(recorder_has_ended() ? exit_status_of(recorder_status) : EXIT_CLEAN);
	}
	end_recorder();
	exit(exit_status_of(recorder_status));
}
