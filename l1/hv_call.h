/*
 * l1/hv_call.h - programs of L1 that talk to hv, the recorder below
 */
#ifndef L1_HV_CALL_H
#define L1_HV_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "trace/event.h"

/* Whether hv is below: without it the calls below do nothing. */
bool hv_present(void);

/* Leave the first 32 bytes of @text as a mark on the tape. */
void hv_mark(const char *text);

/*
 * Have the next frame of the tape put into @page, of 4096 bytes on a boundary of that. @all: what
 * the recorder has in work for this processor is to become frames first. Returns the frame's
 * bytes, 0 when none waits, or -1 when the recorder does not give its tape to L1.
 */
int hv_take_frame(void *page, bool all);

struct hv_sent {
	size_t lines;
	size_t bytes;
};

/*
 * Put the lines of the text file @path onto the tape as file @what: all of them, or, when @wanted
 * is given, those for which it says yes; their ends belong to them. 0, or -1 with errno: EIO when
 * hv took no more.
 */
int hv_send_lines(enum trace_file what, const char *path, bool (*wanted)(const char *line),
		  struct hv_sent *sent);

#endif
