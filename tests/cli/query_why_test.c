#include "tests/cli/verb_run.h"
#include "tests/cli/query_tape.h"

#define GOOD_PIN     0x16u
#define GOOD_PRIMARY 0x04006172u
#define GOOD_EXIT    0x00036ffbu
#define GOOD_ENTRY   0x000013fbu

static char position[32];

static const char *at(u64 seq)
{
	snprintf(position, sizeof(position), "@c0:%llu", (unsigned long long)seq);
	return position;
}

static void write_controls(struct query_tape *tape)
{
	query_tape_vmcs(tape);
	query_tape_vmwrite(tape, VMCS_PIN_BASED_CONTROLS, GOOD_PIN);
	query_tape_vmwrite(tape, VMCS_PRIMARY_PROC_BASED_CONTROLS, GOOD_PRIMARY);
	query_tape_vmwrite(tape, VMCS_VM_EXIT_CONTROLS, GOOD_EXIT);
	query_tape_vmwrite(tape, VMCS_VM_ENTRY_CONTROLS, GOOD_ENTRY);
}

/* An entry that fails with error 7 for bit 7 of the pin-based controls; returns its seq. */
static u64 make_bad_pin(u64 *writer, u64 *read)
{
	struct query_tape tape = query_tape_start();
	u64 entry;

	*read = tape.seq;
	TAPE_INSN(&tape, MSR_READ, msr_read, .msr = MSR_VMX_TRUE_PINBASED_CTLS,
		  .value = 0x7f00000016);
	write_controls(&tape);
	*writer = query_tape_vmwrite(&tape, VMCS_PIN_BASED_CONTROLS, GOOD_PIN | BIT(7));
	/* Writing the same once more makes nobody else guilty. */
	query_tape_vmwrite(&tape, VMCS_PIN_BASED_CONTROLS, GOOD_PIN | BIT(7));
	entry = tape.seq;
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	query_tape_end(&tape);
	return entry;
}

static void a_refused_entry_is_explained_to_the_bit(void **state)
{
	u64 writer, read;
	const u64 entry = make_bad_pin(&writer, &read);
	char text[128];

	(void)state;
	assert_int_equal(VERB(why, QUERY_TAPE, at(entry)), EXIT_CLEAN);
	assert_printed("ended with     VMfailValid(7)\n  SDM allows     VMfailValid(7) or");
	assert_printed("PIN_ALLOWED, leads to VMfailValid(7)");
	assert_printed("bit 7 (posted_interrupts) is 1 and must be 0");
	snprintf(text, sizeof(text),
		 "ia32_vmx_true_pinbased_ctls = 0x7f00000016, bit 39; L1 read it at %s and saw "
		 "0x7f00000016",
		 at(read));
	assert_printed(text);
	snprintf(text, sizeof(text), "made so by %s (vmwrite)", at(writer));
	assert_printed(text);
	assert_printed("pin_based_controls 0x96 -> 0x16");
}

static void the_remedy_passes_when_it_is_judged(void **state)
{
	u64 writer, read;
	const u64 entry = make_bad_pin(&writer, &read);

	(void)state;
	assert_int_equal(VERB(whatif, QUERY_TAPE, at(entry), "pin_based_controls=0x16"),
			 EXIT_CLEAN);
	assert_printed("passes now     PIN_ALLOWED");
	assert_printed("no check fails");
	assert_int_equal(VERB(whatif, QUERY_TAPE, at(entry), "pin_based_controls-=0x80"),
			 EXIT_CLEAN);
	assert_int_equal(VERB(whatif, QUERY_TAPE, at(entry), "posted_interrupts=0"), EXIT_CLEAN);
}

static void an_edit_that_breaks_another_rule_says_which(void **state)
{
	u64 writer, read;
	const u64 entry = make_bad_pin(&writer, &read);

	(void)state;
	assert_int_equal(
		VERB(whatif, QUERY_TAPE, at(entry), "posted_interrupts=0", "virtual_nmis=1", "-j"),
		EXIT_FINDINGS);
	assert_printed("\"before\":\"VMfailValid(7) or VMfailValid(8)\"");
	assert_printed("\"check\":\"VIRTUAL_NMIS\"");
	assert_printed("\"passes_now\":[\"PIN_ALLOWED\"");
	assert_printed("\"fails\":1,");
	/* Nobody on the tape wrote what the edit put there. */
	assert_not_printed("\"writer\"");
}

