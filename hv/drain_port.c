#include "hv/drain_port.h"

#include "hv/debug_port.h"
#include "hv/hv_options.h"
#include "hv/hv_time.h"
#include "hv/insn.h"
#include "recorder/ring.h"
#include "trace/drain.h"

/* The port is ours: rings are read by one processor at a time. */
static bool write_frame(struct percpu *cpu, u8 flags)
{
	u8 header[DRAIN_HEADER_SIZE];
	const size_t length = ring_read(cpu->ring, cpu->drain_payload, DRAIN_MAX_PAYLOAD);

	if (!length && !(flags & DRAIN_LAST))
		return false;
	drain_frame_header(header, (u8)cpu->id, flags, cpu->drain_sequence++, cpu->drain_payload,
			   (u16)length);
	debug_port_write(header, sizeof(header));
	debug_port_write(cpu->drain_payload, length);
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
