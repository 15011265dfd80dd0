/*
 * gdbstub/gdb_points.c - the breakpoints and watchpoints that gdb sets
 */
#include "gdbstub/gdb_points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/agent.h"
#include "gdbstub/gdb_commands.h"

const struct gdb_session_point *gdb_points_find(const struct gdb_session *session, int number)
{
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++)
		if (session->points[i].is_set && session->points[i].number == number)
			return &session->points[i];
	return NULL;
}

/* --- what they will do -------------------------------------------------------------------------
 */

/* gdb sets one that is an address alone in both processes: then it counts where it is met. */
static bool is_met_elsewhere(const struct gdb_session *session, u64 address)
{
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++)
		if (session->points[i].is_set && session->points[i].point.address == address &&
		    session->points[i].kind != GDB_POINT_DEAD)
			return true;
	return false;
}

static bool is_dead(const struct gdb_session *session, const struct gdb_session_point *point)
{
	return point->is_set && point->kind == GDB_POINT_DEAD &&
	       !is_met_elsewhere(session, point->point.address);
}

/* Such as gdb sets for `finish`: what runs from here on need not come by there ever. */
static bool is_return(const struct gdb_session *session, const struct gdb_session_point *point,
		      u16 cpu)
{
	const struct gdb_thread thread = { point->point.level, cpu };

	return point->is_set && point->kind == GDB_POINT_RANGE &&
	       session->ops->is_return(session->target, thread, point->point.address);
}

/* What a point will do is said once, when it first matters. */
static void tell_point(struct gdb_session *session, struct gdb_session_point *point, u16 cpu)
{
	const unsigned long long address = point->point.address;
	char line[2 * GDB_MAX_NAME + 128];

	if (is_return(session, point, cpu))
		snprintf(line, sizeof(line),
			 "vmxtape: a function returns to 0x%llx, where no event is: as long as gdb "
			 "wants to stop there, going on is one event\n",
			 address);
	else if (point->kind == GDB_POINT_RANGE)
		snprintf(
			line, sizeof(line),
			"vmxtape: no event is at 0x%llx: the first one inside '%s' stops; 'monitor "
			"symbol %s' says where they are\n",
			address, point->symbol, point->symbol);
	else
		snprintf(line, sizeof(line),
			 "vmxtape: no event is at 0x%llx, and no symbol is known there: as long as "
			 "gdb wants to stop there, going on is one event\n",
			 address);
	gdb_session_console(session, line, strlen(line));
	point->is_told = true;
}

void gdb_points_tell(struct gdb_session *session, u16 cpu)
{
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++) {
		struct gdb_session_point *const point = &session->points[i];

		if (point->is_set && !point->is_told &&
		    (point->kind == GDB_POINT_RANGE || is_dead(session, point)))
			tell_point(session, point, cpu);
	}
}

bool gdb_points_lost(const struct gdb_session *session, u16 cpu)
{
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++)
		if (is_dead(session, &session->points[i]) ||
		    is_return(session, &session->points[i], cpu))
			return true;
	return false;
}

/*
 * gdb takes its breakpoints away whenever it has stopped, and sets those that are still wanted
 * before it goes on: only now is it known which those are.
 */
void gdb_points_forget(struct gdb_session *session)
{
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++) {
		struct gdb_session_point *const point = &session->points[i];

		if (!point->is_leaving)
			continue;
		session->ops->remove(session->target, point->number);
		point->is_set = point->is_leaving = false;
	}
}

/* --- breakpoints and watchpoints -------------------------------------------------------------- */

static bool is_same(const struct gdb_point *a, const struct gdb_point *b)
{
	return a->type == b->type && a->level == b->level && a->address == b->address &&
	       a->size == b->size;
}

/* The slot of @point; else a free one, or that of the one that was taken away longest ago. */
static struct gdb_session_point *slot_of(struct gdb_session *session, const struct gdb_point *point)
{
	struct gdb_session_point *oldest = NULL;

	for (unsigned i = 0; i < GDB_MAX_POINTS; i++) {
		struct gdb_session_point *const slot = &session->points[i];

		if (slot->is_used && is_same(&slot->point, point))
			return slot;
		if ((!slot->is_set || slot->is_leaving) && (!oldest || slot->used < oldest->used))
			oldest = slot;
	}
	if (oldest && oldest->is_set)
		session->ops->remove(session->target, oldest->number);
	if (oldest)
		free(oldest->conditions);
	if (oldest)
		*oldest = (struct gdb_session_point){ .point = *point };
	return oldest;
}

