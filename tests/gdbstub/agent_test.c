#include "gdbstub/agent.h"
#include "tests/gdbstub/mock_target.h"

#define MAX_CODE 64

static struct mock mock;

static const struct gdb_target_ops ops = {
	.read_register = mock_read_register,
	.read_memory = mock_read_memory,
};

static size_t bytes_of(const char *hex, u8 *to)
{
	size_t size = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		while (*hex == ' ')
			hex++;
		to[size++] = (u8)(gdb_hex_digit((u8)hex[0]) << 4 | gdb_hex_digit((u8)hex[1]));
	}
	return size;
}

static enum status evaluate(const char *hex, u64 *value)
{
	const struct agent_place place = { &ops, &mock, { 1, 0 } };
	u8 code[MAX_CODE];

	mock.place = 2;
	*value = 0;
	return agent_evaluate(&place, code, bytes_of(hex, code), value);
}

static void expressions_have_the_value_that_gdb_gives_them(void **state)
{
	static const struct {
		const char *name, *code;
		u64 value;
	} rows[] = {
		{ "7 + 5", "2207 2205 02 27", 12 },
		{ "7 - 5", "2207 2205 03 27", 2 },
		{ "7 * 5", "2207 2205 04 27", 35 },
		{ "-7 / 2 with a sign", "22f9 1608 2202 05 27", (u64)-3 },
		{ "7 / 2", "2207 2202 06 27", 3 },
		{ "-7 % 2 with a sign", "22f9 1608 2202 07 27", (u64)-1 },
		{ "7 % 4", "2207 2204 08 27", 3 },
		{ "smallest / -1", "258000000000000000 22ff 1608 05 27", 1ull << 63 },
		{ "1 << 4", "2201 2204 09 27", 16 },
		{ "1 << 64", "2201 2240 09 27", 0 },
		{ "-16 >> 2 with a sign", "22f0 1608 2202 0a 27", (u64)-4 },
		{ "-1 >> 200 with a sign", "22ff 1608 22c8 0a 27", ~0ull },
		{ "16 >> 2", "2210 2202 0b 27", 4 },
		{ "!0", "2200 0e 27", 1 },
		{ "12 & 10", "220c 220a 0f 27", 8 },
		{ "12 | 10", "220c 220a 10 27", 14 },
		{ "12 ^ 10", "220c 220a 11 27", 6 },
		{ "~0", "2200 12 27", ~0ull },
		{ "3 == 3", "2203 2203 13 27", 1 },
		{ "-1 < 1 with a sign", "22ff 1608 2201 14 27", 1 },
		{ "-1 < 1 without", "22ff 1608 2201 15 27", 0 },
		{ "numbers of 16 bits", "231234 27", 0x1234 },
		{ "numbers of 32 bits", "2412345678 27", 0x12345678 },
		{ "numbers of 64 bits", "25123456789abcdef0 27", 0x123456789abcdef0 },
		{ "a register", "260010 27", MOCK_RIP(2) },
		{ "one byte", "232001 17 27", 0x11 },
		{ "two bytes", "232000 18 27", 0x1110 },
		{ "four bytes", "232000 19 27", 0x13121110 },
		{ "zeros above 4 bits", "22ff 2a04 27", 15 },
		{ "twice the same", "2203 28 04 27", 9 },
		{ "the other way round", "2203 2205 2b 03 27", 2 },
		{ "one thrown away", "2203 2205 29 27", 3 },
		{ "one from below", "2203 2205 2207 3202 27", 3 },
		{ "three turned", "2203 2205 2207 33 29 27", 3 },
		{ "a jump", "21 0005 2203 2204 27", 4 },
		{ "a jump that is taken", "2201 20 0007 2203 2204 27", 4 },
		{ "a jump that is not", "2200 20 0008 2203 27 2204 27", 3 },
	};
	u64 value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_row(rows[i].name, evaluate(rows[i].code, &value), ST_OK);
		assert_row(rows[i].name, value, rows[i].value);
	}
}

static void what_is_no_expression_is_refused(void **state)
{
	static const struct {
		const char *name, *code;
		enum status status;
	} rows[] = {
		{ "nothing", "", ST_INVALID },
		{ "no end", "2201", ST_INVALID },
		{ "no value", "27", ST_INVALID },
		{ "a number cut off", "2312", ST_INVALID },
		{ "too few values", "2201 02 27", ST_INVALID },
		{ "too few to turn", "2201 2202 33 27", ST_INVALID },
		{ "one from too far below", "2201 3201 27", ST_INVALID },
		{ "an unknown operation", "0c 27", ST_INVALID },
		{ "one beyond all", "ff 27", ST_INVALID },
		{ "a division by 0", "2201 2200 06 27", ST_INVALID },
		{ "no bits", "2201 1600 27", ST_INVALID },
		{ "too many bits", "2201 2a41 27", ST_INVALID },
		{ "a jump to nowhere", "21 0100 27", ST_INVALID },
		{ "no end of jumping", "21 0000", ST_INVALID },
		{ "no end of pushing", "2201 21 0000", ST_INVALID },
		{ "an unknown register", "260000 27", ST_NOT_FOUND },
		{ "unknown memory", "232002 19 27", ST_NOT_FOUND },
	};
	u64 value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, evaluate(rows[i].code, &value), rows[i].status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_have_the_value_that_gdb_gives_them),
		cmocka_unit_test(what_is_no_expression_is_refused),
	};

	return cmocka_run_group_tests_name("gdbstub/agent", tests, NULL, NULL);
}
