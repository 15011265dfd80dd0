/*
 * cli/bzimage.h - the vmlinux inside a Linux bzImage
 *
 * Layout: Documentation of the Linux boot protocol, "The Real-Mode Kernel Header". Unpacking on the
 * host takes a second; in an emulator the kernel's own decompressor takes minutes.
 */
#ifndef CLI_BZIMAGE_H
#define CLI_BZIMAGE_H

#include "base/base.h"
#include "base/status.h"

enum bzimage_kind {
	BZIMAGE_NONE, /* not a kernel that hv can boot */
	BZIMAGE_PACKED,
	BZIMAGE_ELF, /* a vmlinux already */
};

/* What the @size bytes at @data are. */
enum bzimage_kind bzimage_detect(const void *data, size_t size);

/*
 * Unpack the payload of the bzImage at @data into @vmlinux, owned by the caller (free()).
 *
 * ST_UNSUPPORTED: packed in another way than xz or zstd, boot the bzImage as it is. ST_CORRUPT,
 * ST_TRUNCATED: the file is damaged. ST_NO_MEMORY.
 */
enum status bzimage_unpack(const void *data, size_t size, u8 **vmlinux, size_t *vmlinux_size);

#endif
