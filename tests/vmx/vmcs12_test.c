#include "tests/test.h"
#include "vmx/vmcs12.h"

static const struct vmcs_set every_field = { { ~0ull, ~0ull, ~0ull, ~0ull } };

/* A value that has a bit in each byte, different for each field. */
static u64 pattern(int index)
{
	return 0x8080808080808081ull + (u64)index * 0x0101010101010101ull;
}

static void what_is_written_is_read_in_64_bit_mode(void **state)
{
	struct vmcs12 vmcs = { 0 };

	(void)state;
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		assert_int_equal(vmcs12_write(&vmcs, &every_field, vmcs_fields[ix].encoding, true,
					      pattern(ix)),
				 ST_OK);
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const struct vmcs_field *field = &vmcs_fields[ix];
		u64 value = 0;

		assert_int_equal(vmcs12_read(&vmcs, &every_field, field->encoding, true, &value),
				 ST_OK);
		assert_row(field->name, value, pattern(ix) & vmcs_width_mask(field->width));
		assert_row(field->name, vmcs.value[ix], value);
	}
}

static void widths_and_access_types_follow_the_rules(void **state)
{
	const u64 old = 0x1111111122222222, operand = 0xaabbccdd33334444;
	static const struct {
		const char *name;
		u64 encoding;
		bool long_mode;
		u64 held, read; /* after writing @operand over @old */
	} rows[] = {
		{ "16 bits, long", VMCS_GUEST_CS_SELECTOR, true, 0x4444, 0x4444 },
		{ "16 bits, short", VMCS_GUEST_CS_SELECTOR, false, 0x4444, 0x4444 },
		{ "32 bits, long", VMCS_EXCEPTION_BITMAP, true, 0x33334444, 0x33334444 },
		{ "32 bits, short", VMCS_EXCEPTION_BITMAP, false, 0x33334444, 0x33334444 },
		{ "64 bits, long", VMCS_TSC_OFFSET, true, 0xaabbccdd33334444, 0xaabbccdd33334444 },
		{ "64 bits, short", VMCS_TSC_OFFSET, false, 0x33334444, 0x33334444 },
		{ "high, long", VMCS_TSC_OFFSET | 1, true, 0x3333444422222222, 0x33334444 },
		{ "high, short", VMCS_TSC_OFFSET | 1, false, 0x3333444422222222, 0x33334444 },
		{ "natural, long", VMCS_GUEST_RIP, true, 0xaabbccdd33334444, 0xaabbccdd33334444 },
		{ "natural, short", VMCS_GUEST_RIP, false, 0x33334444, 0x33334444 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const int ix = vmcs_access_index(rows[i].encoding);
		struct vmcs12 vmcs = { 0 };
		u64 value = 0;

		vmcs12_set(&vmcs, ix, old);
		assert_row(rows[i].name,
			   vmcs12_write(&vmcs, &every_field, rows[i].encoding, rows[i].long_mode,
					operand),
			   ST_OK);
		assert_row(rows[i].name, vmcs.value[ix], rows[i].held);
		assert_row(rows[i].name,
			   vmcs12_read(&vmcs, &every_field, rows[i].encoding, rows[i].long_mode,
				       &value),
			   ST_OK);
		assert_row(rows[i].name, value, rows[i].read);
	}
}

static void reading_outside_64_bit_mode_ignores_the_upper_half(void **state)
{
	struct vmcs12 vmcs = { 0 };
	u64 value = 0;

	(void)state;
	vmcs12_set(&vmcs, VMCS_IX_GUEST_RIP, 0xffff800012345678);
	assert_int_equal(vmcs12_read(&vmcs, &every_field, VMCS_GUEST_RIP, false, &value), ST_OK);
	assert_u64(value, 0x12345678);
}

static void unsupported_encodings_change_nothing(void **state)
{
	static const u64 encodings[] = {
		VMCS_GUEST_RIP | 1,	    /* high access of a natural-width field */
		VMCS_EXCEPTION_BITMAP | 1,  /* of a 32-bit field */
		VMCS_GUEST_CS_SELECTOR | 1, /* of a 16-bit field */
		VMCS_GUEST_RIP | 0x1000,    /* reserved bit 12 */
		VMCS_GUEST_RIP | 0x8000,    /* reserved bit 15 */
		VMCS_GUEST_RIP | BIT(32),   /* beyond 32 bits */
		VMCS_EPT_POINTER,	    /* not in the set below */
		VMCS_EPT_POINTER | 1,	    /* nor its high half */
		0x6fff,
		~0ull,
	};
	struct vmcs_set some = every_field;
	const struct vmcs12 before = { .revision = 1 };

	(void)state;
	vmcs_set_remove(&some, VMCS_IX_EPT_POINTER);
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++) {
		struct vmcs12 vmcs = before;
		u64 value = 42;

		assert_int_equal(vmcs12_write(&vmcs, &some, encodings[i], true, ~0ull),
				 ST_NOT_FOUND);
		assert_memory_equal(&vmcs, &before, sizeof(vmcs));
		assert_int_equal(vmcs12_read(&vmcs, &some, encodings[i], true, &value),
				 ST_NOT_FOUND);
		assert_u64(value, 42);
	}
}

static void sets_of_fields_follow_the_capabilities(void **state)
{
	struct vmx_caps caps = { .known = MASK(VMX_CAP_COUNT - 1, 0) };
	struct vmcs_set set;
	unsigned int count = 0;

	(void)state;
	vmcs_set_from_caps(&set, &caps);
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		assert_row(vmcs_fields[ix].name, vmcs_set_has(&set, ix),
			   vmcs_fields[ix].exists == VMCS_EXISTS_ALWAYS);
		count += vmcs_set_has(&set, ix);
	}
	/* Of the first processors with VMX, the highest index was that of VMX-preemption timer - 2.
	 */
	assert_u64(vmcs_set_highest_index(&set), 0x15);
	assert_int_equal(count, 115);
	caps.msr[VMX_CAP_PINBASED_CTLS] = (u64)PIN_PREEMPTION_TIMER << 32;
	vmcs_set_from_caps(&set, &caps);
	assert_u64(vmcs_set_highest_index(&set), 0x17);
	vmcs_set_add(&set, VMCS_IX_TSC_MULTIPLIER);
	assert_u64(vmcs_set_highest_index(&set), 0x19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_in_64_bit_mode),
		cmocka_unit_test(widths_and_access_types_follow_the_rules),
		cmocka_unit_test(reading_outside_64_bit_mode_ignores_the_upper_half),
		cmocka_unit_test(unsupported_encodings_change_nothing),
		cmocka_unit_test(sets_of_fields_follow_the_capabilities),
	};
	return cmocka_run_group_tests_name("vmx/vmcs12", tests, NULL, NULL);
}
