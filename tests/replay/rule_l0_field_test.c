#include "tests/replay/script_l0.h"

#define PAGE	  0x9000
#define RESERVED  0xea00000
#define ITS_END	  (RESERVED + 0x1400000)
#define L0_S_PAGE 0xebcd000

static const struct l0_entry_row rows[] = {
	{ "APIC-access address lost", ON(SECONDARY, VIRTUALIZE_APIC_ACCESSES),
	  FIELD(APIC_ACCESS_ADDRESS), PAGE, IS(APIC_ACCESS_ADDRESS, 0),
	  FINDING_L0_FIELD_NOT_COPIED },
	{ "an address that nothing uses", ALWAYS, FIELD(APIC_ACCESS_ADDRESS), PAGE,
	  IS(APIC_ACCESS_ADDRESS, 0), NOTHING },
	{ "MSR bitmap of L0's own", ON(PRIMARY, MSR_BITMAPS), FIELD(MSR_BITMAP), PAGE,
	  IS(MSR_BITMAP, 0x77000), NOTHING },
	{ "MSR bitmap at 0", ON(PRIMARY, MSR_BITMAPS), FIELD(MSR_BITMAP), PAGE, IS(MSR_BITMAP, 0),
	  FINDING_L0_FIELD_NOT_COPIED },
	{ "VPID 0", ALWAYS, -1, 0, IS(VPID, 0), FINDING_L0_FIELD_NOT_COPIED },
	{ "an exception more", ALWAYS, FIELD(EXCEPTION_BITMAP), BIT(6),
	  IS(EXCEPTION_BITMAP, BIT(6) | BIT(14)), NOTHING },
	{ "an exception less", ALWAYS, FIELD(EXCEPTION_BITMAP), BIT(6),
	  IS(EXCEPTION_BITMAP, BIT(14)), FINDING_L0_FIELD_NOT_COPIED },
	{ "guest RIP", ALWAYS, -1, 0, IS(GUEST_RIP, 0x1234), FINDING_L0_FIELD_NOT_COPIED },
	{ "limit of DS", ALWAYS, FIELD(GUEST_DS_ACCESS_RIGHTS), 0xc093, IS(GUEST_DS_LIMIT, 0x1234),
	  FINDING_L0_FIELD_NOT_COPIED },
	{ "limit of an unusable DS", ALWAYS, FIELD(GUEST_DS_ACCESS_RIGHTS), BIT(16),
	  IS(GUEST_DS_LIMIT, 0x1234), NOTHING },
	{ "base of an unusable DS", ALWAYS, FIELD(GUEST_DS_ACCESS_RIGHTS), BIT(16),
	  IS(GUEST_DS_BASE, 0x1234), NOTHING },
	{ "base of an unusable FS", ALWAYS, FIELD(GUEST_FS_ACCESS_RIGHTS), BIT(16),
	  IS(GUEST_FS_BASE, 0x1234), FINDING_L0_FIELD_NOT_COPIED },
	{ "reserved access rights dropped", ALWAYS, FIELD(GUEST_LDTR_ACCESS_RIGHTS), 0xffffffff,
	  IS(GUEST_LDTR_ACCESS_RIGHTS, 0x1f0ff), NOTHING },
	{ "bit 13 of LDTR dropped", ALWAYS, FIELD(GUEST_LDTR_ACCESS_RIGHTS), 0x2082,
	  IS(GUEST_LDTR_ACCESS_RIGHTS, 0x82), NOTHING },
	{ "bit 13 of CS dropped", ALWAYS, FIELD(GUEST_CS_ACCESS_RIGHTS), 0xa09b,
	  IS(GUEST_CS_ACCESS_RIGHTS, 0x809b), FINDING_L0_FIELD_NOT_COPIED },
	{ "DPL of LDTR changed", ALWAYS, FIELD(GUEST_LDTR_ACCESS_RIGHTS), 0x82,
	  IS(GUEST_LDTR_ACCESS_RIGHTS, 0xe2), FINDING_L0_FIELD_NOT_COPIED },
	{ "PAT that is loaded", ON(ENTRY, LOAD_PAT), FIELD(GUEST_IA32_PAT), 0x0606060606060606,
	  IS(GUEST_IA32_PAT, 0x0007040600070406), FINDING_L0_FIELD_NOT_COPIED },
	{ "PAT that is not loaded", ALWAYS, FIELD(GUEST_IA32_PAT), 0x0606060606060606,
	  IS(GUEST_IA32_PAT, 0x0007040600070406), NOTHING },
	{ "SYSENTER", ALWAYS, -1, 0, IS(GUEST_IA32_SYSENTER_CS, 8), FINDING_L0_FIELD_NOT_COPIED },
	{ "SYSENTER behind an MSR list", ALWAYS, FIELD(VM_ENTRY_MSR_LOAD_COUNT), 1,
	  IS(GUEST_IA32_SYSENTER_CS, 8), NOTHING },
	{ "hv's timer", ALWAYS, -1, 0, IS(VMX_PREEMPTION_TIMER_VALUE, 5), NOTHING },
};

