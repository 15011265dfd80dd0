#include "tests/test.h"
#include "vmx/vmcs12.h"

static void a_write_keeps_what_the_field_has_of_it(void **state)
{
	const u64 old = 0x1111111122222222, operand = 0xaabbccdd33334444;
	static const struct {
		const char *name;
		u64 encoding;
		bool long_mode;
		u64 held; /* after writing @operand over @old */
	} rows[] = {
		{ "16 bits, long", VMCS_GUEST_CS_SELECTOR, true, 0x4444 },
		{ "16 bits, short", VMCS_GUEST_CS_SELECTOR, false, 0x4444 },
		{ "32 bits, long", VMCS_EXCEPTION_BITMAP, true, 0x33334444 },
		{ "32 bits, short", VMCS_EXCEPTION_BITMAP, false, 0x33334444 },
		{ "64 bits, long", VMCS_TSC_OFFSET, true, 0xaabbccdd33334444 },
		{ "64 bits, short", VMCS_TSC_OFFSET, false, 0x33334444 },
		{ "high, long", VMCS_TSC_OFFSET | 1, true, 0x3333444422222222 },
		{ "high, short", VMCS_TSC_OFFSET | 1, false, 0x3333444422222222 },
		{ "natural, long", VMCS_GUEST_RIP, true, 0xaabbccdd33334444 },
		{ "natural, short", VMCS_GUEST_RIP, false, 0x33334444 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name,
			   vmcs_write_result(vmcs_access_index(rows[i].encoding), old,
					     rows[i].encoding, rows[i].long_mode, operand),
			   rows[i].held);
}

static void every_field_has_its_index_and_64_bit_fields_a_high_half(void **state)
{
	(void)state;
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const struct vmcs_field *const field = &vmcs_fields[ix];

		assert_row(field->name, vmcs_access_index(field->encoding), ix);
		assert_row(field->name, vmcs_access_index(field->encoding | 1),
			   field->width == VMCS_WIDTH_64 ? ix : -1);
	}
}

static void encodings_that_name_no_field_have_no_index(void **state)
{
	static const u64 encodings[] = {
		VMCS_GUEST_RIP | 0x1000,  /* reserved bit 12 */
		VMCS_GUEST_RIP | 0x8000,  /* reserved bit 15 */
		VMCS_GUEST_RIP | BIT(32), /* beyond 32 bits */
		0x6fff,
		~0ull,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++)
		assert_int_equal(vmcs_access_index(encodings[i]), -1);
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
	/*
	 * Of the first processors with VMX, the highest index was that of VMX-preemption timer - 2.
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
		cmocka_unit_test(a_write_keeps_what_the_field_has_of_it),
		cmocka_unit_test(every_field_has_its_index_and_64_bit_fields_a_high_half),
		cmocka_unit_test(encodings_that_name_no_field_have_no_index),
		cmocka_unit_test(sets_of_fields_follow_the_capabilities),
	};
	return cmocka_run_group_tests_name("vmx/vmcs12", tests, NULL, NULL);
}
