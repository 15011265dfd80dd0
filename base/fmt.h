/*
 * base/fmt.h - text from numbers, without libc
 *
 * The printf subset that hv's log needs: %s %c %d %i %u %x %X %p %%, with '-', '0', a width, and
 * the lengths l, ll and z. Anything else is copied as it stands.
 */
#ifndef BASE_FMT_H
#define BASE_FMT_H

#include <stdarg.h>

#include "base/base.h"

/*
 * Writes at most @size bytes, the last of which is 0 (nothing when @size is 0), and returns the
 * length that the whole text has.
 */
size_t fmt(char *to, size_t size, const char *format, ...) printf_like(3, 4);
size_t fmt_va(char *to, size_t size, const char *format, va_list args) printf_like(3, 0);

#endif
