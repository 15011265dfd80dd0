/*
 * hv/panic.h - the one way to die
 *
 * For broken invariants of hv's own, never for what a guest does. Prints where and why, seals the
 * tape with a panic event and the end, drains it, and stops the machine.
 */
#ifndef HV_PANIC_H
#define HV_PANIC_H

#include "base/base.h"

_Noreturn void panic_at(const char *file, int line, const char *format, ...) printf_like(3, 4);

#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
#define hv_assert(condition)                                     \
	do {                                                     \
		if (unlikely(!(condition)))                      \
			panic("'%s' does not hold", #condition); \
	} while (0)

#endif
