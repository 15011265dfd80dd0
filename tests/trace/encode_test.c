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

/* Like trace_encode_event(), and sees that the encoder tells when the block comes to its end. */
static enum status encode(struct trace_encoder *encoder, const struct trace_event *event)
{
	const bool had_room = trace_encoder_has_room(encoder, 0);
	const enum status status = trace_encode_next(encoder, event);
	const bool has_room = trace_encoder_has_room(encoder, 0);

	if (status == ST_END)
		assert_false(has_room);
	if (status == ST_OK)
		assert_true(has_room || !had_room);
	return status == ST_END ? ST_OK : status;
}

static struct trace_block_facts facts_of(const struct trace_encoder *encoder, u64 first_seq)
{
	const struct trace_encoder_state state = trace_encoder_state(encoder);

	return (struct trace_block_facts){ .cpu = 3,
					   .events = state.events,
					   .first_seq = first_seq,
					   .first_tsc = state.first_tsc };
}

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

/* Encodes what @make makes of 0, 1, 2 ... until the block is full, and checks what it holds. */
static u32 fill_block(void (*make)(u64 n, struct test_event *to))
{
	const struct trace_schema *const schema = trace_schema_builtin();
	struct trace_encoder *const encoder = make_encoder(schema);
	struct trace_decoder *const decoder = make_decoder(schema);
	static u8 payload[CODEC_MAX_RAW];
	static struct test_event made;
	struct trace_block_facts facts;
	const struct trace_event *event;
	enum status status;
	size_t size;
	u64 n = 0;

	for (;; n++) {
		memset(made.col, 0, sizeof(made.col));
		make(n, &made);
		status = encode(encoder, &made.event);
		if (status != ST_OK)
			break;
	}
	assert_int_equal(status, ST_NO_SPACE);
	facts = facts_of(encoder, 0);
	size = trace_encoder_finish(encoder, payload);
	assert_int_equal(trace_decoder_open(decoder, payload, size, &facts), ST_OK);
	for (u64 i = 0; i < n; i++) {
		const char *wrong;

		memset(made.col, 0, sizeof(made.col));
		make(i, &made);
		assert_int_equal(trace_decode_event(decoder, &event), ST_OK);
		wrong = test_event_differs(schema, &made.event, event);
		if (wrong)
			fail_msg("event %llu: %s", (unsigned long long)i, wrong);
	}
	assert_int_equal(trace_decode_event(decoder, &event), ST_END);
	/* And after a reset the event that was refused has room. */
	make(n, &made);
	trace_encoder_reset(encoder);
	assert_int_equal(trace_encode_event(encoder, &made.event), ST_OK);
	free(encoder);
	free(decoder);
	return (u32)n;
}

static void make_site(u64 n, struct test_event *to)
{
	to->event = (struct trace_event){
		.kind = EV_VMXOFF, .level = 1, .tsc = n, .rip = n * n * 77, .col = to->col
	};
}

static void make_vmcs(u64 n, struct test_event *to)
{
	struct ev_vmread *const columns = (struct ev_vmread *)to->col;

	columns->vmcs = n << 12;
	columns->field = 0x4000;
	columns->value = n;
	to->event = (struct trace_event){
		.kind = EV_VMREAD, .level = 1, .tsc = n, .rip = 4, .col = to->col
	};
}

/* No field of them is told. */
static void make_vmptrld(u64 n, struct test_event *to)
{
	struct ev_vmptrld *const columns = (struct ev_vmptrld *)to->col;

	columns->vmcs = n << 12;
	columns->pointer = (n + 1) << 12;
	columns->order = n + 1;
	to->event = (struct trace_event){
		.kind = EV_VMPTRLD, .level = 1, .tsc = n, .rip = 4, .col = to->col
	};
}

