/*
 * cli/commands.h - one function for each verb of cli/commands.def
 *
 * Gets the command line from the verb on (argv[0] is the verb) and returns an enum exit_status.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#define COMMAND(name, summary) int cmd_##name(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND

#endif
