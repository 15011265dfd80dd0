/*
 * recorder/capture.h - from the bytes of a line to a tape
 *
 * A capture is fed what comes from hv's drain, in pieces of any size: frames, with foreign bytes
 * between and perhaps inside them. It checks frames and chunks, writes what is whole to the tape,
 * and counts the rest; a reader makes EV_GAP events of what is missing. Whatever happens, the file
 * is a valid tape at every moment, but for an index at its end, which capture_close() writes.
 */
#ifndef RECORDER_CAPTURE_H
#define RECORDER_CAPTURE_H

#include "trace/event.h"
#include "trace/schema.h"

struct capture;

/*
 * Called for each event of each block that arrives, in the order of its CPU, from capture_feed().
 * @event holds during the call; its kinds are those of @schema.
 */
typedef void (*capture_on_event)(void *owner, const struct trace_schema *schema,
				 const struct trace_event *event);

/*
 * Begin the tape @path, replacing a file of that name. @on_event may be NULL. On failure, ST_IO or
 * ST_NO_MEMORY, @error (of @size bytes) has a line for the user and *@capture is NULL.
 */
enum status capture_open(const char *path, capture_on_event on_event, void *owner,
			 struct capture **capture, char *error, size_t size);

/*
 * Put a description of the recorded machine on the tape: docs/trace-format.md, "MACH". Before any
 * capture_feed(). Fails as that does.
 */
enum status capture_machine(struct capture *capture, const char *text, size_t size);

/*
 * Take @size bytes. ST_IO when the tape cannot be written (see capture_error()); the capture then
 * takes no more and can only be closed.
 */
enum status capture_feed(struct capture *capture, const void *bytes, size_t size);

struct capture_stats {
	u64 tape_bytes; /* written so far */
	u64 events;	/* in the blocks written */
	u64 blocks;
	u64 lost_events; /* that hv or the line dropped, as far as they can be counted */
	u64 lost_frames; /* missing in the count of frames */
	u64 bad_chunks;	 /* that came damaged, mostly for lost frames */
	u64 noise_bytes; /* foreign to the drain: other output on the same line */
	bool head;	 /* the pinned head has come: hv runs and records */
	bool last;	 /* the frame that ends a recording has come from every CPU that sent any */
};

/* What came so far; valid until capture_free(), and whole after capture_close(). */
const struct capture_stats *capture_stats(const struct capture *capture);

/* One line about the failure that capture_feed() or capture_close() returned; else NULL. */
const char *capture_error(const struct capture *capture);

/*
 * Write what is left and the index. Without the last frame, the tape says that it was cut. The
 * statistics and the error stay until capture_free().
 */
enum status capture_close(struct capture *capture);
void capture_free(struct capture *capture);

#endif
