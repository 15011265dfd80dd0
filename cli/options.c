#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"

#define HELP_COLUMN 26

static const struct option_spec *parsed;

static int verb_length(const struct option_spec *spec)
{
	return (int)strcspn(spec->usage, " ");
}

bool options_number(const char *text, u64 *number)
{
	static const char suffixes[] = "KMG";
	char *end;
	const char *suffix;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	if (errno)
		return false;
	if (*end && (suffix = strchr(suffixes, *end))) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		end++;
	}
	if (*end || *number > ~0ull >> shift)
		return false;
	*number <<= shift;
	return true;
}

static void print_option(const struct option *option)
{
	char left[80];
	int length;

	if (option->type == OPTION_GROUP) {
		printf("\n%s\n", option->help);
		return;
	}
	length = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
			  option->letter ? option->letter : ' ', option->letter ? "," : " ",
			  option->name, option->value ? " " : "",
			  option->value ? option->value : "");
	fputs(left, stdout);
	if (length >= HELP_COLUMN) {
		putchar('\n');
		length = 0;
	}
	printf("%*s", HELP_COLUMN - length, "");
	for (const char *c = option->help; *c; c++)
		if (*c == '\n')
			printf("\n%*s", HELP_COLUMN, "");
		else
			putchar(*c);
	putchar('\n');
}

static void print_help(const struct option_spec *spec)
{
	printf("usage: vmxtape %s\n\n%s\n", spec->usage, spec->summary);
	if (spec->count && spec->options[0].type != OPTION_GROUP)
		printf("\noptions:\n");
	for (size_t i = 0; i < spec->count; i++)
		print_option(&spec->options[i]);
	printf("\n      --help%*sthis text\n", HELP_COLUMN - 12, "");
}

static void set_option(const struct option *option, const char *name, const char *value)
{
	struct option_list *list;

	switch (option->type) {
	case OPTION_FLAG:
		*(bool *)option->to = true;
		break;
	case OPTION_TEXT:
		*(const char **)option->to = value;
		break;
	case OPTION_NUMBER:
		if (!options_number(value, option->to))
			die("'%s' wants a number, not '%s'", name, value);
		break;
	case OPTION_LIST:
		list = option->to;
		list->values = realloc(list->values, (list->count + 1) * sizeof(*list->values));
		if (!list->values)
			die("out of memory");
		list->values[list->count++] = value;
		break;
	case OPTION_GROUP:
		break;
	}
}

static const struct option *find_option(const struct option_spec *spec, const char *name,
					size_t length, char letter)
{
	for (size_t i = 0; i < spec->count; i++) {
		const struct option *const option = &spec->options[i];

		if (option->type == OPTION_GROUP)
			continue;
		if (name ? strlen(option->name) == length && !strncmp(option->name, name, length)
			 : option->letter == letter)
			return option;
	}
	return NULL;
}

/* The option of argument @at: behind it, and its value, is the next one, which is returned. */
static int take_option(const struct option_spec *spec, int argc, char **argv, int at)
{
	char *const argument = argv[at++];
	const struct option *option;
	const char *value = NULL;

	if (argument[1] == '-') {
		const size_t length = strcspn(argument + 2, "=");

		option = find_option(spec, argument + 2, length, 0);
		if (argument[2 + length])
			value = argument + 2 + length + 1;
	} else {
		option = find_option(spec, NULL, 0, argument[1]);
		if (argument[2])
			value = argument + 2;
	}
	if (!option)
		die("unknown option '%s'; 'vmxtape %.*s --help' lists them", argument,
		    verb_length(spec), spec->usage);
	if (option->type == OPTION_FLAG && value)
		die("'%s': --%s takes no value", argument, option->name);
	if (option->type != OPTION_FLAG && !value) {
		if (at == argc)
			die("'%s' wants a value: %s", argument, option->value);
		value = argv[at++];
	}
	set_option(option, argument, value);
	return at;
}

int options_parse(const struct option_spec *spec, int argc, char **argv)
{
	int plain = 0;

	parsed = spec;
	for (int i = 1; i < argc;) {
		if (!strcmp(argv[i], "--")) {
			while (++i < argc)
				argv[++plain] = argv[i];
		} else if (argv[i][0] != '-' || !argv[i][1]) {
			argv[++plain] = argv[i++];
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(spec);
			exit(EXIT_CLEAN);
		} else {
			i = take_option(spec, argc, argv, i);
		}
	}
	return plain;
}

void options_die_surplus(const char *word)
{
	die("'%s' is too much; 'vmxtape %.*s --help' shows what goes where", word,
	    verb_length(parsed), parsed->usage);
}
