/*
 * tui/places.h - marks, notes and the way back
 *
 * Marks and notes are kept in a text file beside the tape, a line each:
 *
 *	mark a @c0:1850
 *	note @c0:1850 this is where it begins
 *
 * Lines that it does not understand, or whose event the tape does not have, stay as they are.
 */
#ifndef TUI_PLACES_H
#define TUI_PLACES_H

#include "replay/reader.h"

#define PLACES_MAX	10000 /* notes */
#define PLACES_MAX_NOTE 1024  /* bytes */
#define PLACES_JUMPS	100
#define PLACES_LETTERS	26
#define PLACES_NOWHERE	(~0ull)

struct place_note {
	u64 n; /* number of the event */
	u64 seq;
	u16 cpu;
	char *text;
};

struct places {
	char *path;   /* of the file, NULL: nothing is kept */
	char *others; /* lines of the file that are none of ours */
	u64 marks[PLACES_LETTERS];
	u64 mark_seq[PLACES_LETTERS];
	u16 mark_cpu[PLACES_LETTERS];
	struct place_note *notes;
	size_t note_count, note_room;
	u64 jumps[PLACES_JUMPS];
	unsigned jump_count;
	unsigned jump_at; /* == jump_count: not on the way back */
};

/* Reads @path, which need not exist. ST_IO when it cannot be read; places are empty then. */
enum status places_open(struct places *places, const char *path, struct reader *reader);
void places_close(struct places *places);

/* Each writes the file anew: ST_IO when that fails. */
enum status places_mark(struct places *places, unsigned letter, u64 n, u16 cpu, u64 seq);
/* An empty text takes the note away. ST_NO_SPACE when there are too many. */
enum status places_note(struct places *places, u64 n, u16 cpu, u64 seq, const char *text);

/* NULL when event @n has none. */
const char *places_note_at(const struct places *places, u64 n);
/* 'a' to 'z', 0 when event @n has no mark. */
char places_mark_at(const struct places *places, u64 n);

/* The cursor is about to jump away from event @n. */
void places_left(struct places *places, u64 n);

/* One step back or forward from event @n, PLACES_NOWHERE when there is none. */
u64 places_back(struct places *places, u64 n);
u64 places_forward(struct places *places, u64 n);
/* Whether places_forward() has somewhere to go, and the cursor still is where a step led. */
bool places_can_go_forward(const struct places *places, u64 n);

#endif
