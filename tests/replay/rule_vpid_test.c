#include "tests/replay/script.h"

#define CR3_A 0x10000ull
#define CR3_B 0x20000ull
#define EPT_A 0x10101eull
#define EPT_B 0x20201eull

/* What a VMCS has when L2 runs. */
struct guest {
	u64 vmcs, vpid, cr3, eptp; /* eptp 0: no EPT */
	u64 cr4;
};

static void run(struct script *script, const struct guest *guest)
{
	script_vmclear(script, guest->vmcs);
	script_vmptrld(script, guest->vmcs);
	script_vmwrite(script, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		       0x04006172ull | PRIMARY_SECONDARY_CONTROLS);
	script_vmwrite(script, VMCS_SECONDARY_PROC_BASED_CONTROLS,
		       (guest->vpid ? SECONDARY_VPID : 0) | (guest->eptp ? SECONDARY_EPT : 0));
	script_vmwrite(script, VMCS_VPID, guest->vpid);
	script_vmwrite(script, VMCS_EPT_POINTER, guest->eptp);
	script_vmwrite(script, VMCS_GUEST_CR3, guest->cr3);
	script_vmwrite(script, VMCS_GUEST_CR4, guest->cr4);
	INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	script_l2(script, EXIT_CPUID);
}

static void the_vpid_of_another_guest_is_found(void **state)
{
	static const struct {
		const char *name;
		struct guest a, b;
		bool found;
	} rows[] = {
		{ "other page tables",
		  { 0x2000, 1, CR3_A, 0, 0 },
		  { 0x3000, 1, CR3_B, 0, 0 },
		  true },
		{ "with EPT",
		  { 0x2000, 1, CR3_A, EPT_A, 0 },
		  { 0x3000, 1, CR3_B, EPT_A, 0 },
		  true },
		{ "EPT keeps them apart",
		  { 0x2000, 1, CR3_A, EPT_A, 0 },
		  { 0x3000, 1, CR3_B, EPT_B, 0 },
		  false },
		{ "other VPIDs", { 0x2000, 1, CR3_A, 0, 0 }, { 0x3000, 2, CR3_B, 0, 0 }, false },
		{ "the same page tables",
		  { 0x2000, 1, CR3_A, 0, 0 },
		  { 0x3000, 1, CR3_A, 0, 0 },
		  false },
		{ "other PCIDs",
		  { 0x2000, 1, CR3_A | 1, 0, BIT(17) },
		  { 0x3000, 1, CR3_B | 2, 0, BIT(17) },
		  false },
		{ "without VPIDs", { 0x2000, 0, CR3_A, 0, 0 }, { 0x3000, 0, CR3_B, 0, 0 }, false },
		{ "the same VMCS", { 0x2000, 1, CR3_A, 0, 0 }, { 0x2000, 1, CR3_B, 0, 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_start();

		script_vmxon(&script, 0x1000);
		run(&script, &rows[i].a);
		run(&script, &rows[i].b);
		script_end(&script);
		if (script_count(&script, FINDING_VPID_REUSE_NO_INVVPID) != rows[i].found)
			fail_msg("%s", rows[i].name);
		script_free(&script);
	}
}

enum between { SINGLE, ADDRESS, ALL, OTHER_VPID, FAILED, INVEPT_ALL, SESSION, LOST };

static void what_is_invalidated_between_decides(void **state)
{
	static const struct guest a = { 0x2000, 1, CR3_A, 0, 0 }, b = { 0x3000, 1, CR3_B, 0, 0 };
	static const bool found[] = {
		[SINGLE] = false, [ADDRESS] = true,    [ALL] = false,	  [OTHER_VPID] = true,
		[FAILED] = true,  [INVEPT_ALL] = true, [SESSION] = false, [LOST] = false,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(found); i++) {
		struct script script = script_start();

		script_vmxon(&script, 0x1000);
		run(&script, &a);
		switch ((enum between)i) {
		case SINGLE:
			INSN(&script, INVVPID, invvpid, .type = 1, .descriptor_low = 1);
			break;
		case ADDRESS:
			INSN(&script, INVVPID, invvpid, .type = 0, .descriptor_low = 1);
			break;
		case ALL:
			INSN(&script, INVVPID, invvpid, .type = 2);
			break;
		case OTHER_VPID:
			INSN(&script, INVVPID, invvpid, .type = 1, .descriptor_low = 2);
			break;
		case FAILED:
			INSN(&script, INVVPID, invvpid, .type = 1, .descriptor_low = 1,
			     .outcome = OUTCOME_FAIL_VALID, .error = 28);
			break;
		case INVEPT_ALL: /* is about translations through EPT only */
			INSN(&script, INVEPT, invept, .type = 2);
			break;
		case SESSION:
			script_vmxoff(&script);
			script_vmxon(&script, 0x1000);
			break;
		case LOST:
			script_gap(&script);
			break;
		}
		run(&script, &b);
		script_end(&script);
		if (script_count(&script, FINDING_VPID_REUSE_NO_INVVPID) != found[i])
			fail_msg("row %u", i);
		script_free(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vpid_of_another_guest_is_found),
		cmocka_unit_test(what_is_invalidated_between_decides),
	};

	return cmocka_run_group_tests_name("replay/rule_vpid", tests, NULL, NULL);
}
