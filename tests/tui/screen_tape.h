/*
 * tests/tui/screen_tape.h - the tapes that tests of the UI look at, made event by event
 */
#ifndef TESTS_TUI_SCREEN_TAPE_H
#define TESTS_TUI_SCREEN_TAPE_H

#include "tests/cli/query_tape.h"
#include "tests/replay/machine.h"

/* A line of L1's console, or a mark. */
static inline void screen_tape_text(struct query_tape *tape, u8 kind, const char *text)
{
	const u64 col[TRACE_MAX_COLUMNS] = { 0 };
	const struct trace_event event = {
		.kind = kind,
		.tsc = tape->tsc += 1000,
		.col = col,
		.bytes = (const u8 *)text,
		.byte_count = (u32)strlen(text),
	};

	assert_int_equal(trace_encode_event(tape->encoder, &event), ST_OK);
	tape->seq++;
}

/* A VMWRITE for each field that a guest in 64-bit mode needs. */
static inline void screen_tape_good_vmcs(struct query_tape *tape)
{
	struct machine machine;

	machine_init(&machine);
	for (int i = 0; i < VMCS_FIELD_COUNT; i++)
		if (machine.value[i] && vmcs_fields[i].access == VMCS_ACCESS_RW)
			query_tape_vmwrite(tape, vmcs_fields[i].encoding, machine.value[i]);
}

/* Round after round: CPUID in L2, VMREADs, the next RIP, VMRESUME. */
static inline void screen_tape_rounds(struct query_tape *tape, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const u64 rip = 0x400000 + 2 * i;
		const struct trace_item items[] = {
			{ VMCS_EXIT_REASON, EXIT_CPUID },
			{ VMCS_VM_EXIT_INSTRUCTION_LENGTH, 2 },
			{ VMCS_GUEST_RIP, rip },
		};

		query_tape_l2(tape, EXIT_CPUID, 1500, items, ARRAY_SIZE(items));
		query_tape_vmread(tape, VMCS_EXIT_REASON, EXIT_CPUID);
		query_tape_vmread(tape, VMCS_GUEST_RIP, rip);
		query_tape_vmread(tape, VMCS_VM_EXIT_INSTRUCTION_LENGTH, 2);
		query_tape_vmwrite(tape, VMCS_GUEST_RIP, rip + 2);
		TAPE_INSN(tape, VMRESUME, vmresume, .launched = 1);
	}
}

/*
 * A small hypervisor: capabilities, VMXON, a VMCS that is never cleared, 20 rounds, then a write of
 * guest_cr4 that makes the next entry fail.
 */
static inline void screen_tape_dialogue(void)
{
	static const u32 read[] = { MSR_VMX_BASIC, MSR_VMX_PINBASED_CTLS, MSR_VMX_MISC,
				    MSR_VMX_EPT_VPID_CAP };
	const struct trace_item failed[] = { { VMCS_EXIT_REASON, 0x80000021 } };
	struct query_tape tape = query_tape_start();
	u64 rip;

	screen_tape_text(&tape, EV_CONSOLE, "hypervisor: starting");
	rip = tape.rip;
	for (size_t i = 0; i < ARRAY_SIZE(read); i++) {
		tape.rip = rip; /* a loop over MSRs: repeats */
		TAPE_INSN(&tape, MSR_READ, msr_read, .msr = read[i],
			  .value = good_caps[read[i] - MSR_VMX_BASIC]);
	}
	TAPE_INSN(&tape, VMXON, vmxon, .pointer = 0x1000, .dword0 = QUERY_REVISION,
		  .cr0 = 0x80000031, .cr4 = 0x2020, .feature_control = 5);
	TAPE_INSN(&tape, VMPTRLD, vmptrld, .pointer = 0x2000, .dword0 = QUERY_REVISION);
	tape.vmcs = 0x2000;
	screen_tape_good_vmcs(&tape);
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .launched = 0);
	screen_tape_rounds(&tape, 20);
	screen_tape_text(&tape, EV_MARK, "before the bad write");
	query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0);
	TAPE_INSN(&tape, VMRESUME, vmresume, .launched = 1);
	{
		const struct ev_l2_exit exit = { .reason = 0x80000021, .vmcs = tape.vmcs };

		query_tape_send(&tape, EV_L2_EXIT, 2, &exit, sizeof(exit), failed, 1);
	}
	query_tape_vmread(&tape, VMCS_EXIT_REASON, 0x80000021);
	TAPE_INSN(&tape, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 4,
		  .launched = 1);
	screen_tape_text(&tape, EV_CONSOLE, "hypervisor: entry failed, giving up");
	TAPE_INSN(&tape, VMXOFF, vmxoff, .error = 0);
	TAPE_OTHER(&tape, END, end, .why = END_POWER_OFF);
	query_tape_end(&tape);
}

