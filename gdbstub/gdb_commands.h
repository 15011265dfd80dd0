/*
 * gdbstub/gdb_commands.h - packets: one table (packets.def), one parser for their arguments
 */
#ifndef GDBSTUB_GDB_COMMANDS_H
#define GDBSTUB_GDB_COMMANDS_H

#include "gdbstub/session.h"

#define GDB_MAX_NUMBERS 3

struct gdb_args {
	u64 numbers[GDB_MAX_NUMBERS];
	unsigned count;		  /* of numbers */
	struct gdb_thread thread; /* level 0: any, or all */
	const u8 *rest;		  /* with a 0 behind it */
	size_t rest_size;
};

/* Reads a hexadecimal number at *@at and moves on behind it; false without one, or over 64 bits. */
bool gdb_take_hex(const u8 **at, u64 *number);

/*
 * Reads a thread, "p1.1", "p1", "1", or -1 or 0 for any part, and moves on behind it. False when
 * the debuggee has no such thread.
 */
bool gdb_take_thread(const struct gdb_session *session, const u8 **at, struct gdb_thread *thread);

/* Puts a thread into the packet that is being made, as gdb names it. */
void gdb_put_thread(struct gdb_session *session, struct gdb_thread thread);

/* Handles the packet @payload (@size bytes and a 0): what it puts into session->out is the answer.
 */
void gdb_command_handle(struct gdb_session *session, const u8 *payload, size_t size);

#define PACKET(text, schema, handler) \
	void gdb_packet_##handler(struct gdb_session *session, const struct gdb_args *args);
#include "gdbstub/packets.def"
#undef PACKET

#endif
