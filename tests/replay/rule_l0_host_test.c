#include "tests/replay/script_l0.h"

#define EXIT_GOOD (0x36dfb | EXIT_HOST_ADDRESS_SPACE_SIZE)
#define PIN	  0x16
#define NMIS	  (PIN_NMI_EXITING | PIN_VIRTUAL_NMIS)
#define EVENT_NMI 0x80000202

/* L1 as it should be behind an exit with the good VMCS. */
static const struct {
	u32 field;
	u64 value;
} good[] = {
	{ VMCS_GUEST_CR0, 0x80050033 },
	{ VMCS_GUEST_CR3, 0x1000 },
	{ VMCS_GUEST_CR4, 0x20a0 },
	{ VMCS_GUEST_DR7, 0x400 },
	{ VMCS_GUEST_RIP, 0xffffffff81000000 },
	{ VMCS_GUEST_RSP, 0 },
	{ VMCS_GUEST_RFLAGS, 2 },
	{ VMCS_GUEST_IA32_DEBUGCTL, 0 },
	{ VMCS_GUEST_IA32_SYSENTER_CS, 0 },
	{ VMCS_GUEST_IA32_SYSENTER_ESP, 0 },
	{ VMCS_GUEST_IA32_SYSENTER_EIP, 0 },
	{ VMCS_GUEST_IA32_EFER, 0xd01 },
	{ VMCS_GUEST_IA32_PAT, 0x0007040600070406 },
	{ VMCS_GUEST_CS_SELECTOR, 0x10 },
	{ VMCS_GUEST_CS_BASE, 0 },
	{ VMCS_GUEST_CS_LIMIT, 0xffffffff },
	{ VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b },
	{ VMCS_GUEST_SS_SELECTOR, 0x18 },
	{ VMCS_GUEST_SS_BASE, 0 },
	{ VMCS_GUEST_SS_LIMIT, 0xffffffff },
	{ VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc093 },
	{ VMCS_GUEST_DS_SELECTOR, 0 },
	{ VMCS_GUEST_DS_ACCESS_RIGHTS, 0x1c093 },
	{ VMCS_GUEST_GS_SELECTOR, 0 },
	{ VMCS_GUEST_GS_BASE, 0xffff888000000000 },
	{ VMCS_GUEST_GS_ACCESS_RIGHTS, 0x1c093 },
	{ VMCS_GUEST_TR_SELECTOR, 0x40 },
	{ VMCS_GUEST_TR_BASE, 0xfffffe0000003000 },
	{ VMCS_GUEST_TR_LIMIT, 0x67 },
	{ VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b },
	{ VMCS_GUEST_LDTR_SELECTOR, 0 },
	{ VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x10000 },
	{ VMCS_GUEST_GDTR_BASE, 0xfffffe0000001000 },
	{ VMCS_GUEST_GDTR_LIMIT, 0xffff },
	{ VMCS_GUEST_IDTR_BASE, 0xfffffe0000000000 },
	{ VMCS_GUEST_IDTR_LIMIT, 0xffff },
	{ VMCS_GUEST_ACTIVITY_STATE, 0 },
	{ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 },
	{ VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0 },
};

/* An exit, and L1 in VMCS01 as it should be but for @field. */
static void exit_to_l1(struct script *script, u64 reason, u64 event, u32 field, u64 value)
{
	const struct ev_l0_host host = { .vmcs = SCRIPT_VMCS, .flushed = 1 };
	struct trace_item items[ARRAY_SIZE(good)];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		items[i] = (struct trace_item){ trace_item_id(ITEM_VMCS01, good[i].field),
						good[i].field == field ? value : good[i].value };
	script_run(script);
	EXIT12(script, reason, { VMCS_EXIT_REASON, reason },
	       { VMCS_VM_EXIT_INTERRUPTION_INFO, event });
	script_items(script, EV_L0_HOST, &host, sizeof(host), items, ARRAY_SIZE(items));
}

static void l1_goes_on_as_the_host_state_area_says(void **state)
{
	struct script script = script_ready();

	(void)state;
	exit_to_l1(&script, EXIT_CPUID, 0, 0, 0);
	assert_only_l0(&script, "good", NOTHING);
	script_free(&script);
}

