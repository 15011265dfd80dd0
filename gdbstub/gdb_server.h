/*
 * gdbstub/gdb_server.h - gdb at a socket or a pipe, for one timeline
 *
 * One gdb at a time; another one is turned away. Nothing here waits but in what a packet asks for,
 * so that a server can be one of several things in a poll() loop:
 *
 *	while (gdb_server_step(server))
 *		poll(fds, gdb_server_fds(server, fds), -1);
 *
 * While the debuggee runs, the server is the timeline's poll function, and puts none back.
 */
#ifndef GDBSTUB_GDB_SERVER_H
#define GDBSTUB_GDB_SERVER_H

#include <poll.h>

#include "gdbstub/target.h"

#define GDB_SERVER_FDS 2

struct gdb_server;
struct timeline;

struct gdb_server_options {
	gdb_verb verb; /* runs verbs for `monitor`; NULL: there are none */
	void *owner;   /* of verb */
	bool once;     /* ends when its first gdb leaves */
	/* What is debugged; NULL: the tape itself. It outlives the server. */
	const struct gdb_target_ops *ops;
	void *target;
};

/*
 * Listen at @address, "ADDRESS:PORT", where the address may be missing: 127.0.0.1 then. Port 0
 * takes a free one. An address that is not of this machine's loopback needs @anywhere: everybody
 * who can reach it can read the tape. On failure, ST_INVALID, ST_IO, ST_UNSUPPORTED (not loopback)
 * or ST_NO_MEMORY, @error (of @size bytes) has a line and *@server is NULL.
 */
enum status gdb_server_listen(struct timeline *timeline, const char *address, bool anywhere,
			      const struct gdb_server_options *options, struct gdb_server **server,
			      char *error, size_t size);

/* Serve the gdb at the other end of @in and @out, which stay the caller's. NULL: no memory. */
struct gdb_server *gdb_server_attach(struct timeline *timeline, int in, int out,
				     const struct gdb_server_options *options);
void gdb_server_close(struct gdb_server *server);

/* "127.0.0.1:1234", "" for one that was attached. */
const char *gdb_server_address(const struct gdb_server *server);
bool gdb_server_is_connected(const struct gdb_server *server);

/* What to wait for, into @fds of GDB_SERVER_FDS; returns how many. */
unsigned gdb_server_fds(const struct gdb_server *server, struct pollfd *fds);

/* Does what can be done without waiting. False: the server has ended. */
bool gdb_server_step(struct gdb_server *server);

/* Whether gdb wants what is under way to end: Ctrl-C, or it is gone. For long verbs. */
bool gdb_server_interrupted(struct gdb_server *server);

#endif