/* Two rules at once, in two words: each part of the remedy is needed. */
static void all_failing_checks_are_named_and_the_remedy_has_no_more_than_it_needs(void **state)
{
	struct query_tape tape = query_tape_start();
	u64 entry;

	(void)state;
	write_controls(&tape);
	query_tape_vmwrite(&tape, VMCS_PIN_BASED_CONTROLS, GOOD_PIN & ~BIT(1));
	query_tape_vmwrite(&tape, VMCS_VM_ENTRY_CONTROLS, GOOD_ENTRY | BIT(31));
	query_tape_vmwrite(&tape, VMCS_GUEST_RFLAGS, 0);
	entry = tape.seq;
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	query_tape_end(&tape);
	assert_int_equal(VERB(why, QUERY_TAPE, at(entry), "-j"), EXIT_CLEAN);
	assert_printed("\"check\":\"PIN_ALLOWED\"");
	assert_printed("\"check\":\"ENTRY_ALLOWED\"");
	assert_printed("\"check\":\"RFLAGS_RESERVED\"");
	assert_printed("\"msr_read\":null");
	assert_printed("{\"field\":\"pin_based_controls\",\"old\":\"0x14\",\"value\":\"0x16\"}");
	assert_printed(
		"{\"field\":\"vm_entry_controls\",\"old\":\"0x800013fb\",\"value\":\"0x13fb\"}");
	assert_printed("{\"field\":\"guest_rflags\",\"old\":\"0x0\",\"value\":\"0x2\"}");
	assert_not_printed("{\"field\":\"vm_exit_controls\"");
}

static void an_exit_that_says_that_the_entry_failed_stands_for_the_entry(void **state)
{
	const struct trace_item items[] = { { VMCS_EXIT_QUALIFICATION, 0 } };
	struct query_tape tape = query_tape_start();
	const struct ev_l2_exit exit = { .reason = 0x80000021, .vmcs = 0x2000 };
	u64 end;

	(void)state;
	write_controls(&tape);
	query_tape_vmwrite(&tape, VMCS_GUEST_RFLAGS, 0);
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .launched = 0);
	end = query_tape_send(&tape, EV_L2_EXIT, 2, &exit, sizeof(exit), items, 1);
	query_tape_end(&tape);
	assert_int_equal(VERB(why, QUERY_TAPE, at(end)), EXIT_CLEAN);
	assert_printed("ended with     exit 33, qualification 0");
	assert_printed("RFLAGS_RESERVED, leads to exit 0x80000021");
	assert_int_equal(VERB(why, QUERY_TAPE, at(end - 1)), EXIT_CLEAN);
	assert_printed("RFLAGS_RESERVED");
}

static void an_entry_that_should_have_failed_is_laid_at_l0(void **state)
{
	struct query_tape tape = query_tape_start();
	u64 exit;

	(void)state;
	write_controls(&tape);
	query_tape_vmwrite(&tape, VMCS_PIN_BASED_CONTROLS, GOOD_PIN | BIT(7));
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .launched = 0);
	exit = query_tape_l2(&tape, EXIT_CPUID, 0, NULL, 0);
	query_tape_end(&tape);
	assert_int_equal(VERB(why, QUERY_TAPE, at(exit - 2)), EXIT_CLEAN);
	assert_printed("L0 did not do what the SDM says");
	assert_int_equal(VERB(why, QUERY_TAPE, at(exit - 2), "-j"), EXIT_CLEAN);
	assert_printed("\"verdict\":\"diverge\"");
}

static void the_launch_state_is_told_with_its_cause(void **state)
{
	struct query_tape tape = query_tape_start();
	u64 entry;
	char text[128];

	(void)state;
	write_controls(&tape);
	entry = tape.seq;
	TAPE_INSN(&tape, VMRESUME, vmresume, .outcome = OUTCOME_FAIL_VALID, .error = 5);
	query_tape_end(&tape);
	assert_int_equal(VERB(why, QUERY_TAPE, at(entry)), EXIT_CLEAN);
	assert_printed("ENTRY_RESUME_LAUNCHED, leads to VMfailValid(5)");
	/* VMCLEAR, VMPTRLD, four VMWRITEs, VMRESUME */
	snprintf(text, sizeof(text), "the launch state is clear, since %s: use VMLAUNCH",
		 at(entry - 6));
	assert_printed(text);
	assert_printed("no edit of VMCS fields alone");
}