static struct gdb_point point_from(const struct gdb_session *session, const struct gdb_args *args)
{
	return (struct gdb_point){
		.type = (u8)MIN(args->numbers[0], GDB_POINT_TYPES),
		.level = session->general.level,
		.address = args->numbers[1],
		.size = args->numbers[0] >= GDB_WATCH_WRITE ? args->numbers[2] : 0,
	};
}

/* "X", the length, a comma and the code in hexadecimal. The length goes before the code in @to. */
static bool take_condition(const u8 **at, const u8 *end, u8 *to, size_t *size)
{
	u64 length;

	if (*(*at)++ != 'X' || !gdb_take_hex(at, &length) || *(*at)++ != ',' ||
	    length > (u64)(end - *at) / 2)
		return false;
	to[(*size)++] = (u8)(length >> 8);
	to[(*size)++] = (u8)length;
	for (; length; length--, *at += 2) {
		const int high = gdb_hex_digit((*at)[0]), low = gdb_hex_digit((*at)[1]);

		if (high < 0 || low < 0)
			return false;
		to[(*size)++] = (u8)(high << 4 | low);
	}
	return true;
}

/* Those that the packet has, instead of those that were. False: it has something else. */
static bool take_conditions(struct gdb_session_point *slot, const struct gdb_args *args)
{
	const u8 *at = args->rest, *const end = at + args->rest_size;
	u8 *const made = args->rest_size ? malloc(args->rest_size) : NULL;
	size_t size = 0;

	free(slot->conditions);
	slot->conditions = made;
	slot->conditions_size = 0;
	if (args->rest_size && !made)
		return false;
	while (at < end)
		if (!take_condition(&at, end, made, &size))
			return false;
	slot->conditions_size = size;
	return true;
}

static bool holds(const struct gdb_session *session, const u8 *code, size_t size)
{
	const struct agent_place place = { session->ops, session->target,
					   session->ops->current(session->target) };
	u64 value;

	return agent_evaluate(&place, code, size, &value) != ST_OK || value;
}

bool gdb_points_pass(const struct gdb_session *session, const struct gdb_stop *stop)
{
	const struct gdb_session_point *const point =
		stop->why == GDB_STOP_POINT ? gdb_points_find(session, stop->point) : NULL;

	if (!point || !point->conditions_size)
		return false;
	for (size_t at = 0; at < point->conditions_size;) {
		const size_t size = (size_t)point->conditions[at] << 8 | point->conditions[at + 1];

		if (holds(session, point->conditions + at + 2, size))
			return false;
		at += 2 + size;
	}
	return true;
}

void gdb_points_free(struct gdb_session *session)
{
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++)
		free(session->points[i].conditions);
}

void gdb_packet_insert(struct gdb_session *session, const struct gdb_args *args)
{
	const struct gdb_point point = point_from(session, args);
	struct gdb_session_point *slot;
	enum gdb_point_kind kind;

	/* An empty answer: this type is not supported. */
	if (point.type == GDB_POINT_TYPES)
		return;
	slot = slot_of(session, &point);
	if (!slot) {
		gdb_session_error(session, 28);
		return;
	}
	if (!take_conditions(slot, args)) {
		gdb_session_error(session, 22);
		return;
	}
	slot->is_leaving = false;
	if (!slot->is_set) {
		slot->number = session->ops->insert(session->target, &point, &kind, slot->symbol);
		if (slot->number < 0) {
			gdb_session_error(session, 14);
			return;
		}
		slot->kind = (u8)kind;
		slot->is_used = slot->is_set = true;
		slot->used = ++session->points_set;
	}
	gdb_packet_put_text(&session->out, "OK");
}

void gdb_packet_remove(struct gdb_session *session, const struct gdb_args *args)
{
	const struct gdb_point point = point_from(session, args);

	for (unsigned i = 0; i < GDB_MAX_POINTS; i++) {
		struct gdb_session_point *const slot = &session->points[i];

		if (slot->is_set && is_same(&slot->point, &point))
			slot->is_leaving = true;
	}
	gdb_packet_put_text(&session->out, "OK");
}
