#include "tests/test.h"
#include "vmx/cpuid.h"

static struct vmx_caps all_controls(void)
{
	struct vmx_caps caps = { 0 };

	for (u32 i = 0; i < VMX_CAP_COUNT; i++)
		vmx_caps_set(&caps, MSR_VMX_BASIC + i, 0xffffffff00000000);
	return caps;
}

static void listed_bits_are_shown_and_no_others(void **state)
{
	const struct vmx_caps caps = all_controls();
	static const struct {
		const char *name;
		u32 leaf, subleaf;
		enum vmx_cpuid_reg reg;
		u32 bit;
		bool shown;
	} rows[] = {
		{ "vmx", 1, 0, CPUID_ECX, 5, true },
		{ "hypervisor", 1, 0, CPUID_ECX, 31, false },
		{ "smx", 1, 0, CPUID_ECX, 6, false },
		{ "x2apic", 1, 0, CPUID_ECX, 21, true },
		{ "sgx", 7, 0, CPUID_EBX, 2, false },
		{ "pt", 7, 0, CPUID_EBX, 25, false },
		{ "avx512f", 7, 0, CPUID_EBX, 16, true },
		{ "cet_ss", 7, 0, CPUID_ECX, 7, false },
		{ "ibt", 7, 0, CPUID_EDX, 20, false },
		{ "fred", 7, 1, CPUID_EAX, 17, false },
		{ "7.2", 7, 2, CPUID_EDX, 0, false },
		{ "xcr0 tile", 0xd, 0, CPUID_EAX, 18, false },
		{ "xss bits", 0xd, 1, CPUID_ECX, 11, false },
		{ "avx offset", 0xd, 2, CPUID_EBX, 9, true },
		{ "xstate 11", 0xd, 11, CPUID_EAX, 3, false },
		{ "perfmon", 0xa, 0, CPUID_EAX, 0, false },
		{ "pt leaf", 0x14, 0, CPUID_EAX, 0, false },
		{ "hypervisor leaf", 0x40000000, 0, CPUID_EAX, 0, false },
		{ "topology 7", 0xb, 7, CPUID_EDX, 31, true },
		{ "lm", 0x80000001, 0, CPUID_EDX, 29, true },
		{ "svm", 0x80000001, 0, CPUID_ECX, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name,
			   vmx_cpuid_mask(&caps, rows[i].leaf, rows[i].subleaf, rows[i].reg) >>
					   rows[i].bit &
				   1,
			   rows[i].shown);
}

static void features_vanish_with_the_control_they_need(void **state)
{
	static const struct {
		const char *name, *control;
		u32 leaf, subleaf;
		enum vmx_cpuid_reg reg;
		u32 bit;
	} rows[] = {
		{ "invpcid", "invpcid", 7, 0, CPUID_EBX, 10 },
		{ "waitpkg", "user_wait_pause", 7, 0, CPUID_ECX, 5 },
		{ "rdpid", "rdtscp", 7, 0, CPUID_ECX, 22 },
		{ "rdtscp", "rdtscp", 0x80000001, 0, CPUID_EDX, 27 },
		{ "xsaves", "xsaves", 0xd, 1, CPUID_EAX, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps caps = all_controls();
		u32 with = vmx_cpuid_mask(&caps, rows[i].leaf, rows[i].subleaf, rows[i].reg);

		assert_int_equal(vmx_caps_mask(&caps, rows[i].control), ST_OK);
		assert_row(
			rows[i].name,
			with & ~vmx_cpuid_mask(&caps, rows[i].leaf, rows[i].subleaf, rows[i].reg),
			1u << rows[i].bit);
	}
}

static void no_bit_is_listed_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < vmx_cpuid_row_count; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct vmx_cpuid *a = &vmx_cpuid_rows[i], *b = &vmx_cpuid_rows[j];

			assert_false(a->leaf == b->leaf && a->subleaf == b->subleaf &&
				     a->reg == b->reg && (a->mask & b->mask));
			/* One name is one feature, or the registers of one leaf. */
			if (!strcmp(a->name, b->name))
				assert_true(a->leaf == b->leaf || (a->leaf - 0x80000002u < 3 &&
								   !strcmp(a->name, "brand")));
		}
	}
}

static void rows_stand_in_the_order_of_their_leaves(void **state)
{
	(void)state;
	for (size_t i = 1; i < vmx_cpuid_row_count; i++)
		assert_true(vmx_cpuid_rows[i - 1].leaf <= vmx_cpuid_rows[i].leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listed_bits_are_shown_and_no_others),
		cmocka_unit_test(features_vanish_with_the_control_they_need),
		cmocka_unit_test(no_bit_is_listed_twice),
		cmocka_unit_test(rows_stand_in_the_order_of_their_leaves),
	};
	return cmocka_run_group_tests_name("vmx/cpuid", tests, NULL, NULL);
}
