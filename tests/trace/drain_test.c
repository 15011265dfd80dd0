#include "tests/test.h"
#include "trace/drain.h"

#define FRAMES	    5
#define MAX_PAYLOAD 40
#define MAX_LINE    (FRAMES * (DRAIN_HEADER_SIZE + MAX_PAYLOAD))

struct line {
	u8 bytes[2 * MAX_LINE + 8192];
	size_t size;
	size_t start[FRAMES + 1]; /* of each frame, then the end */
};

struct seen {
	bool frame[FRAMES];
	unsigned count;
};

static void payload_of(unsigned frame, u8 *payload)
{
	for (unsigned i = 0; i < MAX_PAYLOAD; i++)
		payload[i] = (u8)(frame * 50 + i);
}

/* Frames 0 to 4 have 40, 30, 20, 10 and 0 bytes. */
static void make_line(struct line *line)
{
	line->size = 0;
	for (unsigned i = 0; i < FRAMES; i++) {
		const u16 length = (u16)(MAX_PAYLOAD - 10 * i);
		u8 payload[MAX_PAYLOAD];

		payload_of(i, payload);
		line->start[i] = line->size;
		drain_frame_header(line->bytes + line->size, 1, i == FRAMES - 1 ? DRAIN_LAST : 0, i,
				   payload, length);
		memcpy(line->bytes + line->size + DRAIN_HEADER_SIZE, payload, length);
		line->size += DRAIN_HEADER_SIZE + length;
	}
	line->start[FRAMES] = line->size;
}

static void take(void *owner, const struct drain_frame *frame)
{
	struct seen *const seen = owner;
	u8 payload[MAX_PAYLOAD];

	assert_true(frame->sequence < FRAMES);
	assert_false(seen->frame[frame->sequence]);
	assert_int_equal(frame->cpu, 1);
	assert_int_equal(frame->length, MAX_PAYLOAD - 10 * frame->sequence);
	assert_int_equal(frame->flags, frame->sequence == FRAMES - 1 ? DRAIN_LAST : 0);
	payload_of(frame->sequence, payload);
	if (frame->length)
		assert_memory_equal(frame->payload, payload, frame->length);
	seen->frame[frame->sequence] = true;
	seen->count++;
}

/* Parses in pieces of @piece bytes. */
static struct seen parse(const u8 *bytes, size_t size, size_t piece, u64 *noise)
{
	static struct drain_parser parser;
	struct seen seen = { 0 };

	memset(&parser, 0, sizeof(parser));
	for (size_t at = 0; at < size; at += piece)
		drain_parse(&parser, bytes + at, MIN(piece, size - at), take, &seen);
	drain_parse_end(&parser, take, &seen);
	assert_u64(parser.frames, seen.count);
	*noise = parser.noise;
	return seen;
}

static void frames_arrive_in_pieces_of_any_size(void **state)
{
	static struct line line;
	u64 noise;

	(void)state;
	make_line(&line);
	for (size_t piece = 1; piece <= line.size; piece++) {
		assert_int_equal(parse(line.bytes, line.size, piece, &noise).count, FRAMES);
		assert_u64(noise, 0);
	}
}

static void noise_at_any_offset_costs_at_most_the_frame_it_hits(void **state)
{
	static const struct {
		const char *name;
		const u8 *bytes;
		size_t size;
	} noises[] = {
		{ "a byte", (const u8 *)"x", 1 },
		{ "a line", (const u8 *)"[    0.000000] Linux version\r\n", 30 },
		{ "a sync", (const u8 *)"\xa1\xd8\xc5\x7e", 4 },
		{ "half a sync", (const u8 *)"\xa1\xd8", 2 },
		{ "a header that promises 4000 bytes", (const u8 *)"\xa1\xd8\xc5\x7e\xa0\x0f\1\0",
		  8 },
		{ "a header of too many bytes", (const u8 *)"\xa1\xd8\xc5\x7e\xff\xff\1\0", 8 },
	};
	static struct line line, with;
	static const size_t pieces[] = { 1, 13, 100000 };

	(void)state;
	make_line(&line);
	for (size_t i = 0; i < ARRAY_SIZE(noises); i++)
		for (size_t at = 0; at <= line.size; at++) {
			memcpy(with.bytes, line.bytes, at);
			memcpy(with.bytes + at, noises[i].bytes, noises[i].size);
			memcpy(with.bytes + at + noises[i].size, line.bytes + at, line.size - at);
			with.size = line.size + noises[i].size;
			for (size_t j = 0; j < ARRAY_SIZE(pieces); j++) {
				u64 noise;
				const struct seen seen =
					parse(with.bytes, with.size, pieces[j], &noise);

				/* A copy of the sync behind the sync is as good as before it. */
				for (unsigned k = 0; k < FRAMES; k++)
					if (!seen.frame[k] &&
					    (at <= line.start[k] || at >= line.start[k + 1]))
						fail_msg("%s at %zu: frame %u", noises[i].name, at,
							 k);
			}
		}
}

static void a_flipped_byte_costs_its_frame(void **state)
{
	static struct line line;

	(void)state;
	make_line(&line);
	for (size_t at = 0; at < line.size; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct seen seen;
			u64 noise;

			line.bytes[at] ^= (u8)(1u << bit);
			seen = parse(line.bytes, line.size, 17, &noise);
			for (unsigned k = 0; k < FRAMES; k++)
				assert_int_equal(seen.frame[k],
						 at < line.start[k] || at >= line.start[k + 1]);
			line.bytes[at] ^= (u8)(1u << bit);
		}
}

static void count(void *owner, const struct drain_frame *frame)
{
	assert_int_equal(frame->length, DRAIN_MAX_PAYLOAD);
	assert_int_equal(frame->payload[DRAIN_MAX_PAYLOAD - 1], (u8)(DRAIN_MAX_PAYLOAD - 1));
	++*(unsigned *)owner;
}

static void the_longest_frame_has_room(void **state)
{
	static u8 bytes[DRAIN_HEADER_SIZE + DRAIN_MAX_PAYLOAD];
	static struct drain_parser parser;
	u8 *const payload = bytes + DRAIN_HEADER_SIZE;
	unsigned frames = 0;

	(void)state;
	for (unsigned i = 0; i < DRAIN_MAX_PAYLOAD; i++)
		payload[i] = (u8)i;
	drain_frame_header(bytes, 0, 0, 0, payload, DRAIN_MAX_PAYLOAD);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(frames, 0);
		drain_parse(&parser, bytes + i, 1, count, &frames);
	}
	assert_int_equal(frames, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_in_pieces_of_any_size),
		cmocka_unit_test(noise_at_any_offset_costs_at_most_the_frame_it_hits),
		cmocka_unit_test(a_flipped_byte_costs_its_frame),
		cmocka_unit_test(the_longest_frame_has_room),
	};
	return cmocka_run_group_tests_name("trace/drain", tests, NULL, NULL);
}
