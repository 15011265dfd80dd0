/*
 * cli/out.h - stdout for many lines: one large buffer, written when it is full
 *
 * Dies when stdout cannot be written. When nobody reads it any more, SIGPIPE ends the program.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "base/base.h"

#define OUT_BUFFER KIB(256)

/* Where the next at most @size bytes (no more than OUT_BUFFER) can be written. */
char *out_room(size_t size);

/* What out_room() gave was used up to @end. */
void out_took(const char *end);

/* Write text, of any length. */
void out_text(const char *text);
void out_format(const char *format, ...) printf_like(1, 2);

/* Write what is there: the last thing a verb does. */
void out_flush(void);

#endif
