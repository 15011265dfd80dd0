#include <unistd.h>

#include "replay/symbols_dwarf.h"
#include "replay/symbols_load.h"
#include "tests/test.h"

#define BASE   0xffffffffc0a00000ull
#define HERE   "tests/replay/symbols_dwarf_test.c"
#define OBJECT "symbols_dwarf_test.o"

static char self[4096], object[4096], error[512];

/* The object file that symbols.c became is in the same build as this program. */
static int find_files(void **state)
{
	const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	(void)state;
	assert_in_range(length, 1, sizeof(self) - 2);
	strcpy(object, self);
	for (unsigned i = 0; i < 3; i++) {
		slash = strrchr(object, '/');
		assert_non_null(slash);
		*slash = 0;
	}
	strcat(object, "/host/replay/symbols.o");
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	remove(OBJECT);
	return 0;
}

static struct symbols *load(const char *format, const char *path, u64 place)
{
	struct symbols *const symbols = symbols_new();
	char spec[4200];

	snprintf(spec, sizeof(spec), format, path, (unsigned long long)place);
	if (symbols_load(symbols, spec, NULL, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return symbols;
}

static unsigned line_of(const char *path, const char *text)
{
	FILE *const file = fopen(path, "r");
	char line[512];
	unsigned number = 0;

	assert_non_null(file);
	do {
		assert_non_null(fgets(line, sizeof(line), file));
		number++;
	} while (strncmp(line, text, strlen(text)));
	fclose(file);
	return number;
}

/* @function begins at the line of @path that begins with @text. */
static void assert_line(const struct symbols *symbols, const char *function, const char *path,
			const char *text)
{
	const struct symbol *const symbol = symbols_named(symbols, 1, function);
	char expected[SYMBOLS_MAX_NAME], got[SYMBOLS_MAX_NAME];
	const char *name = NULL;
	unsigned line = 0;

	assert_non_null(symbol);
	assert_true(symbols_source(symbols, 1, symbol->address, &name, &line));
	assert_true(strlen(name) >= strlen(path));
	assert_string_equal(name + strlen(name) - strlen(path), path);
	/* Its first instruction may be of its first statement. */
	assert_in_range(line, line_of(path, text), line_of(path, text) + 3);
	snprintf(expected, sizeof(expected), "%s [%s:%u]", function, strchr(path, '/') + 1, line);
	/* The last folder and the name. */
	if (strncmp(path, "tests/", 6))
		snprintf(expected, sizeof(expected), "%s [%s:%u]", function, path, line);
	assert_string_equal(symbols_rip(symbols, 1, symbol->address, got), expected);
}

static void a_program_tells_its_lines_wherever_it_is_loaded(void **state)
{
	static const u64 places[] = { 0, 0x1a000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct symbols *const symbols = load("l1=%s+0x%llx", self, places[i]);

		assert_line(symbols, "main", HERE, "int main(void)");
		symbols_free(symbols);
	}
}

static void a_module_tells_its_lines_behind_its_relocations(void **state)
{
	struct symbols *const symbols = load("l1=%s@0x%llx", object, BASE);

	(void)state;
	assert_true(symbols_has_lines(symbols, 1));
	assert_false(symbols_has_lines(symbols, 2));
	assert_line(symbols, "symbols_new", "replay/symbols.c", "struct symbols *symbols_new(");
	assert_line(symbols, "symbols_free", "replay/symbols.c", "void symbols_free(");
	symbols_free(symbols);
}

static void what_is_no_code_of_the_file_has_no_line(void **state)
{
	struct symbols *const symbols = load("l1=%s@0x%llx", object, BASE);
	char text[SYMBOLS_MAX_NAME];
	const char *name;
	unsigned line;

	(void)state;
	assert_false(symbols_source(symbols, 1, BASE - 1, &name, &line));
	assert_false(symbols_source(symbols, 1, BASE + MIB(1), &name, &line));
	assert_false(symbols_source(symbols, 2, BASE, &name, &line));
	assert_false(symbols_source(NULL, 1, BASE, &name, &line));
	assert_u64(symbols_line(symbols, 1, 0, text), 0);
	symbols_free(symbols);
}

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What libdw says to damage is its own; it must say something. */
static void damaged_dwarf_is_survived(void **state)
{
	FILE *file = fopen(object, "rb");
	static u8 good[MIB(4)], bad[MIB(4)];
	u64 random = 0x2545f4914f6cdd1d;
	unsigned lines = 0, refused = 0;
	size_t size;

	(void)state;
	assert_non_null(file);
	size = fread(good, 1, sizeof(good), file);
	fclose(file);
	assert_in_range(size, 1000, sizeof(good) - 1);
	for (unsigned round = 0; round < 150; round++) {
		struct symbols *const symbols = symbols_new();
		const char *name;
		unsigned line;

		memcpy(bad, good, size);
		for (u64 n = next_random(&random) % 64; n; n--)
			bad[64 + next_random(&random) % (size - 64)] = (u8)next_random(&random);
		file = fopen(OBJECT, "wb");
		assert_non_null(file);
		assert_int_equal(fwrite(bad, 1, size - (round % 8 ? 0 : size / 3), file) > 0, 1);
		fclose(file);
		if (symbols_load(symbols, "l1=" OBJECT "@0xffffffffc0a00000", NULL, error,
				 sizeof(error)) == ST_OK)
			for (u64 at = 0; at < 0x1000; at += 0x40)
				lines += symbols_source(symbols, 1, BASE + at, &name, &line);
		else
			refused++;
		symbols_free(symbols);
	}
	assert_true(lines > 0 && refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_tells_its_lines_wherever_it_is_loaded),
		cmocka_unit_test(a_module_tells_its_lines_behind_its_relocations),
		cmocka_unit_test(what_is_no_code_of_the_file_has_no_line),
		cmocka_unit_test_teardown(damaged_dwarf_is_survived, remove_file),
	};
	return cmocka_run_group_tests_name("replay/symbols_dwarf", tests, find_files, NULL);
}
