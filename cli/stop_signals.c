#include "cli/stop_signals.h"

#include <signal.h>

static volatile sig_atomic_t came;

static void note(int number)
{
	(void)number;
	came = 1;
}

void stop_signals_catch(bool no_interrupt)
{
	const struct sigaction action = { .sa_handler = note };
	const struct sigaction nothing = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, no_interrupt ? &nothing : &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &nothing, NULL);
}

bool stop_signals_came(void)
{
	return came;
}
