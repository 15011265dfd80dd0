/*
 * cli/message.h - what vmxtape tells people, on stderr, and how it ends
 *
 * Texts are lower case without a full stop: the error, its subject in quotes, what to do next.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "base/base.h"

/* Exit statuses of every verb. */
enum exit_status {
	EXIT_CLEAN = 0,
	EXIT_FINDINGS = 1, /* what was asked for is not so: docs/man/vmxtape.1, EXIT STATUS */
	EXIT_USAGE = 2,	   /* wrong arguments, missing files or programs, input/output errors */
	EXIT_DAMAGED = 3,  /* the tape is damaged or not whole; what could be read was shown */
};

/* Print "vmxtape: <text>" and a newline. */
void message(const char *format, ...) printf_like(1, 2);

/* The same, then end with EXIT_USAGE, running the atexit() functions. Only cli/ may call it. */
_Noreturn void die(const char *format, ...) printf_like(1, 2);

/* Like die(), with ": " and the text of the current errno at the end. */
_Noreturn void die_errno(const char *format, ...) printf_like(1, 2);

#endif
