#include "tui/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/array.h"
#include "replay/position.h"

#define MAX_LINE (PLACES_MAX_NOTE + 64)
#define MAX_FILE MIB(16)

/* --- the file --------------------------------------------------------------------------------- */

/* The event that the word at *@text names; moves *@text behind it. False when there is none. */
static bool take_position(const char **text, struct reader *reader, u64 *n, u16 *cpu, u64 *seq)
{
	const size_t size = strcspn(*text, " ");
	const struct trace_event *event;
	char word[64], error[256];

	if (!size || size >= sizeof(word))
		return false;
	memcpy(word, *text, size);
	word[size] = 0;
	*text += size;
	if (position_resolve(reader, word, n, error, sizeof(error)) != ST_OK)
		return false;
	if (reader_seek(reader, *n) != ST_OK || reader_next(reader, &event) != ST_OK)
		return false;
	*cpu = event->cpu;
	*seq = event->seq;
	return true;
}

static struct place_note *find_note(const struct places *places, u64 n)
{
	for (size_t i = 0; i < places->note_count; i++)
		if (places->notes[i].n == n)
			return &places->notes[i];
	return NULL;
}

static enum status set_note(struct places *places, u64 n, u16 cpu, u64 seq, const char *text)
{
	struct place_note *note = find_note(places, n);
	char *const copy = strndup(text, PLACES_MAX_NOTE);

	if (!copy)
		return ST_NO_MEMORY;
	if (!note && (places->note_count == PLACES_MAX ||
		      !array_reserve(&places->notes, &places->note_room, places->note_count, 1,
				     sizeof(*places->notes)))) {
		free(copy);
		return ST_NO_SPACE;
	}
	if (!note) {
		note = &places->notes[places->note_count++];
		note->text = NULL;
	}
	free(note->text);
	*note = (struct place_note){ .n = n, .seq = seq, .cpu = cpu, .text = copy };
	return ST_OK;
}

static bool take_line(struct places *places, const char *line, struct reader *reader)
{
	u64 n, seq;
	u16 cpu;

	if (!strncmp(line, "mark ", 5) && line[5] >= 'a' && line[5] <= 'z' && line[6] == ' ') {
		const unsigned letter = (unsigned)(line[5] - 'a');
		const char *at = line + 7;

		if (!take_position(&at, reader, &n, &cpu, &seq) || *at)
			return false;
		places->marks[letter] = n;
		places->mark_cpu[letter] = cpu;
		places->mark_seq[letter] = seq;
		return true;
	}
	if (!strncmp(line, "note ", 5)) {
		const char *at = line + 5;

		return take_position(&at, reader, &n, &cpu, &seq) && *at == ' ' &&
		       set_note(places, n, cpu, seq, at + 1) == ST_OK;
	}
	return false;
}

static void keep_other(struct places *places, const char *line)
{
	const size_t old = places->others ? strlen(places->others) : 0;
	char *const more = realloc(places->others, old + strlen(line) + 2);

	if (!more)
		return;
	places->others = more;
	sprintf(more + old, "%s\n", line);
}

enum status places_open(struct places *places, const char *path, struct reader *reader)
{
	char line[MAX_LINE];
	u64 total = 0;
	FILE *file;

	*places = (struct places){ .path = path ? strdup(path) : NULL };
	for (unsigned i = 0; i < PLACES_LETTERS; i++)
		places->marks[i] = PLACES_NOWHERE;
	file = path ? fopen(path, "r") : NULL;
	if (!file)
		return path && !access(path, F_OK) ? ST_IO : ST_OK;
	while (total < MAX_FILE && fgets(line, sizeof(line), file)) {
		total += strlen(line);
		line[strcspn(line, "\r\n")] = 0;
		if (*line && !take_line(places, line, reader))
			keep_other(places, line);
	}
	fclose(file);
	return ST_OK;
}

