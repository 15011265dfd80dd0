#include "tests/trace/encoding.h"

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
		cmocka_unit_test(a_block_is_full_before_a_table_is),
		cmocka_unit_test(what_the_format_cannot_carry_is_refused_or_cut),
		cmocka_unit_test(a_damaged_payload_ends_and_stays_in_bounds),
	};

	return cmocka_run_group_tests_name("trace/encode_limits", tests, NULL, NULL);
}