static void make_field(u64 n, struct test_event *to)
{
	struct ev_vmwrite *const columns = (struct ev_vmwrite *)to->col;

	columns->field = n * 3;
	columns->value = ~n;
	to->event = (struct trace_event){
		.kind = EV_VMWRITE, .level = 1, .tsc = n, .rip = 4, .col = to->col
	};
}

static void make_shape(u64 n, struct test_event *to)
{
	struct ev_l2_exit *const columns = (struct ev_l2_exit *)to->col;

	columns->reason = n % 4;
	to->event = (struct trace_event){ .kind = EV_L2_EXIT,
					  .level = 2,
					  .tsc = n,
					  .rip = n,
					  .col = to->col,
					  .items = to->items,
					  .item_count = 3 };
	for (unsigned i = 0; i < 3; i++)
		to->items[i] = (struct trace_item){ .id = (u32)(n % 800 + i * i), .value = n };
}

static void make_string(u64 n, struct test_event *to)
{
	to->event = (struct trace_event){ .kind = EV_CONSOLE,
					  .tsc = n,
					  .col = to->col,
					  .bytes = to->bytes,
					  .byte_count = TRACE_MAX_BYTES };
	memset(to->bytes, (int)n, sizeof(to->bytes));
}

static void make_long_list(u64 n, struct test_event *to)
{
	to->event = (struct trace_event){ .kind = EV_REGS,
					  .tsc = n,
					  .rip = 8,
					  .col = to->col,
					  .items = to->items,
					  .item_count = TRACE_MAX_ITEMS };
	for (unsigned i = 0; i < TRACE_MAX_ITEMS; i++)
		to->items[i] = (struct trace_item){ .id = i, .value = n * 0x123456789abcdef * i };
}

static void make_quiet(u64 n, struct test_event *to)
{
	to->event = (struct trace_event){
		.kind = EV_VMRESUME, .level = 1, .tsc = 10 * n, .rip = 4, .col = to->col
	};
}

static void a_block_is_full_before_a_table_is(void **state)
{
	static const struct {
		const char *name;
		void (*make)(u64 n, struct test_event *to);
		u32 at_least;
		u32 at_most;
	} rows[] = {
		{ "sites", make_site, 300, CODEC_MAX_SITES },
		{ "VMCSs", make_vmcs, 200, CODEC_MAX_VMCSS },
		{ "VMCSs without fields", make_vmptrld, 200, CODEC_MAX_VMCSS },
		{ "fields", make_field, 3000, CODEC_MAX_FIELDS },
		{ "shapes", make_shape, 400, CODEC_MAX_SHAPES },
		{ "bytes", make_string, 14, 16 },
		{ "items", make_long_list, 20, 60 },
		/* A time delta each, and nothing else. */
		{ "events", make_quiet, 60000, CODEC_MAX_RAW },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u32 events = fill_block(rows[i].make);

		if (events < rows[i].at_least || events > rows[i].at_most)
			fail_msg("%s: %u events", rows[i].name, events);
	}
}

