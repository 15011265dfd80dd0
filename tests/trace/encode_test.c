#include "tests/trace/encoding.h"

/* Events between which others are passed over are what they are without that. */
static void check_skips(struct trace_decoder *decoder, const u8 *payload, size_t size,
			const struct trace_block_facts *facts, const struct trace_schema *schema,
			u64 first)
{
	static const u32 steps[] = { 1, 0, 2, 7, 0, 0, 30, 3, 200, 1 };
	static struct test_event made;
	const struct trace_event *event;
	u32 at = 0;

	assert_int_equal(trace_decoder_open(decoder, payload, size, facts), ST_OK);
	for (unsigned i = 0;; i++) {
		const u32 step = steps[i % ARRAY_SIZE(steps)];
		const u64 passed = trace_decoder_skip(decoder, step);
		const char *wrong;

		assert_u64(passed, MIN(step, facts->events - at));
		at += (u32)passed;
		if (at == facts->events)
			break;
		assert_int_equal(trace_decode_event(decoder, &event), ST_OK);
		test_event(schema, first + at, &made);
		wrong = test_event_differs(schema, &made.event, event);
		if (wrong)
			fail_msg("event %u: %s", (unsigned)(first + at), wrong);
		assert_u64(event->seq, first + at);
		at++;
	}
	assert_int_equal(trace_decode_event(decoder, &event), ST_END);
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
	check_skips(decoder, payload, size, &facts, schema, first);
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
		enum status status = encode(encoder, &made.event);

		if (status == ST_NO_SPACE) {
			check_block(encoder, decoder, schema, first);
			trace_encoder_reset(encoder);
			first = n;
			blocks++;
			status = encode(encoder, &made.event);
		}
		assert_int_equal(status, ST_OK);
	}
	check_block(encoder, decoder, schema, first);
	assert_true(blocks > 20);
	free(encoder);
	free(decoder);
}

#define LOOP	     24
#define LOOP_EVENTS  60000
#define LOOP_ITEMS   6
#define LOOP_COLUMNS 20

struct loop_event {
	u8 kind;
	u64 tsc;
	u64 rip;
	u64 col[TRACE_MAX_COLUMNS];
	struct trace_item items[LOOP_ITEMS];
	u32 item_count;
};

static bool is_of_l2(const struct loop_event *event)
{
	return event->kind == EV_L2_ENTRY || event->kind == EV_L2_EXIT;
}

/* CR3 and the VMCS stay another one for all that follows. */
static void change_column(struct loop_event *round, struct loop_event *event, u64 *random)
{
	const unsigned column = (unsigned)(test_random(random) % LOOP_COLUMNS);
	const u64 value = test_random(random) >> test_random(random) % 64;

	event->col[column] = value;
	for (unsigned i = 0; i < LOOP; i++)
		if (!is_of_l2(event) && !is_of_l2(&round[i]) && (column == 3 || column == 4))
			round[i].col[column] = value;
		else if (!is_of_l2(event) && is_of_l2(&round[i]) && column == 4)
			round[i].col[1] = value;
}

/* Now and then another processor took some, or the instruction failed before it took one. */
static void take_order(struct loop_event *event, u64 *random, unsigned seldom, u64 *order)
{
	const struct trace_kind_info *const kind =
		trace_schema_kind(trace_schema_builtin(), event->kind);

	if (kind->order_column == SCHEMA_NONE)
		return;
	*order += test_random(random) % seldom ? 1 : 1 + test_random(random) % 3;
	event->col[kind->order_column] = test_random(random) % seldom ? *order : 0;
}

/* What follows is of the VMCS that VMPTRLD names. */
static void load_vmcs(struct loop_event *round, u64 pointer)
{
	for (unsigned i = 0; i < LOOP; i++)
		round[i].col[is_of_l2(&round[i]) ? 1 : 4] = pointer;
}

/*
 * One round of a hypervisor: the same instructions over and over, in which now and then a column,
 * an item, the order or the VMCS is another. @seldom: how seldom.
 */
