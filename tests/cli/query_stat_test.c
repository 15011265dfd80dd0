#include "tests/cli/query_verbs.h"
#include "tests/cli/query_tape.h"

/* Two exits for CPUID, whose rounds have four and five events, and one for HLT without an end. */
static void make_tape(void)
{
	struct query_tape tape = query_tape_start();

	query_tape_vmcs(&tape);
	query_tape_vmwrite(&tape, VMCS_GUEST_RIP, 0x7000);
	query_tape_vmwrite(&tape, VMCS_GUEST_RIP, 0x7000);
	TAPE_INSN(&tape, INVEPT, invept, .type = 2);
	TAPE_INSN(&tape, INVEPT, invept, .type = 2);
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .launched = 0);
	query_tape_l2(&tape, EXIT_CPUID, 100, NULL, 0);
	query_tape_vmread(&tape, VMCS_EXIT_REASON, EXIT_CPUID);
	query_tape_vmread(&tape, VMCS_EXIT_REASON, EXIT_CPUID);
	TAPE_INSN(&tape, VMRESUME, vmresume, .launched = 1);
	query_tape_l2(&tape, EXIT_CPUID, 3000, NULL, 0);
	query_tape_vmread(&tape, VMCS_EXIT_REASON, EXIT_CPUID);
	query_tape_vmwrite(&tape, VMCS_GUEST_RIP, 0x7002);
	TAPE_INSN(&tape, INVEPT, invept, .type = 2);
	TAPE_INSN(&tape, VMREAD, vmread, .field = 0x6fff, .outcome = OUTCOME_FAIL_VALID,
		  .error = 12);
	TAPE_INSN(&tape, VMRESUME, vmresume, .launched = 1);
	query_tape_l2(&tape, EXIT_HLT, 1000, NULL, 0);
	query_tape_end(&tape);
}

static void rounds_are_split_into_l1_and_l0(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(stat, QUERY_TAPE, "--json"), EXIT_CLEAN);
	/* Rounds of 4 and 6 events, 1000 ticks each; hv says 3000 and 1000 of them. */
	assert_printed("{\"reason\":\"cpuid\",\"count\":2,\"entry_failures\":0,\"rounds\":2,"
		       "\"ticks\":10000,\"split_rounds\":2,\"l1_ticks\":6000,\"hv_ticks\":4000,"
		       "\"vmreads\":4,\"vmwrites\":1,\"other_instructions\":1}");
	assert_printed("{\"reason\":\"hlt\",\"count\":1,\"entry_failures\":0,\"rounds\":0,");
	assert_printed("\"vmx_instructions\":16,\"l2_entries\":3,\"l2_exits\":3");
	assert_printed("\"instructions_per_exit\":5.3333");
}

static void accesses_that_bring_nothing_are_counted(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(stat, QUERY_TAPE, "--json"), EXIT_CLEAN);
	assert_printed("{\"field\":\"guest_rip\",\"reads\":0,\"reads_again\":0,\"writes\":3,"
		       "\"writes_same\":1,\"failed\":0}");
	assert_printed("{\"field\":\"exit_reason\",\"reads\":3,\"reads_again\":1,\"writes\":0,"
		       "\"writes_same\":0,\"failed\":0}");
	assert_printed("{\"kind\":\"invept\",\"type\":2,\"title\":\"global\",\"count\":3,"
		       "\"per_exit\":1.0000,\"idle\":1,\"failed\":0}");
	assert_printed("{\"kind\":\"vmread\",\"count\":4,\"failed\":1,\"faulted\":0}");
}

static void only_the_range_counts(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(stat, QUERY_TAPE, "@entry:3..", "--json"), EXIT_CLEAN);
	assert_printed("\"events\":2,\"vmx_instructions\":0,\"l2_entries\":1,\"l2_exits\":1");
}

static void the_text_names_reasons_fields_and_sites(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(stat, QUERY_TAPE, "--top", "2"), EXIT_CLEAN);
	assert_printed("5.33 VMX instructions an exit");
	assert_printed("cpuid                         2      5000      3000      2000");
	assert_printed("call sites of L1");
	assert_printed("where L2 exits");
	assert_not_printed("vm_exit_instruction_length");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounds_are_split_into_l1_and_l0),
		cmocka_unit_test(accesses_that_bring_nothing_are_counted),
		cmocka_unit_test(only_the_range_counts),
		cmocka_unit_test(the_text_names_reasons_fields_and_sites),
	};

	return cmocka_run_group_tests_name("cli/stat", tests, query_tape_folder, query_tape_remove);
}
