#include "cli/bisect_search.h"
#include "tests/test.h"

/* Works with all things of @needed, and not with @poison besides another. */
struct world {
	size_t count;
	size_t needed[4], need_count;
	size_t poison; /* BISECT_MAX: none */
	unsigned asked;
};

static bool works(void *owner, const struct bisect_set *kept)
{
	struct world *const world = owner;
	size_t others = 0;

	world->asked++;
	for (size_t i = 0; i < world->need_count; i++)
		if (!bisect_has(kept, world->needed[i]))
			return false;
	if (world->poison == BISECT_MAX || !bisect_has(kept, world->poison))
		return true;
	for (size_t i = 0; i < world->count; i++)
		others += bisect_has(kept, i);
	return others == world->count;
}

static void what_is_needed_is_found_and_nothing_else(void **state)
{
	static const struct {
		struct world world;
		unsigned most; /* questions */
	} rows[] = {
		{ { .count = 100, .needed = { 42 }, .need_count = 1 }, 16 },
		{ { .count = 100, .needed = { 0, 99 }, .need_count = 2 }, 30 },
		{ { .count = 100, .needed = { 3, 4, 50, 77 }, .need_count = 4 }, 50 },
		{ { .count = 2, .needed = { 0, 1 }, .need_count = 2 }, 5 },
		{ { .count = 1, .needed = { 0 }, .need_count = 1 }, 2 },
		{ { .count = 100, .need_count = 0 }, 2 },
		{ { .count = 0, .need_count = 0 }, 1 },
		{ { .count = BISECT_MAX, .needed = { 255 }, .need_count = 1 }, 18 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world world = rows[i].world;
		struct bisect_set needed;
		size_t found = 0;

		world.poison = BISECT_MAX;
		assert_int_equal(bisect_search(world.count, works, &world, &needed), BISECT_FOUND);
		for (size_t j = 0; j < BISECT_MAX; j++)
			found += bisect_has(&needed, j);
		assert_int_equal(found, world.need_count);
		for (size_t j = 0; j < world.need_count; j++)
			assert_true(bisect_has(&needed, world.needed[j]));
		if (world.asked > rows[i].most)
			fail_msg("row %zu: asked %u times", i, world.asked);
	}
}

static bool never(void *owner, const struct bisect_set *kept)
{
	(void)kept;
	++*(unsigned *)owner;
	return false;
}

static void what_never_works_is_asked_once(void **state)
{
	struct bisect_set needed;
	unsigned asked = 0;

	(void)state;
	assert_int_equal(bisect_search(100, never, &asked, &needed), BISECT_NEVER);
	assert_int_equal(asked, 1);
}

/* Thing 5 is needed, and hurts unless everything else is there too. */
static void things_that_hurt_are_noticed(void **state)
{
	struct world world = {
		.count = 64,
		.needed = { 5 },
		.need_count = 1,
		.poison = 5,
	};
	struct bisect_set needed;
	enum bisect_result result;
	size_t kept = 0;

	(void)state;
	result = bisect_search(world.count, works, &world, &needed);
	for (size_t i = 0; i < world.count; i++)
		kept += bisect_has(&needed, i);
	/* All of them together are the only set that works. */
	assert_int_equal(result, BISECT_FOUND);
	assert_int_equal(kept, world.count);
}

/* Works with an even number of things only. */
static bool even(void *owner, const struct bisect_set *kept)
{
	size_t count = 0;

	(void)owner;
	for (size_t i = 0; i < BISECT_MAX; i++)
		count += bisect_has(kept, i);
	return count % 2 == 0 && count >= 2;
}

static void an_answer_that_halving_cannot_find_is_not_made_up(void **state)
{
	struct bisect_set needed;
	const enum bisect_result result = bisect_search(8, even, NULL, &needed);

	(void)state;
	if (result == BISECT_FOUND)
		assert_true(even(NULL, &needed));
	else
		assert_int_equal(result, BISECT_UNSTEADY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_needed_is_found_and_nothing_else),
		cmocka_unit_test(what_never_works_is_asked_once),
		cmocka_unit_test(things_that_hurt_are_noticed),
		cmocka_unit_test(an_answer_that_halving_cannot_find_is_not_made_up),
	};

	return cmocka_run_group_tests_name("cli/bisect_search", tests, NULL, NULL);
}
