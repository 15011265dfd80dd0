/*
 * cli/bisect_record.h - one recording of a bisection: does L1 get through without some capabilities
 */
#ifndef CLI_BISECT_RECORD_H
#define CLI_BISECT_RECORD_H

#include "cli/options.h"

#define BISECT_CAPS_OPTION "caps=" /* of hv: what L1 is not shown */

/* What all recordings of a bisection have in common. */
struct bisect_recording {
	const struct option *options; /* what runs where; what is not given is left to record */
	size_t option_count;
	const char **hv_options;    /* where that of @options is, which recordings add to */
	u64 timeout;		    /* seconds; a recording that takes longer has failed */
	const char *success;	    /* what L1's console says then; NULL: L2 runs */
	char *tape, *console, *log; /* files, which each recording makes anew */
};

/*
 * Records L1 with the @count capabilities @hidden hidden besides those that hv's options hide.
 * Whether it got through. Dies when there is nothing to record.
 */
bool bisect_record(const struct bisect_recording *recording, const char *const *hidden,
		   size_t count);

#endif
