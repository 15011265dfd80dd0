/*
 * tui/clock.h - how long something takes
 */
#ifndef TUI_CLOCK_H
#define TUI_CLOCK_H

#include <time.h>

#include "base/base.h"

/* Microseconds since some moment. */
static inline u64 clock_microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000 + (u64)now.tv_nsec / 1000;
}

#endif
