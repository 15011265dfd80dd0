/*
 * base/cursor.h - bounded reading and writing of bytes, with an error that sticks
 *
 * A cursor never passes its end. The first access that would do so sets @status, moves nothing, and
 * makes every later access a no-op that reads 0, so that a parser reads straight through and tests
 * the status once. Numbers are little-endian.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/base.h"
#include "base/status.h"

struct cursor {
	const u8 *at;
	const u8 *end;
	enum status status; /* ST_OK, ST_TRUNCATED or ST_CORRUPT */
};

static inline struct cursor cursor_over(const void *data, size_t size)
{
	return (struct cursor){ .at = data, .end = (const u8 *)data + size, .status = ST_OK };
}

static inline size_t cursor_left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

/* Takes the next @size bytes and returns where they are; NULL when there are fewer. */
static inline const u8 *cursor_take(struct cursor *cursor, size_t size)
{
	const u8 *taken = cursor->at;

	if (cursor->status != ST_OK || cursor_left(cursor) < size) {
		if (cursor->status == ST_OK)
			cursor->status = ST_TRUNCATED;
		return NULL;
	}
	cursor->at += size;
	return taken;
}

#define CURSOR_READ(bits)                                              \
	static inline u##bits cursor_u##bits(struct cursor *cursor)    \
	{                                                              \
		const u8 *from = cursor_take(cursor, sizeof(u##bits)); \
		u##bits value = 0;                                     \
                                                                       \
		if (from)                                              \
			memcpy(&value, from, sizeof(value));           \
		return value;                                          \
	}
CURSOR_READ(8)
CURSOR_READ(16)
CURSOR_READ(32)
CURSOR_READ(64)
#undef CURSOR_READ

/* An unsigned LEB128 number of at most ten bytes; ST_CORRUPT when it is longer than 64 bits. */
static inline u64 cursor_varint(struct cursor *cursor)
{
	u64 value = 0;
	u8 byte;

	for (unsigned shift = 0; shift < 63; shift += 7) {
		byte = cursor_u8(cursor);
		value |= (u64)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	byte = cursor_u8(cursor);
	if (byte <= 1)
		return value | (u64)byte << 63;
	if (cursor->status == ST_OK)
		cursor->status = ST_CORRUPT;
	return 0;
}

/* Writes @value as LEB128 at @to, which has room for ten bytes, and returns the byte after it. */
static inline u8 *varint_put(u8 *to, u64 value)
{
	if (value < 0x80) {
		*to = (u8)value;
		return to + 1;
	}
	if (value < 0x4000) {
		to[0] = (u8)value | 0x80;
		to[1] = (u8)(value >> 7);
		return to + 2;
	}
	to[0] = (u8)value | 0x80;
	to[1] = (u8)(value >> 7) | 0x80;
	to += 2;
	for (value >>= 14; value >= 0x80; value >>= 7)
		*to++ = (u8)value | 0x80;
	*to = (u8)value;
	return to + 1;
}

/* Small numbers of either sign become small numbers: 0, -1, 1, -2 ... -> 0, 1, 2, 3 ... */
static inline u64 zigzag(u64 difference)
{
	return difference << 1 ^ (u64)((s64)difference >> 63);
}

static inline u64 unzigzag(u64 coded)
{
	return coded >> 1 ^ (0 - (coded & 1));
}

#endif
