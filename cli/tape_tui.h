/*
 * cli/tape_tui.h - the terminal UI for a tape, with what it needs from the rest of vmxtape
 */
#ifndef CLI_TAPE_TUI_H
#define CLI_TAPE_TUI_H

#include "base/base.h"

struct tape_tui {
	const char *path;   /* of the tape */
	const char *config; /* NULL: the usual file */
	const char *gdb;    /* serve gdb there; NULL: do not */
	bool follow;	    /* the tape is being recorded */
};

/* Runs until the user leaves. Dies when the tape or the terminal cannot be used. */
void tape_tui_run(const struct tape_tui *how);

/* Whether the tape at @path has events already. */
bool tape_tui_can_show(const char *path);

#endif
