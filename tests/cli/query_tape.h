/*
 * tests/cli/query_tape.h - a small tape on disk, event by event, for tests of the verbs
 *
 *	struct query_tape tape = query_tape_start();
 *
 *	TAPE_INSN(&tape, VMXON, vmxon, .pointer = 0x1000);
 *	query_tape_end(&tape);
 *	VERB(stat, QUERY_TAPE);
 *	query_tape_remove();
 *
 * The tape begins with a boot record. Instructions succeed unless told otherwise; .vmcs is the
 * current VMCS as the tape has it; each is 16 bytes and 1000 ticks behind the one before.
 */
#ifndef TESTS_CLI_QUERY_TAPE_H
#define TESTS_CLI_QUERY_TAPE_H

#include <unistd.h>

#include "tests/test.h"
#include "tests/usual_caps.h"
#include "trace/encode.h"
#include "trace/file.h"
#include "vmx/tables.h"

#define QUERY_TAPE     "query-test.vxt" /* in the folder of query_tape_folder() */
#define QUERY_REVISION USUAL_REVISION
#define QUERY_NO_VMCS  (~0ull)
#define QUERY_MODE                                                                       \
	(BIT(MODE_PE) | BIT(MODE_PG) | BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_VMXE) | \
	 BIT(MODE_VMX_ROOT))

struct query_tape {
	struct tape_writer *writer;
	struct trace_encoder *encoder;
	struct block block;
	u16 cpu;
	u64 seq; /* of the next event */
	u64 tsc;
	u64 rip;
	u64 vmcs;
};

/* The code of L1 for a test that cares: up to 16 bytes at @rip. NULL: two bytes of a VMREAD. */
static unsigned (*query_tape_code_at)(u64 rip, u8 *to);

static inline unsigned query_tape_code(void *owner, unsigned level, u64 rip, u8 *to)
{
	(void)owner;
	(void)level;
	if (query_tape_code_at)
		return query_tape_code_at(rip, to);
	memcpy(to, "\x0f\x78", 2);
	return 2;
}

static inline void query_tape_chunk(struct query_tape *tape, struct chunk *chunk)
{
	u8 header[CHUNK_MAX_HEADER];

	chunk->cpu = tape->cpu;
	chunk_write_header(chunk, header);
	assert_int_equal(tape_append(tape->writer, chunk, header), ST_OK);
}

/* The events so far become a block. */
static inline void query_tape_block(struct query_tape *tape)
{
	static u8 raw[CODEC_MAX_RAW];
	const struct trace_encoder_state state = trace_encoder_state(tape->encoder);
	u8 extra[BLOCK_HEADER];
	struct chunk chunk = { .type = CHUNK_BLOCK, .extra_size = sizeof(extra), .extra = extra };

	tape->block.first_tsc = state.first_tsc;
	tape->block.last_tsc = state.last_tsc;
	tape->block.events = state.events;
	tape->block.counted = state.counted;
	tape->block.kinds = state.kinds;
	tape->block.last_order = state.last_order;
	tape->block.schema_id = trace_schema_builtin()->id;
	tape->block.codec = BLOCK_RAW;
	tape->block.raw_size = (u32)trace_encoder_finish(tape->encoder, raw);
	chunk.payload = raw;
	chunk.size = tape->block.raw_size;
	block_write(&tape->block, extra);
	query_tape_chunk(tape, &chunk);
	tape->block.number++;
	tape->block.first_seq += tape->block.events;
	trace_encoder_reset(tape->encoder);
}

static inline u64 query_tape_send(struct query_tape *tape, u8 kind, u8 level, const void *columns,
				  size_t size, const struct trace_item *items, u32 count)
{
	u64 col[TRACE_MAX_COLUMNS] = { 0 };
	const struct trace_event event = {
		.kind = kind,
		.level = level,
		.tsc = tape->tsc += 1000,
		.rip = level ? tape->rip += 16 : 0,
		.col = col,
		.items = items,
		.item_count = count,
	};

	memcpy(col, columns, size);
	if (trace_encode_event(tape->encoder, &event) != ST_OK) {
		query_tape_block(tape);
		assert_int_equal(trace_encode_event(tape->encoder, &event), ST_OK);
	}
	return tape->seq++;
}

#define TAPE_INSN(tape, KIND, name, ...)                                               \
	do {                                                                           \
		struct ev_##name insn_ = { __VA_ARGS__ };                              \
		insn_.mode = insn_.mode ? insn_.mode : QUERY_MODE;                     \
		insn_.vmcs = (tape)->vmcs;                                             \
		query_tape_send((tape), EV_##KIND, 1, &insn_, sizeof(insn_), NULL, 0); \
	} while (0)

#define TAPE_OTHER(tape, KIND, name, ...)                                                \
	do {                                                                             \
		const struct ev_##name other_ = { __VA_ARGS__ };                         \
		query_tape_send((tape), EV_##KIND, 0, &other_, sizeof(other_), NULL, 0); \
	} while (0)

static inline void query_tape_capabilities(struct query_tape *tape)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual_caps); i++)
		TAPE_OTHER(tape, CAPABILITY, capability, .msr = usual_caps[i].msr,
			   .real = usual_caps[i].value, .shown = usual_caps[i].value, .exists = 1);
}

