/*
 * cli/gdb_verb.h - the verbs for those who are connected by gdb
 *
 * A verb runs as a program of its own, this one again: it prints, dies and takes memory as it does
 * on the command line, and the server goes on.
 */
#ifndef CLI_GDB_VERB_H
#define CLI_GDB_VERB_H

#include "gdbstub/gdb_server.h"

struct gdb_verb_owner {
	struct gdb_server *server; /* asked for Ctrl-C; NULL: nobody is */
};

/* The gdb_verb of gdbstub/target_timeline.h; @owner is a struct gdb_verb_owner. */
void gdb_verb_run(void *owner, const char *const *argv, gdb_print print, void *to);

#endif
