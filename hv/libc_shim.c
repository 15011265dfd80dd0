/*
 * hv/libc_shim.c - exactly the C library that gcc and Debian's libzstd.a ask for
 *
 * zstd gets its memory as a static workspace, so malloc() never has any, as in its kernel port.
 */
#include "base/base.h"
#include "hv/panic.h"

#undef memcpy
#undef memset
#undef memcmp

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *memory);
_Noreturn void __stack_chk_fail(void);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	void *const start = to;
	size_t words = size / 8;

	size %= 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t size)
{
	u8 *d = to;
	const u8 *s = from;

	if (d <= s || d >= s + size)
		return memcpy(to, from, size);
	while (size--)
		d[size] = s[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	void *const start = to;
	size_t words = size / 8;

	size %= 8;
	__asm__ volatile("rep stosq"
			 : "+D"(to), "+c"(words)
			 : "a"((u8)byte * 0x0101010101010101ull)
			 : "memory");
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"((u8)byte) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const u8 *x = a, *y = b;

	/* Most of what is compared is long and equal. */
	for (; size >= sizeof(u64); size -= sizeof(u64), x += sizeof(u64), y += sizeof(u64)) {
		u64 one, other;

		__builtin_memcpy(&one, x, sizeof(one));
		__builtin_memcpy(&other, y, sizeof(other));
		if (one != other)
			break;
	}
	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size && *a && *a == *b; a++, b++, size--)
		;
	return size ? (u8)*a - (u8)*b : 0;
}

void *malloc(size_t size)
{
	(void)size;
	return NULL;
}

void *calloc(size_t count, size_t size)
{
	(void)count;
	(void)size;
	return NULL;
}

void free(void *memory)
{
	(void)memory;
}

void __stack_chk_fail(void)
{
	panic("a stack canary was overwritten while packing a block");
}