void places_close(struct places *places)
{
	for (size_t i = 0; i < places->note_count; i++)
		free(places->notes[i].text);
	free(places->notes);
	free(places->path);
	free(places->others);
}

static void write_all(const struct places *places, FILE *file)
{
	if (places->others)
		fputs(places->others, file);
	for (unsigned i = 0; i < PLACES_LETTERS; i++)
		if (places->marks[i] != PLACES_NOWHERE)
			fprintf(file, "mark %c @c%u:%llu\n", 'a' + i, places->mark_cpu[i],
				(unsigned long long)places->mark_seq[i]);
	for (size_t i = 0; i < places->note_count; i++)
		fprintf(file, "note @c%u:%llu %s\n", places->notes[i].cpu,
			(unsigned long long)places->notes[i].seq, places->notes[i].text);
}

/* Another file first: a full disk does not take away what was there. */
static enum status save(const struct places *places)
{
	char name[4096];
	FILE *file;
	bool good;

	if (!places->path)
		return ST_OK;
	if (snprintf(name, sizeof(name), "%s.new", places->path) >= (int)sizeof(name))
		return ST_IO;
	file = fopen(name, "w");
	if (!file)
		return ST_IO;
	write_all(places, file);
	good = !ferror(file);
	good = !fclose(file) && good && !rename(name, places->path);
	if (!good)
		unlink(name);
	return good ? ST_OK : ST_IO;
}

/* --- marks and notes -------------------------------------------------------------------------- */

enum status places_mark(struct places *places, unsigned letter, u64 n, u16 cpu, u64 seq)
{
	places->marks[letter] = n;
	places->mark_cpu[letter] = cpu;
	places->mark_seq[letter] = seq;
	return save(places);
}

enum status places_note(struct places *places, u64 n, u16 cpu, u64 seq, const char *text)
{
	enum status status = ST_OK;

	if (*text) {
		status = set_note(places, n, cpu, seq, text);
	} else {
		struct place_note *const note = find_note(places, n);

		if (note) {
			free(note->text);
			*note = places->notes[--places->note_count];
		}
	}
	return status == ST_OK ? save(places) : status;
}

const char *places_note_at(const struct places *places, u64 n)
{
	const struct place_note *const note = find_note(places, n);

	return note ? note->text : NULL;
}

char places_mark_at(const struct places *places, u64 n)
{
	for (unsigned i = 0; i < PLACES_LETTERS; i++)
		if (places->marks[i] == n)
			return (char)('a' + i);
	return 0;
}

/* --- the way back ----------------------------------------------------------------------------- */

void places_left(struct places *places, u64 n)
{
	places->jump_count = places->jump_at;
	if (places->jump_count && places->jumps[places->jump_count - 1] == n)
		return;
	if (places->jump_count == PLACES_JUMPS) {
		memmove(places->jumps, places->jumps + 1,
			(PLACES_JUMPS - 1) * sizeof(places->jumps[0]));
		places->jump_count--;
	}
	places->jumps[places->jump_count++] = n;
	places->jump_at = places->jump_count;
}

u64 places_back(struct places *places, u64 n)
{
	if (!places->jump_at)
		return PLACES_NOWHERE;
	if (places->jump_at == places->jump_count && places->jumps[places->jump_at - 1] != n) {
		/* So that going forward leads here again. */
		places_left(places, n);
		places->jump_at--;
	}
	/* The newest can be where the cursor is already. */
	if (places->jump_at > 1 && places->jumps[places->jump_at - 1] == n)
		places->jump_at--;
	return places->jump_at ? places->jumps[--places->jump_at] : PLACES_NOWHERE;
}

u64 places_forward(struct places *places, u64 n)
{
	if (!places_can_go_forward(places, n))
		return PLACES_NOWHERE;
	return places->jumps[++places->jump_at];
}

bool places_can_go_forward(const struct places *places, u64 n)
{
	return places->jump_at + 1 < places->jump_count && places->jumps[places->jump_at] == n;
}
