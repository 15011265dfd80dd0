/*
 * cli/stop_signals.h - SIGINT and SIGTERM as something to poll(), for verbs that serve until told
 * to stop
 *
 * Apart from what uses the tables of vmx/: <signal.h> has names of registers too.
 */
#ifndef CLI_STOP_SIGNALS_H
#define CLI_STOP_SIGNALS_H

#include "base/base.h"

/*
 * From here on these signals make stop_signals_came() true, and the file descriptor that is
 * returned readable. With @no_interrupt SIGINT does nothing. Writing to what nobody reads is an
 * error, no signal. Dies when there is no pipe.
 */
int stop_signals_catch(bool no_interrupt);
bool stop_signals_came(void);

#endif
