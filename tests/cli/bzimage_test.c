#include <elf.h>
#include <lzma.h>
#include <zstd.h>

#include "cli/bzimage.h"
#include "cli/elf_trim.h"
#include "tests/test.h"

#define SETUP_SIZE 1024 /* a boot sector and one sector of set-up code */
#define ELF_SIZE   4096

/* A vmlinux of one segment: 16 bytes of text, then zeros. */
static void make_elf(u8 *elf)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
		.e_entry = 0x1000000,
		.e_shnum = 3,
	};
	const Elf64_Phdr segments[] = {
		{ .p_type = PT_NOTE, .p_offset = 0, .p_filesz = 4 },
		{ .p_type = PT_LOAD,
		  .p_offset = 1024,
		  .p_filesz = 3000,
		  .p_memsz = 9000,
		  .p_vaddr = 0xffffffff81000000,
		  .p_paddr = 0x1000000,
		  .p_align = 0x200000 },
	};

	memset(elf, 0, ELF_SIZE);
	memcpy(elf, &header, sizeof(header));
	memcpy(elf + sizeof(header), segments, sizeof(segments));
	memset(elf + 1024, 0x90, 16);
}

/* A bzImage around @payload, with the unpacked size behind it as the kernel's build writes it. */
static u8 *make_bzimage(const u8 *payload, size_t size, u32 unpacked, size_t *total)
{
	u8 *const image = calloc(1, SETUP_SIZE + size + 4);
	const u32 offset = 0, length = (u32)size + 4;

	assert_non_null(image);
	image[0x1f1] = 1;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f;
	image[0x207] = 2;
	memcpy(image + 0x248, &offset, 4);
	memcpy(image + 0x24c, &length, 4);
	memcpy(image + SETUP_SIZE, payload, size);
	memcpy(image + SETUP_SIZE + size, &unpacked, 4);
	*total = SETUP_SIZE + size + 4;
	return image;
}

static size_t pack_xz(const u8 *elf, u8 *to, size_t room)
{
	size_t at = 0;

	assert_int_equal(
		lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, elf, ELF_SIZE, to, &at, room),
		LZMA_OK);
	return at;
}

static size_t pack_zstd(const u8 *elf, u8 *to, size_t room)
{
	const size_t size = ZSTD_compress(to, room, elf, ELF_SIZE, 3);

	assert_false(ZSTD_isError(size));
	return size;
}

static void both_packings_give_the_vmlinux(void **state)
{
	size_t (*const packers[])(const u8 *, u8 *, size_t) = { pack_xz, pack_zstd };
	u8 elf[ELF_SIZE], packed[2 * ELF_SIZE], *vmlinux;
	size_t total, size;

	(void)state;
	make_elf(elf);
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		u8 *const image = make_bzimage(packed, packers[i](elf, packed, sizeof(packed)),
					       ELF_SIZE, &total);

		assert_int_equal(bzimage_detect(image, total), BZIMAGE_PACKED);
		assert_int_equal(bzimage_unpack(image, total, &vmlinux, &size), ST_OK);
		assert_int_equal(size, ELF_SIZE);
		assert_memory_equal(vmlinux, elf, ELF_SIZE);
		free(vmlinux);
		free(image);
	}
}

static void no_damage_goes_unnoticed_and_none_is_fatal(void **state)
{
	u8 elf[ELF_SIZE], packed[2 * ELF_SIZE], *vmlinux, *image;
	size_t total, size;

	(void)state;
	make_elf(elf);
	image = make_bzimage(packed, pack_xz(elf, packed, sizeof(packed)), ELF_SIZE, &total);
	for (size_t cut = 0; cut < total; cut++) {
		enum status status = bzimage_unpack(image, cut, &vmlinux, &size);

		assert_int_not_equal(status, ST_OK);
	}
	for (size_t at = SETUP_SIZE; at < total; at++) {
		image[at] ^= 0x40;
		if (bzimage_unpack(image, total, &vmlinux, &size) == ST_OK) {
			/* The last bytes are only the size of the room. */
			assert_memory_equal(vmlinux, elf, ELF_SIZE);
			free(vmlinux);
		}
		image[at] ^= 0x40;
	}
	free(image);
}

static void another_packing_is_left_to_the_kernel(void **state)
{
	const u8 gzip[32] = { 0x1f, 0x8b, 8 };
	size_t total, size;
	u8 *const image = make_bzimage(gzip, sizeof(gzip), ELF_SIZE, &total), *vmlinux;

	(void)state;
	assert_int_equal(bzimage_unpack(image, total, &vmlinux, &size), ST_UNSUPPORTED);
	free(image);
}

static void what_is_no_kernel_is_told(void **state)
{
	u8 bytes[2048] = { 0 };

	(void)state;
	assert_int_equal(bzimage_detect(bytes, sizeof(bytes)), BZIMAGE_NONE);
	assert_int_equal(bzimage_detect(bytes, 0), BZIMAGE_NONE);
	memcpy(bytes, ELFMAG, SELFMAG);
	assert_int_equal(bzimage_detect(bytes, sizeof(bytes)), BZIMAGE_NONE);
}

static void trimming_keeps_what_is_loaded(void **state)
{
	u8 elf[ELF_SIZE], *trimmed;
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	size_t size;

	(void)state;
	make_elf(elf);
	assert_int_equal(elf_trim(elf, ELF_SIZE, &trimmed, &size), ST_OK);
	memcpy(&header, trimmed, sizeof(header));
	memcpy(&segment, trimmed + header.e_phoff, sizeof(segment));
	assert_int_equal(header.e_phnum, 1);
	assert_u64(header.e_entry, 0x1000000);
	assert_u64(segment.p_filesz, 16);
	assert_u64(segment.p_memsz, 9000);
	assert_u64(segment.p_paddr, 0x1000000);
	assert_u64(segment.p_offset % 4096, segment.p_vaddr % 4096);
	assert_int_equal(size, segment.p_offset + 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(trimmed[segment.p_offset + i], 0x90);
	free(trimmed);
}

static void headers_that_lie_are_refused(void **state)
{
	u8 elf[ELF_SIZE], *trimmed;
	size_t size;

	(void)state;
	for (size_t cut = 0; cut < 1024 + 3000; cut++) {
		make_elf(elf);
		assert_int_not_equal(elf_trim(elf, cut, &trimmed, &size), ST_OK);
	}
	/* Every byte of both headers, turned over: refused or trimmed, never out of bounds. */
	for (size_t at = 0; at < sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr); at++) {
		make_elf(elf);
		elf[at] ^= 0xff;
		if (elf_trim(elf, ELF_SIZE, &trimmed, &size) == ST_OK)
			free(trimmed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_packings_give_the_vmlinux),
		cmocka_unit_test(no_damage_goes_unnoticed_and_none_is_fatal),
		cmocka_unit_test(another_packing_is_left_to_the_kernel),
		cmocka_unit_test(what_is_no_kernel_is_told),
		cmocka_unit_test(trimming_keeps_what_is_loaded),
		cmocka_unit_test(headers_that_lie_are_refused),
	};

	return cmocka_run_group_tests_name("cli/bzimage", tests, NULL, NULL);
}
