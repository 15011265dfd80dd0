/*
 * gdbstub/session.h - one gdb that is connected: the protocol, without sockets
 *
 * Bytes go in with gdb_session_feed(), bytes come out through the link. Between two packets a
 * session waits; a packet that lets the debuggee run is answered when it has stopped again, while
 * gdb_link.interrupted() is asked for Ctrl-C.
 */
#ifndef GDBSTUB_SESSION_H
#define GDBSTUB_SESSION_H

#include "gdbstub/packet.h"
#include "gdbstub/target.h"

/* The other side, as the session sees it. */
struct gdb_link {
	/* Queue @size bytes. What cannot be sent any more is dropped: the session ends soon. */
	void (*send)(void *owner, const void *bytes, size_t size);
	/* Whether more should be queued now; the session stops taking input until then. */
	bool (*has_room)(void *owner);
	/* Whether gdb wants the debuggee to stop; asked while it runs. NULL: never. */
	bool (*interrupted)(void *owner);
};

enum gdb_session_end { GDB_GOES_ON, GDB_DETACHED, GDB_KILLED };

/* A point that gdb has set, or had: what was told about it is told once. */
struct gdb_session_point {
	struct gdb_point point;
	bool is_used, is_set, is_told;
	bool is_leaving; /* gdb has taken it away, and does not run on yet */
	u8 kind;	 /* enum gdb_point_kind */
	int number;	 /* of target_ops.insert() */
	u64 used;	 /* when it was set last, in the order of setting */
	char symbol[GDB_MAX_NAME];
	u8 *conditions; /* one of them must hold; of each its length, in 2 bytes, and its code */
	size_t conditions_size; /* 0: there are none */
};

struct gdb_session {
	const struct gdb_target_ops *ops;
	void *target;
	const struct gdb_link *link;
	void *owner;
	struct gdb_packet_reader in;
	struct gdb_packet_writer out;
	enum gdb_session_end end;
	bool acks;		   /* + and - are sent and taken */
	bool no_reply;		   /* the packet being handled gets none */
	u8 shown;		   /* processes that gdb knows of: bit level - 1 */
	char later[256];	   /* the stop reply behind one that presents a process; "": none */
	bool processes;		   /* gdb knows of several, so that threads are named p1.1 */
	bool swbreak, hwbreak;	   /* gdb knows these stop reasons */
	struct gdb_thread general; /* of Hg: whose registers and memory */
	struct gdb_thread resumed; /* of Hc: who goes on; level 0: any */
	char *xml;		   /* the target description; NULL until it is asked for */
	char *threads;		   /* the list of threads that is being read; NULL: none */
	u64 points_set;		   /* so far */
	struct gdb_session_point points[GDB_MAX_POINTS];
};

/* @session is the caller's memory; everything given to it outlives it. */
void gdb_session_start(struct gdb_session *session, const struct gdb_target_ops *ops, void *target,
		       const struct gdb_link *link, void *owner);
/* Takes all points of the session from the target and frees what it holds. */
void gdb_session_stop(struct gdb_session *session);

/*
 * Takes input. Returns how many bytes were taken: all, unless the link has no room or the session
 * has ended (session->end).
 */
size_t gdb_session_feed(struct gdb_session *session, const u8 *bytes, size_t size);

/*
 * Whether process @level is shown to gdb. gdb reads the description of the registers for the
 * process that it meets when it connects, and for one that executes a new program, but not for one
 * that is just there: so L2 comes into being where gdb first stops in it, by an exec.
 */
static inline bool gdb_session_shows(const struct gdb_session *session, u8 level)
{
	return !session->processes || session->shown & 1u << (level - 1);
}

/* --- for the handlers of packets (gdb_commands.c) --------------------------------------------- */

/* The thread that gdb shall look at: that of the next event, as far as its process is shown. */
struct gdb_thread gdb_session_thread(const struct gdb_session *session);

/* Text for gdb's console. Only before anything was put into session->out, and while gdb waits. */
void gdb_session_console(struct gdb_session *session, const char *text, size_t size);

/* The answer is an error: the number is `errno` of the protocol, which gdb prints at most. */
void gdb_session_error(struct gdb_session *session, unsigned number);

#endif
