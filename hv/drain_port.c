#include "hv/drain_port.h"

#include "hv/debug_port.h"
#include "hv/hv_options.h"
#include "hv/hv_time.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/record_end.h"
#include "hv/serial.h"
#include "hv/stop_word.h"
#include "recorder/ring.h"
#include "trace/drain.h"

/* Whoever ends the tape, where nothing leaves before that. */
static const struct percpu *line_owner;

/* Frames can be written by the processor that asks. */
static bool line_is_open(void)
{
	return options.drain == DRAIN_DEBUGCON ||
	       (record_is_ending() && line_owner == percpu_this());
}

static void send(struct percpu *cpu, u8 flags, size_t length)
{
	void (*const write)(const void *bytes, size_t size) =
		options.drain == DRAIN_DEBUGCON ? debug_port_write : serial_write;
	u8 header[DRAIN_HEADER_SIZE];

	drain_frame_header(header, (u8)cpu->id, flags, cpu->drain_sequence, cpu->drain_payload,
			   (u16)length);
	write(header, sizeof(header));
	write(cpu->drain_payload, length);
}

/*
 * The port is ours: rings are read by one processor at a time. The debugger that writes the stop
 * word talks on the same line, which may have been in the middle of this frame.
 */
static bool write_frame(struct percpu *cpu, u8 flags)
{
	static bool sent_again;
	const size_t length = ring_read(cpu->ring, cpu->drain_payload, DRAIN_MAX_PAYLOAD);

	if (!length && !(flags & DRAIN_LAST))
		return false;
	send(cpu, flags, length);
	if (stop_is_asked() && !sent_again) {
		sent_again = true;
		send(cpu, flags | DRAIN_AGAIN, length);
	}
	cpu->drain_sequence++;
	return true;
}

bool drain_is_due(const struct percpu *cpu)
{
	return line_is_open() && cpu->ring && ring_readable(cpu->ring) >= DRAIN_MAX_PAYLOAD;
}

bool drain_poll(struct percpu *cpu, bool all)
{
	bool written;
	u64 start;

	if (!line_is_open() || !cpu->ring)
		return false;
	if (!all && !drain_is_due(cpu))
		return false;
	start = rdtsc();
	if (!debug_port_try())
		return false;
	written = write_frame(cpu, 0);
	debug_port_release();
	hv_time_packed(percpu_this(), start);
	return written;
}

void drain_finish(struct percpu *cpu)
{
	if (!line_is_open() || !cpu->ring)
		return;
	debug_port_take();
	while (ring_readable(cpu->ring) > DRAIN_MAX_PAYLOAD)
		write_frame(cpu, 0);
	write_frame(cpu, DRAIN_LAST);
	debug_port_release();
}

void drain_open_line(const struct percpu *cpu)
{
	size_t waits = 0;

	if (options.drain != DRAIN_SERIAL && options.drain != DRAIN_L1)
		return;
	for (unsigned id = 0; id < percpu_count(); id++)
		if (percpu_of(id)->ring)
			waits += ring_readable(percpu_of(id)->ring);
	log_print("some %lu KiB of the tape follow on this line", waits / 1024 + 1);
	line_owner = cpu;
}

void drain_finish_others(const struct percpu *cpu)
{
	/* To that port each has written for itself. */
	if (options.drain == DRAIN_DEBUGCON)
		return;
	for (unsigned id = 0; id < percpu_count(); id++)
		if (percpu_of(id) != cpu)
			drain_finish(percpu_of(id));
}

size_t drain_take(u8 *to)
{
	size_t length = 0;

	if (options.drain != DRAIN_L1 || record_is_ending() || !debug_port_try())
		return 0;
	for (unsigned id = 0; id < percpu_count() && !length; id++) {
		struct percpu *const cpu = percpu_of(id);

		if (!cpu->ring)
			continue;
		length = ring_read(cpu->ring, to + DRAIN_HEADER_SIZE, DRAIN_MAX_PAYLOAD);
		if (length)
			drain_frame_header(to, (u8)id, 0, cpu->drain_sequence++,
					   to + DRAIN_HEADER_SIZE, (u16)length);
	}
	debug_port_release();
	return length ? DRAIN_HEADER_SIZE + length : 0;
}
