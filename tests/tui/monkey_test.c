/*
 * tests/tui/monkey_test.c - random keys, clicks and sizes: nothing crashes, nothing hangs
 *
 * MONKEY_KEYS: how many; MONKEY_SEED: the first state of the generator, which a failure prints.
 */
#include <locale.h>
#include <poll.h>
#include <time.h>

#include "tests/test.h"
#include "tests/tui/screen_tape.h"
#include "tests/tui/verb_program.h"
#include "tui/app.h"
#include "tui/request.h"

#define KEYS	  2000
#define SEED	  1
#define TOO_LONG  20 /* seconds for one key, on the slowest machine under sanitizers */
#define MAX_WORKS 4  /* slices between two keys */

struct monkey {
	struct app *app;
	u64 state;
	u64 seed;
	u64 done;
	unsigned tape;
	unsigned rows, columns;
};

static u32 draw(struct monkey *monkey, u32 below)
{
	monkey->state ^= monkey->state << 13;
	monkey->state ^= monkey->state >> 7;
	monkey->state ^= monkey->state << 17;
	return (u32)(monkey->state >> 20) % below;
}

static void open_app(struct monkey *monkey)
{
	static const char *const tapes[] = { "dialogue", "long", "two", "empty" };
	const struct app_options options = {
		.path = QUERY_TAPE,
		.program = VERB_PROGRAM,
		.notes = QUERY_TAPE ".notes",
		.unicode = draw(monkey, 2),
	};
	char error[512] = "";

	assert_true(screen_tape_make(tapes[monkey->tape++ % ARRAY_SIZE(tapes)]));
	monkey->app = app_new(&options, error, sizeof(error));
	if (!monkey->app)
		fail_msg("%s", error);
	monkey->rows = 24;
	monkey->columns = 80;
}

/* What people type into prompts, and what they do not. */
static u32 word_key(struct monkey *monkey)
{
	static const char text[] =
		"vmwrite guest_cr4==0x20 && @c0:12 50% entry:3 stat why @ \xc3 '\"";

	return (u8)text[draw(monkey, sizeof(text) - 1)];
}

static struct input_event next_event(struct monkey *monkey)
{
	struct input_event event = { 0 };
	struct keymap keymap;

	switch (draw(monkey, 16)) {
	case 0:
		event.key = INPUT_RESIZE;
		event.row = monkey->rows = 1 + draw(monkey, draw(monkey, 4) ? 60 : 120);
		event.column = monkey->columns = 1 + draw(monkey, draw(monkey, 4) ? 130 : 320);
		break;
	case 1:
		event.key = INPUT_MOUSE + draw(monkey, 3);
		event.row = draw(monkey, monkey->rows + 2);
		event.column = draw(monkey, monkey->columns + 2);
		break;
	case 2:
	case 3:
		event.key = word_key(monkey);
		break;
	case 4:
		event.key = '0' + draw(monkey, 10);
		break;
	case 5:
		event.key = draw(monkey, 2) ? INPUT_ENTER : INPUT_ESC;
		break;
	case 6:
		event.key = 1 + draw(monkey, draw(monkey, 2) ? 0x20 : INPUT_COUNT + 10);
		break;
	default:
		keymap_init(&keymap);
		event.key = keymap.bindings[draw(monkey, keymap.count)].key;
	}
	return event;
}

/* A screen of the right size, every cell of it something that can be shown. */
static void check_screen(const struct monkey *monkey, const struct grid *grid)
{
	assert_int_equal(grid->rows, monkey->rows);
	assert_int_equal(grid->columns, monkey->columns);
	for (size_t i = 0; i < (size_t)grid->rows * grid->columns; i++)
		if (grid->cells[i].ch < ' ' || grid->cells[i].style >= STYLE_COUNT)
			fail_msg("seed %llu, key %llu: cell %zu has character 0x%x, style %u",
				 (unsigned long long)monkey->seed, (unsigned long long)monkey->done,
				 i, grid->cells[i].ch, grid->cells[i].style);
	if (grid->cursor)
		assert_true(grid->cursor_row < grid->rows && grid->cursor_column < grid->columns);
}

static void step(struct monkey *monkey)
{
	const struct input_event event = next_event(monkey);
	const time_t start = time(NULL);

	app_input(monkey->app, &event);
	app_take_wish(monkey->app);
	for (u32 i = draw(monkey, MAX_WORKS); i; i--)
		app_work(monkey->app);
	if (draw(monkey, 3))
		check_screen(monkey, app_draw(monkey->app));
	if (time(NULL) > start + TOO_LONG)
		fail_msg("seed %llu, key %llu (0x%x) took %u seconds",
			 (unsigned long long)monkey->seed, (unsigned long long)monkey->done,
			 event.key, (unsigned)(time(NULL) - start));
	if (app_is_over(monkey->app)) {
		app_free(monkey->app);
		open_app(monkey);
	}
}

static u64 setting(const char *name, u64 otherwise)
{
	const char *const text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void random_keys_break_nothing(void **state)
{
	const u64 keys = setting("MONKEY_KEYS", KEYS);
	struct monkey monkey = { .seed = setting("MONKEY_SEED", SEED) };

	(void)state;
	monkey.state = (monkey.seed + 1) * 0x9e3779b97f4a7c15;
	open_app(&monkey);
	for (; monkey.done < keys; monkey.done++)
		step(&monkey);
	app_free(monkey.app);
	remove(QUERY_TAPE ".notes");
	printf("%llu keys, seed %llu\n", (unsigned long long)keys, (unsigned long long)monkey.seed);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_keys_break_nothing),
	};

	if (argc > 1)
		return verb_program(argc, argv);
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("tui/monkey", tests, query_tape_folder,
					   query_tape_remove);
}
