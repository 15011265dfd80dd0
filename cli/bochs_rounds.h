/*
 * cli/bochs_rounds.h - commands for a machine of several processors, inside of Bochs
 */
#ifndef CLI_BOCHS_ROUNDS_H
#define CLI_BOCHS_ROUNDS_H

#include "base/base.h"

/* A line of the debugger's input. False: it is none of these, but Bochs's. */
bool bochs_rounds_command(const char *line);

#endif
