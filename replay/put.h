/*
 * replay/put.h - text from numbers, fast: each function writes at @to and returns the byte behind
 *
 * Nothing is bounded or ended with 0 here: callers know how long their lines can become, and leave
 * PUT_SPARE bytes behind them.
 */
#ifndef REPLAY_PUT_H
#define REPLAY_PUT_H

#include "base/base.h"

#define PUT_MAX_NUMBER 20 /* characters of any number */
#define PUT_SPARE      32 /* bytes behind the text that may be overwritten */

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
	return put_bytes(to, text, strlen(text));
}

/*
 * Blanks up to column @column of the line that began at @line, at least @least of them. May write
 * up to PUT_SPARE bytes more.
 */
static inline char *put_pad(char *to, const char *line, size_t column, size_t least)
{
	const size_t at = (size_t)(to - line);
	const size_t count = MAX(at < column ? column - at : 0, least);

	memset(to, ' ', PUT_SPARE);
	if (unlikely(count > PUT_SPARE))
		memset(to, ' ', count);
	return to + count;
}

/* The eight hexadecimal digits of @value as the bytes of a little-endian number. */
static inline u64 put_eight_digits(u32 value)
{
	u64 digits = value, letters;

	digits = (digits & 0xffff) << 32 | digits >> 16;
	digits = (digits & 0x0000ff000000ff00) >> 8 | (digits & 0x000000ff000000ff) << 16;
	digits = (digits & 0x00f000f000f000f0) >> 4 | (digits & 0x000f000f000f000f) << 8;
	letters = (digits + 0x0606060606060606) >> 4 & 0x0101010101010101;
	return digits + 0x3030303030303030 + letters * ('a' - '0' - 10);
}

/* The low @digits hexadecimal digits of @value, 1 to 16. Writes 16 bytes. */
static inline char *put_hex_digits(char *to, u64 value, unsigned digits)
{
	u64 text[4] = { put_eight_digits((u32)(value >> 32)), put_eight_digits((u32)value), 0, 0 };

	memcpy(to, (const char *)text + 16 - digits, 16);
	return to + digits;
}

/* "0x" and as many digits as needed, "0x0" for 0. */
static inline char *put_hex(char *to, u64 value)
{
	memcpy(to, "0x", 2);
	return put_hex_digits(to + 2, value, (67 - (unsigned)__builtin_clzll(value | 1)) / 4);
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
