#include "tests/test.h"
#include "tests/trace/events.h"
#include "trace/block.h"
#include "trace/decode_state.h"
#include "trace/file.h"
#include "trace/pack.h"

static const char *const tapes[] = { "tests/golden/1/future.vxt",   "tests/golden/1/kvm.vxt",
				     "tests/golden/1/handover.vxt", "tests/golden/1/memory.vxt",
				     "tests/golden/1/vmware.vxt",   "tests/golden/1/smp.vxt" };

/* A block, and two decoders over it. */
struct bench {
	struct trace_schema schema;
	struct trace_decoder *decoder;
	struct trace_decoder *other;
	struct trace_decode_base base;
	struct trace_block_facts facts;
	u32 size;
	u8 raw[CODEC_MAX_RAW];
};

static struct trace_decoder *make_decoder(const struct trace_schema *schema)
{
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_decoder_size(), 64));

	return trace_decoder_init(memory, schema);
}

static void open_both(struct bench *bench)
{
	assert_int_equal(trace_decoder_open(bench->decoder, bench->raw, bench->size, &bench->facts),
			 ST_OK);
	assert_int_equal(trace_decoder_open(bench->other, bench->raw, bench->size, &bench->facts),
			 ST_OK);
}

static void take_block(struct bench *bench, struct trace_unpacker *unpacker,
		       const struct tape_chunk *from)
{
	const struct block *const block = &from->block;

	bench->size = block->raw_size;
	bench->facts = (struct trace_block_facts){ from->chunk.cpu, block->events, block->first_seq,
						   block->first_tsc };
	if (block->codec == BLOCK_RAW)
		memcpy(bench->raw, from->chunk.payload, from->chunk.size);
	else
		assert_int_equal(trace_unpack(unpacker, from->chunk.payload, from->chunk.size,
					      bench->raw, bench->size),
				 ST_OK);
}

/* Call @check for each block of each tape. */
static void for_each_block(void (*check)(struct bench *bench))
{
	struct trace_unpacker *const unpacker = trace_unpacker_new();
	struct bench *const bench = calloc(1, sizeof(*bench));
	static char names[SCHEMA_MAX_SIZE];
	struct tape tape;
	char error[256];

	for (size_t t = 0; t < ARRAY_SIZE(tapes); t++) {
		assert_int_equal(tape_open(tapes[t], &tape, error, sizeof(error)), ST_OK);
		for (size_t i = 0; i < tape.chunk_count; i++) {
			const struct chunk *const chunk = &tape.chunks[i].chunk;

			if (chunk->type == CHUNK_SCHEMA) {
				assert_int_equal(trace_schema_parse(&bench->schema, names,
								    chunk->payload, chunk->size),
						 ST_OK);
				free(bench->decoder);
				free(bench->other);
				bench->decoder = make_decoder(&bench->schema);
				bench->other = make_decoder(&bench->schema);
				trace_decode_keep_base(bench->decoder, &bench->base);
			} else if (chunk->type == CHUNK_BLOCK) {
				take_block(bench, unpacker, &tape.chunks[i]);
				check(bench);
			}
		}
		tape_unmap(&tape);
	}
	free(bench->decoder);
	free(bench->other);
	free(bench);
	trace_unpacker_free(unpacker);
}

/* Some events one by one, some passed over. */
static u32 go(struct trace_decoder *decoder, u32 count)
{
	const struct trace_event *event;
	u32 done = 0;

	while (done < count && trace_decode_event(decoder, &event) == ST_OK) {
		done++;
		done += (u32)trace_decoder_skip(decoder, MIN(5u * (done % 3), count - done));
	}
	return done;
}

static unsigned saved;

/* Both go on alike to the end, by events between which @step are passed over. */
static void compare_rest(struct bench *bench, u32 at, u32 step)
{
	const struct trace_event *a, *b;
	const char *wrong;

	for (;; at++) {
		const enum status status = trace_decode_event(bench->decoder, &a);

		assert_int_equal(trace_decode_event(bench->other, &b), status);
		if (status != ST_OK)
			break;
		wrong = test_event_differs(&bench->schema, a, b);
		if (wrong)
			fail_msg("event %u of the block: %s", at, wrong);
		assert_u64(a->seq, b->seq);
		assert_int_equal(a->code_count, b->code_count);
		assert_int_equal(trace_decoder_skip(bench->decoder, step),
				 trace_decoder_skip(bench->other, step));
	}
}

static void check_states(struct bench *bench)
{
	const u32 every = bench->facts.events / 5 + 1;
	u8 bytes[DECODE_STATE_MAX];

	for (u32 at = every; at < bench->facts.events; at += every) {
		struct cursor in;
		size_t size;

		open_both(bench);
		assert_int_equal(go(bench->decoder, at), at);
		size = trace_decode_save(bench->decoder, bytes);
		if (!size)
			continue;
		in = cursor_over(bytes, size);
		assert_int_equal(trace_decode_load(bench->other, &in, at), ST_OK);
		assert_int_equal(cursor_left(&in), 0);
		compare_rest(bench, at, at % 4 * 3);
		saved++;
	}
}

static void a_decoder_goes_on_from_a_state_as_if_it_had_come_there(void **state)
{
	(void)state;
	for_each_block(check_states);
	assert_true(saved > 100);
}

static unsigned taken;

static void check_lies(struct bench *bench)
{
	const u32 at = bench->facts.events / 2;
	static u64 random = 7;
	u8 bytes[DECODE_STATE_MAX], changed[DECODE_STATE_MAX];
	size_t size;

	open_both(bench);
	if (go(bench->decoder, at) != at)
		return;
	size = trace_decode_save(bench->decoder, bytes);
	for (unsigned i = 0; size && i < 60; i++) {
		const size_t cut = i % 7 ? size : test_random(&random) % size;
		struct cursor in = cursor_over(changed, cut);
		enum status status;

		memcpy(changed, bytes, size);
		for (unsigned k = 0; k <= i % 4; k++)
			changed[test_random(&random) % size] = (u8)test_random(&random);
		open_both(bench);
		status = trace_decode_load(bench->other, &in, at);
		if (status != ST_OK) {
			assert_int_equal(status, ST_CORRUPT);
			continue;
		}
		taken++;
		go(bench->other, bench->facts.events);
	}
}

/* What a state says may be wrong then, but nothing breaks. */
static void a_state_of_any_content_does_no_harm(void **state)
{
	(void)state;
	for_each_block(check_lies);
	assert_true(taken > 200);
}

static void a_block_that_was_open_before_has_none(struct bench *bench)
{
	u8 bytes[DECODE_STATE_MAX];

	trace_decode_keep_base(bench->decoder, NULL);
	open_both(bench);
	trace_decode_keep_base(bench->decoder, &bench->base);
	go(bench->decoder, bench->facts.events / 2);
	assert_int_equal(trace_decode_save(bench->decoder, bytes), 0);
}

static void without_the_start_of_the_block_nothing_is_saved(void **state)
{
	(void)state;
	for_each_block(a_block_that_was_open_before_has_none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_decoder_goes_on_from_a_state_as_if_it_had_come_there),
		cmocka_unit_test(a_state_of_any_content_does_no_harm),
		cmocka_unit_test(without_the_start_of_the_block_nothing_is_saved),
	};

	return cmocka_run_group_tests_name("trace/decode_state", tests, NULL, NULL);
}
