#include "tests/test.h"
#include "tests/trace/events.h"
#include "recorder/ring.h"
#include "trace/block.h"

#define RING_SIZE (256 * 1024)

static struct ring *make_ring(void)
{
	return ring_init(aligned_alloc(4096, RING_SIZE), RING_SIZE);
}

/* Byte @at of an endless stream. */
static u8 stream_byte(u64 at)
{
	return (u8)(at ^ at >> 8 ^ at >> 16);
}

static void fill(u8 *to, u64 at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = stream_byte(at + i);
}

static void bytes_come_out_as_they_went_in_many_times_round(void **state)
{
	static u8 header[100], payload[70000], out[90000];
	struct ring *const ring = make_ring();
	u64 in = 0, read = 0, random = 5;
	unsigned refused = 0;

	(void)state;
	while (in < 20 * RING_SIZE) {
		const size_t header_size = test_random(&random) % sizeof(header);
		const size_t payload_size = test_random(&random) % sizeof(payload);
		const size_t wanted = test_random(&random) % sizeof(out);
		size_t got;

		fill(header, in, header_size);
		fill(payload, in + header_size, payload_size);
		if (ring_push(ring, header, header_size, payload, payload_size) == ST_OK)
			in += header_size + payload_size;
		else
			refused++;
		assert_int_equal(ring_readable(ring), in - read);
		if (test_random(&random) % 3 == 0)
			continue;
		got = ring_read(ring, out, wanted);
		assert_int_equal(got, MIN(wanted, in - read));
		for (size_t i = 0; i < got; i++)
			if (out[i] != stream_byte(read + i))
				fail_msg("byte %llu is wrong", (unsigned long long)(read + i));
		read += got;
	}
	assert_true(refused > 10);
	free(ring);
}

static void what_has_no_room_is_not_there_at_all(void **state)
{
	static u8 payload[RING_SIZE];
	struct ring *const ring = make_ring();
	const size_t space = RING_SIZE - 200;

	(void)state;
	assert_int_equal(ring_push(ring, "head", 4, payload, RING_SIZE), ST_NO_SPACE);
	assert_int_equal(ring_readable(ring), 0);
	assert_int_equal(ring_push(ring, "head", 4, payload, space), ST_OK);
	assert_int_equal(ring_push(ring, "head", 4, payload, 300), ST_NO_SPACE);
	assert_int_equal(ring_readable(ring), space + 4);
	assert_int_equal(ring_most(ring), space + 4);
	free(ring);
}

static void the_pinned_head_comes_first_and_stays(void **state)
{
	static u8 out[100], payload[RING_SIZE];
	struct ring *const ring = make_ring();

	(void)state;
	assert_int_equal(ring_pin(ring, "pin", 3), ST_OK);
	assert_int_equal(ring_pin(ring, "ned", 3), ST_OK);
	assert_int_equal(ring_push(ring, "more", 4, NULL, 0), ST_OK);
	assert_int_equal(ring_pin(ring, "late", 4), ST_INVALID);
	assert_int_equal(ring_read(ring, out, 4), 4);
	assert_memory_equal(out, "pinn", 4);
	assert_int_equal(ring_read(ring, out, sizeof(out)), 6);
	assert_memory_equal(out, "edmore", 6);
	free(ring);

	struct ring *const other = make_ring();

	assert_int_equal(ring_pin(other, payload, RING_SIZE - 4096), ST_NO_SPACE);
	assert_int_equal(ring_readable(other), 0);
	free(other);
}

/*
 * The chunks behind the pinned head of a ring that overwrites: their CPUs must ascend up to @last.
 */
static unsigned check_chunks(struct ring *ring, size_t pinned, u16 last)
{
	static u8 image[RING_SIZE], bytes[RING_SIZE];
	const size_t size = ring_readable(ring);
	struct cursor in;
	struct chunk chunk;
	unsigned count = 0;

	/* Reading takes, so what is read is an image of the ring. */
	memcpy(image, ring, RING_SIZE);
	assert_int_equal(ring_read((struct ring *)image, bytes, size), size);
	in = cursor_over(bytes + pinned, size - pinned);
	for (; cursor_left(&in); count++) {
		assert_int_equal(chunk_read_header(&in, &chunk), ST_OK);
		assert_int_equal(chunk_read_payload(&in, &chunk), ST_OK);
	}
	assert_int_equal(chunk.cpu, last);
	return count;
}

static void a_ring_that_overwrites_holds_the_newest_chunks_whole(void **state)
{
	static u8 payload[70000], header[CHUNK_MAX_HEADER];
	struct ring *const ring = make_ring();
	u64 random = 11;
	unsigned kept = 0;

	(void)state;
	assert_int_equal(ring_pin(ring, "pinned", 6), ST_OK);
	ring_set_overwrite(ring);
	for (u16 n = 0; n < 2000; n++) {
		struct chunk chunk = { .type = CHUNK_TYPE('T', 'E', 'S', 'T'), .cpu = n };
		size_t size;

		chunk.size = (u32)(test_random(&random) % (n % 7 ? 3000 : sizeof(payload)));
		chunk.payload = payload;
		fill(payload, n, chunk.size);
		size = chunk_write_header(&chunk, header);
		assert_int_equal(ring_push(ring, header, size, payload, chunk.size), ST_OK);
		kept = check_chunks(ring, 6, n);
	}
	assert_true(kept > 10 && kept < 300);
	assert_true(ring_readable(ring) > RING_SIZE / 2);
	/* What is longer than the ring is refused, and costs nothing. */
	assert_int_equal(ring_push(ring, header, 24, payload, RING_SIZE), ST_NO_SPACE);
	assert_int_equal(check_chunks(ring, 6, 1999), kept);
	free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_as_they_went_in_many_times_round),
		cmocka_unit_test(what_has_no_room_is_not_there_at_all),
		cmocka_unit_test(the_pinned_head_comes_first_and_stays),
		cmocka_unit_test(a_ring_that_overwrites_holds_the_newest_chunks_whole),
	};
	return cmocka_run_group_tests_name("recorder/ring", tests, NULL, NULL);
}