/* Nothing but a boot record. */
static inline void screen_tape_empty(void)
{
	struct query_tape tape = query_tape_start();

	query_tape_end(&tape);
}

/* Long enough for chunks, filters that find little, and slices. */
static inline void screen_tape_long(void)
{
	struct query_tape tape = query_tape_start();

	query_tape_vmcs(&tape);
	screen_tape_good_vmcs(&tape);
	screen_tape_rounds(&tape, 3000);
	query_tape_vmwrite(&tape, VMCS_GUEST_CR4, 0x2020);
	screen_tape_rounds(&tape, 3000);
	TAPE_OTHER(&tape, GAP, gap, .why = GAP_RING_FULL, .events = 10);
	screen_tape_rounds(&tape, 10);
	query_tape_end(&tape);
}

/* A tape while it is recorded: @rounds of it, and its end when it is @whole. */
static inline void screen_tape_part(unsigned rounds, bool whole)
{
	struct query_tape tape = query_tape_start();

	query_tape_vmcs(&tape);
	screen_tape_good_vmcs(&tape);
	screen_tape_rounds(&tape, rounds);
	if (whole) {
		query_tape_end(&tape);
		return;
	}
	query_tape_block(&tape);
	assert_int_equal(tape_close(tape.writer), ST_OK);
	free(tape.encoder);
}

static inline void screen_tape_live(void)
{
	screen_tape_part(2, false);
}

static inline void screen_tape_grown(void)
{
	screen_tape_part(5, false);
}

static inline void screen_tape_finished(void)
{
	screen_tape_part(6, true);
}

/* Another CPU of the tape, which begins outside of VMX operation. */
static inline struct query_tape screen_tape_cpu(const struct query_tape *first, u16 cpu)
{
	struct query_tape tape = { .writer = first->writer,
				   .cpu = cpu,
				   .rip = 0x8000,
				   .tsc = first->tsc + 500,
				   .vmcs = QUERY_NO_VMCS };
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64));

	assert_non_null(memory);
	tape.encoder = trace_encoder_init(memory, trace_schema_builtin(), query_tape_code, NULL);
	TAPE_OTHER(&tape, VMX_STATE, vmx_state, .vmxon_pointer = QUERY_NO_VMCS,
		   .vmcs = QUERY_NO_VMCS, .level = 1);
	return tape;
}

/* Two CPUs at work; the second one's last block is not there yet when it is not @whole. */
static inline void screen_tape_cpus(bool whole)
{
	struct query_tape first = query_tape_start(), second = screen_tape_cpu(&first, 1);

	query_tape_vmcs(&first);
	screen_tape_good_vmcs(&first);
	TAPE_INSN(&second, VMXON, vmxon, .pointer = 0x7000, .dword0 = QUERY_REVISION,
		  .cr0 = 0x80000031, .cr4 = 0x2020, .feature_control = 5);
	query_tape_block(&second);
	screen_tape_rounds(&first, 4);
	second.tsc = first.tsc - 20000;
	TAPE_INSN(&second, VMXOFF, vmxoff, .error = 0);
	query_tape_block(&first);
	if (whole) {
		query_tape_block(&second);
		assert_int_equal(tape_finish(first.writer, true), ST_OK);
	}
	assert_int_equal(tape_close(first.writer), ST_OK);
	free(first.encoder);
	free(second.encoder);
}

static inline void screen_tape_two(void)
{
	screen_tape_cpus(true);
}

static inline void screen_tape_two_live(void)
{
	screen_tape_cpus(false);
}

/* The tape called @name in the current folder; false when there is none of that name. */
static inline bool screen_tape_make(const char *name)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} tapes[] = {
		{ "dialogue", screen_tape_dialogue }, { "empty", screen_tape_empty },
		{ "long", screen_tape_long },	      { "live", screen_tape_live },
		{ "two", screen_tape_two },	      { "two-live", screen_tape_two_live },
		{ "grown", screen_tape_grown },	      { "finished", screen_tape_finished },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tapes); i++)
		if (!strcmp(tapes[i].name, name)) {
			remove(QUERY_TAPE);
			tapes[i].make();
			return true;
		}
	return false;
}

#endif
