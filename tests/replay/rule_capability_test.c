#include "tests/replay/script.h"

#define EXIT_REAL    0x7fefff00036dffull
#define ENTRY_REAL   0xd3ff000011ffull
#define EPT_REAL     0xf0106134141ull
#define EXIT_EFER    ((u64)(EXIT_LOAD_EFER) << 32)
#define ENTRY_EFER   ((u64)(ENTRY_LOAD_EFER) << 32)
#define PRIMARY_REAL 0xf7f9fffe0401e172ull

/* A whole tape of an hv with option caps=@masked. */
static struct script start_with(const char *masked)
{
	struct script script = script_start();
	const struct ev_option option = { .what = TEXT_HV_OPTIONS };

	script_send(&script, EV_OPTION, 0, &option, sizeof(option), NULL, 0, masked);
	return script;
}

static void mask(struct script *script, u32 msr, u64 real, u64 without)
{
	script_capability(script, msr, real, real & ~without);
	script_rdmsr(script, msr, real & ~without);
}

static void the_only_capability_taken_away_is_named(void **state)
{
	struct script script = start_with("drain=debugcon caps=-load_efer");
	const struct finding *finding;

	(void)state;
	mask(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_EFER);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 1);
	finding = script_finding(&script, FINDING_CAPABILITY_REJECTED);
	assert_string_equal(finding->title,
			    "L1 read the VMX capabilities, did not find load_efer, and gave up");
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_int_equal(finding->confidence, CONFIDENCE_MEDIUM);
	assert_int_equal(finding->evidence[0].kind, EV_MSR_READ);
	script_free(&script);
}

static void entry_and_exit_of_one_capability_are_one_suspect(void **state)
{
	struct script script = start_with("caps=-load_efer");

	(void)state;
	mask(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_EFER);
	mask(&script, MSR_VMX_ENTRY_CTLS, ENTRY_REAL, ENTRY_EFER);
	script_end(&script);
	assert_non_null(strstr(script_finding(&script, FINDING_CAPABILITY_REJECTED)->title,
			       "did not find load_efer"));
	script_free(&script);
}

static void two_suspects_are_listed_the_one_read_last_first(void **state)
{
	struct script script = start_with("caps=-load_efer,-ept_2m");
	const struct finding *finding;

	(void)state;
	mask(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_EFER);
	mask(&script, MSR_VMX_EPT_VPID_CAP, EPT_REAL, CAP_EPT_2M);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 1);
	finding = script_finding(&script, FINDING_CAPABILITY_REJECTED);
	assert_null(strstr(finding->title, "load_efer"));
	assert_null(strstr(finding->title, "ept_2m"));
	assert_int_equal(finding->confidence, CONFIDENCE_LOW);
	assert_string_equal(finding->next, "vmxtape bisect --caps ept_2m,load_efer test.vxt");
	assert_non_null(strstr(finding->note, "ept_2m: not in ia32_vmx_ept_vpid_cap"));
	script_free(&script);
}

static void a_capability_that_l1_could_not_see_missing_is_no_suspect(void **state)
{
	struct script script = start_with("caps=-load_efer,-ept_2m");

	(void)state;
	script_capability(&script, MSR_VMX_EPT_VPID_CAP, EPT_REAL, EPT_REAL & ~CAP_EPT_2M);
	mask(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_EFER);
	script_end(&script);
	assert_non_null(strstr(script_finding(&script, FINDING_CAPABILITY_REJECTED)->title,
			       "did not find load_efer"));
	script_free(&script);
}

static void a_capability_nobody_is_known_to_need_is_not_named_alone(void **state)
{
	struct script script = start_with("caps=-pause_exiting");
	const struct finding *finding;

	(void)state;
	mask(&script, MSR_VMX_PROCBASED_CTLS, PRIMARY_REAL, (u64)PRIMARY_PAUSE_EXITING << 32);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 1);
	finding = script_finding(&script, FINDING_CAPABILITY_REJECTED);
	assert_null(strstr(finding->title, "pause_exiting"));
	assert_int_equal(finding->confidence, CONFIDENCE_LOW);
	assert_non_null(strstr(finding->next, "bisect --caps pause_exiting"));
	script_free(&script);
}

static void what_hv_always_hides_does_not_join_the_suspects(void **state)
{
	struct script script = start_with("caps=-load_efer");
	const struct finding *finding;

	(void)state;
	mask(&script, MSR_VMX_PROCBASED_CTLS2, 0x2177fff00000000, (u64)SECONDARY_PML << 32);
	mask(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_EFER);
	script_end(&script);
	finding = script_finding(&script, FINDING_CAPABILITY_REJECTED);
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "did not find load_efer"));
	assert_non_null(strstr(finding->note, "no known hypervisor insists on it: pml"));
	script_free(&script);
}

static void l1_that_goes_on_gave_nothing_up(void **state)
{
	struct script script = start_with("caps=-load_efer");

	(void)state;
	mask(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_EFER);
	script_vmcs(&script);
	script_vmwrite(&script, VMCS_GUEST_RIP, 0);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 0);
	script_free(&script);
}

static void nothing_read_nothing_hidden_or_something_lost_says_nothing(void **state)
{
	struct script script = start_with("caps=-load_efer");

	(void)state;
	script_capability(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_REAL & ~EXIT_EFER);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 0);
	script_free(&script);

	script = script_start();
	script_rdmsr(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 0);
	script_free(&script);

	script = start_with("caps=-load_efer");
	mask(&script, MSR_VMX_EXIT_CTLS, EXIT_REAL, EXIT_EFER);
	script_gap(&script);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 0);
	script_free(&script);
}

static void who_uses_vmx_and_misses_nothing_known_did_not_give_up(void **state)
{
	struct script script = start_with("");

	(void)state;
	mask(&script, MSR_VMX_PROCBASED_CTLS2, 0x2177fff00000000, (u64)SECONDARY_PML << 32);
	script_vmxon(&script, 0x1000);
	script_vmxoff(&script);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 0);
	script_free(&script);

	script = start_with("");
	mask(&script, MSR_VMX_PROCBASED_CTLS2, 0x2177fff00000000, (u64)SECONDARY_PML << 32);
	script_end(&script);
	assert_found(&script, CAPABILITY_REJECTED, 1);
	assert_int_equal(script_finding(&script, FINDING_CAPABILITY_REJECTED)->confidence,
			 CONFIDENCE_LOW);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_only_capability_taken_away_is_named),
		cmocka_unit_test(entry_and_exit_of_one_capability_are_one_suspect),
		cmocka_unit_test(two_suspects_are_listed_the_one_read_last_first),
		cmocka_unit_test(a_capability_that_l1_could_not_see_missing_is_no_suspect),
		cmocka_unit_test(a_capability_nobody_is_known_to_need_is_not_named_alone),
		cmocka_unit_test(what_hv_always_hides_does_not_join_the_suspects),
		cmocka_unit_test(l1_that_goes_on_gave_nothing_up),
		cmocka_unit_test(who_uses_vmx_and_misses_nothing_known_did_not_give_up),
		cmocka_unit_test(nothing_read_nothing_hidden_or_something_lost_says_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_capability", tests, NULL, NULL);
}
