/*
 * cli/vmxtape.c - the program: finds the verb and runs it
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/message.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
#define COMMAND(name, summary) { #name, cmd_##name, summary },
#include "cli/commands.def"
#undef COMMAND
};

static void print_usage(FILE *to)
{
	fprintf(to, "usage: vmxtape VERB ...\n"
		    "       vmxtape TAPE.vxt\n\n"
		    "A flight recorder for nested virtualization on Intel VT-x.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-12s%s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n'vmxtape VERB --help' tells more, 'man vmxtape' all; --version prints the "
		    "version.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool is_tape_name(const char *name)
{
	const size_t length = strlen(name);

	return length > 4 && !strcmp(name + length - 4, ".vxt");
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return EXIT_CLEAN;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("vmxtape " VERSION);
		return EXIT_CLEAN;
	}
	command = find_command(argv[1]);
	/* A tape alone: show it, or where that cannot be, say what it is of. */
	if (!command && (is_tape_name(argv[1]) || !access(argv[1], R_OK)))
		return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? cmd_tui(argc, argv)
								     : cmd_info(argc, argv);
	if (!command)
		die("no verb '%s'; 'vmxtape --help' lists them", argv[1]);
	return command->run(argc - 1, argv + 1);
}
