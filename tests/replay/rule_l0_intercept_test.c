#include "tests/replay/script_l0.h"

#define EVENT_PF  0x80000b0e
#define EVENT_UD  0x80000306
#define EVENT_NMI 0x80000202
#define IN_64	  (0x64ull << 16 | 8)
#define OUT_LAST  (0xffffull << 16 | 1) /* two bytes from the last port on */
#define HV_LEAF	  0x4d585456
#define PRIMARY	  (0x04006172 | PRIMARY_SECONDARY_CONTROLS)

static const struct row {
	const char *name;
	int field; /* of VMCS12, set to @value; -1: none */
	u64 value;
	struct ev_l0_exit raw;
	struct trace_item consulted;
	bool reflected;
	int found;
} rows[] = {
	{ "CPUID kept",
	  -1,
	  0,
	  RAW(EXIT_CPUID),
	  { ITEM_REG + REG_RAX, 1 },
	  false,
	  FINDING_L0_REFLECT_MISSING },
	{ "VMCALL kept", -1, 0, RAW(EXIT_VMCALL), { 0 }, false, FINDING_L0_REFLECT_MISSING },
	{ "VMREAD kept", -1, 0, RAW(EXIT_VMREAD), { 0 }, false, FINDING_L0_REFLECT_MISSING },
	{ "triple fault kept",
	  -1,
	  0,
	  RAW(EXIT_TRIPLE_FAULT),
	  { 0 },
	  false,
	  FINDING_L0_REFLECT_MISSING },
	{ "CPUID given", -1, 0, RAW(EXIT_CPUID), { ITEM_REG + REG_RAX, 1 }, true, NOTHING },
	{ "HLT kept, not asked for", -1, 0, RAW(EXIT_HLT), { 0 }, false, NOTHING },
	{ "HLT kept, asked for",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_HLT_EXITING,
	  RAW(EXIT_HLT),
	  { 0 },
	  false,
	  FINDING_L0_REFLECT_MISSING },
	{ "EPT violation kept",
	  -1,
	  0,
	  RAW(EXIT_EPT_VIOLATION, .qualification = 0x181),
	  { 0 },
	  false,
	  NOTHING },
	{ "hv's timer kept", -1, 0, RAW(EXIT_PREEMPTION_TIMER), { 0 }, false, NOTHING },

	{ "#UD given, bit 0",
	  -1,
	  0,
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_UD),
	  { 0 },
	  true,
	  FINDING_L0_EXCEPTION_FILTER },
	{ "#UD given, bit 1",
	  VMCS_IX_EXCEPTION_BITMAP,
	  BIT(6),
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_UD),
	  { 0 },
	  true,
	  NOTHING },
	{ "#UD kept, bit 1",
	  VMCS_IX_EXCEPTION_BITMAP,
	  BIT(6),
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_UD),
	  { 0 },
	  false,
	  FINDING_L0_EXCEPTION_FILTER },
	{ "#PF given, bit 1, no match",
	  VMCS_IX_EXCEPTION_BITMAP,
	  BIT(14),
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_PF, .event_code = 0),
	  { 0 },
	  true,
	  NOTHING },
	{ "#PF given, bit 0, no match",
	  VMCS_IX_PAGE_FAULT_ERROR_CODE_MATCH,
	  2,
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_PF, .event_code = 0),
	  { 0 },
	  true,
	  NOTHING },
	{ "#PF kept, bit 0, no match",
	  VMCS_IX_PAGE_FAULT_ERROR_CODE_MATCH,
	  2,
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_PF, .event_code = 0),
	  { 0 },
	  false,
	  FINDING_L0_EXCEPTION_FILTER },
	{ "NMI kept, not asked for",
	  -1,
	  0,
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_NMI),
	  { 0 },
	  false,
	  NOTHING },
	{ "NMI kept, asked for",
	  VMCS_IX_PIN_BASED_CONTROLS,
	  0x16 | PIN_NMI_EXITING,
	  RAW(EXIT_EXCEPTION_NMI, .event_info = EVENT_NMI),
	  { 0 },
	  false,
	  FINDING_L0_EXCEPTION_FILTER },

	{ "RDMSR kept, no bitmaps", -1, 0, RAW(EXIT_RDMSR), { 0 }, false, FINDING_L0_MSR_BITMAP },
	{ "RDMSR kept, bit 0",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_MSR_BITMAPS,
	  RAW(EXIT_RDMSR),
	  { ITEM_MSR_BITMAP, 0xfe },
	  false,
	  NOTHING },
	{ "RDMSR kept, bit 1",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_MSR_BITMAPS,
	  RAW(EXIT_RDMSR),
	  { ITEM_MSR_BITMAP, 1 },
	  false,
	  FINDING_L0_MSR_BITMAP },
	{ "RDMSR given, bit 0",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_MSR_BITMAPS,
	  RAW(EXIT_RDMSR),
	  { ITEM_MSR_BITMAP, 0xfe },
	  true,
	  FINDING_L0_MSR_BITMAP },
	{ "RDMSR given, bit unknown",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_MSR_BITMAPS,
	  RAW(EXIT_RDMSR),
	  { 0 },
	  true,
	  NOTHING },

	{ "IN kept, no bitmaps",
	  -1,
	  0,
	  RAW(EXIT_IO, .qualification = IN_64),
	  { 0 },
	  false,
	  NOTHING },
	{ "IN kept, unconditional",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_UNCONDITIONAL_IO_EXITING,
	  RAW(EXIT_IO, .qualification = IN_64),
	  { 0 },
	  false,
	  FINDING_L0_EMULATED_INSN_INTERCEPT },
	{ "IN kept, bit 1",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_IO_BITMAPS,
	  RAW(EXIT_IO, .qualification = IN_64),
	  { ITEM_IO_BITMAP, 0x10 },
	  false,
	  FINDING_L0_EMULATED_INSN_INTERCEPT },
	{ "IN kept, another bit",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_IO_BITMAPS,
	  RAW(EXIT_IO, .qualification = IN_64),
	  { ITEM_IO_BITMAP, 0x20 },
	  false,
	  NOTHING },
	{ "IN given, bit 0",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_IO_BITMAPS,
	  RAW(EXIT_IO, .qualification = IN_64),
	  { ITEM_IO_BITMAP, 0 },
	  true,
	  FINDING_L0_EMULATED_INSN_INTERCEPT },
	{ "OUT around the last port given",
	  VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	  PRIMARY | PRIMARY_IO_BITMAPS,
	  RAW(EXIT_IO, .qualification = OUT_LAST),
	  { ITEM_IO_BITMAP, 0 },
	  true,
	  NOTHING },
};

