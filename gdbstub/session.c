#include "gdbstub/session.h"

#include <stdlib.h>
#include <string.h>

#include "gdbstub/gdb_commands.h"
#include "gdbstub/gdb_points.h"

void gdb_session_start(struct gdb_session *session, const struct gdb_target_ops *ops, void *target,
		       const struct gdb_link *link, void *owner)
{
	memset(session, 0, sizeof(*session));
	session->ops = ops;
	session->target = target;
	session->link = link;
	session->owner = owner;
	session->acks = true;
	session->shown = 1;
	session->general = gdb_session_thread(session);
	gdb_packet_reader_init(&session->in);
}

void gdb_session_stop(struct gdb_session *session)
{
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++)
		if (session->points[i].is_set)
			session->ops->remove(session->target, session->points[i].number);
	gdb_points_free(session);
	free(session->xml);
	free(session->threads);
	memset(session->points, 0, sizeof(session->points));
	session->xml = session->threads = NULL;
}

struct gdb_thread gdb_session_thread(const struct gdb_session *session)
{
	struct gdb_thread thread = session->ops->current(session->target);

	if (!gdb_session_shows(session, thread.level))
		thread.level = session->shown & 1 ? 1 : 2;
	return thread;
}

static void send_out(struct gdb_session *session)
{
	session->link->send(session->owner, session->out.bytes, session->out.length);
}

void gdb_session_console(struct gdb_session *session, const char *text, size_t size)
{
	while (size) {
		const size_t part = MIN(size, (GDB_PACKET_MAX - 1) / 2);

		gdb_packet_begin(&session->out);
		gdb_packet_put_text(&session->out, "O");
		gdb_packet_put_hex(&session->out, text, part);
		gdb_packet_end(&session->out);
		send_out(session);
		text += part;
		size -= part;
	}
	gdb_packet_begin(&session->out);
}

void gdb_session_error(struct gdb_session *session, unsigned number)
{
	gdb_packet_printf(&session->out, "E%02x", number & 0xff);
}

static void answer(struct gdb_session *session)
{
	const char ack = '+';

	if (session->acks)
		session->link->send(session->owner, &ack, 1);
	session->no_reply = false;
	gdb_packet_begin(&session->out);
	gdb_command_handle(session, session->in.payload, session->in.length);
	if (session->no_reply)
		return;
	gdb_packet_end(&session->out);
	send_out(session);
}

/* A long packet arrived whole, so that its sender must not repeat it. */
static void refuse_long(struct gdb_session *session)
{
	const char ack = '+';

	if (session->acks)
		session->link->send(session->owner, &ack, 1);
	gdb_packet_begin(&session->out);
	gdb_session_error(session, 7); /* E2BIG */
	gdb_packet_end(&session->out);
	send_out(session);
}

static void take(struct gdb_session *session, enum gdb_input input)
{
	const char nak = '-';

	switch (input) {
	case GDB_INPUT_PACKET:
		answer(session);
		break;
	case GDB_INPUT_BAD:
		if (session->acks)
			session->link->send(session->owner, &nak, 1);
		break;
	case GDB_INPUT_LONG:
		refuse_long(session);
		break;
	case GDB_INPUT_NAK:
		if (session->acks && session->out.length)
			send_out(session);
		break;
	default:
		/* Ctrl-C between packets: the debuggee stands still already. */
		break;
	}
}

size_t gdb_session_feed(struct gdb_session *session, const u8 *bytes, size_t size)
{
	size_t taken = 0;

	while (taken < size && session->end == GDB_GOES_ON &&
	       session->link->has_room(session->owner))
		take(session, gdb_packet_feed(&session->in, bytes[taken++]));
	return taken;
}
