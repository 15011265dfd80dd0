#include "tests/cli/verb_run.h"
#include "tests/cli/query_tape.h"

static u64 written[3]; /* seq of writes that the tests ask for */
static char position[32];

static const char *at(u64 seq)
{
	snprintf(position, sizeof(position), "@c0:%llu", (unsigned long long)seq);
	return position;
}

/* guest_cr4 written three times, between them an entry and an exit that changes guest_rip. */
static u64 make_tape(void)
{
	const struct trace_item changed[] = { { VMCS_GUEST_RIP, 0x7002 } };
	struct query_tape tape = query_tape_start();

	query_tape_vmcs(&tape);
	query_tape_vmwrite(&tape, VMCS_PRIMARY_PROC_BASED_CONTROLS, 0x04006172);
	written[0] = query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0x2020);
	query_tape_vmwrite(&tape, VMCS_GUEST_RIP, 0x7000);
	query_tape_l2(&tape, EXIT_CPUID, 0, changed, 1);
	written[1] = query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0x2060);
	written[2] = query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0x2060);
	TAPE_OTHER(&tape, VMCS12_WRITE, vmcs12_write, .origin = ORIGIN_MEMORY, .vmcs = 0x2000,
		   .field = VMCS_GUEST_CR0, .old = 0, .value = 0x31);
	TAPE_INSN(&tape, VMREAD, vmread, .field = 0x7fff, .outcome = OUTCOME_FAIL_VALID,
		  .error = 12);
	TAPE_INSN(&tape, VMRESUME, vmresume, .launched = 1);
	query_tape_end(&tape);
	return tape.seq - 1;
}

static void a_vmcs_is_what_it_was_before_the_event(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(vmcs, QUERY_TAPE, at(written[1]), "-j"), EXIT_CLEAN);
	assert_printed("\"field\":\"guest_cr4\",\"encoding\":\"0x6804\",\"area\":\"guest-state "
		       "area\",\"value\":\"0x2020\",\"text\":\"pae vmxe\",\"used\":\"yes\"");
	assert_printed("\"field\":\"guest_rip\",\"encoding\":\"0x681e\",\"area\":\"guest-state "
		       "area\",\"value\":\"0x7002\"");
	assert_printed("\"field\":\"exit_reason\",\"encoding\":\"0x4402\",\"area\":\"VM-exit "
		       "information fields\",\"value\":\"0xa\",\"text\":\"cpuid\"");
	assert_int_equal(VERB(vmcs, QUERY_TAPE, at(written[2]), "-j"), EXIT_CLEAN);
	assert_printed("\"value\":\"0x2060\",\"text\":\"pae mce vmxe\"");
}

