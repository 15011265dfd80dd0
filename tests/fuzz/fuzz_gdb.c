#include <stdlib.h>
#include <string.h>

#include "gdbstub/session.h"
#include "gdbstub/target_timeline.h"
#include "tests/fuzz/fuzz.h"

/* From the top of the tree, as the golden tapes that other targets are given. */
#define TAPE "tests/golden/1/vmware.vxt"

/* What a session may queue before it has to stop taking input. */
#define ROOM KIB(256)

struct line {
	size_t queued;
	u8 last[GDB_PACKET_ROOM];
};

static void take(void *owner, const void *bytes, size_t size)
{
	struct line *const line = owner;

	fuzz_demand(size <= sizeof(line->last));
	memcpy(line->last, bytes, size);
	line->queued += size;
}

static bool has_room(void *owner)
{
	return ((struct line *)owner)->queued < ROOM;
}

/* Every byte is read, and printing is all that a verb may do here. */
static void verb(void *owner, const char *const *argv, gdb_print print, void *to)
{
	(void)owner;
	for (; *argv; argv++)
		print(to, *argv, strlen(*argv));
}

/* Packets alone, with checksums: what comes out is bounded and ends with a 0. */
static void feed_packets(const u8 *data, size_t size)
{
	static struct gdb_packet_reader reader;
	static struct gdb_packet_writer writer;

	gdb_packet_reader_init(&reader);
	for (size_t i = 0; i < size; i++) {
		if (gdb_packet_feed(&reader, data[i]) != GDB_INPUT_PACKET)
			continue;
		fuzz_demand(reader.length <= GDB_PACKET_MAX && !reader.payload[reader.length]);
		gdb_packet_begin(&writer);
		gdb_packet_put(&writer, reader.payload, reader.length);
		gdb_packet_end(&writer);
		fuzz_demand(!writer.is_cut && writer.length <= GDB_PACKET_ROOM);
	}
}

/* A whole session on a tape, in which any checksum will do. */
static void feed_session(const u8 *data, size_t size)
{
	static const struct gdb_link link = { .send = take, .has_room = has_room };
	static struct timeline *timeline;
	struct gdb_session *const session = malloc(sizeof(*session));
	struct gdb_tape *const tape = malloc(sizeof(*tape));
	struct line *const line = calloc(1, sizeof(*line));
	char error[256];

	if (!timeline)
		fuzz_demand(timeline_open(TAPE, &timeline, error, sizeof(error)) == ST_OK);
	fuzz_demand(timeline_seek(timeline, 0) == ST_OK);
	gdb_tape_start(tape, timeline, verb, NULL);
	gdb_session_start(session, &gdb_tape_ops, tape, &link, line);
	session->in.check = false;
	while (size && session->end == GDB_GOES_ON) {
		const size_t taken = gdb_session_feed(session, data, size);

		fuzz_demand(taken || session->end != GDB_GOES_ON);
		data += taken;
		size -= taken;
		line->queued = 0;
	}
	gdb_session_stop(session);
	gdb_tape_stop(tape);
	fuzz_demand(!timeline_break_next(timeline, 0));
	free(line);
	free(tape);
	free(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	feed_packets(data, size);
	feed_session(data, size);
	return 0;
}
