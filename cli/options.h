/*
 * cli/options.h - command lines from tables
 *
 * A verb lists its options once; parsing and --help come from that table. Options and other
 * arguments may be mixed, values follow as `--name VALUE` or `--name=VALUE`, `-o VALUE` or
 * `-oVALUE`, and `--` ends the options. --help prints the verb's help on stdout and ends with
 * EXIT_CLEAN; anything wrong dies.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/base.h"

enum option_type {
	OPTION_FLAG,   /* to: bool, set to true */
	OPTION_TEXT,   /* to: const char *, set to the value, which lives as long as argv */
	OPTION_NUMBER, /* to: u64, decimal or 0x..., with suffix K, M or G (powers of 1024) */
	OPTION_LIST,   /* to: struct option_list, the value is appended */
	OPTION_GROUP,  /* not an option: `help` is a heading of --help */
};

struct option_list {
	const char *
		*values; /* in the order given; owned by the list, lives as long as the program */
	size_t count;
};

struct option {
	const char *name; /* without the dashes */
	char letter;	  /* short form, or 0 */
	enum option_type type;
	const char *value; /* how --help calls the value, NULL for a flag */
	void *to;
	const char *help;
};

struct option_spec {
	const char *usage;   /* what follows `vmxtape ` in the first line */
	const char *summary; /* a sentence or more, without a full stop at the end of a line */
	const struct option *options;
	size_t count;
};

/*
 * Parse @argv[1...]. The arguments that are no options are moved to the front of @argv (after
 * @argv[0]) in their order; returns how many there are.
 */
int options_parse(const struct option_spec *spec, int argc, char **argv);

/*
 * Dies of @word, which is more than the verb takes whose options were parsed last, and says where
 * its help is.
 */
_Noreturn void options_die_surplus(const char *word);

/* Reads a number as OPTION_NUMBER does, false when @text is none or does not fit. */
bool options_number(const char *text, u64 *number);

#endif
