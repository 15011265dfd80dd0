#include "tests/replay/script_l0.h"

#define PRIMARY (0x04006172 | PRIMARY_SECONDARY_CONTROLS)
#define CR0_TS	BIT(3)
#define PAGE	0x9000

/* VMCS02 has @item at an entry with field @field of VMCS12 set to @value, and a control on. */
static const struct row {
	const char *name;
	u8 word;
	u64 control; /* of it, on in VMCS12 and in VMCS02 */
	int field;
	u64 value;
	struct trace_item item;
	int found;
} rows[] = {
#define ON(WORD, CONTROL) VMX_WORD_##WORD, WORD##_##CONTROL
#define ALWAYS		  VMX_WORD_PRIMARY, 0
#define FIELD(NAME)	  VMCS_IX_##NAME
/* trace_item_id(), as a constant. */
#define IS(NAME, value)                                                                           \
	{                                                                                         \
		ITEM_VMCS02 + ((VMCS_##NAME >> 1 & 0x7ff) | (VMCS_##NAME >> 13 & 3) << 11), value \
	}
	{ "nothing differs", ALWAYS, -1, 0, { ITEM_REG, 0 }, NOTHING },
	{ "L0 has more controls", ALWAYS, -1, 0, IS(PIN_BASED_CONTROLS, 0x7e), NOTHING },
	{ "HLT exiting in both", ON(PRIMARY, HLT_EXITING), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, PRIMARY | PRIMARY_HLT_EXITING | BIT(25)), NOTHING },
	{ "HLT exiting dropped", ON(PRIMARY, HLT_EXITING), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, PRIMARY), FINDING_L0_FEATURE_DROPPED },
	{ "WBINVD exiting dropped", ON(SECONDARY, WBINVD_EXITING), -1, 0,
	  IS(SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT | SECONDARY_VPID),
	  FINDING_L0_FEATURE_DROPPED },
	{ "external-interrupt exiting dropped", ON(PIN, EXTERNAL_INTERRUPT_EXITING), -1, 0,
	  IS(PIN_BASED_CONTROLS, 0x16), FINDING_L0_FEATURE_DROPPED },
	{ "MSR bitmaps left out: everything exits", ON(PRIMARY, MSR_BITMAPS), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, PRIMARY), NOTHING },
	{ "TPR shadow dropped", ON(PRIMARY, TPR_SHADOW), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS, PRIMARY), FINDING_L0_CR8_EXPOSED },
	{ "TPR shadow dropped, CR8 exits", ON(PRIMARY, TPR_SHADOW), -1, 0,
	  IS(PRIMARY_PROC_BASED_CONTROLS,
	     PRIMARY | PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING),
	  NOTHING },

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
	{ "PAT that is loaded", ON(ENTRY, LOAD_PAT), FIELD(GUEST_IA32_PAT), 0x0606060606060606,
	  IS(GUEST_IA32_PAT, 0x0007040600070406), FINDING_L0_FIELD_NOT_COPIED },
	{ "PAT that is not loaded", ALWAYS, FIELD(GUEST_IA32_PAT), 0x0606060606060606,
	  IS(GUEST_IA32_PAT, 0x0007040600070406), NOTHING },
	{ "SYSENTER", ALWAYS, -1, 0, IS(GUEST_IA32_SYSENTER_CS, 8), FINDING_L0_FIELD_NOT_COPIED },
	{ "SYSENTER behind an MSR list", ALWAYS, FIELD(VM_ENTRY_MSR_LOAD_COUNT), 1,
	  IS(GUEST_IA32_SYSENTER_CS, 8), NOTHING },
	{ "hv's timer", ALWAYS, -1, 0, IS(VMX_PREEMPTION_TIMER_VALUE, 5), NOTHING },

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

static void turn_on(struct script *script, const struct row *row)
{
	static const u64 good[VMX_WORD_COUNT] = {
		[VMX_WORD_PIN] = 0x16,
		[VMX_WORD_PRIMARY] = PRIMARY,
		[VMX_WORD_SECONDARY] = SECONDARY_EPT | SECONDARY_VPID,
		[VMX_WORD_ENTRY] = 0x11fb | ENTRY_IA32E_MODE_GUEST,
	};

	if (row->control)
		script_field(script, vmx_control_words[row->word].field,
			     good[row->word] | row->control);
}

static void vmcs02_is_what_vmcs12_asks_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_ready();

		turn_on(&script, &rows[i]);
		if (rows[i].field >= 0)
			script_field(&script, rows[i].field, rows[i].value);
		INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
		ENTER02(&script, { ITEM02(VM_EXIT_CONTROLS), 0x3f6fff });
		assert_only_l0(&script, rows[i].name, NOTHING);
		{
			const struct ev_l0_entry entry = { .vmcs = SCRIPT_VMCS, .flushed = 1 };

			script_items(&script, EV_L0_ENTRY, &entry, sizeof(entry), &rows[i].item, 1);
		}
		assert_only_l0(&script, rows[i].name, rows[i].found);
		script_free(&script);
	}
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
		cmocka_unit_test(vmcs02_is_what_vmcs12_asks_for),
		cmocka_unit_test(the_finding_names_both_values),
		cmocka_unit_test(where_l2_only_goes_on_nothing_is_compared),
		cmocka_unit_test(unknown_fields_differ_from_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_entry", tests, NULL, NULL);
}
