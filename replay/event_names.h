/*
 * replay/event_names.h - what gives the numbers in an event their names
 */
#ifndef REPLAY_EVENT_NAMES_H
#define REPLAY_EVENT_NAMES_H

#include "trace/schema.h"

struct symbols;

struct event_names {
	const struct trace_schema *schema; /* of the tape */
	const struct symbols *symbols;	   /* NULL: addresses have no names */
};

#endif
