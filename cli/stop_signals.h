/*
 * cli/stop_signals.h - SIGINT and SIGTERM as a question, for verbs that serve until they are told
 * to stop
 *
 * Apart from what uses the tables of vmx/: <signal.h> has names of registers too.
 */
#ifndef CLI_STOP_SIGNALS_H
#define CLI_STOP_SIGNALS_H

#include "base/base.h"

/*
 * From here on these signals only make stop_signals_came() true, and interrupt poll(). With
 * @no_interrupt SIGINT does nothing. Writing to what nobody reads is an error, no signal.
 */
void stop_signals_catch(bool no_interrupt);
bool stop_signals_came(void);

#endif
