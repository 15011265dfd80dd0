/*
 * base/crc32c.h - CRC-32C (Castagnoli), the checksum of blocks and frames
 *
 * Polynomial 0x1EDC6F41 reflected, initial value and final XOR all ones (RFC 3720, appendix B.4).
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/base.h"

/* The checksum of @size bytes at @data. @seed is 0, or the result for the bytes before them. */
u32 crc32c(u32 seed, const void *data, size_t size);

#endif
