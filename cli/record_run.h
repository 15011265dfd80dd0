/*
 * cli/record_run.h - a recording while it runs: from Bochs to the tape, with what people see of it
 */
#ifndef CLI_RECORD_RUN_H
#define CLI_RECORD_RUN_H

#include "cli/bochs.h"

struct record_run {
	struct bochs bochs;
	const char *tape;  /* path to write */
	char *machine;	   /* machine_describe(); record_run() frees it */
	const char *work;  /* folder that gets L1's console as file "console" */
	bool keep;	   /* the folder stays: keep there also what Bochs said, as "port-e9" */
	const char *until; /* stop when L1's console says this, or NULL */
	u64 timeout;	   /* seconds, 0: none */
	bool console;	   /* L1's console goes to stdout */
	bool quiet;	   /* no progress */
};

/*
 * Record until Bochs ends, the console says `until`, the time is up or SIGINT or SIGTERM arrives;
 * those signals must be blocked. Bochs has ended and the tape is whole when it returns an enum
 * exit_status. Prints a summary on stderr.
 */
int record_run(struct record_run *run);

#endif
