/*
 * replay/memory_core.h - all of L1's memory at one moment, from a core file beside the tape
 *
 * `vmxtape materialize` writes it: T@N.core has the memory right before event @N of T.vxt.
 */
#ifndef REPLAY_MEMORY_CORE_H
#define REPLAY_MEMORY_CORE_H

#include "replay/core_file.h"
#include "replay/timeline.h"

/* The name of the file for event @n of the tape @path; false when it has no room in @to. */
bool memory_core_path(const char *path, u64 n, char *to, size_t size);

/* What a note of it must begin with, so that it is of this tape and this moment. */
void memory_core_head(const struct reader *reader, u64 n, char *to, size_t size);

/*
 * Begins the line before the registers of another processor than the event's; its number ends it.
 */
#define MEMORY_CORE_CPU "registers of cpu "

struct memory_core;

/*
 * The file for the cursor of @timeline, NULL when there is none. *@core, NULL at first, keeps it
 * until the cursor moves; then memory_core_free().
 */
const struct core_file *memory_core_at(struct timeline *timeline, struct memory_core **core);
void memory_core_free(struct memory_core *core);

#endif
