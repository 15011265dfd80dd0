/*
 * gdbstub/monitor.h - a command behind gdb's `monitor`, for those who carry it out
 */
#ifndef GDBSTUB_MONITOR_H
#define GDBSTUB_MONITOR_H

#include "gdbstub/target_timeline.h"

#define MONITOR_MAX_WORDS 32

struct monitor {
	struct gdb_tape *tape;
	gdb_print print;
	void *to;
	const char
		*words[MONITOR_MAX_WORDS + 1]; /* words[0] is the command; NULL behind the last */
	unsigned count;
};

void printf_like(2, 3) monitor_say(struct monitor *monitor, const char *format, ...);

#define MONITOR(name, arguments, help) void monitor_##name(struct monitor *monitor);
#define VERB(...)
#include "gdbstub/monitor.def"
#undef VERB
#undef MONITOR

#endif
