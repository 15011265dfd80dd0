/*
 * replay/reader_seek.c - from place to place, by checkpoints and marks
 */
#include <stdlib.h>
#include <string.h>

#include "replay/reader_parts.h"

#define FAR	  4  /* checkpoints */
#define MOST_READ 64 /* checkpoints between attempts to pass over events */
#define PASS	  8  /* events are passed over in the time of one that is read */

/* --- checkpoints and marks
 * ------------------------------------------------------------------------
 */

static size_t checkpoint_size(const struct reader *reader)
{
	return sizeof(struct checkpoint) + reader->track_count * sizeof(struct track_place);
}

static void fill_checkpoint(const struct reader *reader, struct checkpoint *to)
{
	to->n = reader->n;
	to->order = reader->order;
	to->order_time = reader->order_time;
	for (unsigned i = 0; i < reader->track_count; i++)
		to->tracks[i] = track_tell(&reader->tracks[i]);
}

/* Where a checkpoint cannot be kept, seeking only takes longer. */
static struct checkpoint *add_checkpoint(struct reader *reader)
{
	struct checkpoint **const more =
		realloc(reader->checkpoints, (reader->checkpoint_count + 1) * sizeof(*more));
	struct checkpoint *const made = malloc(checkpoint_size(reader));

	if (more)
		reader->checkpoints = more;
	if (!more || !made) {
		free(made);
		return NULL;
	}
	reader->checkpoints[reader->checkpoint_count++] = made;
	return made;
}

void reader_checkpoint(struct reader *reader)
{
	struct checkpoint *const made = add_checkpoint(reader);

	if (!made)
		return;
	fill_checkpoint(reader, made);
	reader->next_checkpoint = reader->n + reader->checkpoint_every;
}

const struct checkpoint *reader_last_checkpoint(const struct reader *reader)
{
	return reader->checkpoint_count ? reader->checkpoints[reader->checkpoint_count - 1] : NULL;
}

size_t reader_mark_words(const struct reader *reader)
{
	return checkpoint_size(reader) / sizeof(u64);
}

void reader_mark(struct reader *reader, u64 *words)
{
	reader_leave_given(reader);
	fill_checkpoint(reader, (struct checkpoint *)words);
}

u64 reader_mark_time(const struct reader *reader, const u64 *words)
{
	const struct checkpoint *const at = (const struct checkpoint *)words;
	u64 time = ~0ull;

	for (unsigned i = 0; i < reader->track_count; i++)
		time = MIN(time, at->tracks[i].time);
	return time;
}

void reader_use_marks(struct reader *reader, const u64 *marks, size_t count, size_t stride)
{
	const size_t own = reader->checkpoint_count;

	reader->marks = marks;
	reader->mark_count = count;
	reader->mark_stride = stride;
	reader->next_checkpoint = ~0ull;
	if (!count)
		reader->next_checkpoint =
			(own ? reader->checkpoints[own - 1]->n : 0) + reader->checkpoint_every;
}

void reader_use_states(struct reader *reader, const struct lane_states *states)
{
	struct lane_states of_track = *states;
	size_t left = states->count;

	for (unsigned i = 0; i < reader->track_count; i++) {
		of_track.count = 0;
		while (of_track.count < left && of_track.list[of_track.count].track == i)
			of_track.count++;
		lane_use_states(reader->tracks[i].lane, &of_track);
		of_track.list += of_track.count;
		left -= of_track.count;
	}
}

void reader_learn(struct reader *reader, const struct reader *from)
{
	const size_t size = checkpoint_size(from);

	for (size_t i = 0; i < from->checkpoint_count; i++) {
		const struct checkpoint *const one = from->checkpoints[i];
		const struct checkpoint *const last = reader_last_checkpoint(reader);

		if (last && one->n <= last->n)
			continue;
		if (!add_checkpoint(reader))
			return;
		memcpy(reader->checkpoints[reader->checkpoint_count - 1], one, size);
		reader->next_checkpoint = one->n + reader->checkpoint_every;
	}
}

static const struct checkpoint *checkpoint_at(const struct reader *reader, size_t i)
{
	return reader->mark_count
		       ? (const struct checkpoint *)(reader->marks + i * reader->mark_stride)
		       : reader->checkpoints[i];
}

/* The last checkpoint at or before @n; NULL for the start. */
static const struct checkpoint *checkpoint_before(const struct reader *reader, u64 n)
{
	size_t low = 0, high = reader->mark_count ? reader->mark_count : reader->checkpoint_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (checkpoint_at(reader, middle)->n > n)
			high = middle;
		else
			low = middle + 1;
	}
	return low ? checkpoint_at(reader, low - 1) : NULL;
}

static void restart(struct reader *reader, const struct checkpoint *from)
{
	void (*const beside)(void *owner) = reader->beside;

	reader->beside = NULL;
	track_seek_all(reader->tracks, reader->track_count, from ? from->tracks : NULL, beside,
		       reader->beside_owner);
	for (unsigned i = 0; i < reader->track_count; i++)
		reader_note_time(reader, &reader->tracks[i]);
	reader->order = from ? from->order : 0;
	reader->order_time = from ? from->order_time : 0;
	reader->given = READER_NONE_GIVEN;
	reader->placed = true;
	reader->n = from ? from->n : 0;
}