static void what_the_format_cannot_carry_is_refused_or_cut(void **state)
{
	const struct trace_schema *const schema = trace_schema_builtin();
	struct trace_encoder *const encoder = make_encoder(schema);
	struct trace_decoder *const decoder = make_decoder(schema);
	static u8 payload[CODEC_MAX_RAW], bytes[2 * TRACE_MAX_BYTES];
	static struct trace_item items[2 * TRACE_MAX_ITEMS] = { { .id = 0x12345, .value = 7 } };
	const u64 columns[TRACE_MAX_COLUMNS] = { 0 };
	struct trace_event event = { .kind = 99, .col = columns, .items = items, .bytes = bytes };
	const struct trace_event *back;
	struct trace_block_facts facts;
	size_t size;

	(void)state;
	assert_int_equal(trace_encode_event(encoder, &event), ST_INVALID);
	event.kind = EV_VMXOFF;
	event.level = CODEC_MAX_LEVEL + 1;
	assert_int_equal(trace_encode_event(encoder, &event), ST_INVALID);
	event.level = 0;
	/* This kind has neither items nor bytes. */
	event.item_count = event.byte_count = 5;
	assert_int_equal(trace_encode_event(encoder, &event), ST_OK);
	event.kind = EV_REGS;
	event.item_count = 2 * TRACE_MAX_ITEMS;
	assert_int_equal(trace_encode_event(encoder, &event), ST_OK);
	event.kind = EV_CONSOLE;
	event.byte_count = 2 * TRACE_MAX_BYTES;
	assert_int_equal(trace_encode_event(encoder, &event), ST_OK);
	facts = facts_of(encoder, 0);
	assert_int_equal(facts.events, 3);

	size = trace_encoder_finish(encoder, payload);
	assert_int_equal(trace_decoder_open(decoder, payload, size, &facts), ST_OK);
	assert_int_equal(trace_decode_event(decoder, &back), ST_OK);
	assert_int_equal(back->item_count + back->byte_count, 0);
	assert_int_equal(trace_decode_event(decoder, &back), ST_OK);
	assert_int_equal(back->item_count, TRACE_MAX_ITEMS);
	assert_int_equal(back->items[0].id, 0x2345);
	assert_int_equal(trace_decode_event(decoder, &back), ST_OK);
	assert_int_equal(back->byte_count, TRACE_MAX_BYTES);
	assert_int_equal(trace_decode_event(decoder, &back), ST_END);
	free(encoder);
	free(decoder);
}

static void a_damaged_payload_ends_and_stays_in_bounds(void **state)
{
	const struct trace_schema *const schema = trace_schema_builtin();
	struct trace_encoder *const encoder = make_encoder(schema);
	struct trace_decoder *const decoder = make_decoder(schema);
	static u8 payload[CODEC_MAX_RAW];
	static struct test_event made;
	const struct trace_event *event;
	struct trace_block_facts facts;
	size_t size;
	unsigned whole = 0;

	(void)state;
	for (u64 n = 0; n < 40; n++) {
		test_event(schema, n, &made);
		made.event.byte_count = MIN(made.event.byte_count, 20);
		made.event.item_count = MIN(made.event.item_count, 9);
		trace_encode_event(encoder, &made.event);
	}
	facts = facts_of(encoder, 0);
	size = trace_encoder_finish(encoder, payload);
	for (size_t at = 0; at < size; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			/* A copy of its own size, so that the sanitizer sees every step too far. */
			u8 *const copy = malloc(size);
			enum status status;
			u32 events = 0;

			memcpy(copy, payload, size);
			copy[at] ^= (u8)(1u << bit);
			status = trace_decoder_open(decoder, copy, size, &facts);
			while (status == ST_OK && events <= facts.events) {
				status = trace_decode_event(decoder, &event);
				events += status == ST_OK;
			}
			assert_true(status == ST_CORRUPT || status == ST_END);
			assert_true(events <= facts.events);
			whole += status == ST_END;
			/* Who passes over events meets the damage at the same one. */
			if (trace_decoder_open(decoder, copy, size, &facts) == ST_OK) {
				assert_u64(trace_decoder_skip(decoder, ~0u), events);
				assert_int_equal(trace_decode_event(decoder, &event), status);
			}
			free(copy);
		}
	/* A value can be another value. */
	assert_true(whole > 0 && whole < size * 8);
	free(encoder);
	free(decoder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_events_come_back_as_they_were),
		cmocka_unit_test(what_is_nearly_as_expected_comes_back_as_it_was),
		cmocka_unit_test(a_block_is_full_before_a_table_is),
		cmocka_unit_test(what_the_format_cannot_carry_is_refused_or_cut),
		cmocka_unit_test(a_damaged_payload_ends_and_stays_in_bounds),
	};
	return cmocka_run_group_tests_name("trace/encode", tests, NULL, NULL);
}
