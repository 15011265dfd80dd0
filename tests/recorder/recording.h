/*
 * tests/recorder/recording.h - a recorder with a ring and a line, as hv would have them
 *
 * Events are those of tests/trace/events.h, from number 0 on, behind a small boot record. Each
 * block begins with one EV_VMX_STATE event as its key frame.
 */
#ifndef TESTS_RECORDER_RECORDING_H
#define TESTS_RECORDER_RECORDING_H

#include "recorder/emit.h"
#include "tests/test.h"
#include "tests/trace/events.h"
#include "trace/drain.h"

struct recording {
	void *ring_memory;
	void *rec_memory;
	struct ring *ring;
	struct rec *rec;
	u16 cpu;
	u64 emitted;	/* test events */
	bool unordered; /* these take no numbers of the hand-over counter */
	u32 sequence;
	u64 key_frames;
	u8 *line; /* what came out of the drain */
	size_t line_size;
	size_t line_room;
};

static inline void recording_key_frames(void *owner, struct rec *rec, u64 block)
{
	struct recording *const recording = owner;
	const struct ev_vmx_state columns = { .in_vmx = 1, .vmxon_pointer = block, .vmcs = ~0ull };

	recording->key_frames++;
	rec_emit(rec, &(struct trace_event){ .kind = EV_VMX_STATE,
					     .tsc = recording->emitted * 1000,
					     .col = (const u64 *)&columns });
}

static inline void recording_boot_record(void *owner, struct rec *rec)
{
	static const char version[] = "1.2";
	const struct ev_boot boot = { .signature = 0x806c1, .cpus = 1 };
	const struct ev_clock clock = { .tsc_hz = 2000000000 };
	const struct ev_capability capability = {
		.msr = 0x480, .real = 5, .shown = 4, .exists = 1
	};
	const struct ev_cpuid cpuid = { .leaf = 1, .real_ab = 7 };
	const struct ev_memory memory = { .base = 0, .size = 0x9fc00, .type = 1 };
	const struct ev_option option = { .what = TEXT_L1_COMMAND_LINE };

	(void)owner;
	rec_emit(rec, &(struct trace_event){ .kind = EV_BOOT,
					     .col = (const u64 *)&boot,
					     .bytes = (const u8 *)version,
					     .byte_count = 3 });
	rec_emit(rec, &(struct trace_event){ .kind = EV_CLOCK, .col = (const u64 *)&clock });
	for (unsigned i = 0; i < 3; i++)
		rec_emit(rec, &(struct trace_event){ .kind = EV_CAPABILITY,
						     .col = (const u64 *)&capability });
	rec_emit(rec, &(struct trace_event){ .kind = EV_CPUID, .col = (const u64 *)&cpuid });
	rec_emit(rec, &(struct trace_event){ .kind = EV_MEMORY, .col = (const u64 *)&memory });
	rec_emit(rec, &(struct trace_event){ .kind = EV_OPTION,
					     .col = (const u64 *)&option,
					     .bytes = (const u8 *)"quiet",
					     .byte_count = 5 });
}

static inline void recording_start_cpu(struct recording *recording, size_t ring_size, bool packs,
				       u16 cpu)
{
	static const struct rec_ops ops = { .read_code = test_read_code,
					    .key_frames = recording_key_frames };

	*recording = (struct recording){ .cpu = cpu };
	recording->ring_memory = aligned_alloc(4096, ring_size);
	recording->rec_memory = aligned_alloc(64, ALIGN_UP(rec_size(), 64));
	recording->ring = ring_init(recording->ring_memory, ring_size);
	recording->rec =
		rec_init(recording->rec_memory, recording->ring, cpu, &ops, recording, packs);
	assert_int_equal(rec_head(recording->rec, recording_boot_record), ST_OK);
}

static inline void recording_start(struct recording *recording, size_t ring_size, bool packs)
{
	recording_start_cpu(recording, ring_size, packs, 0);
}

static inline void recording_put(struct recording *recording, const void *bytes, size_t size)
{
	if (recording->line_size + size > recording->line_room) {
		recording->line_room = 2 * (recording->line_size + size);
		recording->line = realloc(recording->line, recording->line_room);
	}
	memcpy(recording->line + recording->line_size, bytes, size);
	recording->line_size += size;
}

/* Takes everything off the ring, in frames. */
static inline void recording_drain(struct recording *recording, u8 flags)
{
	u8 header[DRAIN_HEADER_SIZE], payload[DRAIN_MAX_PAYLOAD];
	size_t length;

	while (ring_readable(recording->ring)) {
		length = ring_read(recording->ring, payload, sizeof(payload));
		drain_frame_header(header, (u8)recording->cpu,
				   ring_readable(recording->ring) ? 0 : flags,
				   recording->sequence++, payload, (u16)length);
		recording_put(recording, header, sizeof(header));
		recording_put(recording, payload, length);
	}
}

static inline void recording_emit(struct recording *recording, u64 count)
{
	const struct trace_schema *const schema = trace_schema_builtin();
	static struct test_event made;

	while (count--) {
		test_event(schema, recording->emitted++, &made);
		if (recording->unordered &&
		    schema->kinds[made.event.kind].order_column != SCHEMA_NONE)
			made.col[schema->kinds[made.event.kind].order_column] = 0;
		rec_emit(recording->rec, &made.event);
	}
}

/* The next event that has few bytes. */
static inline void recording_emit_small(struct recording *recording)
{
	static struct test_event made;

	do {
		test_event(trace_schema_builtin(), recording->emitted++, &made);
	} while (made.event.item_count > 10 || made.event.byte_count > 40);
	rec_emit(recording->rec, &made.event);
}

static inline void recording_end(struct recording *recording)
{
	rec_seal(recording->rec);
	while (rec_pack_slice(recording->rec))
		recording_drain(recording, 0);
	rec_flush(recording->rec);
	recording_drain(recording, DRAIN_LAST);
}

static inline void recording_free(struct recording *recording)
{
	free(recording->ring_memory);
	free(recording->rec_memory);
	free(recording->line);
}

#endif
