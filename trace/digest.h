/*
 * trace/digest.h - what many events of a block did together
 *
 * Most events are expected, at sites that have been met, and of few kinds: they show or change
 * fields of the current VMCS. Who wants to know the state behind them, but none of them by itself,
 * takes a digest: which fields they named, what these are in the end, and which event made that.
 */
#ifndef TRACE_DIGEST_H
#define TRACE_DIGEST_H

#include "trace/decode.h"

/* What the events of a site do. */
enum trace_effect {
	EFFECT_OTHER, /* a digest ends before them */
	EFFECT_NONE,
	EFFECT_NOTED, /* nothing, but they are among the writers */
	EFFECT_READ,  /* the column with the value of a field shows it ... */
	EFFECT_WRITE, /* ... or changes it */
	EFFECT_ITEMS, /* the items change fields */
};

/* An event that changed fields. Of @event only what is the same in all events of its site holds. */
struct trace_digest_writer {
	const struct trace_event *event;
	u64 rip;
	u64 seq;
	u32 at; /* which event of the digest, from 0 */
};

struct trace_digest_field {
	u32 id;
	u32 slot;    /* the digest's */
	u32 last;    /* which event named it last */
	u32 writer;  /* the number of the last writer + 1; 0: none */
	u64 written; /* the value it had behind that */
	u64 value;   /* the value behind all */
};

#define DIGEST_MAX_EVENTS 4096
#define DIGEST_MAX_FIELDS CODEC_MAX_FIELDS

struct trace_digest {
	/* The caller's; @stamp is another one whenever sites are to be met again. */
	u32 stamp;
	/*
	 * Once or more for each site, with its last event: what its events do. *@fixed are columns
	 * whose change makes that another thing.
	 */
	enum trace_effect (*meet)(void *owner, const struct trace_event *event, u32 *fixed);
	/* RIP of an event with items, when it is another than that of some event before. */
	void (*at_rip)(void *owner, u64 rip);
	void *owner;
	u64 before; /* events whose time is not below this are not taken ... */
	u64 shift; /* ... which is their TSC + @shift, or that of an earlier event, if that is later
		    */
	u64 *times; /* those of the events are put there */

	/* The result. */
	u64 time;    /* of the last event; at first, of the one before the first */
	u64 tsc;     /* the highest */
	u64 vmcs;    /* what the fields are of */
	bool late;   /* the next event is not before @before, as far as that has been looked at */
	bool is_odd; /* an event named what cannot be a field: not all ids of fields are right */
	u32 count;   /* of events */
	u32 items;   /* of events with items */
	u32 field_count;
	u32 writer_count;
	struct trace_digest_field fields[DIGEST_MAX_FIELDS];
	struct trace_digest_writer writers[DIGEST_MAX_EVENTS];
	u16 marks[2 * CODEC_MAX_FIELDS]; /* by slot: number of the field + 1 */
	u64 rips[256];
};

/*
 * Take at most @most events, and DIGEST_MAX_EVENTS, as far as they are of those that a digest
 * takes. Behind it, the decoder stands as if it had decoded them.
 */
void trace_decoder_digest(struct trace_decoder *decoder, struct trace_digest *digest, u32 most);

#endif
