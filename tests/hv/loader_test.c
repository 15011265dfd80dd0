#include "tests/hv/loader_fixture.h"

static enum status load(u64 size, u64 *entry)
{
	const struct memmap_hole file = { FILE_AT, FILE_MAX };

	return loader_load_elf(stub_at(FILE_AT), size, &file, 1, entry);
}

static void elf_files_of_both_classes_load(void **state)
{
	static const struct segment segments[] = {
		{ 4, 0x300, 0x9999, 8, 8 }, /* a note */
		{ 1, 0x1000, MIB(16), 0x20, 0x2000 },
		{ 1, 0x2000, MIB(17), 0x10, 0x10 },
		{ 1, 0, MIB(18), 0, 0 },
	};

	(void)state;
	for (unsigned is64 = 0; is64 < 2; is64++) {
		u64 entry = 0;

		boot(NULL);
		memset(stub_at(MIB(16)), 0xee, 0x3000);
		put_elf(FILE_AT, is64, MIB(16) + 0x10, segments, ARRAY_SIZE(segments));
		memset(stub_at(FILE_AT + 0x1000), 0x11, 0x20);
		memset(stub_at(FILE_AT + 0x2000), 0x22, 0x10);
		assert_int_equal(load(0x2010, &entry), ST_OK);
		assert_u64(entry, MIB(16) + 0x10);
		assert_u64(get(MIB(16), 8), 0x1111111111111111);
		/* What the file does not have is zero, and what is behind is untouched. */
		assert_u64(get(MIB(16) + 0x18, 8), 0x1111111111111111);
		assert_u64(get(MIB(16) + 0x20, 8), 0);
		assert_u64(get(MIB(16) + 0x1ff8, 8), 0);
		assert_u64(get(MIB(16) + 0x2000, 8), 0xeeeeeeeeeeeeeeee);
		assert_u64(get(MIB(17) + 8, 8), 0x2222222222222222);
	}
}