static void vmcs02_has_the_values_of_vmcs12(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_ready();

		assert_l0_entry_row(&script, &rows[i]);
		script_free(&script);
	}
}

/* Ranges of the memory map that L1 got: RAM, and what L0 keeps for itself. */
static const struct ev_memory map[] = { { 0, RESERVED, 1 },
					{ RESERVED, ITS_END - RESERVED, 2 },
					{ ITS_END, 0x100000, 1 } };

#define APIC_PAGE ON(PRIMARY, TPR_SHADOW), FIELD(VIRTUAL_APIC_ADDRESS)

/* A processor uses what is at the address; L0 has something there that L1 must not get. */
static void pages_of_l1_in_l0_s_range_may_be_others(void **state)
{
	static const struct l0_entry_row pages[] = {
		{ "in RAM, as it is", APIC_PAGE, PAGE, IS(VIRTUAL_APIC_ADDRESS, PAGE), NOTHING },
		{ "in RAM, another page", APIC_PAGE, PAGE, IS(VIRTUAL_APIC_ADDRESS, L0_S_PAGE),
		  FINDING_L0_FIELD_NOT_COPIED },
		{ "in the range, another page", APIC_PAGE, RESERVED,
		  IS(VIRTUAL_APIC_ADDRESS, L0_S_PAGE), NOTHING },
		{ "its last page", APIC_PAGE, ITS_END - 0x1000, IS(VIRTUAL_APIC_ADDRESS, L0_S_PAGE),
		  NOTHING },
		{ "the page behind it", APIC_PAGE, ITS_END, IS(VIRTUAL_APIC_ADDRESS, L0_S_PAGE),
		  FINDING_L0_FIELD_NOT_COPIED },
		{ "in the range, no page", APIC_PAGE, RESERVED, IS(VIRTUAL_APIC_ADDRESS, 0),
		  FINDING_L0_FIELD_NOT_COPIED },
		{ "APIC-access page in the range", ON(SECONDARY, VIRTUALIZE_APIC_ACCESSES),
		  FIELD(APIC_ACCESS_ADDRESS), RESERVED, IS(APIC_ACCESS_ADDRESS, L0_S_PAGE),
		  NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		struct script script = script_ready();

		for (size_t j = 0; j < ARRAY_SIZE(map); j++)
			script_items(&script, EV_MEMORY, &map[j], sizeof(map[j]), NULL, 0);
		assert_l0_entry_row(&script, &pages[i]);
		script_free(&script);
	}
}

static void without_a_memory_map_a_page_may_be_of_l0(void **state)
{
	static const struct l0_entry_row row = { "no map", APIC_PAGE, PAGE,
						 IS(VIRTUAL_APIC_ADDRESS, L0_S_PAGE), NOTHING };
	struct script script = script_ready();

	(void)state;
	assert_l0_entry_row(&script, &row);
	script_free(&script);
}

static void the_finding_names_both_values(void **state)
{
	struct script script = script_ready();
	const struct finding *finding;

	(void)state;
	script_vmwrite(&script, VMCS_GUEST_RSP, 0x1234);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	ENTER02(&script, { ITEM02(GUEST_RSP), 0x5678 });
	finding = script_finding(&script, FINDING_L0_FIELD_NOT_COPIED);
	assert_non_null(finding);
	assert_string_equal(finding->title,
			    "guest_rsp is 0x1234 in VMCS12, and L2 runs with 0x5678");
	assert_int_equal(finding->severity, SEVERITY_ERROR);
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	assert_int_equal(finding->evidence[1].kind, EV_L0_ENTRY);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmcs02_has_the_values_of_vmcs12),
		cmocka_unit_test(pages_of_l1_in_l0_s_range_may_be_others),
		cmocka_unit_test(without_a_memory_map_a_page_may_be_of_l0),
		cmocka_unit_test(the_finding_names_both_values),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_field", tests, NULL, NULL);
}
