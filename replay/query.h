/*
 * replay/query.h - filters over events
 *
 *	expression	comparisons joined by && || ! and ( )
 *	comparison	NAME OP VALUE, with OP one of == != < <= > >= and ~ (contains);
 *			NAME & NUMBER [OP NUMBER]; or NAME alone: it is not 0
 *	NAME		kind n cpu seq tsc level rip text; any column of trace/events.def, such as
 *			field, value, outcome, reason, msr, gpa; any VMCS field and register: what
 *the event read, wrote or changed of it VALUE		a number; a name where the column has names:
 *vmread, guest_rip, cpuid, ia32_vmx_misc, succeed, fail_valid:12, fault:13; or text in quotes
 *
 *	kind==vmread && field~guest_        outcome!=succeed && rip>=0xffffffff81000000
 *	reason==cpuid || guest_cr4 & 0x2000
 *
 * A comparison with what an event does not have is false, whatever OP is. A query is compiled for
 * each kind of event apart, so that most kinds are decided without looking at the event.
 */
#ifndef REPLAY_QUERY_H
#define REPLAY_QUERY_H

#include "trace/event.h"
#include "trace/schema.h"

struct query;

/*
 * Compile @text for events of @schema. On failure, ST_INVALID or ST_NO_MEMORY, @error (of @size
 * bytes) says in one line what is wrong and where, and *@query is NULL.
 */
enum status query_compile(const char *text, const struct trace_schema *schema, struct query **query,
			  char *error, size_t size);
void query_free(struct query *query);

/* Whether @event, number @n of its tape, matches. */
bool query_match(const struct query *query, const struct trace_event *event, u64 n);

/* What is known of some events together. */
struct query_scene {
	u64 kinds;	    /* block_kind() of each kind among them */
	const u64 *reasons; /* 128 bits: basic reasons of EV_L2_EXIT; the last: any other */
	bool entries_fail;  /* bit 31 may be in such a reason */
	u64 outcomes;	    /* bits by enum trace_outcome, of kinds that are instructions */
	bool (*has_rip)(void *owner, u64 rip); /* one of them may have it */
	void *owner;
};

/* Whether one of them can match: false is certain. */
bool query_may_match(const struct query *query, const struct query_scene *scene);

/* Whether any event of @kind can match. */
bool query_wants(const struct query *query, u8 kind);

#endif
