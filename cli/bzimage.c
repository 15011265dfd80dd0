#include "cli/bzimage.h"

#include <lzma.h>
#include <stdlib.h>
#include <zstd.h>

#include "cli/elf_trim.h"

#define SETUP_SECTS    0x1f1
#define HEADER_MAGIC   0x202
#define HEADER_VERSION 0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END     0x250
#define MAX_VMLINUX    MIB(512)

static u32 get_u32(const u8 *at)
{
	u32 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

enum bzimage_kind bzimage_detect(const void *data, size_t size)
{
	const u8 *const bytes = data;

	if (elf_is_executable(bytes, size))
		return BZIMAGE_ELF;
	if (size > HEADER_END && !memcmp(bytes + HEADER_MAGIC, "HdrS", 4))
		return BZIMAGE_PACKED;
	return BZIMAGE_NONE;
}

static enum status unpack_xz(const u8 *payload, size_t size, u8 *to, size_t room, size_t *length)
{
	u64 memory_limit = GIB(1);
	size_t in = 0, out = 0;
	lzma_ret result;

	/* The kernel's build appends the unpacked size to the stream. */
	result = lzma_stream_buffer_decode(&memory_limit, 0, NULL, payload, &in, size, to, &out,
					   room);
	*length = out;
	return result == LZMA_OK ? ST_OK : result == LZMA_BUF_ERROR ? ST_TRUNCATED : ST_CORRUPT;
}

static enum status unpack_zstd(const u8 *payload, size_t size, u8 *to, size_t room, size_t *length)
{
	const size_t frame = ZSTD_findFrameCompressedSize(payload, size);
	size_t result;

	if (ZSTD_isError(frame))
		return ST_CORRUPT;
	result = ZSTD_decompress(to, room, payload, frame);
	*length = result;
	return ZSTD_isError(result) ? ST_CORRUPT : ST_OK;
}

enum status bzimage_unpack(const void *data, size_t size, u8 **vmlinux, size_t *vmlinux_size)
{
	const u8 *const bytes = data;
	enum status (*unpack)(const u8 *, size_t, u8 *, size_t, size_t *);
	u64 offset, length, room;
	enum status status;

	if (bzimage_detect(data, size) != BZIMAGE_PACKED)
		return ST_INVALID;
	if (bytes[HEADER_VERSION] < 8 && bytes[HEADER_VERSION + 1] <= 2)
		return ST_UNSUPPORTED;
	offset = ((u64)(bytes[SETUP_SECTS] ? bytes[SETUP_SECTS] : 4) + 1) * 512 +
		 get_u32(bytes + PAYLOAD_OFFSET);
	length = get_u32(bytes + PAYLOAD_LENGTH);
	if (length < 16 || offset + length > size)
		return ST_TRUNCATED;
	if (!memcmp(bytes + offset,
		    "\xfd"
		    "7zXZ",
		    6))
		unpack = unpack_xz;
	else if (get_u32(bytes + offset) == ZSTD_MAGICNUMBER)
		unpack = unpack_zstd;
	else
		return ST_UNSUPPORTED;
	/* Both formats end with the unpacked size in the kernel's build. */
	room = get_u32(bytes + offset + length - 4);
	if (room > MAX_VMLINUX)
		return ST_CORRUPT;
	*vmlinux = malloc(room ? room : 1);
	if (!*vmlinux)
		return ST_NO_MEMORY;
	status = unpack(bytes + offset, length, *vmlinux, room, vmlinux_size);
	if (status == ST_OK && !elf_is_executable(*vmlinux, *vmlinux_size))
		status = ST_UNSUPPORTED;
	if (status != ST_OK)
		free(*vmlinux);
	return status;
}