void reader_place(struct reader *reader, u64 n)
{
	for (unsigned i = 0; reader->track_count > 1 && i < reader->track_count; i++)
		reader_note_time(reader, &reader->tracks[i]);
	reader->given = READER_NONE_GIVEN;
	reader->n = n;
}

void reader_return(struct reader *reader, const u64 *mark)
{
	const struct checkpoint *const to = (const struct checkpoint *)mark;

	if (reader->track_count > 1) {
		restart(reader, to);
		return;
	}
	reader->tracks[0].event = NULL;
	lane_seek(reader->tracks[0].lane, to->tracks[0].lane_n);
	reader->n = to->n;
}

/* --- moving --------------------------------------------------------------------------------------
 */

_Static_assert(READER_STEP > READER_CHECKPOINT_EVERY, "a step leaves a checkpoint behind");

/* Reads at most @most events on the way to @n. */
static void read_on(struct reader *reader, u64 n, u64 most)
{
	const struct trace_event *event;

	while (reader->n < n && most-- && reader_next(reader, &event) == ST_OK)
		;
}

/* Whether @goal is further from the last checkpoint than events should be read. */
static bool is_far(const struct reader *reader, const struct reader_goal *goal)
{
	const struct checkpoint *const last = reader_last_checkpoint(reader);
	u64 known = reader->placed ? reader->n : 0;

	if (reader->mark_count || reader->track_count == 1)
		return false;
	if (goal->track)
		known = last ? last->tracks[goal->track - reader->tracks].lane_n : 0;
	else if (last && (known > goal->n || known < last->n))
		known = last->n;
	return goal->n >= known && goal->n - known >= FAR * reader->checkpoint_every;
}

/*
 * Leaves checkpoints on the way to @goal, where that is far. At most @most events are read for
 * that, or some times as many passed over: false when those did not do. ~0: as many as it takes.
 */
static bool approach_far(struct reader *reader, const struct reader_goal *goal, u64 most)
{
	u64 some = reader->checkpoint_every;

	while (is_far(reader, goal)) {
		const size_t count = reader->checkpoint_count;
		const bool passed =
			reader_outline(reader, goal, most == ~0ull ? most : PASS * most);

		restart(reader, reader_last_checkpoint(reader));
		if (!passed || reader->checkpoint_count == count) {
			/* What cannot be passed over here may be further on. */
			read_on(reader, ~0ull, MIN(some, most));
			some = MIN(2 * some, MOST_READ * reader->checkpoint_every);
			if (reader->checkpoint_count == count)
				return true;
		}
		if (most != ~0ull)
			return !is_far(reader, goal);
	}
	return true;
}

bool reader_approach(struct reader *reader, u64 n, u64 most)
{
	const struct reader_goal goal = { .n = n };
	const struct checkpoint *from;

	if (reader->track_count == 1) {
		lane_seek(reader->tracks[0].lane, n);
		reader->n = lane_tell(reader->tracks[0].lane);
		reader_count_damage(reader);
		return true;
	}
	if (most >= READER_STEP && !approach_far(reader, &goal, most))
		return false;
	from = checkpoint_before(reader, n);
	if (reader->n > n || (from && from->n > reader->n) || !reader->placed)
		restart(reader, from);
	read_on(reader, n, most);
	return reader->n >= n;
}

enum status reader_seek(struct reader *reader, u64 n)
{
	if (n > reader->info.events)
		return ST_RANGE;
	reader_approach(reader, n, ~0ull);
	return ST_OK;
}

enum status reader_seek_beside(struct reader *reader, u64 n, void (*beside)(void *owner),
			       void *owner)
{
	enum status status;

	reader->beside = beside;
	reader->beside_owner = owner;
	status = reader_seek(reader, n);
	if (reader->beside)
		beside(owner);
	reader->beside = NULL;
	return status;
}

/* The last checkpoint where number @lane_n of @track was not behind; NULL for the start. */
static const struct checkpoint *checkpoint_of_lane(const struct reader *reader,
						   const struct track *track, u64 lane_n)
{
	size_t low = 0, high = reader->mark_count ? reader->mark_count : reader->checkpoint_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (checkpoint_at(reader, middle)->tracks[track - reader->tracks].lane_n > lane_n)
			high = middle;
		else
			low = middle + 1;
	}
	return low ? checkpoint_at(reader, low - 1) : NULL;
}

enum status reader_find(struct reader *reader, u16 cpu, u64 seq, u64 *n)
{
	struct track *const track = reader_track(reader, cpu);
	const struct trace_event *event;
	enum status status;

	if (!track || lane_find(track->lane, seq, n) != ST_OK)
		return ST_NOT_FOUND;
	if (reader->track_count == 1)
		return reader_seek(reader, *n);
	approach_far(reader, &(struct reader_goal){ track, *n }, ~0ull);
	restart(reader, checkpoint_of_lane(reader, track, *n));
	do {
		*n = reader->n;
		status = reader_next(reader, &event);
	} while (status == ST_OK && (event->cpu != cpu || event->seq < seq));
	return status == ST_OK ? reader_seek(reader, *n) : ST_NOT_FOUND;
}
