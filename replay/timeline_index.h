/*
 * replay/timeline_index.h - what lies where in a tape, and states to start from
 *
 * Made in one pass over the tape, and kept in a file. The tape is cut into intervals of some
 * thousand events; of each the index has a mark for readers, the state of the model before it, and
 * what kinds, reasons, addresses and writes are in it. That an interval does not have something is
 * certain; that it has, only a look tells.
 *
 * The file is valid for one tape and one build of the model; anything else, and any damage, makes
 * it as good as missing. What it holds is never trusted so far that memory is at risk.
 */
#ifndef REPLAY_TIMELINE_INDEX_H
#define REPLAY_TIMELINE_INDEX_H

#include "replay/lane.h"
#include "replay/model.h"
#include "replay/model_record.h"
#include "replay/reader.h"

#define INDEX_INTERVAL	  8192 /* events, about */
#define INDEX_GROUP	  64   /* intervals that share a table */
#define INDEX_CUTS	  32   /* of an interval */
#define INDEX_MAX_REGIONS 4096 /* pointers to VMCSs that are told apart */

/* A filter of addresses; rows of timeline_index->filters. */
#define INDEX_FILTER_BITS 2048
struct index_filter {
	u64 bits[INDEX_FILTER_BITS / 64];
};

enum {
	INDEX_FAILS = 1,  /* an exit says that a VM entry failed */
	INDEX_GAP = 2,	  /* events are missing there */
	INDEX_UNSURE = 4, /* more VMCSs than are told apart: any may be written */
	INDEX_APART = 8,  /* replay/stride.h can take it, behind the steps */
};

/* So many events of an interval are before a time, in ticks from reader_mark_time(). */
struct index_cut {
	u32 events; /* ascending; 0: there are no more cuts */
	u32 ticks;
};

/* One interval, as in the file; offsets are those of records, from the start of the file. */
struct index_interval {
	u64 last_tsc;	/* the largest TSC up to its end */
	u64 entries;	/* EV_L2_ENTRY events before it */
	u64 kinds;	/* block_kind() of each kind */
	u64 reasons[2]; /* basic exit reasons, bit n of word n / 64; others are bit 127 */
	u64 outcomes;	/* of instructions: bits by enum trace_outcome, higher ones are bit 63 */
	u64 flags;
	u64 touched;	   /* the first of its rows of timeline_index->touched ... */
	u64 touched_count; /* ... and how many */
	u64 rest;	   /* offset of a record */
	u64 cpus;	   /* offset of records: (CPU + 1, record)..., 0 */
	u64 steps;	   /* events at its begin that are taken one by one */
	struct index_cut cuts[INDEX_CUTS];
	u64 mark[]; /* reader_mark() of its begin */
};

#define INDEX_ABSENT (~0ull)
#define INDEX_SAME   (~0ull - 1) /* nothing but writes that the model does not keep */

/* A VMCS that was used in an interval. */
struct index_touched {
	u32 region; /* number in timeline_index->pointers */
	u32 unused;
	u64 record; /* offset of its state behind the interval; INDEX_ABSENT, INDEX_SAME */
	u64 base;   /* offset of the record that this one is relative to, or itself */
	u64 written[RECORD_SET_WORDS]; /* fields that a history of it must look for here */
};

struct timeline_index {
	const u8 *bytes; /* the file, mapped */
	size_t size;
	u64 count;     /* of intervals, at least 1 */
	size_t stride; /* words of an interval */
	const u64 *intervals;
	u64 records_end; /* offset */
	u64 touched_count;
	const struct index_touched *touched;
	const u32 *tables; /* a row a group: of each region the last row of touched before it + 1 */
	u64 region_count;
	const u64 *pointers; /* of the VMCSs, ascending */
	const struct index_filter *filters;
	struct lane_states states; /* of decoders, between the marks */
};

/* Asked now and then: true, stop. */
struct index_poll {
	bool (*ask)(void *owner, u64 done, u64 total);
	void *owner;
};

/*
 * Make the index of the tape of @reader in the file @fd, which is open for reading and writing and
 * empty, with intervals of about @interval events. ST_INTERRUPTED; ST_NO_SPACE too many VMCSs;
 * ST_IO; ST_NO_MEMORY. Moves the reader.
 */
enum status index_build(struct reader *reader, int fd, u64 interval, const struct index_poll *poll);

/*
 * Take the index in the file @fd, which may be closed then, of the tape of @reader. ST_INVALID when
 * it is none, is damaged, or not of this tape and program. The index lives in @index.
 */
enum status index_load(struct timeline_index *index, struct reader *reader, int fd);
void index_unload(struct timeline_index *index);

/* The interval that number @n is in. */
u64 index_find(const struct timeline_index *index, u64 n);

static inline const struct index_interval *index_at(const struct timeline_index *index, u64 i)
{
	return (const struct index_interval *)(index->intervals + i * index->stride);
}

/* @N of the begin of interval @i, which may be one more than there are. */
u64 index_begin(const struct timeline_index *index, u64 i, u64 events);

/* The number of the VMCS at @pointer; false when the tape has none. */
bool index_region(const struct timeline_index *index, u64 pointer, u32 *region);

/* What the filter of interval @i may have: an event at @rip, or one in [@address, @end). */
bool index_may_have_rip(const struct timeline_index *index, u64 i, u64 rip);
bool index_may_have_range(const struct timeline_index *index, u64 i, u64 address, u64 end);

/*
 * Whether a history of field @field of the VMCS with number @region (NULL: of any) must look into
 * interval @i.
 */
bool index_may_write(const struct timeline_index *index, u64 i, const u32 *region, int field);

/* --- states ----------------------------------------------------------------------------------- */

struct index_state;

/* Keeps what is needed to bring @model from one state to another. NULL without memory. */
struct index_state *index_state_new(const struct timeline_index *index);
void index_state_free(struct index_state *state);

/*
 * Bring @model to the state before interval @i. Between two calls the model may be stepped, but not
 * changed otherwise. ST_NO_MEMORY; ST_CORRUPT when the index makes no sense: the model is not to be
 * used then.
 */
enum status index_restore(struct index_state *state, struct model *model, u64 i);

/* --- for index_build() ------------------------------------------------------------------------ */

#define INDEX_MAGIC 0x0a0d78646954785bull

/* The head of the file, then records, intervals, touched, pointers, states, filters, tables. */
struct index_head {
	u64 magic;
	u64 build;	/* of the model and of this format */
	u64 tape_size;	/* of the tape ... */
	u64 tape_time;	/* ... when it was changed last, in ns, 0: in memory ... */
	u64 tape_crc;	/* ... the CRC of the headers of its blocks ... */
	u64 events;	/* ... its events ... */
	u64 mark_words; /* ... and what a mark of it has */
	u64 records_end;
	u64 count;
	u64 touched_count;
	u64 region_count;
	u64 state_count;
	u64 state_worth;
	u64 size;     /* of the file */
	u64 body_crc; /* of all behind the head */
	u64 head_crc; /* of what is before */
};

void index_filter_add(struct index_filter *filter, u64 rip);
void index_head_fill(struct index_head *head, const struct reader *reader);

#endif
