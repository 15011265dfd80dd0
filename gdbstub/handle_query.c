/*
 * gdbstub/handle_query.c - packets that ask what the debuggee is, and the user's own commands
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/gdb_commands.h"
#include "gdbstub/target_xml.h"

/* --- features --------------------------------------------------------------------------------- */

static bool offers(const struct gdb_args *args, const char *feature)
{
	const size_t length = strlen(feature);

	for (const char *at = (const char *)args->rest; at; at = strchr(at, ';')) {
		at += *at == ';';
		if (!strncmp(at, feature, length) && (!at[length] || at[length] == ';'))
			return true;
	}
	return false;
}

void gdb_packet_supported(struct gdb_session *session, const struct gdb_args *args)
{
	session->processes = offers(args, "multiprocess+");
	session->swbreak = offers(args, "swbreak+");
	session->hwbreak = offers(args, "hwbreak+");
	session->general = gdb_session_thread(session);
	gdb_packet_printf(&session->out,
			  "PacketSize=%x;exec-events+;QStartNoAckMode+;ConditionalBreakpoints+;"
			  "qXfer:features:read+;"
			  "qXfer:threads:read+;ReverseStep+;ReverseContinue+;vContSupported+%s%s%s",
			  GDB_PACKET_MAX, session->processes ? ";multiprocess+" : "",
			  session->swbreak ? ";swbreak+" : "", session->hwbreak ? ";hwbreak+" : "");
}

void gdb_packet_no_acks(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	session->acks = false;
	session->in.check = false;
	gdb_packet_put_text(&session->out, "OK");
}

void gdb_packet_extended(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	gdb_packet_put_text(&session->out, "OK");
}

void gdb_packet_attached(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	/* It was there before gdb, so that gdb detaches instead of killing. */
	gdb_packet_put_text(&session->out, "1");
}

void gdb_packet_no_symbols(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	gdb_packet_put_text(&session->out, "OK");
}

/* --- documents, in pieces --------------------------------------------------------------------- */

/* Returns whether that was the last piece. */
static bool put_piece(struct gdb_session *session, const char *text, const struct gdb_args *args)
{
	const u64 total = strlen(text);
	const u64 offset = MIN(args->numbers[0], total);
	const u64 wanted = MIN(args->numbers[1], GDB_PACKET_MAX - 1);
	const u64 size = MIN(wanted, total - offset);
	const bool is_last = offset + size == total;

	gdb_packet_put_text(&session->out, is_last ? "l" : "m");
	gdb_packet_put(&session->out, text + offset, size);
	return is_last;
}

void gdb_packet_read_features(struct gdb_session *session, const struct gdb_args *args)
{
	if (!session->xml)
		session->xml = gdb_target_xml(session->ops->has_register, session->target);
	if (session->xml)
		put_piece(session, session->xml, args);
	else
		gdb_session_error(session, 12);
}

static void put_escaped(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (strchr("<>&\"'", *text))
			fprintf(file, "&#%d;", *text);
		else
			putc(*text, file);
	}
}

static char *thread_list(struct gdb_session *session)
{
	const unsigned cpus = session->ops->cpus(session->target);
	char *text = NULL, name[GDB_MAX_NAME];
	size_t size;
	FILE *const file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	fputs("<?xml version=\"1.0\"?>\n<threads>\n", file);
	for (u8 level = 1; level <= GDB_LEVELS; level++) {
		for (unsigned cpu = 0; cpu < cpus && gdb_session_shows(session, level); cpu++) {
			const struct gdb_thread thread = { level, (u16)cpu };

			gdb_packet_begin(&session->out);
			gdb_put_thread(session, thread);
			fprintf(file, "<thread id=\"%.*s\" core=\"%u\" name=\"",
				(int)session->out.length - 1, session->out.bytes + 1, cpu);
			session->ops->name(session->target, thread, name);
			put_escaped(file, name);
			fputs("\">", file);
			session->ops->about(session->target, thread, name);
			put_escaped(file, name);
			fputs("</thread>\n", file);
		}
	}
	fputs("</threads>\n", file);
	gdb_packet_begin(&session->out);
	return fclose(file) ? NULL : text;
}

void gdb_packet_read_threads(struct gdb_session *session, const struct gdb_args *args)
{
	/* gdb reads from the start to the end; what it reads must not change under way. */
	if (!args->numbers[0] || !session->threads) {
		free(session->threads);
		session->threads = thread_list(session);
	}
	if (!session->threads) {
		gdb_session_error(session, 12);
	} else if (put_piece(session, session->threads, args)) {
		free(session->threads);
		session->threads = NULL;
	}
}

/* --- threads ---------------------------------------------------------------------------------- */

void gdb_packet_first_threads(struct gdb_session *session, const struct gdb_args *args)
{
	const unsigned cpus = session->ops->cpus(session->target);

	(void)args;
	for (u8 level = 1; level <= GDB_LEVELS; level++) {
		for (unsigned cpu = 0; cpu < cpus && gdb_session_shows(session, level); cpu++) {
			gdb_packet_put_text(&session->out, session->out.payload ? "," : "m");
			gdb_put_thread(session, (struct gdb_thread){ level, (u16)cpu });
		}
	}
}

void gdb_packet_more_threads(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	gdb_packet_put_text(&session->out, "l");
}

void gdb_packet_thread_about(struct gdb_session *session, const struct gdb_args *args)
{
	char text[GDB_MAX_NAME];

	if (!args->thread.level) {
		gdb_session_error(session, 22);
		return;
	}
	session->ops->about(session->target, args->thread, text);
	gdb_packet_put_hex(&session->out, text, strlen(text));
}

void gdb_packet_current_thread(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	gdb_packet_put_text(&session->out, "QC");
	gdb_put_thread(session, gdb_session_thread(session));
}

void gdb_packet_thread_alive(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	gdb_packet_put_text(&session->out, "OK");
}

void gdb_packet_select_thread(struct gdb_session *session, const struct gdb_args *args)
{
	const u8 *at = args->rest + 1;
	struct gdb_thread thread;

	if (!args->rest_size || (*args->rest != 'g' && *args->rest != 'c') ||
	    !gdb_take_thread(session, &at, &thread) || at != args->rest + args->rest_size) {
		gdb_session_error(session, 22);
		return;
	}
	if (*args->rest == 'c')
		session->resumed = thread;
	else
		session->general = thread.level ? thread : gdb_session_thread(session);
	gdb_packet_put_text(&session->out, "OK");
}

/* --- the user's commands ---------------------------------------------------------------------- */

static void print(void *to, const char *text, size_t size)
{
	gdb_session_console(to, text, size);
}

void gdb_packet_monitor(struct gdb_session *session, const struct gdb_args *args)
{
	char command[GDB_PACKET_MAX / 2 + 1];
	size_t length = 0;

	/* Behind the last digit is a 0, which is none. */
	for (size_t i = 0; i < args->rest_size; i += 2) {
		const int high = gdb_hex_digit(args->rest[i]);
		const int low = gdb_hex_digit(args->rest[i + 1]);

		if (high < 0 || low < 0 || !(high | low)) {
			gdb_session_error(session, 22);
			return;
		}
		command[length++] = (char)(high << 4 | low);
	}
	command[length] = 0;
	session->ops->monitor(session->target, command, print, session);
	gdb_packet_put_text(&session->out, "OK");
}