static void what_is_unknown_or_unused_says_so(void **state)
{
	const u64 last = make_tape();

	(void)state;
	assert_int_equal(VERB(vmcs, QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("  io_bitmap_a                           ?  (unused: io_bitmaps is 0)");
	assert_printed("  guest_dr7                             ?\n");
	assert_printed("  guest_cr0                             0x31  pe et ne\n");
	assert_printed("launch state launched, active on CPU 0");
	/* The entry controls are unknown: nobody knows whether the field is used. */
	assert_not_printed("guest_ia32_efer                       ?  (unused");
	assert_not_printed("guest_uinv");
	assert_int_equal(VERB(vmcs, QUERY_TAPE, at(last), "--all"), EXIT_CLEAN);
	assert_printed("guest_uinv");
}

static void writers_are_named(void **state)
{
	const u64 last = make_tape();
	char text[96];

	(void)state;
	assert_int_equal(VERB(vmcs, QUERY_TAPE, at(last), "-w"), EXIT_CLEAN);
	snprintf(text, sizeof(text), "guest_cr4                             %-14s0x2060",
		 at(written[2]));
	assert_printed(text);
}

static void a_difference_names_the_flags(void **state)
{
	const u64 last = make_tape();
	char first[32];

	(void)state;
	snprintf(first, sizeof(first), "%s", at(written[1]));
	assert_int_equal(VERB(vmcs, QUERY_TAPE, first, "--diff", at(last)), EXIT_CLEAN);
	assert_printed("guest_cr4                             0x2020 -> 0x2060  +mce\n");
	assert_printed("guest_cr0                             ? -> 0x31");
	assert_not_printed("guest_rip");
	assert_int_equal(VERB(vmcs, QUERY_TAPE, first, "--diff", first), EXIT_CLEAN);
	assert_printed("no field differs");
}

static void blame_goes_back_through_time(void **state)
{
	const u64 last = make_tape();
	char lines[3][64];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		snprintf(lines[i], sizeof(lines[i]), "{\"schema\":1,\"at\":\"%s\"", at(written[i]));
	assert_int_equal(VERB(blame, "guest_cr4", QUERY_TAPE, at(last), "-j"), EXIT_CLEAN);
	for (unsigned i = 0; i < 3; i++)
		assert_printed(lines[i]);
	assert_true(strstr(verb_text, lines[2]) < strstr(verb_text, lines[1]));
	assert_true(strstr(verb_text, lines[1]) < strstr(verb_text, lines[0]));
	assert_printed("\"old\":\"0x2020\",\"value\":\"0x2060\"");
	assert_printed("\"old\":null,\"value\":\"0x2020\"");

	assert_int_equal(VERB(blame, "0x6804", QUERY_TAPE, at(last), "-j", "--bits", "0x40"),
			 EXIT_CLEAN);
	assert_not_printed(lines[2]);
	assert_printed(lines[1]);
}

static void exits_memory_and_nobody_are_blamed(void **state)
{
	const u64 last = make_tape();

	(void)state;
	assert_int_equal(VERB(blame, "guest_rip", QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("exit      ");
	assert_printed("0x7000 -> 0x7002");
	assert_int_equal(VERB(blame, "guest_cr0", QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("memory    ");
	assert_int_equal(VERB(blame, "vm_instruction_error", QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("error     ");
	assert_printed("-> 0xc");
	assert_int_equal(VERB(blame, "guest_dr7", QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("no event before");
}

static void a_vmwrite_that_did_not_exit_is_blamed_as_an_interval(void **state)
{
	struct query_tape tape = query_tape_start();
	const struct ev_vmcs12_write write = { .origin = ORIGIN_SHADOW,
					       .vmcs = 0x2000,
					       .field = VMCS_GUEST_RIP,
					       .old = 0,
					       .value = 0x7002,
					       .since_tsc = 0x1234 };
	u64 last;

	(void)state;
	query_tape_vmcs(&tape);
	query_tape_send(&tape, EV_VMCS12_WRITE, 0, &write, sizeof(write), NULL, 0);
	last = query_tape_vmwrite(&tape, VMCS_GUEST_RSP, 1);
	query_tape_end(&tape);
	assert_int_equal(VERB(blame, "guest_rip", QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("shadow    ?  ");
	assert_printed("-> 0x7002");
	assert_printed("(between @tsc:0x1234 and @c0:");
	assert_int_equal(VERB(blame, "guest_rip", QUERY_TAPE, at(last), "-j"), EXIT_CLEAN);
	assert_printed("\"origin\":\"shadow\"");
	assert_printed("\"since_tsc\":\"0x1234\"");
	assert_not_printed("\"rip\"");
}

/* A key frame with guest_cr4 and guest_cr0 as they are; every other field is 0. */
static void send_frame(struct query_tape *tape, u64 cr4)
{
	struct trace_item items[VMCS_FIELD_COUNT];
	const struct ev_vmx_state state = {
		.in_vmx = 1, .vmxon_pointer = 0x1000, .vmcs = 0x2000, .level = 1
	};
	const struct ev_vmcs_image image = { .vmcs = 0x2000, .launched = 1, .current = 1 };

	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		items[i] = (struct trace_item){ vmcs_fields[i].encoding,
						i == VMCS_IX_GUEST_CR4 ? cr4 : 0 };
	query_tape_send(tape, EV_VMX_STATE, 0, &state, sizeof(state), NULL, 0);
	query_tape_send(tape, EV_VMCS_IMAGE, 0, &image, sizeof(image), items, VMCS_FIELD_COUNT);
}

/* So long that the model does not take all of it: key frames must do. */
static void a_long_tape_gives_the_same_answer(void **state)
{
	struct query_tape tape = query_tape_start();
	static char from_frames[VERB_TEXT_MAX];
	u64 last;

	(void)state;
	query_tape_vmcs(&tape);
	written[0] = query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0x2020);
	for (unsigned i = 0; i < 450000; i++) {
		if (i % 5000 == 0)
			send_frame(&tape, 0x2020);
		query_tape_vmread(&tape, VMCS_GUEST_RSP, 0);
	}
	last = tape.seq - 1;
	query_tape_end(&tape);
	assert_int_equal(VERB(vmcs, QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("guest_cr4                             0x2020  pae vmxe");
	memcpy(from_frames, verb_text, sizeof(from_frames));
	assert_int_equal(VERB(vmcs, QUERY_TAPE, at(last), "-w"), EXIT_CLEAN);
	/* From the start the event that wrote it is known as well. */
	assert_printed(at(written[0]));
	assert_int_equal(VERB(blame, "guest_cr4", QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed(at(written[0]));
	assert_not_printed("key_frame");
	assert_non_null(strstr(from_frames, "guest_rsp                             0x0"));
}

static void a_key_frame_that_differs_is_blamed(void **state)
{
	struct query_tape tape = query_tape_start();
	u64 last;

	(void)state;
	query_tape_vmcs(&tape);
	query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0x2020);
	send_frame(&tape, 0x2020);
	send_frame(&tape, 0x2060);
	query_tape_vmread(&tape, VMCS_GUEST_CR4, 0x2060);
	last = tape.seq - 1;
	query_tape_end(&tape);
	assert_int_equal(VERB(blame, "guest_cr4", QUERY_TAPE, at(last), "-j"), EXIT_CLEAN);
	assert_printed("\"origin\":\"key_frame\",\"vmcs\":\"0x2000\",\"field\":\"guest_cr4\","
		       "\"old\":\"0x2020\",\"value\":\"0x2060\"");
	assert_printed("\"origin\":\"vmwrite\"");
}

static void a_gap_ends_what_is_known(void **state)
{
	struct query_tape tape = query_tape_start();
	u64 last;

	(void)state;
	query_tape_vmcs(&tape);
	query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0x2020);
	TAPE_OTHER(&tape, GAP, gap, .why = GAP_RING_FULL, .events = 3);
	query_tape_vmread(&tape, VMCS_GUEST_RSP, 0);
	last = tape.seq - 1;
	query_tape_end(&tape);
	assert_int_equal(VERB(blame, "guest_cr4", "--vmcs", "0x2000", QUERY_TAPE, at(last)),
			 EXIT_CLEAN);
	assert_printed("events are missing here");
	assert_int_equal(VERB(vmcs, "--vmcs", "0x2000", QUERY_TAPE, at(last)), EXIT_CLEAN);
	assert_printed("guest_cr4                             ?");
}

static void what_is_missing_is_asked_for(void **state)
{
	static const struct {
		int (*run)(int, char **);
		const char *words[8];
		const char *part;
	} rows[] = {
		{ cmd_vmcs, { "vmcs", QUERY_TAPE }, "which moment?" },
		{ cmd_vmcs, { "vmcs", "@1", QUERY_TAPE }, "no current VMCS" },
		{ cmd_vmcs, { "vmcs", "@1", "@2" }, "'@2' is too much" },
		{ cmd_vmcs, { "vmcs", "@1", QUERY_TAPE, "x" }, "'x' is too much" },
		{ cmd_vmcs, { "vmcs", "@999999", QUERY_TAPE }, "the tape does not have it" },
		{ cmd_vmcs, { "vmcs", "@1", "--vmcs", "0x9000", QUERY_TAPE }, "no VMCS at" },
		{ cmd_vmcs, { "vmcs", "@1", "/no/such.vxt" }, "/no/such.vxt" },
		{ cmd_blame, { "blame" }, "which VMCS field?" },
		{ cmd_blame, { "blame", "guest_cr4", QUERY_TAPE }, "which moment?" },
		{ cmd_blame, { "blame", "guest_cr9", "@1", QUERY_TAPE }, "no VMCS field" },
		{ cmd_blame,
		  { "blame", "guest_cr4", "@1", "--bits", "x", QUERY_TAPE },
		  "'x' is no mask" },
	};

	(void)state;
	make_tape();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(verb_run(rows[i].run, rows[i].words), EXIT_USAGE);
		assert_printed(rows[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vmcs_is_what_it_was_before_the_event),
		cmocka_unit_test(what_is_unknown_or_unused_says_so),
		cmocka_unit_test(writers_are_named),
		cmocka_unit_test(a_difference_names_the_flags),
		cmocka_unit_test(blame_goes_back_through_time),
		cmocka_unit_test(exits_memory_and_nobody_are_blamed),
		cmocka_unit_test(a_vmwrite_that_did_not_exit_is_blamed_as_an_interval),
		cmocka_unit_test(a_long_tape_gives_the_same_answer),
		cmocka_unit_test(a_key_frame_that_differs_is_blamed),
		cmocka_unit_test(a_gap_ends_what_is_known),
		cmocka_unit_test(what_is_missing_is_asked_for),
	};

	return cmocka_run_group_tests_name("cli/moment", tests, query_tape_folder,
					   query_tape_remove);
}
