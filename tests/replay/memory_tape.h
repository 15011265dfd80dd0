/*
 * tests/replay/memory_tape.h - a tape with memory and registers on it, word by word, for tests
 *
 *	struct memory_tape tape = memory_tape_start();
 *
 *	memory_put(&tape, 0x3000, 0x4003);
 *	memory_insn(&tape, &long_mode, 0x3000);
 *	timeline = memory_tape_end(&tape);
 *
 * What was put before an event stands right before it.
 */
#ifndef TESTS_REPLAY_MEMORY_TAPE_H
#define TESTS_REPLAY_MEMORY_TAPE_H

#include "replay/memory.h"
#include "replay/registers.h"
#include "tests/cli/query_tape.h"
#include "trace/ram.h"

#define MEMORY_VMCS 0x2000

struct memory_tape {
	struct query_tape tape;
	struct ram_writer writer;
	u8 bytes[TRACE_MAX_BYTES];
};

/* How L1 or L2 translates. */
struct memory_mode {
	u64 cr0, cr4, efer;
};

static const struct memory_mode memory_off = { 0x1, 0, 0 };
static const struct memory_mode memory_32 = { 0x80000001, 0x10, 0 };
static const struct memory_mode memory_32_no_pse = { 0x80000001, 0, 0 };
static const struct memory_mode memory_pae = { 0x80000001, 0x20, 0x800 };
static const struct memory_mode memory_pae_no_nx = { 0x80000001, 0x20, 0 };
static const struct memory_mode memory_64 = { 0x80000001, 0x20, 0xd00 };
static const struct memory_mode memory_64_no_nx = { 0x80000001, 0x20, 0x500 };
static const struct memory_mode memory_57 = { 0x80000001, 0x1020, 0xd00 };

static inline struct memory_tape *memory_tape_start(void)
{
	static struct memory_tape tape;

	tape.tape = query_tape_start();
	tape.tape.vmcs = MEMORY_VMCS;
	tape.writer = (struct ram_writer){ .to = tape.bytes };
	query_tape_vmcs(&tape.tape);
	return &tape;
}

static inline u64 memory_event(struct memory_tape *tape, u8 kind, u8 level, u64 rip,
			       const void *columns, size_t size, const void *bytes, u32 byte_count)
{
	u64 col[TRACE_MAX_COLUMNS] = { 0 };
	const struct trace_event event = {
		.kind = kind,
		.level = level,
		.tsc = tape->tape.tsc,
		.rip = rip,
		.col = col,
		.bytes = bytes,
		.byte_count = byte_count,
	};

	memcpy(col, columns, size);
	if (trace_encode_event(tape->tape.encoder, &event) != ST_OK) {
		query_tape_block(&tape->tape);
		assert_int_equal(trace_encode_event(tape->tape.encoder, &event), ST_OK);
	}
	return tape->tape.seq++;
}

/* What was put so far becomes an event. */
static inline void memory_flush(struct memory_tape *tape)
{
	const struct ev_ram ram = { .level = 1 };

	if (tape->writer.size)
		memory_event(tape, EV_RAM, 1, tape->tape.rip + 16, &ram, sizeof(ram), tape->bytes,
			     tape->writer.size);
	tape->writer = (struct ram_writer){ .to = tape->bytes };
}

/* A word at @gpa1. */
static inline void memory_put(struct memory_tape *tape, u64 gpa1, u64 word)
{
	if (tape->writer.size + RAM_RUN_OVERHEAD + RAM_WORD > sizeof(tape->bytes))
		memory_flush(tape);
	ram_put(&tape->writer, gpa1, &word, 1);
}

/* Returns the number of the event. */
static inline u64 memory_page(struct memory_tape *tape, u64 gpa1, const u8 *bytes, u64 since)
{
	const struct ev_page page = { .gpa = gpa1, .level = 1, .since = since };

	memory_flush(tape);
	return memory_event(tape, EV_PAGE, 0, 0, &page, sizeof(page), bytes, bytes ? 4096 : 0);
}

/* Registers of L1 that no event tells. */
static inline u32 memory_state(struct trace_item *items, const struct memory_mode *mode)
{
	items[0] = (struct trace_item){ trace_item_id(ITEM_STATE, VMCS_GUEST_CR0), mode->cr0 };
	items[1] = (struct trace_item){ trace_item_id(ITEM_STATE, VMCS_GUEST_CR4), mode->cr4 };
	items[2] =
		(struct trace_item){ trace_item_id(ITEM_STATE, VMCS_GUEST_IA32_EFER), mode->efer };
	return 3;
}

