#include "tests/cli/verb_run.h"
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
	query_tape_hv_time(&tape, 1, EXIT_VMREAD, 4, 1200, 600);
	query_tape_hv_time(&tape, 2, EXIT_CPUID, 2, 3000, 2000);
	query_tape_hv_time(&tape, 1, EXIT_VMREAD, 1, 700, 700);
	query_tape_hv_time(&tape, 0, 0, 1, 5000, 5000);
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

static void time_in_l0_is_summed_by_level_and_reason(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(stat, QUERY_TAPE, "--json"), EXIT_CLEAN);
	assert_printed("\"hv_time\":[{\"level\":2,\"reason\":\"cpuid\",\"exits\":2,\"ticks\":3000,"
		       "\"longest\":2000,\"longest_tsc\":\"0x7d0\"},"
		       "{\"level\":1,\"reason\":\"vmread\",\"exits\":5,\"ticks\":1900,"
		       "\"longest\":700,\"longest_tsc\":\"0x2bc\"}]");
	assert_printed("\"packing\":{\"exits\":1,\"ticks\":5000,");
	assert_int_equal(VERB(stat, QUERY_TAPE), EXIT_CLEAN);
	assert_printed("vmread                L1             5       380");
	assert_printed("packing, sending                     1      5000");
}

static void packing_is_the_time_of_nobody(void **state)
{
	struct query_tape tape = query_tape_start();
	const struct ev_l2_exit exit = {
		.reason = EXIT_HLT, .vmcs = 0x2000, .hv_ticks = 400, .packing_ticks = 300
	};

	(void)state;
	query_tape_vmcs(&tape);
	query_tape_l2(&tape, EXIT_CPUID, 0, NULL, 0);
	query_tape_send(&tape, EV_L2_ENTRY, 2, &(struct ev_l2_entry){ .vmcs = 0x2000 },
			sizeof(struct ev_l2_entry), NULL, 0);
	query_tape_send(&tape, EV_L2_EXIT, 2, &exit, sizeof(exit), NULL, 0);
	query_tape_end(&tape);
	assert_int_equal(VERB(stat, QUERY_TAPE, "--json"), EXIT_CLEAN);
	assert_printed("\"ticks\":1000,\"split_rounds\":1,\"l1_ticks\":300,\"hv_ticks\":400,");
	assert_printed("\"packing_ticks\":300");
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
	assert_printed("\"events\":6,\"vmx_instructions\":0,\"l2_entries\":1,\"l2_exits\":1");
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
		cmocka_unit_test(time_in_l0_is_summed_by_level_and_reason),
		cmocka_unit_test(packing_is_the_time_of_nobody),
		cmocka_unit_test(accesses_that_bring_nothing_are_counted),
		cmocka_unit_test(only_the_range_counts),
		cmocka_unit_test(the_text_names_reasons_fields_and_sites),
	};

	return cmocka_run_group_tests_name("cli/stat", tests, query_tape_folder, query_tape_remove);
}
