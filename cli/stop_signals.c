#include "cli/stop_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cli/message.h"

static volatile sig_atomic_t came;
static int ends[2];

/* One byte says it all; a full pipe says it too. */
static void note(int number)
{
	const int saved = errno;
	const char byte = 0;

	(void)number;
	came = 1;
	if (write(ends[1], &byte, 1) < 0)
		errno = saved;
}

int stop_signals_catch(bool no_interrupt)
{
	const struct sigaction action = { .sa_handler = note };
	const struct sigaction nothing = { .sa_handler = SIG_IGN };

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		die_errno("cannot make a pipe");
	sigaction(SIGINT, no_interrupt ? &nothing : &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &nothing, NULL);
	return ends[0];
}

bool stop_signals_came(void)
{
	return came;
}