/* A tape without a boot record: it begins in the middle. */
static inline struct query_tape query_tape_start_unknown(void)
{
	static u8 schema[SCHEMA_MAX_SIZE];
	struct query_tape tape = { .rip = 0x1000, .vmcs = QUERY_NO_VMCS };
	struct chunk chunk = { .type = CHUNK_SCHEMA, .flags = CHUNK_PINNED, .payload = schema };
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64));

	assert_non_null(memory);
	tape.encoder = trace_encoder_init(memory, trace_schema_builtin(), query_tape_code, NULL);
	assert_int_equal(tape_create(QUERY_TAPE, &tape.writer), ST_OK);
	chunk.size = (u32)trace_schema_write(trace_schema_builtin(), schema);
	query_tape_chunk(&tape, &chunk);
	return tape;
}

static inline struct query_tape query_tape_start(void)
{
	struct query_tape tape = query_tape_start_unknown();

	TAPE_OTHER(&tape, BOOT, boot, .physical_width = 40, .linear_width = 48, .cpus = 1);
	query_tape_capabilities(&tape);
	TAPE_OTHER(&tape, VMX_STATE, vmx_state, .vmxon_pointer = QUERY_NO_VMCS,
		   .vmcs = QUERY_NO_VMCS, .level = 1);
	return tape;
}

static inline void query_tape_end(struct query_tape *tape)
{
	query_tape_block(tape);
	assert_int_equal(tape_finish(tape->writer, true), ST_OK);
	assert_int_equal(tape_close(tape->writer), ST_OK);
	free(tape->encoder);
}

/* --- what most tapes have --------------------------------------------------------------------- */

/* VMXON, and VMCLEAR and VMPTRLD of 0x2000. */
static inline void query_tape_vmcs(struct query_tape *tape)
{
	TAPE_INSN(tape, VMXON, vmxon, .pointer = 0x1000, .dword0 = QUERY_REVISION,
		  .cr0 = 0x80000031, .cr4 = 0x2020, .feature_control = 5);
	TAPE_INSN(tape, VMCLEAR, vmclear, .pointer = 0x2000, .dword0 = QUERY_REVISION);
	TAPE_INSN(tape, VMPTRLD, vmptrld, .pointer = 0x2000, .dword0 = QUERY_REVISION);
	tape->vmcs = 0x2000;
}

static inline u64 query_tape_vmwrite(struct query_tape *tape, u64 field, u64 value)
{
	TAPE_INSN(tape, VMWRITE, vmwrite, .field = field, .value = value);
	return tape->seq - 1;
}

static inline u64 query_tape_vmread(struct query_tape *tape, u64 field, u64 value)
{
	TAPE_INSN(tape, VMREAD, vmread, .field = field, .value = value);
	return tape->seq - 1;
}

/* L2 runs, and exits for @reason, changing @items; hv took @hv_ticks since the last exit. */
static inline u64 query_tape_l2(struct query_tape *tape, u64 reason, u64 hv_ticks,
				const struct trace_item *items, u32 count)
{
	const struct ev_l2_entry entry = { .vmcs = tape->vmcs };
	const struct ev_l2_exit exit = { .reason = reason,
					 .vmcs = tape->vmcs,
					 .hv_ticks = hv_ticks };

	query_tape_send(tape, EV_L2_ENTRY, 2, &entry, sizeof(entry), NULL, 0);
	return query_tape_send(tape, EV_L2_EXIT, 2, &exit, sizeof(exit), items, count);
}

/* hv took @ticks for @exits exits of @level for @reason, @longest for one. */
static inline void query_tape_hv_time(struct query_tape *tape, u8 level, u64 reason, u64 exits,
				      u64 ticks, u64 longest)
{
	const struct ev_hv_time time = { .reason = reason,
					 .exits = exits,
					 .ticks = ticks,
					 .longest = longest,
					 .longest_tsc = longest };

	query_tape_send(tape, EV_HV_TIME, level, &time, sizeof(time), NULL, 0);
}

/* --- where it stands -------------------------------------------------------------------------- */

/* cmocka group set-up and tear-down: QUERY_TAPE is in a folder of its own. */
static char query_tape_path[] = "/tmp/vmxtape-query-XXXXXX";

static inline int query_tape_folder(void **state)
{
	(void)state;
	return mkdtemp(query_tape_path) && !chdir(query_tape_path) ? 0 : -1;
}

static inline int query_tape_remove(void **state)
{
	(void)state;
	remove(QUERY_TAPE);
	return chdir("/") || rmdir(query_tape_path) ? -1 : 0;
}

#endif
