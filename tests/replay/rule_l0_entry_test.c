#include "tests/replay/script_l0.h"

#define CR0_TS BIT(3)

static const struct l0_entry_row rows[] = {
	{ "nothing differs", ALWAYS, -1, 0, { ITEM_REG, 0 }, NOTHING },
	{ "L0 has more controls", ALWAYS, -1, 0, IS(PIN_BASED_CONTROLS, 0x7e), NOTHING },
	{ "HLT exiting in both", ON(PRIMARY, HLT_EXITING), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, SCRIPT_PRIMARY | PRIMARY_HLT_EXITING | BIT(25)),
	  NOTHING },
	{ "HLT exiting dropped", ON(PRIMARY, HLT_EXITING), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, SCRIPT_PRIMARY), FINDING_L0_FEATURE_DROPPED },
	{ "WBINVD exiting dropped", ON(SECONDARY, WBINVD_EXITING), -1, 0,
	  IS(SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT | SECONDARY_VPID),
	  FINDING_L0_FEATURE_DROPPED },
	{ "external-interrupt exiting dropped", ON(PIN, EXTERNAL_INTERRUPT_EXITING), -1, 0,
	  IS(PIN_BASED_CONTROLS, 0x16), FINDING_L0_FEATURE_DROPPED },
	{ "MSR bitmaps left out: everything exits", ON(PRIMARY, MSR_BITMAPS), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, SCRIPT_PRIMARY), NOTHING },
	{ "TPR shadow dropped", ON(PRIMARY, TPR_SHADOW), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, SCRIPT_PRIMARY), FINDING_L0_CR8_EXPOSED },
	{ "TPR shadow dropped, CR8 exits", ON(PRIMARY, TPR_SHADOW), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS,
	     SCRIPT_PRIMARY | PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING),
	  NOTHING },

	{ "CR0 shadow lost under its mask", ALWAYS, FIELD(CR0_GUEST_HOST_MASK), CR0_TS,
	  IS(CR0_READ_SHADOW, CR0_TS), FINDING_L0_CR_VIEW },
	{ "CR0 shadow without mask", ALWAYS, -1, 0, IS(CR0_READ_SHADOW, CR0_TS), NOTHING },
	{ "CR4 differs", ALWAYS, -1, 0, IS(GUEST_CR4, 0x20a0 | BIT(9)), FINDING_L0_CR_VIEW },

	{ "a bit that the MSR bitmap lacks",
	  ALWAYS,
	  -1,
	  0,
	  { ITEM_MSR_BITMAP_LACKS + 258, 2 },
	  FINDING_L0_MSR_BITMAP },
	{ "a bit of the x2APIC",
	  ALWAYS,
	  -1,
	  0,
	  { ITEM_MSR_BITMAP_LACKS + 32, 4 },
	  FINDING_L0_X2APIC_LEAK },
	{ "the MSR behind the x2APIC",
	  ALWAYS,
	  -1,
	  0,
	  { ITEM_MSR_BITMAP_LACKS + 36, 1 },
	  FINDING_L0_MSR_BITMAP },
	{ "a bit that the I/O bitmaps lack",
	  ALWAYS,
	  -1,
	  0,
	  { ITEM_IO_BITMAP_LACKS + 1, 16 },
	  FINDING_L0_EMULATED_INSN_INTERCEPT },
};

static void vmcs02_does_what_vmcs12_asks_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_ready();

		assert_l0_entry_row(&script, &rows[i]);
		script_free(&script);
	}
}

/* Behind an exit that L0 handled, VMCS02 has state that VMCS12 does not have yet. */
static void where_l2_only_goes_on_nothing_is_compared(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_run(&script);
	EXIT02(&script, (EXIT_PREEMPTION_TIMER), { ITEM02(GUEST_RIP), 0x1234 });
	RESUME02(&script, { ITEM02(GUEST_RIP), 0x1234 });
	assert_only_l0(&script, "resumed", NOTHING);
	script_free(&script);
}

static void unknown_fields_differ_from_nothing(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_gap(&script);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	ENTER02(&script, { ITEM02(GUEST_RIP), 0x1234 }, { ITEM02(PIN_BASED_CONTROLS), 0 });
	assert_only_l0(&script, "behind a gap", NOTHING);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmcs02_does_what_vmcs12_asks_for),
		cmocka_unit_test(where_l2_only_goes_on_nothing_is_compared),
		cmocka_unit_test(unknown_fields_differ_from_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_entry", tests, NULL, NULL);
}