static void make_loop(struct loop_event *to, unsigned seldom)
{
	static const u8 kinds[] = { EV_VMREAD,	 EV_VMREAD,  EV_VMWRITE,  EV_VMRESUME,
				    EV_L2_ENTRY, EV_L2_EXIT, EV_VMREAD,	  EV_VMREAD,
				    EV_VMWRITE,	 EV_L2_EXIT, EV_MSR_READ, EV_L2_ENTRY,
				    EV_VMPTRLD,	 EV_INVEPT,  EV_VMXOFF,	  EV_VMXON };
	static struct loop_event round[LOOP];
	u64 random = seldom, tsc = 1000, order = 0;

	memset(round, 0, sizeof(round));
	for (unsigned i = 0; i < LOOP; i++) {
		round[i].kind = kinds[i % ARRAY_SIZE(kinds)];
		round[i].rip = 0x1000 + i / 2 * 16;
		round[i].col[4] = 0x5000;
		if (is_of_l2(&round[i]))
			round[i].col[1] = 0x5000;
		if (round[i].kind == EV_VMREAD || round[i].kind == EV_VMWRITE)
			round[i].col[13] = 0x4000 + i / 3 * 2;
		if (round[i].kind == EV_L2_EXIT)
			round[i].item_count = 3;
		for (unsigned j = 0; j < LOOP_ITEMS; j++)
			round[i].items[j].id = 0x4000 + 2 * j;
	}
	for (unsigned n = 0, i = 0; n < LOOP_EVENTS; n++, i = (i + 1) % LOOP) {
		struct loop_event *const event = &round[i];

		if (test_random(&random) % seldom == 0)
			change_column(round, event, &random);
		if (test_random(&random) % seldom == 0)
			event->col[1 + test_random(&random) % 2] ^= 0x40;
		if (test_random(&random) % 3 == 0)
			event->items[test_random(&random) % LOOP_ITEMS].value +=
				test_random(&random) >> test_random(&random) % 64;
		if (test_random(&random) % seldom == 0 && event->kind == EV_L2_EXIT)
			event->item_count = (u32)(test_random(&random) % LOOP_ITEMS);
		if (test_random(&random) % (10 * seldom) == 0)
			load_vmcs(round, round[0].col[4] ^ 0x3000);
		if (event->kind == EV_VMPTRLD && test_random(&random) % 2)
			event->col[13] = 0x5000 + test_random(&random) % 4 * 0x1000;
		if (test_random(&random) % (4 * seldom) == 0)
			i = (unsigned)(test_random(&random) % LOOP);
		tsc += 500 + test_random(&random) % (n % 16 ? 20 : 200000);
		take_order(event, &random, seldom, &order);
		to[n] = round[i];
		to[n].tsc = tsc;
		if (event->kind == EV_VMPTRLD)
			load_vmcs(round, event->col[13]);
	}
}

static struct trace_event loop_event(const struct loop_event *from)
{
	const bool items = is_of_l2(from);

	return (struct trace_event){ .kind = from->kind,
				     .level = items ? 2 : 1,
				     .tsc = from->tsc,
				     .rip = from->rip,
				     .col = from->col,
				     .items = from->items,
				     .item_count = items ? from->item_count : 0 };
}

static void what_is_nearly_as_expected_comes_back_as_it_was(void **state)
{
	const struct trace_schema *const schema = trace_schema_builtin();
	struct trace_encoder *const encoder = make_encoder(schema);
	struct trace_decoder *const decoder = make_decoder(schema);
	static struct loop_event events[LOOP_EVENTS];
	static u8 payload[CODEC_MAX_RAW];

	(void)state;
	for (unsigned seldom = 2; seldom < 5000; seldom *= 3) {
		make_loop(events, seldom);
		for (unsigned first = 0, n; first < LOOP_EVENTS; first = n) {
			struct trace_block_facts facts;
			const struct trace_event *back;
			size_t size;

			trace_encoder_reset(encoder);
			for (n = first; n < LOOP_EVENTS; n++) {
				const struct trace_event event = loop_event(&events[n]);

				if (encode(encoder, &event) != ST_OK)
					break;
			}
			facts = facts_of(encoder, first);
			assert_int_equal(facts.events, n - first);
			size = trace_encoder_finish(encoder, payload);
			assert_int_equal(trace_decoder_open(decoder, payload, size, &facts), ST_OK);
			for (unsigned i = first; i < n; i++) {
				const struct trace_event event = loop_event(&events[i]);
				const char *wrong;

				assert_int_equal(trace_decode_event(decoder, &back), ST_OK);
				wrong = test_event_differs(schema, &event, back);
				if (wrong)
					fail_msg("one in %u, event %u of kind %u: %s", seldom, i,
						 event.kind, wrong);
			}
			assert_int_equal(trace_decode_event(decoder, &back), ST_END);
		}
	}
	free(encoder);
	free(decoder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_events_come_back_as_they_were),
		cmocka_unit_test(what_is_nearly_as_expected_comes_back_as_it_was),
	};

	return cmocka_run_group_tests_name("trace/encode", tests, NULL, NULL);
}
