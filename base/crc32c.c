#include "base/crc32c.h"

#ifdef __x86_64__
/* Eight bytes at any address. */
struct word {
	u64 value;
} __attribute__((packed, may_alias));

static inline u64 add_word(u64 state, const struct word *word)
{
	__asm__("crc32q %1, %0" : "+r"(state) : "m"(word->value));
	return state;
}

/* The instruction works on general registers, so hv may use it too; every CPU with EPT has it. */
static u32 crc32c_instruction(u32 crc, const u8 *data, size_t size)
{
	u64 state = crc;

	/* Blocks are long, and hv does this while a guest waits. */
	for (; size >= 32; size -= 32, data += 32) {
		const struct word *const words = (const void *)data;

		state = add_word(state, &words[0]);
		state = add_word(state, &words[1]);
		state = add_word(state, &words[2]);
		state = add_word(state, &words[3]);
	}
	for (; size >= 8; size -= 8, data += 8)
		state = add_word(state, (const void *)data);
	for (; size; size--, data++)
		__asm__("crc32b %1, %k0" : "+r"(state) : "r"(*data));
	return (u32)state;
}
#endif

#ifndef HV
static u32 crc32c_bitwise(u32 crc, const u8 *data, size_t size)
{
	static u32 table[256];

	if (!table[1])
		for (u32 byte = 0; byte < 256; byte++) {
			u32 value = byte;

			for (int bit = 0; bit < 8; bit++)
				value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
			table[byte] = value;
		}
	for (; size; size--, data++)
		crc = crc >> 8 ^ table[(u8)(crc ^ *data)];
	return crc;
}
#endif

u32 crc32c(u32 seed, const void *data, size_t size)
{
#ifdef HV
	return ~crc32c_instruction(~seed, data, size);
#else
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_instruction(~seed, data, size);
#endif
	return ~crc32c_bitwise(~seed, data, size);
#endif
}
