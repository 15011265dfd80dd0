#include "hv/hv_options.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

static const struct options defaults = { .ring = MIB(4),
					 .flush = GIB(1),
					 .capture = CAPTURE_LEAN,
					 .deep_from = 1,
					 .deep_count = 100,
					 .deep_pages = 512 };

static int with_defaults(void **state)
{
	options = defaults;
	return stub_reset(state);
}

static void no_text_leaves_the_defaults(void **state)
{
	(void)state;
	assert_int_equal(options_parse(""), ST_OK);
	assert_int_equal(options_parse("   "), ST_OK);
	assert_memory_equal(&options, &defaults, sizeof(options));
}

static void every_option_is_understood(void **state)
{
	(void)state;
	assert_int_equal(options_parse("caps=-load_efer,-ept_1g ring=64M  drain=debugcon "
				       "capture=lean cpuid=hypervisor log=quiet flush=128M"),
			 ST_OK);
	assert_string_equal(options.caps, "-load_efer,-ept_1g");
	assert_u64(options.ring, MIB(64));
	assert_int_equal(options.drain, DRAIN_DEBUGCON);
	assert_true(options.hypervisor_bit);
	assert_true(options.quiet);
	assert_u64(options.flush, MIB(128));
	assert_false(stub_said("option"));
}

