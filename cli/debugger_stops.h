/*
 * cli/debugger_stops.h - where a Bochs stops by itself
 */
#ifndef CLI_DEBUGGER_STOPS_H
#define CLI_DEBUGGER_STOPS_H

#include "cli/bochs_debugger.h"

/* Stop before instructions at these linear addresses, and at no others. ST_NO_SPACE, ST_IO. */
enum status debugger_set_breaks(struct debugger *debugger, const u64 *addresses, unsigned count);

/* Stop behind instructions that write or read there, and behind no others. The same. */
enum status debugger_set_watches(struct debugger *debugger, const struct debugger_watch *watches,
				 unsigned count);

/* Whether to stop behind each VM exit, of the processor that is looked at now. */
enum status debugger_set_exits(struct debugger *debugger, bool stop);

#endif
