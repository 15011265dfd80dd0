/*
 * recorder/ring.h - the bytes of the tape between the recorder and what carries them off
 *
 * One producer, one consumer, no lock. The first bytes are the pinned head, which a flight recorder
 * never overwrites; then come chunks (docs/trace-format.md). A chunk is there for the consumer when
 * it is whole.
 */
#ifndef RECORDER_RING_H
#define RECORDER_RING_H

#include "base/base.h"
#include "base/status.h"

struct ring;

/* Prepare a ring in @memory of @size bytes (a multiple of 4096, owned by the caller). */
struct ring *ring_init(void *memory, size_t size);

/* Bytes that the consumer may take now, pinned head included. */
size_t ring_readable(const struct ring *ring);

/* Copies up to @size readable bytes to @to, takes them off the ring, and returns how many. */
size_t ring_read(struct ring *ring, void *to, size_t size);

#endif
