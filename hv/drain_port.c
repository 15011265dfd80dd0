#include "hv/drain_port.h"

#include "hv/debug_port.h"
#include "hv/hv_options.h"
#include "hv/hv_time.h"
#include "hv/insn.h"
#include "hv/stop_word.h"
#include "recorder/ring.h"
#include "trace/drain.h"

static void send(struct percpu *cpu, u8 flags, size_t length)
{
	u8 header[DRAIN_HEADER_SIZE];

	drain_frame_header(header, (u8)cpu->id, flags, cpu->drain_sequence, cpu->drain_payload,
			   (u16)length);
	debug_port_write(header, sizeof(header));
	debug_port_write(cpu->drain_payload, length);
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
	return options.drain == DRAIN_DEBUGCON && cpu->ring &&
	       ring_readable(cpu->ring) >= DRAIN_MAX_PAYLOAD;
}

bool drain_poll(struct percpu *cpu, bool all)
{
	bool written;
	u64 start;

	if (options.drain != DRAIN_DEBUGCON || !cpu->ring)
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
	if (options.drain != DRAIN_DEBUGCON || !cpu->ring)
		return;
	debug_port_take();
	while (ring_readable(cpu->ring) > DRAIN_MAX_PAYLOAD)
		write_frame(cpu, 0);
	write_frame(cpu, DRAIN_LAST);
	debug_port_release();
}
