/*
 * hv/hv_options.h - hv's command line: name=value, separated by blanks
 */
#ifndef HV_HV_OPTIONS_H
#define HV_HV_OPTIONS_H

#include "base/base.h"
#include "base/status.h"
#include "trace/event.h"

/*
 * Where frames go: nowhere, to port E9h, to the first serial port when the tape ends, or to a
 * program of L1's that takes them, and what it has not taken, like those before.
 */
enum drain_port { DRAIN_NONE, DRAIN_DEBUGCON, DRAIN_SERIAL, DRAIN_L1 };

/* Nobody takes anything out of a ring while L1 runs. */
static inline bool drain_waits(enum drain_port drain)
{
	return drain == DRAIN_NONE || drain == DRAIN_SERIAL;
}

/* What a full ring does; RING_AUTO: overwrites where nothing drains it. */
enum ring_mode { RING_AUTO, RING_STOP, RING_OVERWRITE };

#define DEEP_MAX_PAGES 2048
#define DEEP_AT_MARK   (~0ull) /* no VM entry, but a mark begins the window */

struct options {
	char caps[2048]; /* capabilities to hide: "-load_efer,-ept_1g" */
	u64 ring;	 /* bytes of each processor's ring */
	u64 flush;	 /* TSC ticks after which events leave an unfinished block */
	enum drain_port drain;
	enum ring_mode ring_mode;
	bool hypervisor_bit; /* cpuid=hypervisor: L1 sees CPUID.1:ECX[31] */
	bool quiet;	     /* log=quiet */
	enum trace_capture capture;
	bool capture_l0;	   /* capture=...+l0 */
	u64 deep_from, deep_count; /* the window of capture=deep, in VM entries */
	char deep_mark[33];	   /* the text of the mark with which it begins */
	u64 deep_pages;		   /* of memory that it may take, at most DEEP_MAX_PAGES */
};

extern struct options options;

/*
 * Fill options from @text. Unknown names and bad values are named in the log and change nothing;
 * ST_INVALID says that there was one. A ring that is drained cannot overwrite.
 */
enum status options_parse(const char *text);

#endif
