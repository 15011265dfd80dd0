/*
 * replay/put.h - text from numbers, fast: each function writes at @to and returns the byte behind
 *
 * Nothing is bounded or ended with 0 here: callers know how long their lines can become.
 */
#ifndef REPLAY_PUT_H
#define REPLAY_PUT_H

#include "base/base.h"

#define PUT_MAX_NUMBER 20 /* characters of any number */

static inline char *put_char(char *to, char c)
{
	*to = c;
	return to + 1;
}

static inline char *put_bytes(char *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	return to + length;
}

static inline char *put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

/* Blanks up to column @column of the line that began at @line, at least @least of them. */
static inline char *put_pad(char *to, const char *line, size_t column, size_t least)
{
	const size_t at = (size_t)(to - line);
	const size_t count = MAX(at < column ? column - at : 0, least);

	memset(to, ' ', count);
	return to + count;
}

/* The low @digits hexadecimal digits of @value. */
static inline char *put_hex_digits(char *to, u64 value, unsigned digits)
{
	for (unsigned i = digits; i--;)
		*to++ = "0123456789abcdef"[value >> 4 * i & 15];
	return to;
}

/* "0x" and as many digits as needed, "0x0" for 0. */
static inline char *put_hex(char *to, u64 value)
{
	const unsigned digits = value ? (67 - (unsigned)__builtin_clzll(value)) / 4 : 1;

	to[0] = '0';
	to[1] = 'x';
	return put_hex_digits(to + 2, value, digits);
}

static inline char *put_dec(char *to, u64 value)
{
	char text[PUT_MAX_NUMBER];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return put_bytes(to, text + at, sizeof(text) - at);
}

#endif