static void other_instructions_tell_what_bears_on_them(void **state)
{
	struct query_tape tape = query_tape_start();
	u64 vmread, vmptrld, vmwrite;

	(void)state;
	vmwrite = tape.seq + 1;
	TAPE_INSN(&tape, VMXON, vmxon, .pointer = 0x1000, .dword0 = QUERY_REVISION,
		  .cr0 = 0x80000031, .cr4 = 0x2020, .feature_control = 5);
	TAPE_INSN(&tape, VMWRITE, vmwrite, .field = VMCS_GUEST_CR4,
		  .outcome = OUTCOME_FAIL_INVALID);
	TAPE_INSN(&tape, VMCLEAR, vmclear, .pointer = 0x2000, .dword0 = QUERY_REVISION);
	vmptrld = tape.seq;
	TAPE_INSN(&tape, VMPTRLD, vmptrld, .pointer = 0x2008, .outcome = OUTCOME_FAIL_INVALID);
	TAPE_INSN(&tape, VMPTRLD, vmptrld, .pointer = 0x2000, .dword0 = QUERY_REVISION);
	tape.vmcs = 0x2000;
	vmread = tape.seq;
	TAPE_INSN(&tape, VMREAD, vmread, .field = VMCS_TERTIARY_PROC_BASED_CONTROLS,
		  .outcome = OUTCOME_FAIL_VALID, .error = 12);
	query_tape_end(&tape);
	assert_int_equal(VERB(why, QUERY_TAPE, at(vmread)), EXIT_CLEAN);
	assert_printed("ended with     VMfailValid(12)\n  SDM allows     VMfailValid(12)");
	assert_printed("not with the capabilities that L1 is shown");
	assert_int_equal(VERB(why, QUERY_TAPE, at(vmptrld)), EXIT_CLEAN);
	assert_printed("0x2008, not aligned to 4 KiB");
	assert_int_equal(VERB(why, QUERY_TAPE, at(vmwrite)), EXIT_CLEAN);
	assert_printed("current VMCS   none");
	assert_int_equal(VERB(why, QUERY_TAPE, at(vmwrite), "--json"), EXIT_CLEAN);
	assert_printed("\"facts\":{\"mode\":");
}

static void nothing_is_said_of_what_the_tape_does_not_know(void **state)
{
	struct query_tape tape = query_tape_start_unknown();
	u64 entry;

	(void)state;
	tape.vmcs = 0x2000;
	query_tape_vmwrite(&tape, VMCS_PIN_BASED_CONTROLS, ~0ull);
	entry = tape.seq;
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	query_tape_end(&tape);
	assert_int_equal(VERB(why, QUERY_TAPE, at(entry), "-u"), EXIT_CLEAN);
	assert_printed("it may be right; the tape does not tell all");
	assert_printed("  PIN_ALLOWED: ");
	assert_printed("checks are not decided by the tape:");
	assert_not_printed("leads to");
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		int (*run)(int, char **);
		const char *words[8];
		const char *part;
	} rows[] = {
		{ cmd_why, { "why" }, "why what?" },
		{ cmd_why, { "why", "@0", QUERY_TAPE }, "is no VMX instruction" },
		{ cmd_why, { "why", "@0", QUERY_TAPE, "x" }, "'x' is too much" },
		{ cmd_whatif, { "whatif", "@30", QUERY_TAPE }, "what if what?" },
		{ cmd_whatif, { "whatif", "vpid=1", QUERY_TAPE }, "what if what?" },
		{ cmd_whatif, { "whatif", "@0", "vpid=1", QUERY_TAPE }, "is no VM entry" },
		{ cmd_whatif,
		  { "whatif", "@30", "vpid=1", "a", "b" },
		  "one tape is named already" },
	};
	static const struct {
		const char *edit, *part;
	} edits[] = {
		{ "vpid=x", "'vpid=x' is no edit" },	{ "=1", "'=1' is no edit" },
		{ "nothing=1", "is called 'nothing'" }, { "vpid=0x10000", "vpid has only 16 bits" },
		{ "ept=2", "a control is 0 or 1" },
	};
	u64 writer, read;
	const u64 entry = make_bad_pin(&writer, &read);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(verb_run(rows[i].run, rows[i].words), EXIT_USAGE);
		assert_printed(rows[i].part);
	}
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		assert_int_equal(VERB(whatif, at(entry), edits[i].edit, QUERY_TAPE), EXIT_USAGE);
		assert_printed(edits[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_entry_is_explained_to_the_bit),
		cmocka_unit_test(the_remedy_passes_when_it_is_judged),
		cmocka_unit_test(an_edit_that_breaks_another_rule_says_which),
		cmocka_unit_test(
			all_failing_checks_are_named_and_the_remedy_has_no_more_than_it_needs),
		cmocka_unit_test(an_exit_that_says_that_the_entry_failed_stands_for_the_entry),
		cmocka_unit_test(an_entry_that_should_have_failed_is_laid_at_l0),
		cmocka_unit_test(the_launch_state_is_told_with_its_cause),
		cmocka_unit_test(other_instructions_tell_what_bears_on_them),
		cmocka_unit_test(nothing_is_said_of_what_the_tape_does_not_know),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests_name("cli/why", tests, query_tape_folder, query_tape_remove);
}
