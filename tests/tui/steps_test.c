/*
 * tests/tui/steps_test.c - the UI as screens of text
 *
 * tests/tui/NAME.steps says what a user does, NAME.screen what must be seen, a block for each
 * `screen`. In front of the line of the cursor stands '>'.
 *
 *	tape NAME		look at that tape (screen_tape.h)
 *	size ROWS COLUMNS	the terminal is that large
 *	ascii			it has no Unicode
 *	keys KEY...		keys, as bindings name them
 *	type TEXT		the characters of TEXT
 *	click ROW COLUMN	with the mouse; wheel-up and wheel-down likewise
 *	follow			the tape is being recorded
 *	grow NAME		it has become that tape
 *	screen			what is seen now
 *	# comment
 *
 * With UPDATE_SCREENS=1 the expectations are written anew: look at the difference.
 */
#include <dirent.h>
#include <locale.h>
#include <poll.h>

#include "tests/test.h"
#include "tests/tui/screen_tape.h"
#include "tests/tui/verb_program.h"
#include "tui/app.h"

#define FOLDER	     "tests/tui"
#define MAX_SCREEN   1000000
#define MAX_LINE     1024
#define VERB_TIMEOUT 60000 /* milliseconds */

/* A user in front of a screen. */
struct session {
	struct app *app;
	const char *steps; /* file, for messages */
	char *seen;	   /* all screens so far */
	size_t size;
	unsigned rows, columns;
	bool ascii;
	bool follow;
	bool tape;
	char keys[MAX_LINE]; /* since the last screen */
};

static char top[4096]; /* of the tree */

static char *read_file(const char *path, bool must)
{
	FILE *const file = fopen(path, "r");
	char *const text = malloc(MAX_SCREEN);

	if (!file) {
		free(text);
		if (must)
			fail_msg("cannot read '%s': run this from the top of the tree", path);
		return NULL;
	}
	text[fread(text, 1, MAX_SCREEN - 1, file)] = 0;
	fclose(file);
	return text;
}

static void settle(struct session *session)
{
	/* What is drawn can ask for more, and verbs print when they like to. */
	for (unsigned i = 0; i < 1000000; i++) {
		struct pollfd fds[APP_FDS];
		unsigned count;

		if (app_work(session->app))
			continue;
		app_draw(session->app);
		if (app_work(session->app))
			continue;
		count = app_fds(session->app, fds);
		if (!count)
			return;
		poll(fds, count, VERB_TIMEOUT);
	}
	fail_msg("%s: work in the background does not end", session->steps);
}

static void send(struct session *session, const struct input_event *event)
{
	if (!session->app) {
		const struct app_options options = {
			.path = QUERY_TAPE,
			.program = VERB_PROGRAM,
			.notes = QUERY_TAPE ".notes",
			.unicode = !session->ascii,
			.follow = session->follow,
		};
		char error[512] = "";

		if (!session->tape)
			screen_tape_make("dialogue");
		remove(QUERY_TAPE ".notes");
		session->app = app_new(&options, error, sizeof(error));
		if (!session->app)
			fail_msg("%s: %s", session->steps, error);
		app_input(session->app, &(struct input_event){ .key = INPUT_RESIZE,
							       .row = session->rows,
							       .column = session->columns });
		settle(session);
	}
	app_input(session->app, event);
	settle(session);
}

static void send_keys(struct session *session, char *words)
{
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		const struct input_event event = { .key = input_find(word, strlen(word)) };

		if (!event.key)
			fail_msg("%s: '%s' is no key", session->steps, word);
		send(session, &event);
	}
}

static void type(struct session *session, const char *text)
{
	for (; *text; text++)
		send(session, &(struct input_event){ .key = (u8)*text });
}

static bool is_selected(const struct grid *grid, unsigned row)
{
	const struct cell *const cells = grid->cells + (size_t)row * grid->columns;

	for (unsigned i = 0; i < grid->columns; i++)
		if (cells[i].flags & CELL_ACTIVE)
			return true;
	return false;
}

static void take_screen(struct session *session)
{
	const struct grid *grid;
	char line[GRID_TEXT_ROW(GRID_MAX_COLUMNS)];

	send(session, &(struct input_event){ .key = INPUT_NONE });
	grid = app_draw(session->app);
	session->size +=
		(size_t)snprintf(session->seen + session->size, MAX_SCREEN - session->size,
				 "=== %ux%u%s\n", grid->columns, grid->rows, session->keys);
	for (unsigned row = 0; row < grid->rows; row++) {
		grid_text(grid, row, line);
		session->size +=
			(size_t)snprintf(session->seen + session->size, MAX_SCREEN - session->size,
					 "%c%s", is_selected(grid, row) ? '>' : ' ', line);
	}
	*session->keys = 0;
}

static void set_size(struct session *session, const char *text)
{
	if (sscanf(text, "%u %u", &session->rows, &session->columns) != 2)
		fail_msg("%s: 'size' wants rows and columns", session->steps);
	if (session->app)
		send(session, &(struct input_event){ .key = INPUT_RESIZE,
						     .row = session->rows,
						     .column = session->columns });
}