static void hostile_elf_headers_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct segment segment;
		enum status expected;
	} rows[] = {
		{ "good", { 1, 0x1000, MIB(16), 0x20, 0x20 }, ST_OK },
		{ "no loadable segment", { 6, 0x1000, MIB(16), 0x20, 0x20 }, ST_INVALID },
		{ "empty segment", { 1, 0x1000, MIB(16), 0, 0 }, ST_INVALID },
		{ "more in the file than in memory",
		  { 1, 0x1000, MIB(16), 0x20, 0x10 },
		  ST_CORRUPT },
		{ "begins behind the file", { 1, 0x2001, MIB(16), 0x20, 0x20 }, ST_CORRUPT },
		{ "ends behind the file", { 1, 0x1ff0, MIB(16), 0x20, 0x20 }, ST_CORRUPT },
		{ "offset wraps", { 1, ~0ull - 7, MIB(16), 0x20, 0x20 }, ST_CORRUPT },
		{ "size wraps", { 1, 0x1000, MIB(16), ~0ull, ~0ull }, ST_CORRUPT },
		{ "into hv", { 1, 0x1000, HV_BASE - 0x10, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "zeros into hv", { 1, 0x1000, HV_BASE - 0x20, 0x20, 0x21 }, ST_NO_MEMORY },
		{ "inside hv", { 1, 0x1000, HV_BASE + MIB(1), 0x20, 0x20 }, ST_NO_MEMORY },
		{ "behind memory", { 1, 0x1000, MEMORY, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "into the firmware", { 1, 0x1000, 0xf0000, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "address wraps", { 1, 0x1000, ~0ull - 0xf, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "zeros over all of memory", { 1, 0x1000, MIB(1), 0x20, ~0ull }, ST_NO_MEMORY },
		{ "over the file itself", { 1, 0x1000, FILE_AT - 8, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "over the boot parameters",
		  { 1, 0x1000, LOW_AREA + 8, 0x20, 0x20 },
		  ST_NO_MEMORY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 entry;

		boot(NULL);
		put_elf(FILE_AT, true, MIB(16), &rows[i].segment, 1);
		assert_row(rows[i].name, load(0x2000, &entry), rows[i].expected);
	}
}

static void files_that_are_no_elf_are_refused(void **state)
{
	static const struct {
		const char *name;
		u64 at, value;
		unsigned bytes;
		u64 size;
	} rows[] = {
		{ "magic", 0, 0x464c457e, 4, 0x2000 },
		{ "class 3", 4, 3, 1, 0x2000 },
		{ "big-endian", 5, 2, 1, 0x2000 },
		{ "shorter than a header", 0, 0x464c457f, 4, 63 },
		{ "nothing", 0, 0x464c457f, 4, 0 },
		{ "headers behind the file", 32, 0x5000, 8, 0x2000 },
		{ "headers that wrap", 32, ~0ull - 3, 8, 0x2000 },
		{ "no headers", 56, 0, 2, 0x2000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 entry;

		boot(NULL);
		put_elf(FILE_AT, true, MIB(16), &(struct segment){ 1, 0x1000, MIB(16), 0x20, 0x20 },
			1);
		put(FILE_AT + rows[i].at, rows[i].value, rows[i].bytes);
		assert_row(rows[i].name, load(rows[i].size, &entry), ST_INVALID);
	}
}

/* Whatever the file says, nothing is written but RAM of L1's that is not the file. */
static void no_elf_file_writes_where_it_must_not(void **state)
{
	static u8 file[0x400];
	u32 seed = 12345;
	unsigned loaded = 0;
	u64 entry;

	(void)state;
	put_elf(FILE_AT, true, MIB(16),
		(struct segment[]){ { 1, 0x200, MIB(16), 0x100, 0x180 },
				    { 1, 0x100, MIB(20), 0x80, 0x1000 } },
		2);
	memcpy(file, stub_at(FILE_AT), sizeof(file));
	memset(stub_at(HV_BASE), 0x5a, STUB_HV_SIZE);
	for (unsigned round = 0; round < 20000; round++) {
		memcpy(stub_at(FILE_AT), file, sizeof(file));
		for (unsigned i = 0; i < 4; i++) {
			seed = seed * 1103515245 + 12345;
			put(FILE_AT + (seed >> 8) % 0xb0, seed >> 24, 1);
		}
		loaded += load(sizeof(file), &entry) == ST_OK;
	}
	for (u64 at = HV_BASE; at < MEMORY; at += 8)
		assert_u64(get(at, 8), 0x5a5a5a5a5a5a5a5a);
	/* The rounds that change nothing of weight still load, or this proves nothing. */
	assert_true(loaded > 100);
}

static void modules_that_name_no_l1_are_refused_by_name(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ NULL, "there is no L1" },
		{ "", "neither 'kernel' nor 'multiboot'" },
		{ "kernels", "neither 'kernel' nor 'multiboot'" },
		{ "initrd", "'initrd'" },
		{ "kernel", "neither a bzImage nor an ELF file" },
		{ "multiboot", "no multiboot header" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l1_entry entry;

		boot(NULL);
		if (rows[i].text)
			add_module(FILE_AT, 0x2000, rows[i].text);
		assert_row(rows[i].said, loader_load_l1(&entry) != ST_OK, true);
		assert_row(rows[i].said, stub_said(rows[i].said), true);
	}
}

static void modules_move_to_the_top_and_keep_their_contents(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		add_module(MIB(2) + i * KIB(64), KIB(40) + i, "m");
		memset(stub_at(MIB(2) + i * KIB(64)), (int)(0x10 + i), KIB(40) + i);
	}
	assert_int_equal(loader_move_modules(), ST_OK);
	for (unsigned i = 0; i < 4; i++) {
		const struct boot_module *module = &boot_info.modules[i];

		assert_true(module->base > HV_BASE - MIB(1));
		assert_true(module->base + module->size <= HV_BASE);
		assert_u64(module->base & 4095, 0);
		assert_u64(get(module->base, 1), 0x10 + i);
		assert_u64(get(module->base + module->size - 1, 1), 0x10 + i);
		for (unsigned k = 0; k < i; k++) {
			const struct boot_module *other = &boot_info.modules[k];

			assert_true(module->base >= other->base + other->size ||
				    other->base >= module->base + module->size);
		}
	}
}

static void modules_without_room_are_said(void **state)
{
	struct l1_entry entry;

	(void)state;
	add_module(MIB(2), MIB(30), "kernel");
	assert_int_equal(loader_load_l1(&entry), ST_NO_MEMORY);
	assert_true(stub_said("memory is too small for L1's modules"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(elf_files_of_both_classes_load, boot),
		cmocka_unit_test_setup(hostile_elf_headers_are_refused, boot),
		cmocka_unit_test_setup(files_that_are_no_elf_are_refused, boot),
		cmocka_unit_test_setup(no_elf_file_writes_where_it_must_not, boot),
		cmocka_unit_test_setup(modules_that_name_no_l1_are_refused_by_name, boot),
		cmocka_unit_test_setup(modules_move_to_the_top_and_keep_their_contents, boot),
		cmocka_unit_test_setup(modules_without_room_are_said, boot),
	};

	return cmocka_run_group_tests_name("hv/loader", tests, NULL, NULL);
}
