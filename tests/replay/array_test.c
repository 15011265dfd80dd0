#include "replay/array.h"
#include "tests/test.h"

static void what_is_in_it_stays_when_it_moves(void **state)
{
	u16 *list = NULL;
	size_t room = 0, moves = 0;

	(void)state;
	for (size_t count = 0; count < 10000; count++) {
		const size_t before = room;

		assert_true(array_reserve(&list, &room, count, 1, sizeof(*list)));
		assert_true(count < room);
		moves += room != before;
		list[count] = (u16)count;
	}
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(list[i], i);
	assert_in_range(moves, 1, 9);
	free(list);
}

static void many_at_once_have_room(void **state)
{
	u8 *bytes = NULL;
	size_t room = 0;

	(void)state;
	assert_true(array_reserve(&bytes, &room, 0, 5000, 1));
	memset(bytes, 1, 5000);
	assert_true(array_reserve(&bytes, &room, 5000, 100000, 1));
	memset(bytes + 5000, 1, 100000);
	free(bytes);
}

static void more_than_there_is_leaves_it_as_it_was(void **state)
{
	u64 *list = NULL;
	size_t room = 0;
	u64 *before;

	(void)state;
	assert_true(array_reserve(&list, &room, 0, 1, sizeof(*list)));
	before = list;
	assert_false(array_reserve(&list, &room, 1, SIZE_MAX / 16, sizeof(*list)));
	assert_false(array_reserve(&list, &room, 1, SIZE_MAX / 4, sizeof(*list)));
	assert_ptr_equal(list, before);
	assert_int_equal(room, ARRAY_LEAST);
	free(list);
}

static void numbers_below_a_bound_are_counted(void **state)
{
	static const u64 list[] = { 3, 5, 5, 9 };
	static const u8 below[] = { 0, 0, 0, 0, 1, 1, 3, 3, 3, 3, 4 };

	(void)state;
	assert_int_equal(array_below(NULL, 0, 5), 0);
	for (u64 bound = 0; bound < ARRAY_SIZE(below); bound++)
		assert_int_equal(array_below(list, ARRAY_SIZE(list), bound), below[bound]);
	assert_int_equal(array_below(list, ARRAY_SIZE(list), ~0ull), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_it_stays_when_it_moves),
		cmocka_unit_test(many_at_once_have_room),
		cmocka_unit_test(more_than_there_is_leaves_it_as_it_was),
		cmocka_unit_test(numbers_below_a_bound_are_counted),
	};

	return cmocka_run_group_tests_name("replay/array", tests, NULL, NULL);
}
