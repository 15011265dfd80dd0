/*
 * cli/place_arg.h - verbs that look at the guests at one place of a tape: a timeline is opened and
 * its cursor put there
 */
#ifndef CLI_PLACE_ARG_H
#define CLI_PLACE_ARG_H

#include "cli/moment_arg.h"
#include "replay/memory.h"
#include "replay/registers.h"

struct place {
	struct timeline *timeline;
	struct reader *reader; /* of the timeline, with symbols */
	u64 n;
	struct model_place at; /* of the event; nowhere behind the last one */
	u16 cpu;
	unsigned level; /* whose turn it is: 1 or 2 */
	char name[40];	/* "@c0:123" */
};

/*
 * Opens the tape @path (NULL: the usual one) at @position. Dies when that fails. The first look far
 * into a long tape makes its index, with progress on a terminal where that takes its time.
 */
void place_open(const char *path, const char *position, struct place *place);

/* The same without going there: only the timeline, the reader and @n are to be used. */
void place_find(const char *path, const char *position, struct place *place);

/* Goes to another position. */
void place_go(struct place *place, const char *position);

/* Closes it; the exit status, as tape_arg_close(). */
int place_close(struct place *place, int status);

/* "@c0:123" for event @n, in a static buffer; "?" for MEMORY_NEVER. */
const char *place_name(struct place *place, u64 n);

/* The VMCS that @text (an address) names, or without it the current one. Dies without any. */
const struct model_region *place_vmcs(const struct place *place, const char *text);

/*
 * An address: a number, a register of the level whose address it is (rip and rsp with the base of
 * their segment), or a symbol. Dies when it is none, or the register is unknown.
 */
u64 place_address(struct place *place, enum memory_space space, const char *text);

/* The space that @name names; NULL: the linear addresses of the level whose turn it is. */
enum memory_space place_space(const struct place *place, const char *name);

#endif
