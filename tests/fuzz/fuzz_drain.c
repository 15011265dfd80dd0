#include <string.h>

#include "recorder/capture.h"
#include "tests/fuzz/fuzz.h"
#include "trace/drain.h"

#include "base/crc32c.h"

static void ignore(void *owner, const struct trace_schema *schema, const struct trace_event *event)
{
	u64 *const sum = owner;

	*sum += event->tsc + schema->kinds[event->kind].column_count;
}

/* The bytes as they are, and again as payloads of frames that check. */
static void feed_frames(struct capture *capture, const u8 *data, size_t size)
{
	u8 frame[DRAIN_HEADER_SIZE + DRAIN_MAX_PAYLOAD];
	u32 sequence = 0;

	while (size) {
		const u16 length = (u16)MIN(size, DRAIN_MAX_PAYLOAD);

		drain_frame_header(frame, 0, 0, sequence++, data, length);
		memcpy(frame + DRAIN_HEADER_SIZE, data, length);
		capture_feed(capture, frame, DRAIN_HEADER_SIZE + length);
		data += length;
		size -= length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture *capture;
	char error[256];
	u64 sum = 0;

	if (capture_open("/dev/null", ignore, &sum, &capture, error, sizeof(error)) != ST_OK)
		return 0;
	capture_feed(capture, data, size);
	feed_frames(capture, data, size);
	fuzz_demand(capture_close(capture) == ST_OK);
	capture_free(capture);
	return 0;
}
