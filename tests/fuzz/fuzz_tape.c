#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "replay/memory.h"
#include "replay/reader.h"
#include "replay/registers.h"
#include "tests/fuzz/fuzz.h"
#include "trace/file.h"
#include "trace/text.h"

/*
 * Gives a chunk the checksums that its bytes have, so that what lies behind them is tried as well.
 */
static void repair_chunk(u8 *at, size_t size)
{
	u32 length, crc;
	size_t header;

	if (size < CHUNK_HEADER)
		return;
	header = 8 * (size_t)at[11];
	memcpy(&length, at + 12, 4);
	if (header < CHUNK_HEADER || header > MIN(size, CHUNK_MAX_HEADER))
		return;
	if (length <= size - header) {
		crc = crc32c(0, at + header, length);
		memcpy(at + 16, &crc, 4);
	}
	crc = crc32c(crc32c(0, at, 20), at + CHUNK_HEADER, header - CHUNK_HEADER);
	memcpy(at + 20, &crc, 4);
}

static void repair(u8 *bytes, size_t size)
{
	const u32 sync = CHUNK_SYNC;
	u32 crc;

	if (size < TAPE_HEADER)
		return;
	crc = crc32c(0, bytes, TAPE_HEADER - 4);
	memcpy(bytes + TAPE_HEADER - 4, &crc, 4);
	for (size_t at = TAPE_HEADER; at + 4 <= size; at++)
		if (!memcmp(bytes + at, &sync, 4))
			repair_chunk(bytes + at, size - at);
}

/* Uses all that an event points to. */
static u64 touch(const struct reader *reader, const struct trace_event *event)
{
	static char text[512];
	u64 sum = 0;

	for (u32 i = 0; i < event->byte_count; i++)
		sum += event->bytes[i];
	for (unsigned i = 0; i < event->code_count; i++)
		sum += event->code[i];
	for (unsigned i = 0; i < event->item_count; i++)
		sum += event->items[i].value;
	for (unsigned i = 0; i < TRACE_MAX_COLUMNS && event->kind != EV_GAP; i++)
		sum += event->col[i];
	return sum + trace_text_event(text, sizeof(text), reader_schema(reader), event);
}

static void read_all(struct reader *reader)
{
	const u64 events = reader_info(reader)->events;
	const struct trace_event *event;
	u64 n = 0, read = 0, found;

	while (reader_next(reader, &event) == ST_OK) {
		fuzz_demand(reader_tell(reader) > n);
		n = reader_tell(reader);
		if (read++ % 64 == 0)
			touch(reader, event);
	}
	fuzz_demand(n == events);
	for (unsigned i = 0; i < 4 && events; i++) {
		fuzz_demand(reader_seek(reader, events * i / 4) == ST_OK);
		fuzz_demand(reader_tell(reader) >= events * i / 4);
		if (reader_next(reader, &event) == ST_OK)
			reader_find(reader, event->cpu, event->seq, &found);
	}
}

/* Whatever page tables and memory the tape claims. */
static void look_at_guests(const u8 *bytes, size_t size)
{
	struct timeline *timeline;
	struct registers registers;
	u8 memory[64];
	char error[256];

	if (timeline_open_memory("it", bytes, size, &timeline, error, sizeof(error)) != ST_OK)
		return;
	for (unsigned i = 1; i < 4; i++) {
		const u64 n = timeline_events(timeline) * i / 4;

		if (timeline_seek(timeline, n) != ST_OK)
			continue;
		for (unsigned level = 1; level <= 2; level++)
			registers_at(timeline, 0, level, &registers);
		for (unsigned space = MEMORY_L1_PHYSICAL; space <= MEMORY_L2_LINEAR; space++) {
			const u64 address = registers.reg[REGISTER_RSP].value + n;

			fuzz_demand(memory_read(timeline, 0, (enum memory_space)space, address,
						memory, sizeof(memory)) <= sizeof(memory));
		}
	}
	timeline_close(timeline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 *const bytes = malloc(size + 1);
	struct reader *reader;
	char error[256] = "";

	/* One in eight stays as it is. */
	memcpy(bytes, data, size);
	if (crc32c(0, data, size) % 8)
		repair(bytes, size);
	if (reader_open_memory("it", bytes, size, &reader, error, sizeof(error)) == ST_OK) {
		read_all(reader);
		reader_close(reader);
		if (crc32c(0, data, size) % 16 == 1)
			look_at_guests(bytes, size);
	} else {
		fuzz_demand(!reader && strstr(error, "'it'"));
	}
	free(bytes);
	return 0;
}
