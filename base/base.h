/*
 * base/base.h - the few names every part of vmxtape uses
 *
 * Compiled for the host and for hv, so nothing here needs an operating system. The mem* and str*
 * functions below are the only libc names that code shared with hv may use.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a)	      (sizeof(a) / sizeof((a)[0]))
#define BIT(n)		      (1ull << (n))
#define MASK(hi, lo)	      ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#define BITS(value, hi, lo)   (((u64)(value)&MASK(hi, lo)) >> (lo))
#define ALIGN_UP(value, to)   (((value) + (to)-1) & ~((to)-1))
#define ALIGN_DOWN(value, to) ((value) & ~((to)-1))
#define IS_ALIGNED(value, to) (((value) & ((to)-1)) == 0)
#define MIN(a, b)	      ((a) < (b) ? (a) : (b))
#define MAX(a, b)	      ((a) > (b) ? (a) : (b))

#define KIB(n)		      ((u64)(n) << 10)
#define MIB(n)		      ((u64)(n) << 20)
#define GIB(n)		      ((u64)(n) << 30)

#define likely(x)	      __builtin_expect(!!(x), 1)
#define unlikely(x)	      __builtin_expect(!!(x), 0)
#define printf_like(f, a)     __attribute__((format(printf, f, a)))
#define ALWAYS_INLINE	      inline __attribute__((always_inline))
#define NOINLINE	      __attribute__((noinline))

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
#ifdef HV
/* The compiler expands short ones, although it does not take hv's for those of a library. */
#define memcpy(to, from, size) __builtin_memcpy(to, from, size)
#define memset(to, byte, size) __builtin_memset(to, byte, size)
#define memcmp(a, b, size)     __builtin_memcmp(a, b, size)
#endif
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);

#endif
