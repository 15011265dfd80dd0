#include "base/fmt.h"
#include "tests/test.h"

/* What libc's printf, which shares the subset, would write. */
#define assert_like_printf(...)                                                     \
	do {                                                                        \
		char ours[128], theirs[128];                                        \
		const size_t length = fmt(ours, sizeof(ours), __VA_ARGS__);         \
		const int expected = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
                                                                                    \
		assert_string_equal(ours, theirs);                                  \
		assert_int_equal(length, expected);                                 \
	} while (0)

static void numbers_texts_and_characters_are_written_as_printf_does(void **state)
{
	(void)state;
	assert_like_printf("plain");
	assert_like_printf("%s and %s", "one", "two");
	assert_like_printf("%c%c", 'a', 'b');
	assert_like_printf("%d %d %d", 0, -1, 2147483647);
	assert_like_printf("%d", -2147483647 - 1);
	assert_like_printf("%i", -42);
	assert_like_printf("%u %u", 0u, 4294967295u);
	assert_like_printf("%x %X", 0xdeadbeefu, 0xdeadbeefu);
	assert_like_printf("%lx %lu %ld", ~0ul, ~0ul, -1l);
	assert_like_printf("%llx %llu %lld", ~0ull, ~0ull, INT64_MIN + 0ll);
	assert_like_printf("%zu %zx", (size_t)77, (size_t)77);
	assert_like_printf("100%%");
}

static void widths_and_flags_pad_as_printf_does(void **state)
{
	(void)state;
	assert_like_printf("[%5d] [%-5d] [%05d]", 42, 42, 42);
	assert_like_printf("[%5d] [%-5d] [%05d]", -42, -42, -42);
	assert_like_printf("[%10s] [%-10s]", "abc", "abc");
	assert_like_printf("[%3s]", "longer");
	assert_like_printf("[%016llx] [%8x] [%-8x]", 0xabcull, 0xabc, 0xabc);
	assert_like_printf("[%3c] [%-3c]", 'x', 'x');
	assert_like_printf("[%1d]", 12345);
}

static void pointers_are_hexadecimal(void **state)
{
	char text[32];

	(void)state;
	fmt(text, sizeof(text), "%p", (void *)0x1234abcd);
	assert_string_equal(text, "0x1234abcd");
}

static void text_that_is_too_long_is_cut_and_its_length_told(void **state)
{
	char text[8];

	(void)state;
	for (size_t size = 0; size <= sizeof(text); size++) {
		memset(text, '#', sizeof(text));
		assert_int_equal(fmt(text, size, "%s%d", "abcdef", 12345), 11);
		if (size)
			assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, "abcdef1", size ? size - 1 : 0);
		/* Not a byte behind. */
		for (size_t i = size; i < sizeof(text); i++)
			assert_int_equal(text[i], '#');
	}
	assert_int_equal(fmt(NULL, 0, "abc"), 3);
}

static void what_is_not_understood_stands_as_it_is(void **state)
{
	char text[32];
	const char *unknown[] = { "a%qb", "50%", "%" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		const char *volatile format = unknown[i]; /* gcc would warn of the constant */

		fmt(text, sizeof(text), format, 0);
		assert_string_equal(text, unknown[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_texts_and_characters_are_written_as_printf_does),
		cmocka_unit_test(widths_and_flags_pad_as_printf_does),
		cmocka_unit_test(pointers_are_hexadecimal),
		cmocka_unit_test(text_that_is_too_long_is_cut_and_its_length_told),
		cmocka_unit_test(what_is_not_understood_stands_as_it_is),
	};

	return cmocka_run_group_tests_name("base/fmt", tests, NULL, NULL);
}
