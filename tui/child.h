/*
 * tui/child.h - another process whose output is read without waiting for it
 */
#ifndef TUI_CHILD_H
#define TUI_CHILD_H

#include <sys/types.h>

#include "base/base.h"

struct child {
	pid_t pid;  /* 0: none runs */
	int fd;	    /* stdout and stderr of it, -1: closed */
	int status; /* of exit(), once it has ended; 128 + the signal that ended it */
};

/* Run @program with @args, ended with NULL, which begin with its name. False: it cannot be run. */
bool child_start(struct child *child, const char *program, char *const *args);

/*
 * Likewise a copy of this process that runs @run and ends; @fd is what child_read() reads. Writing
 * to it fails with EPIPE once the child was stopped.
 */
bool child_fork(struct child *child, void (*run)(void *owner, int fd), void *owner);

/*
 * What there is to read, at most @size bytes: how many; 0: nothing now, or it has ended, which
 * child_is_running() tells.
 */
size_t child_read(struct child *child, char *to, size_t size);
bool child_is_running(const struct child *child);

/* End it, if it still runs. */
void child_stop(struct child *child);

#endif
