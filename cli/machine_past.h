/*
 * cli/machine_past.h - what a processor did a moment ago
 *
 * A machine runs forward only: so copies of an earlier one run up to its place, as Bochs repeats
 * itself. Nobody hears them.
 */
#ifndef CLI_MACHINE_PAST_H
#define CLI_MACHINE_PAST_H

#include "cli/bochs_debugger.h"

struct machine_past {
	struct debugger *early;			/* not long before; it stays where it is */
	const char *work;			/* folder for pipes */
	const struct debugger_watcher *watcher; /* its hear is not called */
	const struct debugger_place *now;
};

/* When processor @cpu had its last VM exit up to now. *@exit 0: it had none since @past->early. */
enum status machine_past_exit(const struct machine_past *past, unsigned cpu, u64 *exit);

/*
 * The last place of processor @cpu before @tick, behind which it may have waited; *@place 0: none
 * is known.
 */
enum status machine_past_place(const struct machine_past *past, unsigned cpu, u64 tick, u64 *place);

/*
 * What processor @cpu, where hv runs now, did for a guest when that led to hv:
 * debugger_read_registers() before that instruction, and its tick in *@place. *@place 0: it was
 * not since @past->early.
 */
enum status machine_past_registers(const struct machine_past *past, unsigned cpu, char *to,
				   size_t size, u64 *place);

#endif