static void mouse(struct session *session, u32 key, const char *text)
{
	struct input_event event = { .key = key };

	if (sscanf(text, "%u %u", &event.row, &event.column) != 2)
		fail_msg("%s: a click wants row and column", session->steps);
	send(session, &event);
}

static void grow(struct session *session, const char *name)
{
	assert_true(screen_tape_make(name));
	app_follow(session->app);
	settle(session);
}

static void do_step(struct session *session, char *line)
{
	char *const rest = line + strcspn(line, " ") + (line[strcspn(line, " ")] == ' ');

	if (!*line || *line == '#')
		return;
	if (strncmp(line, "screen", 6) && strncmp(line, "tape", 4) && strcmp(line, "ascii") &&
	    strcmp(line, "follow"))
		snprintf(session->keys + strlen(session->keys),
			 sizeof(session->keys) - strlen(session->keys), " | %s", line);
	if (!strncmp(line, "tape ", 5))
		session->tape = screen_tape_make(rest);
	else if (!strncmp(line, "size ", 5))
		set_size(session, rest);
	else if (!strcmp(line, "ascii"))
		session->ascii = true;
	else if (!strcmp(line, "follow"))
		session->follow = true;
	else if (!strncmp(line, "grow ", 5))
		grow(session, rest);
	else if (!strncmp(line, "keys ", 5))
		send_keys(session, rest);
	else if (!strncmp(line, "type ", 5))
		type(session, rest);
	else if (!strncmp(line, "click ", 6))
		mouse(session, INPUT_MOUSE, rest);
	else if (!strncmp(line, "wheel-up ", 9))
		mouse(session, INPUT_WHEEL_UP, rest);
	else if (!strncmp(line, "wheel-down ", 11))
		mouse(session, INPUT_WHEEL_DOWN, rest);
	else if (!strcmp(line, "screen"))
		take_screen(session);
	else
		fail_msg("%s: '%s' is no step", session->steps, line);
}

/* Where the two texts part, a line of each. */
static void report(const char *name, const char *expected, const char *seen)
{
	unsigned line = 1;

	while (*expected && *seen) {
		const size_t a = strcspn(expected, "\n"), b = strcspn(seen, "\n");

		if (a != b || memcmp(expected, seen, a))
			break;
		expected += a + (expected[a] == '\n');
		seen += b + (seen[b] == '\n');
		line++;
	}
	fail_msg("%s, line %u\nexpected: %.*s\nseen:     %.*s\nUPDATE_SCREENS=1 writes it anew",
		 name, line, (int)strcspn(expected, "\n"), expected, (int)strcspn(seen, "\n"),
		 seen);
}

static void compare(const struct session *session, const char *stem)
{
	const char *const update = getenv("UPDATE_SCREENS");
	char path[8192];
	char *expected;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s.screen", top, FOLDER, stem);
	if (update && *update) {
		file = fopen(path, "w");
		assert_non_null(file);
		fwrite(session->seen, 1, session->size, file);
		assert_int_equal(fclose(file), 0);
		return;
	}
	expected = read_file(path, true);
	if (strcmp(expected, session->seen))
		report(path, expected, session->seen);
	free(expected);
}

static void run_steps(const char *stem)
{
	struct session session = { .steps = stem, .rows = 24, .columns = 80 };
	char path[8192], *text, *line, *next;

	snprintf(path, sizeof(path), "%s/%s/%s.steps", top, FOLDER, stem);
	text = read_file(path, true);
	session.seen = malloc(MAX_SCREEN);
	*session.seen = 0;
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		do_step(&session, line);
	}
	compare(&session, stem);
	app_free(session.app);
	free(session.seen);
	free(text);
	remove(QUERY_TAPE ".notes");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void every_step_shows_the_expected_screen(void **state)
{
	char path[8192], *stems[256];
	size_t count = 0;
	struct dirent *entry;
	DIR *folder;

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", top, FOLDER);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder)) && count < ARRAY_SIZE(stems)) {
		char *const dot = strrchr(entry->d_name, '.');
		const char *const only = getenv("ONLY_STEPS");

		if (!dot || strcmp(dot, ".steps"))
			continue;
		*dot = 0;
		if (!only || !strcmp(only, entry->d_name))
			stems[count++] = strdup(entry->d_name);
	}
	closedir(folder);
	assert_true(count);
	qsort(stems, count, sizeof(*stems), by_name);
	for (size_t i = 0; i < count; i++) {
		run_steps(stems[i]);
		free(stems[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_shows_the_expected_screen),
	};

	if (argc > 1)
		return verb_program(argc, argv);
	setlocale(LC_CTYPE, "C.UTF-8");
	if (!getcwd(top, sizeof(top)))
		return 1;
	return cmocka_run_group_tests_name("tui/steps", tests, query_tape_folder,
					   query_tape_remove);
}
