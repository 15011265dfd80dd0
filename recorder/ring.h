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

/*
 * From now on a push makes room by giving up the oldest chunks behind the pinned head: a flight
 * recorder. Then nobody may read while something is pushed. What is pushed must be chunks.
 */
void ring_set_overwrite(struct ring *ring);
bool ring_overwrites(const struct ring *ring);

/* Bytes for chunks, beside the pinned head. */
size_t ring_space(const struct ring *ring);

/*
 * For the producer. Append @size bytes to the pinned head; ST_NO_SPACE when the rest of the ring
 * would be too small for a block, ST_INVALID once something was pushed.
 */
enum status ring_pin(struct ring *ring, const void *data, size_t size);

/*
 * For the producer. Append a chunk, @header and then @payload, both or neither: ST_NO_SPACE, where
 * nothing is overwritten or the chunk is longer than all of the ring.
 */
enum status ring_push(struct ring *ring, const void *header, size_t header_size,
		      const void *payload, size_t payload_size);

/* Bytes that the consumer may take now, pinned head included. */
size_t ring_readable(const struct ring *ring);

/* The most bytes behind the pinned head that ever waited for the consumer at a time. */
size_t ring_most(const struct ring *ring);

/* Copies up to @size readable bytes to @to, takes them off the ring, and returns how many. */
size_t ring_read(struct ring *ring, void *to, size_t size);

#endif
