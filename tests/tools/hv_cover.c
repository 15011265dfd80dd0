/*
 * tests/tools/hv_cover.c - which blocks of hv ran, for vmxtape-hv-cover.elf
 *
 * The compiler calls this at the beginning of each block. A bit for each byte of the image tells
 * where it was called from; tests/e2e/fuzz reads them out of the machine's memory.
 */
#include "base/base.h"

#define IMAGE_SIZE MIB(2)

void __sanitizer_cov_trace_pc(void);

extern const u8 image_start[];
u8 cover_map[IMAGE_SIZE / 8];

__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
	const u64 at = (u64)__builtin_return_address(0) - (u64)image_start;

	if (at < IMAGE_SIZE)
		cover_map[at / 8] |= (u8)(1 << at % 8);
}