static const struct row {
	const char *name;
	int field12; /* of VMCS12, set to @value12; -1: none */
	u64 value12;
	u32 field01;
	u64 value01;
	int found;
} rows[] = {
	{ "RIP", -1, 0, VMCS_GUEST_RIP, 0x1234, FINDING_L0_HOST_LOAD },
	{ "RFLAGS of L2", -1, 0, VMCS_GUEST_RFLAGS, 0x246, FINDING_L0_HOST_LOAD },
	{ "CR4 without PAE", -1, 0, VMCS_GUEST_CR4, 0x2080, FINDING_L0_HOST_LOAD },
	{ "a bit of CR0 that is kept", -1, 0, VMCS_GUEST_CR0, 0xc0050033, FINDING_L0_HOST_LOAD },
	{ "CR0.WP", -1, 0, VMCS_GUEST_CR0, 0x80040033, FINDING_L0_HOST_LOAD },
	{ "EFER without LMA", -1, 0, VMCS_GUEST_IA32_EFER, 0x801, FINDING_L0_HOST_LOAD },
	{ "EFER.NXE, not loaded", -1, 0, VMCS_GUEST_IA32_EFER, 0x500, NOTHING },
	{ "PAT that is not loaded", -1, 0, VMCS_GUEST_IA32_PAT, 6, NOTHING },
	{ "PAT that is loaded", VMCS_IX_VM_EXIT_CONTROLS, EXIT_GOOD | EXIT_LOAD_PAT,
	  VMCS_GUEST_IA32_PAT, 6, FINDING_L0_HOST_LOAD },
	{ "SYSENTER_CS", -1, 0, VMCS_GUEST_IA32_SYSENTER_CS, 8, FINDING_L0_HOST_LOAD },
	{ "SYSENTER_CS behind an MSR list", VMCS_IX_VM_EXIT_MSR_LOAD_COUNT, 1,
	  VMCS_GUEST_IA32_SYSENTER_CS, 8, NOTHING },
	{ "CS for 32 bits", -1, 0, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b, FINDING_L0_HOST_LOAD },
	{ "a null selector that is usable", -1, 0, VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc093,
	  FINDING_L0_HOST_LOAD },
	{ "rights of an unusable segment", -1, 0, VMCS_GUEST_DS_ACCESS_RIGHTS, 0x10000, NOTHING },
	{ "GS base", -1, 0, VMCS_GUEST_GS_BASE, 0, FINDING_L0_HOST_LOAD },
	{ "LDTR", -1, 0, VMCS_GUEST_LDTR_SELECTOR, 0x48, FINDING_L0_HOST_LOAD },
	{ "GDTR limit", -1, 0, VMCS_GUEST_GDTR_LIMIT, 0x7f, FINDING_L0_HOST_LOAD },
	{ "DR7 of L2", -1, 0, VMCS_GUEST_DR7, 0x401, FINDING_L0_HOST_LOAD },
	{ "blocking by STI", -1, 0, VMCS_GUEST_INTERRUPTIBILITY_STATE, 1, FINDING_L0_HOST_LOAD },
	{ "a VMX abort", -1, 0, VMCS_GUEST_ACTIVITY_STATE, 2, NOTHING },
};

static void whatever_else_l1_gets_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_ready();

		if (rows[i].field12 >= 0)
			script_field(&script, rows[i].field12, rows[i].value12);
		exit_to_l1(&script, EXIT_CPUID, 0, rows[i].field01, rows[i].value01);
		assert_only_l0(&script, rows[i].name, rows[i].found);
		script_free(&script);
	}
}

static void the_finding_names_register_values_and_field(void **state)
{
	struct script script = script_ready();
	const struct finding *finding;

	(void)state;
	script_vmwrite(&script, VMCS_HOST_RSP, 0x7000);
	exit_to_l1(&script, EXIT_CPUID, 0, VMCS_GUEST_RSP, 0x6000);
	finding = script_finding(&script, FINDING_L0_HOST_LOAD);
	assert_non_null(finding);
	assert_string_equal(finding->title,
			    "After the exit L1 has rsp = 0x6000; it should be 0x7000");
	assert_non_null(strstr(finding->note, "host_rsp = 0x7000"));
	assert_int_equal(finding->evidence[1].kind, EV_VMWRITE);
	script_free(&script);
}

/* --- NMIs ------------------------------------------------------------------------------------- */

static void nmis_are_blocked_by_an_nmi_and_not_by_another_exit(void **state)
{
	static const struct {
		const char *name;
		u64 pin, blocked_in_l2, reason, event, blocked;
		int found;
	} cases[] = {
		{ "an NMI", PIN | NMIS, 0, EXIT_EXCEPTION_NMI, EVENT_NMI, 8, NOTHING },
		{ "an NMI, not blocked", PIN | NMIS, 0, EXIT_EXCEPTION_NMI, EVENT_NMI, 0,
		  FINDING_L0_NMI_BLOCKING_EXIT },
		{ "CPUID", PIN | NMIS, 0, EXIT_CPUID, 0, 0, NOTHING },
		{ "CPUID, blocked", PIN | NMIS, 0, EXIT_CPUID, 0, 8, FINDING_L0_NMI_BLOCKING_EXIT },
		{ "CPUID, virtual NMIs were blocked", PIN | NMIS, 8, EXIT_CPUID, 0, 0, NOTHING },
		{ "CPUID, no virtual NMIs, as in L2", PIN, 8, EXIT_CPUID, 0, 8, NOTHING },
		{ "CPUID, no virtual NMIs, not as in L2", PIN, 8, EXIT_CPUID, 0, 0,
		  FINDING_L0_NMI_BLOCKING_EXIT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct script script = script_ready();

		FIELD12(&script, PIN_BASED_CONTROLS, cases[i].pin);
		FIELD12(&script, GUEST_INTERRUPTIBILITY_STATE, cases[i].blocked_in_l2);
		exit_to_l1(&script, cases[i].reason, cases[i].event,
			   VMCS_GUEST_INTERRUPTIBILITY_STATE, cases[i].blocked);
		assert_only_l0(&script, cases[i].name, cases[i].found);
		script_free(&script);
	}
}

static void unknown_fields_tell_nothing(void **state)
{
	const struct ev_l0_host host = { .vmcs = SCRIPT_VMCS };
	const struct trace_item items[] = { { ITEM01(GUEST_RIP), 5 },
					    { ITEM01(GUEST_ACTIVITY_STATE), 0 },
					    { ITEM01(GUEST_INTERRUPTIBILITY_STATE), 8 } };
	struct script script = script_ready();

	(void)state;
	script_run(&script);
	script_gap(&script);
	EXIT12(&script, EXIT_CPUID, { VMCS_EXIT_REASON, EXIT_CPUID });
	script_items(&script, EV_L0_HOST, &host, sizeof(host), items, ARRAY_SIZE(items));
	assert_only_l0(&script, "behind a gap", NOTHING);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l1_goes_on_as_the_host_state_area_says),
		cmocka_unit_test(whatever_else_l1_gets_is_found),
		cmocka_unit_test(the_finding_names_register_values_and_field),
		cmocka_unit_test(nmis_are_blocked_by_an_nmi_and_not_by_another_exit),
		cmocka_unit_test(unknown_fields_tell_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_host", tests, NULL, NULL);
}
