#include "tests/test.h"
#include "tests/trace/events.h"
#include "trace/decode.h"
#include "trace/encode.h"

static struct trace_encoder *make_encoder(const struct trace_schema *schema)
{
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64));

	return trace_encoder_init(memory, schema, test_read_code, NULL);
}

static struct trace_decoder *make_decoder(const struct trace_schema *schema)
{
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_decoder_size(), 64));

	return trace_decoder_init(memory, schema);
}

static struct trace_block_facts facts_of(const struct trace_encoder *encoder, u64 first_seq)
{
	const struct trace_encoder_state *const state = trace_encoder_state(encoder);

	return (struct trace_block_facts){ .cpu = 3,
					   .events = state->events,
					   .first_seq = first_seq,
					   .first_tsc = state->first_tsc };
}

/* Decodes the block of @encoder, which holds the events from @first on. */
static void check_block(struct trace_encoder *encoder, struct trace_decoder *decoder,
			const struct trace_schema *schema, u64 first)
{
	static u8 payload[CODEC_MAX_RAW];
	static struct test_event made;
	const struct trace_block_facts facts = facts_of(encoder, first);
	const size_t size = trace_encoder_finish(encoder, payload);
	const struct trace_event *event;

	assert_true(size <= sizeof(payload));
	assert_int_equal(trace_decoder_open(decoder, payload, size, &facts), ST_OK);
	for (u32 i = 0; i < facts.events; i++) {
		u8 code[TRACE_MAX_CODE];
		const char *wrong;

		test_event(schema, first + i, &made);
		assert_int_equal(trace_decode_event(decoder, &event), ST_OK);
		wrong = test_event_differs(schema, &made.event, event);
		if (wrong)
			fail_msg("event %u: %s", (unsigned)(first + i), wrong);
		assert_int_equal(event->cpu, 3);
		assert_u64(event->seq, first + i);
		if (schema->kinds[event->kind].flags & KIND_CODE) {
			assert_int_equal(event->code_count,
					 test_read_code(NULL, event->level, event->rip, code));
			assert_memory_equal(event->code, code, event->code_count);
		}
	}
	assert_int_equal(trace_decode_event(decoder, &event), ST_END);
}

static void random_events_come_back_as_they_were(void **state)
{
	const struct trace_schema *const schema = trace_schema_builtin();
	struct trace_encoder *const encoder = make_encoder(schema);
	struct trace_decoder *const decoder = make_decoder(schema);
	static struct test_event made;
	u64 first = 0, blocks = 0;

	(void)state;
	for (u64 n = 0; n < 100000; n++) {
		test_event(schema, n, &made);
		enum status status = trace_encode_event(encoder, &made.event);

		if (status == ST_NO_SPACE) {
			check_block(encoder, decoder, schema, first);
			trace_encoder_reset(encoder);
			first = n;
			blocks++;
			status = trace_encode_event(encoder, &made.event);
		}
		assert_int_equal(status, ST_OK);
	}
	check_block(encoder, decoder, schema, first);
	assert_true(blocks > 20);
	free(encoder);
	free(decoder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_events_come_back_as_they_were),
	};
	return cmocka_run_group_tests_name("trace/encode", tests, NULL, NULL);
}