static void a_deep_window_has_a_start_a_length_and_a_limit(void **state)
{
	static const struct {
		const char *text;
		enum status status;
		u64 from, count, pages;
	} rows[] = {
		{ "deep=5:10", ST_OK, 5, 10, 512 },
		{ "deep=0:1:2048", ST_OK, 0, 1, 2048 },
		{ "deep=5", ST_INVALID, 1, 100, 512 },
		{ "deep=5:", ST_INVALID, 1, 100, 512 },
		{ "deep=:5", ST_INVALID, 1, 100, 512 },
		{ "deep=5:0", ST_INVALID, 1, 100, 512 },
		{ "deep=5:1:0", ST_INVALID, 1, 100, 512 },
		{ "deep=5:1:2049", ST_INVALID, 1, 100, 512 },
		{ "deep=5:1:2:3", ST_INVALID, 1, 100, 512 },
		{ "deep=5:1x", ST_INVALID, 1, 100, 512 },
		{ "deep=", ST_INVALID, 1, 100, 512 },
		{ "deep=mark:here:20", ST_OK, DEEP_AT_MARK, 20, 512 },
		{ "deep=mark:here:20:7", ST_OK, DEEP_AT_MARK, 20, 7 },
		{ "deep=mark:here", ST_INVALID, 1, 100, 512 },
		{ "deep=mark::20", ST_INVALID, 1, 100, 512 },
		{ "deep=mark:here:x", ST_INVALID, 1, 100, 512 },
		{ "deep=mark:a_mark_that_is_longer_than_it_can_be:2", ST_INVALID, 1, 100, 512 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		options = defaults;
		assert_row(rows[i].text, options_parse(rows[i].text), rows[i].status);
		assert_row(rows[i].text, options.deep_from, rows[i].from);
		assert_row(rows[i].text, options.deep_count, rows[i].count);
		assert_row(rows[i].text, options.deep_pages, rows[i].pages);
	}
}

static void capture_is_a_profile_and_what_is_added_to_it(void **state)
{
	static const struct {
		const char *text;
		enum status status;
		enum trace_capture profile;
		bool l0;
	} rows[] = {
		{ "capture=lean+l0", ST_OK, CAPTURE_LEAN, true },
		{ "capture=lean", ST_OK, CAPTURE_LEAN, false },
		{ "capture=default", ST_OK, CAPTURE_DEFAULT, false },
		{ "capture=default+l0", ST_OK, CAPTURE_DEFAULT, true },
		{ "capture=default capture=lean", ST_OK, CAPTURE_LEAN, false },
		{ "capture=lean capture=off", ST_OK, CAPTURE_OFF, false },
		{ "capture=thin+l0", ST_OK, CAPTURE_THIN, true },
		{ "capture=deep", ST_OK, CAPTURE_DEEP, false },
		{ "capture=deep+l0", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=off+l0", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=default+", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=lean+", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=lean+l1", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=l0", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=lean+l0+l0", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=le", ST_INVALID, CAPTURE_LEAN, false },
		{ "capture=", ST_INVALID, CAPTURE_LEAN, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		options = defaults;
		assert_row(rows[i].text, options_parse(rows[i].text), rows[i].status);
		assert_row(rows[i].text, options.capture, rows[i].profile);
		assert_row(rows[i].text, options.capture_l0, rows[i].l0);
	}
}

static void a_ring_that_is_drained_cannot_overwrite(void **state)
{
	static const struct {
		const char *text;
		enum status status;
		enum ring_mode mode;
	} rows[] = {
		{ "ring_mode=overwrite", ST_OK, RING_OVERWRITE },
		{ "ring_mode=overwrite drain=ring", ST_OK, RING_OVERWRITE },
		{ "ring_mode=stop", ST_OK, RING_STOP },
		{ "drain=debugcon ring_mode=stop", ST_OK, RING_STOP },
		{ "drain=serial ring_mode=overwrite", ST_OK, RING_OVERWRITE },
		{ "drain=l1 ring_mode=overwrite", ST_INVALID, RING_AUTO },
		{ "ring_mode=overwrite drain=debugcon", ST_INVALID, RING_AUTO },
		{ "ring_mode=round", ST_INVALID, RING_AUTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		options = defaults;
		assert_row(rows[i].text, options_parse(rows[i].text), rows[i].status);
		assert_row(rows[i].text, options.ring_mode, rows[i].mode);
	}
}

static void last_of_two_equal_options_wins(void **state)
{
	(void)state;
	assert_int_equal(options_parse("drain=debugcon drain=ring ring=1M ring=2M"), ST_OK);
	assert_int_equal(options.drain, DRAIN_NONE);
	assert_u64(options.ring, MIB(2));
}

static void sizes_have_units_and_bounds(void **state)
{
	static const struct {
		const char *text;
		u64 expected; /* 0: refused */
	} rows[] = {
		{ "ring=1M", MIB(1) },
		{ "ring=1024K", MIB(1) },
		{ "ring=1048576", MIB(1) },
		{ "ring=1048577", MIB(1) + 4096 },
		{ "ring=2G", GIB(2) },
		{ "ring=1023K", 0 },
		{ "ring=3G", 0 },
		{ "ring=0", 0 },
		{ "ring=", 0 },
		{ "ring=M", 0 },
		{ "ring=4X", 0 },
		{ "ring=4MB", 0 },
		{ "ring=-4M", 0 },
		{ "ring=18446744073709551616M", 0 },
		{ "ring=17592186044420M", 0 },
		{ "ring=17179869186G", 0 },
		{ "ring=99999999999999999999999999G", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		options = defaults;
		assert_row(rows[i].text, options_parse(rows[i].text),
			   rows[i].expected ? ST_OK : ST_INVALID);
		assert_row(rows[i].text, options.ring,
			   rows[i].expected ? rows[i].expected : defaults.ring);
	}
}

static void what_is_wrong_is_named_and_changes_nothing(void **state)
{
	static const char *const rows[] = {
		"colour=red",	   "ring",     "drain=tape",   "capture=deeper",
		"cpuid=",	   "log=loud", "cpuid=vendor", "=",
		"drain",	   "rings=4M", "caps",	       "drain=debugco",
		"drain=debugconx",
	};
	char said[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		with_defaults(NULL);
		assert_row(rows[i], options_parse(rows[i]), ST_INVALID);
		snprintf(said, sizeof(said), "option '%s'", rows[i]);
		assert_row(rows[i], stub_said(said), true);
		assert_memory_equal(&options, &defaults, sizeof(options));
	}
}

static void right_options_beside_a_wrong_one_hold(void **state)
{
	(void)state;
	assert_int_equal(options_parse("log=loud ring=8M"), ST_INVALID);
	assert_u64(options.ring, MIB(8));
}

static void words_longer_than_any_buffer_are_refused(void **state)
{
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "caps=", 5);
	text[sizeof(text) - 1] = 0;
	assert_int_equal(options_parse(text), ST_INVALID);
	assert_string_equal(options.caps, "");
	text[5 + sizeof(options.caps)] = 0;
	assert_int_equal(options_parse(text), ST_INVALID);
	text[5 + sizeof(options.caps) - 1] = 0;
	assert_int_equal(options_parse(text), ST_OK);
	assert_int_equal(strlen(options.caps), sizeof(options.caps) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_text_leaves_the_defaults, with_defaults),
		cmocka_unit_test_setup(every_option_is_understood, with_defaults),
		cmocka_unit_test_setup(a_deep_window_has_a_start_a_length_and_a_limit,
				       with_defaults),
		cmocka_unit_test_setup(capture_is_a_profile_and_what_is_added_to_it, with_defaults),
		cmocka_unit_test_setup(a_ring_that_is_drained_cannot_overwrite, with_defaults),
		cmocka_unit_test_setup(last_of_two_equal_options_wins, with_defaults),
		cmocka_unit_test_setup(sizes_have_units_and_bounds, with_defaults),
		cmocka_unit_test_setup(what_is_wrong_is_named_and_changes_nothing, with_defaults),
		cmocka_unit_test_setup(right_options_beside_a_wrong_one_hold, with_defaults),
		cmocka_unit_test_setup(words_longer_than_any_buffer_are_refused, with_defaults),
	};

	return cmocka_run_group_tests_name("hv/hv_options", tests, NULL, NULL);
}
