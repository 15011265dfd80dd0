#include "replay/symbols.h"
#include "tests/test.h"

static struct symbols *symbols;

static int make(void **state)
{
	static const struct {
		struct symbol symbol;
		bool global;
	} rows[] = {
		{ { 0x2000, 0, "second", NULL }, true },
		{ { 0x1000, 0x10, "first", NULL }, true },
		{ { 0x2000, 0, "alias", NULL }, true },
		{ { 0x3000, 0, "local", NULL }, false },
		{ { 0x3000, 0, "global", NULL }, true },
		{ { 0x9000, 0x20, "handle", "kvm_intel" }, true },
		{ { 0x9020, 0, "last", "kvm_intel" }, true },
		{ { 0xfffffffffffffff0, 0, "top", NULL }, true },
		{ { 0x5000, ~0ull, "endless", NULL }, true },
		{ { 0x9030, 0x8, "handle", "other" }, true },
	};

	(void)state;
	symbols = symbols_new();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(symbols_add(symbols, 1, &rows[i].symbol, rows[i].global), ST_OK);
	symbols_seal(symbols);
	return 0;
}

static int destroy(void **state)
{
	(void)state;
	symbols_free(symbols);
	return 0;
}

static void an_address_has_the_name_of_what_it_is_in(void **state)
{
	static const struct {
		const char *name;
		u64 address;
		const char *text;
	} rows[] = {
		{ "start", 0x1000, "first" },
		{ "inside", 0x100f, "first+0xf" },
		{ "behind its size", 0x1010, "" },
		{ "before all", 0xfff, "" },
		{ "first of two", 0x2000, "second" },
		{ "up to the next", 0x2fff, "second+0xfff" },
		{ "global before local", 0x3004, "global+0x4" },
		{ "end that wraps", 0x5000, "endless" },
		{ "in a module", 0x9001, "handle+0x1" },
		{ "last of its module", 0x9020, "last" },
		{ "behind the module", 0x9021, "" },
		{ "highest", ~0ull - 15, "top" },
		{ "behind the highest", ~0ull, "" },
	};
	char text[SYMBOLS_MAX_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const size_t length = symbols_text(symbols, 1, rows[i].address, text);

		text[length] = 0;
		assert_row(rows[i].name, strcmp(text, rows[i].text), 0);
	}
}

static void levels_and_missing_tables_have_no_names(void **state)
{
	(void)state;
	assert_null(symbols_find(symbols, 2, 0x1000));
	assert_null(symbols_find(symbols, 0, 0x1000));
	assert_null(symbols_find(symbols, 3, 0x1000));
	assert_null(symbols_find(NULL, 1, 0x1000));
	assert_null(symbols_named(NULL, 1, "first"));
	assert_u64(symbols_count(symbols, 1), 8);
	assert_u64(symbols_count(symbols, 2), 0);
}

static void names_lead_to_the_lowest_address(void **state)
{
	(void)state;
	assert_u64(symbols_named(symbols, 1, "handle")->address, 0x9000);
	assert_string_equal(symbols_named(symbols, 1, "handle")->module, "kvm_intel");
	assert_u64(symbols_named(symbols, 1, "top")->address, 0xfffffffffffffff0);
	assert_null(symbols_named(symbols, 1, "handl"));
	assert_null(symbols_named(symbols, 1, "zzz"));
}

static void a_name_of_any_length_fits(void **state)
{
	char name[1000], text[SYMBOLS_MAX_NAME];
	const struct symbol symbol = { 0x20000, 0x100, name, NULL };

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(symbols_add(symbols, 1, &symbol, true), ST_OK);
	symbols_seal(symbols);
	assert_u64(symbols_text(symbols, 1, 0x20000, text), SYMBOLS_MAX_NAME - 1);
	text[symbols_text(symbols, 1, 0x20012, text)] = 0;
	assert_string_equal(text + strlen(text) - 5, "+0x12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_address_has_the_name_of_what_it_is_in, make,
						destroy),
		cmocka_unit_test_setup_teardown(levels_and_missing_tables_have_no_names, make,
						destroy),
		cmocka_unit_test_setup_teardown(names_lead_to_the_lowest_address, make, destroy),
		cmocka_unit_test_setup_teardown(a_name_of_any_length_fits, make, destroy),
	};

	return cmocka_run_group_tests_name("replay/symbols", tests, NULL, NULL);
}
