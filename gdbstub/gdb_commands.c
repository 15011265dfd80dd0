#include "gdbstub/gdb_commands.h"

#include <string.h>

#define EINVAL_REPLY 22

/* Threads of L2 for a gdb that does not know of processes. */
#define FLAT_LEVEL_2 0x1000

struct packet {
	const char *text;
	const char *schema;
	void (*handle)(struct gdb_session *session, const struct gdb_args *args);
};

static const struct packet packets[] = {
#define PACKET(text, schema, handler) { text, schema, gdb_packet_##handler },
#include "gdbstub/packets.def"
#undef PACKET
};

/* --- arguments -------------------------------------------------------------------------------- */

bool gdb_take_hex(const u8 **at, u64 *number)
{
	const u8 *const start = *at;

	*number = 0;
	for (int digit; (digit = gdb_hex_digit(**at)) >= 0; (*at)++) {
		if (*number >> 60)
			return false;
		*number = *number << 4 | (u64)digit;
	}
	return *at != start;
}

/* A part of the name of a thread: a number; 0 also for -1, "all". */
static bool take_id(const u8 **at, u64 *id)
{
	if (!strncmp((const char *)*at, "-1", 2)) {
		*at += 2;
		*id = 0;
		return true;
	}
	return gdb_take_hex(at, id);
}

bool gdb_take_thread(const struct gdb_session *session, const u8 **at, struct gdb_thread *thread)
{
	const u64 cpus = session->ops->cpus(session->target);
	u64 level = 0, id = 0;

	*thread = (struct gdb_thread){ 0 };
	if (**at == 'p') {
		(*at)++;
		if (!take_id(at, &level) || level > GDB_LEVELS)
			return false;
		if (**at == '.') {
			(*at)++;
			if (!take_id(at, &id))
				return false;
		}
	} else {
		if (!take_id(at, &id))
			return false;
		level = id ? 1 + (id >= FLAT_LEVEL_2) : 0;
		id &= FLAT_LEVEL_2 - 1;
	}
	if (id > cpus)
		return false;
	/* Any thread of a process is its first: they are told apart by those who care. */
	if (level)
		*thread = (struct gdb_thread){ .level = (u8)level, .cpu = (u16)(id ? id - 1 : 0) };
	return true;
}

void gdb_put_thread(struct gdb_session *session, struct gdb_thread thread)
{
	if (session->processes)
		gdb_packet_printf(&session->out, "p%x.%x", thread.level, thread.cpu + 1);
	else
		gdb_packet_printf(&session->out, "%x",
				  (thread.level > 1 ? FLAT_LEVEL_2 : 0) + thread.cpu + 1);
}

/*
 * Read @text (@size bytes and a 0) as the arguments @schema of packets.def; false when it is
 * something else, or names a thread that @session's debuggee does not have.
 */
static bool args_parse(const struct gdb_session *session, const char *schema, const u8 *text,
		       size_t size, struct gdb_args *args)
{
	const u8 *at = text, *const end = text + size;

	*args = (struct gdb_args){ .rest = end };
	for (; *schema; schema++) {
		switch (*schema) {
		case '?':
			if (at == end)
				return true;
			break;
		case 'x':
			if (!gdb_take_hex(&at, &args->numbers[args->count++]))
				return false;
			break;
		case 't':
			if (!gdb_take_thread(session, &at, &args->thread))
				return false;
			break;
		case 'r':
			args->rest = at;
			args->rest_size = (size_t)(end - at);
			return true;
		default:
			if (at == end || *at++ != *schema)
				return false;
		}
	}
	return at == end;
}

/* --- dispatch --------------------------------------------------------------------------------- */

void gdb_command_handle(struct gdb_session *session, const u8 *payload, size_t size)
{
	struct gdb_args args;

	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		const size_t length = strlen(packets[i].text);

		if (size < length || memcmp(payload, packets[i].text, length) != 0)
			continue;
		if (args_parse(session, packets[i].schema, payload + length, size - length,
			       &args)) {
			packets[i].handle(session, &args);
			return;
		}
		if (*packets[i].schema) {
			gdb_session_error(session, EINVAL_REPLY);
			return;
		}
	}
}
