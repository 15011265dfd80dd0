/*
 * trace/drain.h - frames: ring bytes over a line that others may write to as well
 *
 * A frame carries at most DRAIN_MAX_PAYLOAD consecutive bytes of one CPU's ring:
 *
 *	0  u32  sync       DRAIN_SYNC
 *	4  u16  length     payload bytes, 0 to DRAIN_MAX_PAYLOAD
 *	6  u8   cpu
 *	7  u8   flags      DRAIN_LAST on the last frame of a tape; DRAIN_AGAIN on one that
 *			   may have come already
 *	8  u32  sequence   counts the frames of this CPU from 0
 *	12 u32  crc        CRC-32C of bytes 0-11 and of the payload
 *	16 ...  payload
 *
 * Foreign bytes between frames are passed over; inside a frame they cost that frame only: after a
 * frame that does not check, the search for the next sync goes on right behind its first byte.
 */
#ifndef TRACE_DRAIN_H
#define TRACE_DRAIN_H

#include "base/base.h"
#include "base/status.h"

#define DRAIN_SYNC	  0x7ec5d8a1u
#define DRAIN_HEADER_SIZE 16
#define DRAIN_MAX_PAYLOAD 4080
#define DRAIN_LAST	  1
#define DRAIN_AGAIN	  2

/* Fill the 16 bytes at @header for @payload. */
void drain_frame_header(u8 *header, u8 cpu, u8 flags, u32 sequence, const void *payload,
			u16 length);

/* A frame that checked. @payload is inside the parser and holds until it is fed again. */
struct drain_frame {
	const u8 *payload;
	u16 length;
	u8 cpu;
	u8 flags;
	u32 sequence;
};

typedef void (*drain_on_frame)(void *owner, const struct drain_frame *frame);

/* Finds frames in bytes that come in pieces of any size. Zero-initialised it is ready. */
struct drain_parser {
	u64 frames;
	u64 noise; /* bytes passed over */
	size_t length;
	u8 pending[DRAIN_HEADER_SIZE + DRAIN_MAX_PAYLOAD]; /* from what may be a sync on */
};

/* Take @size bytes and call @on_frame for each frame that is complete by now. */
void drain_parse(struct drain_parser *parser, const void *bytes, size_t size,
		 drain_on_frame on_frame, void *owner);

/*
 * No more bytes come: look for frames in what is pending, which a false or broken header may have
 * made wait for more.
 */
void drain_parse_end(struct drain_parser *parser, drain_on_frame on_frame, void *owner);

#endif
