#include "trace/drain.h"

#include "base/crc32c.h"
#include "base/cursor.h"

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

enum verdict { FRAME, NO_FRAME, UNDECIDED };

static enum verdict look(const u8 *bytes, size_t size, struct drain_frame *frame, size_t *taken)
{
	const u32 sync = DRAIN_SYNC;
	struct cursor in = cursor_over(bytes, size);
	u32 crc;

	if (memcmp(bytes, &sync, MIN(size, sizeof(sync))))
		return NO_FRAME;
	cursor_u32(&in);
	frame->length = cursor_u16(&in);
	if (in.status == ST_OK && frame->length > DRAIN_MAX_PAYLOAD)
		return NO_FRAME;
	frame->cpu = cursor_u8(&in);
	frame->flags = cursor_u8(&in);
	frame->sequence = cursor_u32(&in);
	crc = cursor_u32(&in);
	frame->payload = cursor_take(&in, frame->length);
	if (in.status != ST_OK)
		return UNDECIDED;
	if (crc != crc32c(crc32c(0, bytes, 12), frame->payload, frame->length))
		return NO_FRAME;
	*taken = (size_t)(in.at - bytes);
	return FRAME;
}

/*
 * Looks through @size bytes; returns how many are done with. What is left begins with what may
 * become a frame when more bytes come.
 */
static size_t scan(struct drain_parser *parser, const u8 *bytes, size_t size,
		   drain_on_frame on_frame, void *owner)
{
	size_t at = 0, taken;
	struct drain_frame frame;

	while (at < size) {
		switch (look(bytes + at, size - at, &frame, &taken)) {
		case FRAME:
			parser->frames++;
			on_frame(owner, &frame);
			at += taken;
			break;
		case NO_FRAME:
			parser->noise++;
			at++;
			break;
		case UNDECIDED:
			return at;
		}
	}
	return at;
}

void drain_parse(struct drain_parser *parser, const void *bytes, size_t size,
		 drain_on_frame on_frame, void *owner)
{
	const u8 *from = bytes;

	/* The longest frame fits into what is pending, so each round decides something. */
	while (size) {
		const size_t now = MIN(size, sizeof(parser->pending) - parser->length);
		size_t done;

		memcpy(parser->pending + parser->length, from, now);
		parser->length += now;
		from += now;
		size -= now;
		done = scan(parser, parser->pending, parser->length, on_frame, owner);
		parser->length -= done;
		memmove(parser->pending, parser->pending + done, parser->length);
	}
}

void drain_parse_end(struct drain_parser *parser, drain_on_frame on_frame, void *owner)
{
	size_t at = 0;

	while (at < parser->length) {
		at += scan(parser, parser->pending + at, parser->length - at, on_frame, owner);
		if (at < parser->length) {
			parser->noise++;
			at++;
		}
	}
	parser->length = 0;
}
