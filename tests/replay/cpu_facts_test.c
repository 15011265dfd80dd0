#include "tests/test.h"
#include "replay/cpu_facts.h"
#include "vmx/tables.h"

#define PAIR(low, high) ((u64)(high) << 32 | (low))

static void what_no_leaf_told_is_unknown(void **state)
{
	struct cpu_facts facts = { 0 };
	struct word may;

	(void)state;
	for (unsigned int n = 0; n < CPU_FEATURE_COUNT; n++)
		assert_int_equal(cpu_facts_has(&facts, (enum cpu_feature)n), TRI_MAYBE);
	assert_true(cpu_facts_msr_bits(&facts, MSR_PERF_GLOBAL_CTRL, &may));
	assert_u64(may.known, 0);
	assert_false(cpu_facts_msr_bits(&facts, MSR_TSC, &may));
}

static void features_are_bits_of_their_leaves(void **state)
{
	struct cpu_facts facts = { 0 };

	(void)state;
	cpu_facts_add(&facts, 0x7, 0, PAIR(2, BIT(11)), PAIR(BIT(24), BIT(31)));
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_RTM), TRI_YES);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_SGX), TRI_NO);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_BUS_LOCK), TRI_YES);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_CET_SS), TRI_NO);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_SSBD), TRI_YES);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_LAM), TRI_MAYBE);
	cpu_facts_add(&facts, 0x7, 1, BIT(26), 0);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_LAM), TRI_YES);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_RTM), TRI_YES);
	cpu_facts_add(&facts, 0x80000001, 0, 0, PAIR(0, BIT(20) | BIT(29)));
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_NX), TRI_YES);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_RDTSCP), TRI_NO);
}

static void leaves_above_the_highest_have_nothing(void **state)
{
	struct cpu_facts facts = { 0 };

	(void)state;
	cpu_facts_add(&facts, 0x7, 0, 0, 0);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_LAM), TRI_NO);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_PSFD), TRI_NO);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_NX), TRI_MAYBE);
	cpu_facts_add(&facts, 0x80000000, 0, 0x80000000, 0);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_NX), TRI_NO);
	facts = (struct cpu_facts){ 0 };
	cpu_facts_add(&facts, 0, 0, 5, 0);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_RTM), TRI_NO);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_DS), TRI_MAYBE);
	assert_int_equal(cpu_facts_has(&facts, CPU_FEATURE_NX), TRI_MAYBE);
}

static void counters_make_bits_of_the_global_control(void **state)
{
	static const struct {
		u32 eax, ecx, edx;
		u64 may;
	} rows[] = {
		{ 0, 0, 0, 0 },
		{ 0x0401, 0, 3, 0xf }, /* version 1 has no fixed counters */
		{ 0x0402, 0, 3, 0x70000000f },
		{ 0x0802, 0, 0, 0xff },
		{ 0x0805, 0x1f, 3, 0x1f000000ff },
		{ 0x2002, 0, 0, 0xffffffff },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpu_facts facts = { 0 };
		struct word may;

		cpu_facts_add(&facts, 0xa, 0, PAIR(rows[i].eax, 0), PAIR(rows[i].ecx, rows[i].edx));
		assert_true(cpu_facts_msr_bits(&facts, MSR_PERF_GLOBAL_CTRL, &may));
		assert_u64(may.value, rows[i].may);
		assert_u64(may.known, ~BIT(48));
	}
}

static void msr_bits_follow_features(void **state)
{
	struct cpu_facts facts = { 0 };
	struct word may;

	(void)state;
	assert_true(cpu_facts_msr_bits(&facts, MSR_EFER, &may));
	assert_u64(may.value, 0);
	assert_u64(may.known, ~0xd01ull);
	cpu_facts_add(&facts, 0x80000001, 0, 0, PAIR(0, BIT(20) | BIT(29)));
	assert_true(cpu_facts_msr_bits(&facts, MSR_EFER, &may));
	assert_u64(may.value, 0xd00);
	assert_u64(may.known, ~0ull);
	assert_true(cpu_facts_msr_bits(&facts, MSR_SPEC_CTRL, &may));
	assert_u64(may.known, ~0x5ffull);
	cpu_facts_add(&facts, 0x7, 0, 0, PAIR(0, BIT(26)));
	assert_true(cpu_facts_msr_bits(&facts, MSR_SPEC_CTRL, &may));
	assert_u64(may.value, 3);
	assert_u64(may.known, ~0ull);
}

static void widths_bound_addresses(void **state)
{
	struct vmx_caps caps = { 0 };
	struct cpu_facts facts = { .keyid_bits = 4 };

	(void)state;
	assert_u64(cpu_physical_bits(&caps, 0).value, MASK(31, 0));
	assert_u64(cpu_physical_bits(&caps, 0).known, ~MASK(51, 32));
	caps.maxphyaddr = 46;
	assert_u64(cpu_physical_bits(&caps, 0).value, MASK(45, 0));
	assert_u64(cpu_physical_bits(&caps, 4).value, MASK(41, 0));
	assert_u64(cpu_vmx_address_bits(&caps, &facts).value, MASK(31, 0));
	assert_u64(cpu_vmx_address_bits(&caps, &facts).known, ~MASK(41, 32));
	vmx_caps_set(&caps, MSR_VMX_BASIC, 0);
	assert_u64(cpu_vmx_address_bits(&caps, &facts).value, MASK(41, 0));
	vmx_caps_set(&caps, MSR_VMX_BASIC, CAP_ADDRESSES_32BIT);
	assert_u64(cpu_vmx_address_bits(&caps, &facts).value, MASK(31, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_leaf_told_is_unknown),
		cmocka_unit_test(features_are_bits_of_their_leaves),
		cmocka_unit_test(leaves_above_the_highest_have_nothing),
		cmocka_unit_test(counters_make_bits_of_the_global_control),
		cmocka_unit_test(msr_bits_follow_features),
		cmocka_unit_test(widths_bound_addresses),
	};
	return cmocka_run_group_tests_name("replay/cpu_facts", tests, NULL, NULL);
}