static void play(struct script *script, const struct row *row)
{
	const struct trace_item regs[] = { { ITEM_REG + REG_RCX, 0x10 }, row->consulted };
	const struct trace_item items[] = {
		{ VMCS_EXIT_QUALIFICATION, row->raw.qualification },
		{ VMCS_VM_EXIT_INTERRUPTION_INFO, row->raw.event_info },
		{ VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE, row->raw.event_code },
		{ ITEM_REG + REG_RCX, 0x10 },
		row->consulted,
	};
	const struct ev_l2_exit exit = { .reason = row->raw.reason, .vmcs = SCRIPT_VMCS };
	const struct ev_l0_entry resume = { .vmcs = SCRIPT_VMCS, .resumed = 1 };

	script_items(script, EV_L0_EXIT, &row->raw, sizeof(row->raw), regs, ARRAY_SIZE(regs));
	if (row->reflected)
		script_items(script, EV_L2_EXIT, &exit, sizeof(exit), items,
			     row->consulted.id ? 5 : 4);
	else
		script_items(script, EV_L0_ENTRY, &resume, sizeof(resume), &row->consulted,
			     row->consulted.id ? 1 : 0);
}

static void exits_go_to_whom_they_belong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_ready();

		if (rows[i].field >= 0)
			script_field(&script, rows[i].field, rows[i].value);
		script_run(&script);
		play(&script, &rows[i]);
		assert_only_l0(&script, rows[i].name, rows[i].found);
		script_free(&script);
	}
}

static void cpuid_by_which_l2_speaks_to_hv_is_hv_s(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_run(&script);
	EXIT02(&script, (EXIT_CPUID), { ITEM_REG + REG_RAX, HV_LEAF });
	RESUME02(&script, { ITEM_REG + REG_RAX, HV_LEAF });
	EXIT02(&script, (EXIT_CPUID), { ITEM02(GUEST_RIP), 0x400002 });
	RESUME02(&script, { ITEM02(GUEST_RIP), 0x400004 });
	assert_only_l0(&script, "hv's leaf, and a leaf that is unknown", NOTHING);
	script_free(&script);
}

static void the_evidence_names_exit_field_and_values(void **state)
{
	struct script script = script_ready();
	const struct finding *finding;

	(void)state;
	FIELD12(&script, PRIMARY_PROC_BASED_CONTROLS, PRIMARY | PRIMARY_MSR_BITMAPS);
	script_run(&script);
	EXIT02(&script, (EXIT_WRMSR), { ITEM_REG + REG_RCX, 0xc0000101 });
	RESUME02(&script, { ITEM_MSR_BITMAP, 2 });
	finding = script_finding(&script, FINDING_L0_MSR_BITMAP);
	assert_non_null(finding);
	assert_int_equal(finding->severity, SEVERITY_ERROR);
	assert_int_equal(finding->evidence[0].kind, EV_L0_EXIT);
	assert_int_equal(finding->evidence[1].kind, EV_L0_ENTRY);
	assert_non_null(strstr(finding->note, "MSR 0xc0000101; the byte of L1's bitmap is 0x02"));
	script_free(&script);
}

static void what_is_unknown_belongs_to_nobody(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_run(&script);
	EXIT02(&script, (EXIT_VMCALL), { ITEM_REG + REG_RAX, 1 });
	script_gap(&script);
	RESUME02(&script, { ITEM02(GUEST_RIP), 0 });
	EXIT02(&script, (EXIT_HLT), { ITEM02(GUEST_RIP), 0 });
	RESUME02(&script, { ITEM02(GUEST_RIP), 0 });
	assert_only_l0(&script, "behind a gap", NOTHING);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_go_to_whom_they_belong),
		cmocka_unit_test(cpuid_by_which_l2_speaks_to_hv_is_hv_s),
		cmocka_unit_test(the_evidence_names_exit_field_and_values),
		cmocka_unit_test(what_is_unknown_belongs_to_nobody),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_intercept", tests, NULL, NULL);
}