static inline void memory_regs(struct memory_tape *tape, u8 level, const struct ev_regs *regs,
			       const struct trace_item *items, u32 count)
{
	memory_flush(tape);
	query_tape_send(&tape->tape, EV_REGS, level, regs, sizeof(*regs), items, count);
	tape->tape.rip -= 16;
}

/* VMREAD of L1 in @mode with @cr3: returns the number of the event. */
static inline u64 memory_insn(struct memory_tape *tape, const struct memory_mode *mode, u64 cr3)
{
	const struct ev_regs regs = { .level = 1, .known = REGS_ALL, .rsp = 0x5550, .r15 = 15 };
	struct trace_item items[3];
	const u64 bits = BIT(MODE_VMXE) | BIT(MODE_VMX_ROOT) | (mode->cr0 & 1) << MODE_PE |
			 (mode->cr0 >> 31 & 1) << MODE_PG | (mode->efer >> 10 & 1) << MODE_LMA |
			 (mode->efer >> 10 & 1) << MODE_CS_L;

	memory_regs(tape, 1, &regs, items, memory_state(items, mode));
	TAPE_INSN(&tape->tape, VMREAD, vmread, .mode = bits, .cr3 = cr3, .rflags = 0x202,
		  .field = VMCS_GUEST_RIP);
	return tape->tape.seq - 1;
}

/*
 * L2 in @mode with @cr3, EPT12 of @eptp (0: none) runs and exits: returns the number of the exit,
 * whose state what was put belongs to.
 */
static inline u64 memory_l2(struct memory_tape *tape, const struct memory_mode *mode, u64 cr3,
			    u64 eptp)
{
	const struct ev_regs l1 = { .level = 1, .known = REGS_ALL, .rbx = 0x11, .rsp = 0x5550 };
	const struct ev_regs l2 = {
		.level = 2, .known = REGS_ALL, .rbx = 0x22, .rsp = 0x7770, .stack = 512, .walked = 3
	};
	const struct ev_l2_entry entry = { .vmcs = MEMORY_VMCS };
	const struct ev_l2_exit exit = { .vmcs = MEMORY_VMCS, .reason = EXIT_CPUID };
	const struct {
		u64 field, value;
	} fields[] = {
		{ VMCS_PRIMARY_PROC_BASED_CONTROLS, BIT(31) | 0x0401e172 },
		{ VMCS_SECONDARY_PROC_BASED_CONTROLS, eptp ? SECONDARY_EPT : 0 },
		{ VMCS_VM_ENTRY_CONTROLS,
		  0x11ff | (mode->efer & 0x400 ? ENTRY_IA32E_MODE_GUEST : 0) | ENTRY_LOAD_EFER },
		{ VMCS_VM_EXIT_CONTROLS, 0x36dff | EXIT_SAVE_EFER },
		{ VMCS_EPT_POINTER, eptp },
		{ VMCS_GUEST_CR0, mode->cr0 },
		{ VMCS_GUEST_CR3, cr3 },
		{ VMCS_GUEST_CR4, mode->cr4 },
		{ VMCS_GUEST_IA32_EFER, mode->efer },
		{ VMCS_GUEST_RSP, 0x6660 },
		{ VMCS_GUEST_RFLAGS, 2 },
	};
	const struct trace_item items[] = { { VMCS_GUEST_RSP, 0x7770 },
					    { VMCS_GUEST_RFLAGS, 0x46 } };
	struct trace_item state[3];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		query_tape_vmwrite(&tape->tape, fields[i].field, fields[i].value);
	query_tape_send(&tape->tape, EV_REGS, 1, &l1, sizeof(l1), state,
			memory_state(state, &memory_64));
	tape->tape.rip -= 16;
	TAPE_INSN(&tape->tape, VMLAUNCH, vmlaunch, .cr3 = 0x9000, .rflags = 0x202);
	query_tape_send(&tape->tape, EV_L2_ENTRY, 2, &entry, sizeof(entry), NULL, 0);
	memory_regs(tape, 2, &l2, NULL, 0);
	return query_tape_send(&tape->tape, EV_L2_EXIT, 2, &exit, sizeof(exit), items,
			       ARRAY_SIZE(items));
}

/* The tape is done; the timeline is the caller's. */
static inline struct timeline *memory_tape_end(struct memory_tape *tape)
{
	struct timeline *timeline;
	char error[256];

	memory_flush(tape);
	query_tape_end(&tape->tape);
	if (timeline_open(QUERY_TAPE, &timeline, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return timeline;
}

static inline void memory_go(struct timeline *timeline, u64 n)
{
	assert_int_equal(timeline_seek(timeline, n), ST_OK);
}

#endif
