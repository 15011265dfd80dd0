/*
 * replay/reader_parts.h - shared by replay/reader*.c
 */
#ifndef REPLAY_READER_PARTS_H
#define REPLAY_READER_PARTS_H

#include "replay/reader.h"
#include "replay/track.h"

#define READER_MAX_TRACKS	256
#define READER_NONE_GIVEN	READER_MAX_TRACKS
#define READER_CHECKPOINT_EVERY 16384 /* numbers, on tapes of several CPUs */

/* Where every track was when number @n came next. A mark is the same in numbers. */
struct checkpoint {
	u64 n;
	u64 order;
	u64 order_time;
	struct track_place tracks[];
};

struct reader {
	struct tape tape;
	bool mapped;
	struct trace_schema schema;
	char schema_text[SCHEMA_MAX_SIZE];
	struct event_names names;
	char *path;
	struct reader_info info;
	struct track *tracks;
	unsigned track_count;
	/* Of their events; the highest behind the last one, and of what is no track. */
	u64 times[READER_MAX_TRACKS];
	unsigned given; /* the track whose event the caller has, or READER_NONE_GIVEN */
	bool placed;	/* the tracks are where @n says */
	u64 n;
	u64 order;	/* the last number of the hand-over counter that was given ... */
	u64 order_time; /* ... and the time of its event */
	struct checkpoint **checkpoints; /* with several tracks */
	size_t checkpoint_count;
	u64 next_checkpoint;	     /* none before this number */
	u64 checkpoint_every;	     /* numbers */
	void (*beside)(void *owner); /* of reader_seek_beside(), until it is called */
	void *beside_owner;
	u64 outlined; /* those below were passed over, so that track->regions is about them all */
	const u64 *marks; /* of reader_use_marks() */
	size_t mark_count;
	size_t mark_stride;
};

/* Keep where the tracks are. */
void reader_checkpoint(struct reader *reader);

/* NULL: there is none. */
const struct checkpoint *reader_last_checkpoint(const struct reader *reader);

/* Number @n of the tape, or, where @track is not NULL, of its lane. */
struct reader_goal {
	const struct track *track;
	u64 n;
};

/*
 * From the last checkpoint on, leave more of them until one is behind @goal, or about @most events
 * are passed. False: from the last one on, events have to be read. The tracks are anywhere then.
 */
bool reader_outline(struct reader *reader, const struct reader_goal *goal, u64 most);

/* Damage inside blocks shows when they are read. */
void reader_count_damage(struct reader *reader);

static inline void reader_note_time(struct reader *reader, const struct track *track)
{
	reader->times[track - reader->tracks] = track->event ? track->time : ~0ull;
}

/* Go on behind the event that was given. */
static inline void reader_leave_given(struct reader *reader)
{
	struct track *const track = &reader->tracks[reader->given];

	if (reader->given == READER_NONE_GIVEN)
		return;
	track_advance(track);
	reader_note_time(reader, track);
	reader->given = READER_NONE_GIVEN;
}

/* The tracks are where number @n comes next; they were moved by somebody who knows. */
void reader_place(struct reader *reader, u64 n);

/* Go back to where reader_mark() made @mark. */
void reader_return(struct reader *reader, const u64 *mark);

/* The track of @cpu; NULL when the tape has none. */
struct track *reader_track(struct reader *reader, u16 cpu);

#endif
