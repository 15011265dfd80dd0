#include "tests/test.h"
#include "tests/trace/events.h"
#include "trace/pack.h"

static struct trace_packer *make_packer(void)
{
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_packer_size(), 64));
	struct trace_packer *const packer = trace_packer_init(memory);

	assert_non_null(packer);
	return packer;
}

/* Packs in slices; returns what the last said. */
static enum status pack(struct trace_packer *packer, const u8 *from, size_t size, u8 *to,
			size_t *packed, unsigned *slices)
{
	enum status status = trace_pack_start(packer, from, size, to);

	for (*slices = 0; status == ST_OK; ++*slices)
		status = trace_pack_slice(packer, packed);
	return status;
}

static void a_payload_of_any_size_comes_back(void **state)
{
	static const size_t sizes[] = {
		1, 1000, PACK_SLICE - 1, PACK_SLICE, PACK_SLICE + 1, 40000, CODEC_MAX_RAW
	};
	static u8 from[CODEC_MAX_RAW], to[PACK_MAX_FRAME], back[CODEC_MAX_RAW];
	struct trace_packer *const packer = make_packer();
	struct trace_unpacker *const unpacker = trace_unpacker_new();
	u64 random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = test_random(&random) % 5 ? (u8)(i & 3) : (u8)test_random(&random);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const size_t size = sizes[i];
		unsigned slices;
		size_t packed;

		if (pack(packer, from, size, to, &packed, &slices) == ST_NO_SPACE) {
			assert_true(size < 100);
			continue;
		}
		assert_true(packed < size);
		assert_int_equal(slices, (size + PACK_SLICE - 1) / PACK_SLICE);
		memset(back, 0, sizeof(back));
		assert_int_equal(trace_unpack(unpacker, to, packed, back, size), ST_OK);
		assert_memory_equal(back, from, size);
		/* Neither more nor less than was promised. */
		assert_int_equal(trace_unpack(unpacker, to, packed, back, size - 1), ST_CORRUPT);
		if (size < sizeof(back))
			assert_int_equal(trace_unpack(unpacker, to, packed, back, size + 1),
					 ST_CORRUPT);
		assert_int_equal(trace_unpack(unpacker, to, packed - 1, back, size), ST_CORRUPT);
	}
	trace_unpacker_free(unpacker);
	free(packer);
}

static void what_does_not_shrink_is_left_raw(void **state)
{
	static u8 from[CODEC_MAX_RAW], to[PACK_MAX_FRAME];
	struct trace_packer *const packer = make_packer();
	unsigned slices;
	size_t packed;
	u64 random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (u8)test_random(&random);
	assert_int_equal(pack(packer, from, sizeof(from), to, &packed, &slices), ST_NO_SPACE);
	/* And it can pack again. */
	memset(from, 7, sizeof(from));
	assert_int_equal(pack(packer, from, sizeof(from), to, &packed, &slices), ST_END);
	assert_true(packed < 1000);
	free(packer);
}

static void a_host_packs_in_one_go(void **state)
{
	static u8 from[CODEC_MAX_RAW], to[PACK_MAX_FRAME], back[CODEC_MAX_RAW];
	struct trace_unpacker *const unpacker = trace_unpacker_new();
	size_t packed;
	u64 random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (u8)(i & 3);
	packed = trace_pack_whole(from, sizeof(from), to);
	assert_in_range(packed, 1, 1000);
	assert_int_equal(trace_unpack(unpacker, to, packed, back, sizeof(back)), ST_OK);
	assert_memory_equal(back, from, sizeof(back));
	/* Not what gets longer. */
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (u8)test_random(&random);
	assert_int_equal(trace_pack_whole(from, sizeof(from), to), 0);
	trace_unpacker_free(unpacker);
}

static void packing_can_be_given_up(void **state)
{
	static u8 from[CODEC_MAX_RAW], to[PACK_MAX_FRAME], back[CODEC_MAX_RAW];
	struct trace_packer *const packer = make_packer();
	struct trace_unpacker *const unpacker = trace_unpacker_new();
	unsigned slices;
	size_t packed;

	(void)state;
	assert_int_equal(trace_pack_start(packer, from, sizeof(from), to), ST_OK);
	assert_int_equal(trace_pack_slice(packer, &packed), ST_OK);
	memset(from, 9, sizeof(from));
	assert_int_equal(pack(packer, from, 5000, to, &packed, &slices), ST_END);
	assert_int_equal(trace_unpack(unpacker, to, packed, back, 5000), ST_OK);
	assert_memory_equal(back, from, 5000);
	assert_int_equal(trace_pack_start(packer, from, CODEC_MAX_RAW + 1, to), ST_INVALID);
	trace_unpacker_free(unpacker);
	free(packer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_payload_of_any_size_comes_back),
		cmocka_unit_test(what_does_not_shrink_is_left_raw),
		cmocka_unit_test(a_host_packs_in_one_go),
		cmocka_unit_test(packing_can_be_given_up),
	};
	return cmocka_run_group_tests_name("trace/pack", tests, NULL, NULL);
}
