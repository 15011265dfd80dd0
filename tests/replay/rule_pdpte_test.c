#include "tests/replay/script.h"

#define RIP 0x40100000ull /* PDPTE 1 maps it */

/* An L2 with EPT, in PAE paging unless @long_mode, whose PDPTE1 is @pdpte1. */
static struct script start_pae(bool long_mode, u64 pdpte1)
{
	struct script script = script_start();

	script_vmcs(&script);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		       0x04006172ull | PRIMARY_SECONDARY_CONTROLS);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT);
	script_vmwrite(&script, VMCS_VM_ENTRY_CONTROLS,
		       0x11fb | (long_mode ? ENTRY_IA32E_MODE_GUEST : 0));
	script_vmwrite(&script, VMCS_GUEST_CR0, 0x80000021);
	script_vmwrite(&script, VMCS_GUEST_CR4, 0x2020);
	script_vmwrite(&script, VMCS_GUEST_RIP, RIP);
	script_vmwrite(&script, VMCS_GUEST_CS_BASE, 0);
	script_vmwrite(&script, VMCS_GUEST_PDPTE0, 0);
	script_vmwrite(&script, VMCS_GUEST_PDPTE1, pdpte1);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	return script;
}

static void exit_at(struct script *script, u64 reason, u64 rip)
{
	const struct ev_l2_entry entry = { .vmcs = script->vmcs };
	const struct ev_l2_exit exit = { .reason = reason, .vmcs = script->vmcs };

	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
	script->rip = rip - 16;
	script_items(script, EV_L2_EXIT, &exit, sizeof(exit), NULL, 0);
	script_end(script);
}

static void a_triple_fault_at_once_without_the_pdpte_is_found(void **state)
{
	struct script script = start_pae(false, 0);
	const struct finding *finding;

	(void)state;
	exit_at(&script, EXIT_TRIPLE_FAULT, RIP);
	assert_found(&script, PDPTE, 1);
	finding = script_finding(&script, FINDING_PDPTE);
	assert_string_equal(finding->title, "L2 ended in a triple fault at its first instruction: "
					    "guest_pdpte1 is not present");
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	script_free(&script);
}

static void other_ends_say_nothing(void **state)
{
	static const struct {
		const char *name;
		bool long_mode;
		u64 pdpte, reason, rip;
	} rows[] = {
		{ "the PDPTE is present", false, 0x3001, EXIT_TRIPLE_FAULT, RIP },
		{ "L2 has moved", false, 0, EXIT_TRIPLE_FAULT, RIP + 3 },
		{ "another exit", false, 0, EXIT_HLT, RIP },
		{ "four-level paging", true, 0, EXIT_TRIPLE_FAULT, RIP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = start_pae(rows[i].long_mode, rows[i].pdpte);

		exit_at(&script, rows[i].reason, rows[i].rip);
		if (script_count(&script, FINDING_PDPTE))
			fail_msg("%s: found", rows[i].name);
		script_free(&script);
	}
}

static void a_pdpte_lost_in_a_gap_may_be_present(void **state)
{
	struct script script = start_pae(false, 0);

	(void)state;
	script_gap(&script);
	exit_at(&script, EXIT_TRIPLE_FAULT, RIP);
	assert_found(&script, PDPTE, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_triple_fault_at_once_without_the_pdpte_is_found),
		cmocka_unit_test(other_ends_say_nothing),
		cmocka_unit_test(a_pdpte_lost_in_a_gap_may_be_present),
	};

	return cmocka_run_group_tests_name("replay/rule_pdpte", tests, NULL, NULL);
}
