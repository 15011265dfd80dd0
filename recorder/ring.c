#include "recorder/ring.h"

#include "trace/block.h"

#define RING_MAGIC     "VXTRING1"
#define RING_MIN_SPACE (2u * 65536) /* for chunks, beside the pinned head */

enum { FLAG_OVERWRITE = 1 };

/* Starts the memory, so that a ring is found in an image of it. Offsets are into @data. */
struct ring {
	u8 magic[8];
	u32 header;	/* bytes before @data */
	u32 flags;	/* FLAG_OVERWRITE */
	u64 size;	/* of @data */
	u64 pinned;	/* bytes of the pinned head, at offset 0 */
	u64 pinned_out; /* of these, taken by the consumer */
	u64 in;		/* bytes ever pushed; they go round behind the pinned head */
	u64 out;	/* bytes ever taken of these, or overwritten */
	u64 most;	/* bytes that waited to be taken at a time, at most */
	u8 data[];
};

struct ring *ring_init(void *memory, size_t size)
{
	struct ring *ring = memory;

	*ring = (struct ring){ .header = sizeof(*ring), .size = size - sizeof(*ring) };
	memcpy(ring->magic, RING_MAGIC, sizeof(ring->magic));
	return ring;
}

void ring_set_overwrite(struct ring *ring)
{
	ring->flags |= FLAG_OVERWRITE;
}

bool ring_overwrites(const struct ring *ring)
{
	return ring->flags & FLAG_OVERWRITE;
}

size_t ring_space(const struct ring *ring)
{
	return ring->size - ring->pinned;
}

size_t ring_most(const struct ring *ring)
{
	return ring->most;
}

enum status ring_pin(struct ring *ring, const void *data, size_t size)
{
	if (ring->in)
		return ST_INVALID;
	if (ring->pinned + size + RING_MIN_SPACE > ring->size)
		return ST_NO_SPACE;
	memcpy(ring->data + ring->pinned, data, size);
	__atomic_store_n(&ring->pinned, ring->pinned + size, __ATOMIC_RELEASE);
	return ST_OK;
}

/*
 * Copies to position @at of the bytes ever pushed, in two pieces where the ring's end is between.
 */
static void copy_in(struct ring *ring, u64 at, const u8 *from, size_t size)
{
	const u64 space = ring_space(ring);
	const u64 offset = at % space;
	const size_t first = MIN(size, space - offset);

	if (first)
		memcpy(ring->data + ring->pinned + offset, from, first);
	if (size > first)
		memcpy(ring->data + ring->pinned, from + first, size - first);
}

/* Copies @size bytes from position @at of those ever pushed. */
static void copy_out(const struct ring *ring, u64 at, u8 *to, size_t size)
{
	const u64 space = ring_space(ring);
	const u64 offset = at % space;
	const size_t first = MIN(size, space - offset);

	memcpy(to, ring->data + ring->pinned + offset, first);
	memcpy(to + first, ring->data + ring->pinned, size - first);
}

/*
 * Gives up the oldest chunks until @size bytes fit. They are not to be seen any more before they
 * are overwritten, so that an image of the memory shows whole chunks at every moment.
 */
static void make_room(struct ring *ring, u64 size)
{
	u64 out = ring->out;

	while (ring->in - out + size > ring_space(ring)) {
		u8 header[CHUNK_HEADER];
		size_t oldest = 0;

		if (ring->in - out >= sizeof(header)) {
			copy_out(ring, out, header, sizeof(header));
			oldest = chunk_whole_size(header);
		}
		/* A device of L1 may have written there: all is lost. */
		if (oldest < sizeof(header) || oldest > ring->in - out)
			oldest = ring->in - out;
		out += oldest;
	}
	__atomic_store_n(&ring->out, out, __ATOMIC_RELEASE);
}

enum status ring_push(struct ring *ring, const void *header, size_t header_size,
		      const void *payload, size_t payload_size)
{
	const u64 used = ring->in - __atomic_load_n(&ring->out, __ATOMIC_ACQUIRE);
	const u64 size = header_size + payload_size;

	if (used + size > ring_space(ring)) {
		if (!ring_overwrites(ring) || size > ring_space(ring))
			return ST_NO_SPACE;
		make_room(ring, size);
	}
	ring->most = MAX(ring->most, MIN(used + size, ring_space(ring)));
	copy_in(ring, ring->in, header, header_size);
	copy_in(ring, ring->in + header_size, payload, payload_size);
	__atomic_store_n(&ring->in, ring->in + size, __ATOMIC_RELEASE);
	return ST_OK;
}

size_t ring_readable(const struct ring *ring)
{
	return (__atomic_load_n(&ring->pinned, __ATOMIC_ACQUIRE) - ring->pinned_out) +
	       (__atomic_load_n(&ring->in, __ATOMIC_ACQUIRE) - ring->out);
}

static size_t read_pinned(struct ring *ring, u8 *to, size_t size)
{
	const u64 there = __atomic_load_n(&ring->pinned, __ATOMIC_ACQUIRE) - ring->pinned_out;
	const size_t now = MIN(size, there);

	if (!now)
		return 0;
	memcpy(to, ring->data + ring->pinned_out, now);
	ring->pinned_out += now;
	return now;
}

size_t ring_read(struct ring *ring, void *to, size_t size)
{
	const size_t pinned = read_pinned(ring, to, size);
	const u64 there = __atomic_load_n(&ring->in, __ATOMIC_ACQUIRE) - ring->out;
	const size_t now = MIN(size - pinned, there);

	copy_out(ring, ring->out, (u8 *)to + pinned, now);
	__atomic_store_n(&ring->out, ring->out + now, __ATOMIC_RELEASE);
	return pinned + now;
}
