/*
 * cli/tape_arg.h - the tape and the ranges that a reading verb is given
 */
#ifndef CLI_TAPE_ARG_H
#define CLI_TAPE_ARG_H

#include "cli/options.h"
#include "replay/position.h"

#define TAPE_DEFAULT "vmxtape.vxt"

/* A row for the options of each verb that shows addresses. */
#define TAPE_SYMBOLS_OPTION                                                                     \
	{                                                                                       \
		"symbols", 'S', OPTION_LIST, "l1=FILE", &tape_symbols,                          \
			"names for addresses of L1 or L2: an ELF file, a kernel\nmodule, "      \
			"System.map or a copy "                                                 \
			"of /proc/kallsyms; with\n+OFFSET or @ADDRESS where the tape does not " \
			"tell\nwhere it "                                                       \
			"was loaded. Can be given more than once;\nVMXTAPE_SYMBOLS holds the "  \
			"usual ones"                                                            \
	}

extern struct option_list tape_symbols;

/*
 * Opens the tape among the @count arguments @args: the first that does not begin like a range (@ or
 * ..), TAPE_DEFAULT when there is none. The others become @range, which is the whole tape without
 * them. Dies when more is given, or when the tape cannot be opened; ends with EXIT_DAMAGED when it
 * is damaged beyond reading. @range may be NULL: then none may be given.
 *
 * The reader gets the symbols that L1 sent, those of VMXTAPE_SYMBOLS and those of the option; dies
 * when one of the last two cannot be had.
 */
struct reader *tape_arg_open(int count, char **args, struct position_range *range);

/* Gives a reader that was opened otherwise its symbols, as tape_arg_open() does. Once. */
void tape_arg_symbols(struct reader *reader);

/* Verbs that run as programs of their own know the same symbols from then on. */
void tape_arg_pass_symbols(void);

/* Ends with the exit status and the message of a tape that cannot be opened. */
void __attribute__((noreturn)) tape_arg_fail(enum status status, const char *error);

/*
 * The exit status after a tape was read: @status, but EXIT_DAMAGED after a message when damage was
 * met. tape_arg_close() closes the reader as well.
 */
int tape_arg_status(const struct reader *reader, int status);
int tape_arg_close(struct reader *reader, int status);

#endif
