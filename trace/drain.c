#include "trace/drain.h"

#include "base/crc32c.h"

void drain_frame_header(u8 *header, u8 cpu, u8 flags, u32 sequence, const void *payload, u16 length)
{
	const u32 sync = DRAIN_SYNC;
	u32 crc;

	memcpy(header, &sync, 4);
	memcpy(header + 4, &length, 2);
	header[6] = cpu;
	header[7] = flags;
	memcpy(header + 8, &sequence, 4);
	crc = crc32c(crc32c(0, header, 12), payload, length);
	memcpy(header + 12, &crc, 4);
}
