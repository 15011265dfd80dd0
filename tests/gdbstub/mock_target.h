/*
 * tests/gdbstub/mock_target.h - a made-up debuggee and a made-up gdb, to test the protocol alone
 *
 * The debuggee has 2 CPUs and a row of places; at place n the thread of mock_places[n] is next, at
 * address 0x1000 + 16 * n. Breakpoints stop there; other addresses are in the symbol "f" up to
 * 0x9000, and nowhere above.
 */
#ifndef TESTS_GDBSTUB_MOCK_TARGET_H
#define TESTS_GDBSTUB_MOCK_TARGET_H

#include "gdbstub/gdb_regs.h"
#include "gdbstub/session.h"
#include "tests/test.h"

#define MOCK_PLACES 8
#define MOCK_RIP(n) (0x1000 + 16 * (u64)(n))

static const struct gdb_thread mock_places[MOCK_PLACES] = {
	{ 1, 0 }, { 1, 0 }, { 1, 1 }, { 2, 0 }, { 1, 0 }, { 2, 0 }, { 1, 1 }, { 1, 0 },
};

struct mock {
	int place;
	struct gdb_point points[GDB_MAX_POINTS];
	bool is_set[GDB_MAX_POINTS];
	bool interrupt; /* the next run ends by Ctrl-C */
	unsigned inserts, removes, runs, steps;
	/* the link */
	char sent[1 << 20];
	size_t sent_size;
	bool full;
	struct gdb_session session;
};

static unsigned mock_cpus(void *target)
{
	(void)target;
	return 2;
}

static struct gdb_thread mock_current(void *target)
{
	return mock_places[((struct mock *)target)->place];
}

static void mock_name(void *target, struct gdb_thread thread, char *to)
{
	(void)target;
	snprintf(to, GDB_MAX_NAME, "CPU %u L%u", thread.cpu, thread.level);
}

static void mock_about(void *target, struct gdb_thread thread, char *to)
{
	(void)target;
	(void)thread;
	snprintf(to, GDB_MAX_NAME, "<VMCS> & \"more\"");
}

static bool mock_read_register(void *target, struct gdb_thread thread, unsigned number, u64 *value)
{
	const struct mock *const mock = target;

	(void)thread;
	*value = number == GDB_REG_RIP ? MOCK_RIP(mock->place) : 0x2020;
	return number == GDB_REG_RIP || number == GDB_REG_VMCS + VMCS_IX_GUEST_CR4;
}

static size_t mock_read_memory(void *target, struct gdb_thread thread, u64 address, u8 *to,
			       size_t size)
{
	size_t done = 0;

	(void)target;
	for (; done < size && address + done - 0x2000 < 4; done++)
		to[done] = (u8)(thread.level << 4 | (address + done - 0x2000));
	return done;
}

static int mock_insert(void *target, const struct gdb_point *point, enum gdb_point_kind *kind,
		       char *text)
{
	struct mock *const mock = target;

	mock->inserts++;
	*kind = GDB_POINT_EXACT;
	if (point->type < GDB_WATCH_WRITE && (point->address & 15 || point->address >= 0x1080))
		*kind = point->address < 0x9000 ? GDB_POINT_RANGE : GDB_POINT_DEAD;
	snprintf(text, GDB_MAX_NAME, "f");
	for (int i = 0; i < GDB_MAX_POINTS; i++)
		if (!mock->is_set[i]) {
			mock->is_set[i] = true;
			mock->points[i] = *point;
			return i;
		}
	return -1;
}

static void mock_remove(void *target, int number)
{
	struct mock *const mock = target;

	assert_true(mock->is_set[number]);
	mock->removes++;
	mock->is_set[number] = false;
}

static int mock_here(const struct mock *mock)
{
	for (int i = 0; i < GDB_MAX_POINTS; i++)
		if (mock->is_set[i] && mock->points[i].address == MOCK_RIP(mock->place) &&
		    mock->points[i].level == mock_places[mock->place].level)
			return i;
	return -1;
}

static bool mock_move(struct mock *mock, enum gdb_way way, struct gdb_stop *stop)
{
	const int to = mock->place + (way == GDB_FORWARD ? 1 : -1);

	stop->why = GDB_STOP_STEP;
	if (to < 0 || to == MOCK_PLACES) {
		stop->why = to < 0 ? GDB_STOP_BEGIN : GDB_STOP_END;
		return false;
	}
	mock->place = to;
	stop->point = mock_here(mock);
	if (stop->point < 0)
		return true;
	stop->why = GDB_STOP_POINT;
	return false;
}

static bool mock_is_return(void *target, struct gdb_thread thread, u64 address)
{
	(void)target;
	return thread.level == 1 && address == 0x8001;
}

static void mock_step(void *target, struct gdb_thread thread, enum gdb_way way,
		      struct gdb_stop *stop)
{
	struct mock *const mock = target;

	mock->steps++;
	while (mock_move(mock, way, stop) &&
	       (mock_places[mock->place].cpu != thread.cpu ||
		(thread.level && mock_places[mock->place].level != thread.level)))
		;
}

static void mock_run(void *target, enum gdb_way way, struct gdb_stop *stop)
{
	struct mock *const mock = target;

	mock->runs++;
	while (mock_move(mock, way, stop))
		if (mock->interrupt) {
			stop->why = GDB_STOP_INTERRUPTED;
			return;
		}
}

static bool mock_monitor(void *target, const char *command, gdb_print print, void *to)
{
	(void)target;
	print(to, "you said ", 9);
	print(to, command, strlen(command));
	return true;
}

static const struct gdb_target_ops mock_ops = {
	.cpus = mock_cpus,
	.current = mock_current,
	.name = mock_name,
	.about = mock_about,
	.read_register = mock_read_register,
	.read_memory = mock_read_memory,
	.insert = mock_insert,
	.remove = mock_remove,
	.is_return = mock_is_return,
	.step = mock_step,
	.run = mock_run,
	.monitor = mock_monitor,
};

/* --- the link --------------------------------------------------------------------------------- */

static void mock_send(void *owner, const void *bytes, size_t size)
{
	struct mock *const mock = owner;

	assert_true(size < sizeof(mock->sent) - mock->sent_size);
	memcpy(mock->sent + mock->sent_size, bytes, size);
	mock->sent_size += size;
	mock->sent[mock->sent_size] = 0;
}

static bool mock_has_room(void *owner)
{
	return !((struct mock *)owner)->full;
}

static const struct gdb_link mock_link = { .send = mock_send, .has_room = mock_has_room };

static inline void mock_start(struct mock *mock)
{
	memset(mock, 0, sizeof(*mock));
	gdb_session_start(&mock->session, &mock_ops, mock, &mock_link, mock);
}

/* Sends a packet; what came back, of the last call. */
static inline const char *mock_ask(struct mock *mock, const char *payload)
{
	char packet[4096];
	u8 sum = 0;
	int length;

	for (const char *at = payload; *at; at++)
		sum = (u8)(sum + (u8)*at);
	length = snprintf(packet, sizeof(packet), "$%s#%02x", payload, sum);
	mock->sent_size = 0;
	mock->sent[0] = 0;
	gdb_session_feed(&mock->session, (const u8 *)packet, (size_t)length);
	return mock->sent;
}

#endif
