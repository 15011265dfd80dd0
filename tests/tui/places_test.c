#include "tests/test.h"
#include "tests/tui/screen_tape.h"
#include "tui/places.h"

#define NOTES "test.notes"

static struct reader *open_tape(void)
{
	struct reader *reader;
	char error[512];

	assert_true(screen_tape_make("dialogue"));
	assert_int_equal(reader_open(QUERY_TAPE, &reader, error, sizeof(error)), ST_OK);
	return reader;
}

static void read_notes(char *to, size_t size)
{
	FILE *const file = fopen(NOTES, "r");

	assert_non_null(file);
	to[fread(to, 1, size - 1, file)] = 0;
	fclose(file);
}

static void marks_and_notes_are_there_the_next_time(void **state)
{
	struct reader *const reader = open_tape();
	struct places places;
	char text[4096];

	(void)state;
	assert_int_equal(places_open(&places, NOTES, reader), ST_OK);
	assert_int_equal(places_mark(&places, 1, 30, 0, 30), ST_OK);
	assert_int_equal(places_note(&places, 31, 0, 31, "it begins here"), ST_OK);
	assert_int_equal(places_note(&places, 32, 0, 32, "gone again"), ST_OK);
	assert_int_equal(places_note(&places, 32, 0, 32, ""), ST_OK);
	places_close(&places);
	read_notes(text, sizeof(text));
	assert_string_equal(text, "mark b @c0:30\nnote @c0:31 it begins here\n");
	assert_int_equal(places_open(&places, NOTES, reader), ST_OK);
	assert_int_equal(places_mark_at(&places, 30), 'b');
	assert_string_equal(places_note_at(&places, 31), "it begins here");
	assert_null(places_note_at(&places, 32));
	places_close(&places);
	reader_close(reader);
	remove(NOTES);
}

/* A file that others write to, or that is of another tape, loses nothing. */
static void lines_that_mean_nothing_here_stay(void **state)
{
	static const char others[] =
		"# by hand\nmark A @c0:1\nmark c @c7:1\nnote @c0:99999999 far\n"
		"note without a place\nmark d @c0:12 and more\n";
	struct reader *const reader = open_tape();
	struct places places;
	char text[4096];
	FILE *const file = fopen(NOTES, "w");

	(void)state;
	fputs(others, file);
	fclose(file);
	assert_int_equal(places_open(&places, NOTES, reader), ST_OK);
	assert_int_equal(places_mark(&places, 0, 5, 0, 5), ST_OK);
	places_close(&places);
	read_notes(text, sizeof(text));
	assert_memory_equal(text, others, strlen(others));
	assert_string_equal(text + strlen(others), "mark a @c0:5\n");
	reader_close(reader);
	remove(NOTES);
}

static void what_cannot_be_kept_is_said(void **state)
{
	struct reader *const reader = open_tape();
	struct places places;

	(void)state;
	assert_int_equal(places_open(&places, "missing/folder/notes", reader), ST_OK);
	assert_int_equal(places_mark(&places, 0, 5, 0, 5), ST_IO);
	assert_int_equal(places_mark_at(&places, 5), 'a');
	places_close(&places);
	reader_close(reader);
}

static void the_way_back_leads_forward_again(void **state)
{
	struct places places = { .jump_count = 0 };
	u64 at = 10;

	(void)state;
	assert_u64(places_back(&places, at), PLACES_NOWHERE);
	places_left(&places, 10);
	places_left(&places, 20);
	at = 30;
	assert_u64(at = places_back(&places, at), 20);
	assert_u64(at = places_back(&places, at), 10);
	assert_u64(places_back(&places, at), PLACES_NOWHERE);
	assert_true(places_can_go_forward(&places, at));
	assert_u64(at = places_forward(&places, at), 20);
	assert_u64(at = places_forward(&places, at), 30);
	assert_u64(places_forward(&places, at), PLACES_NOWHERE);
	assert_u64(at = places_back(&places, at), 20);
	/* Elsewhere, forward leads nowhere. */
	assert_false(places_can_go_forward(&places, 25));
	for (u64 n = 0; n < 3 * PLACES_JUMPS; n++)
		places_left(&places, n);
	assert_int_equal(places.jump_count, PLACES_JUMPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_and_notes_are_there_the_next_time),
		cmocka_unit_test(lines_that_mean_nothing_here_stay),
		cmocka_unit_test(what_cannot_be_kept_is_said),
		cmocka_unit_test(the_way_back_leads_forward_again),
	};

	return cmocka_run_group_tests_name("tui/places", tests, query_tape_folder,
					   query_tape_remove);
}
