#include "cli/tape_arg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/out.h"
#include "replay/symbols_load.h"

struct option_list tape_symbols;

static struct symbols *symbols;

static void load(struct reader *reader, const char *spec)
{
	char error[512];

	if (symbols_load(symbols, spec, reader, error, sizeof(error)) != ST_OK)
		die("%s", error);
}

void tape_arg_symbols(struct reader *reader)
{
	const char *const usual = getenv("VMXTAPE_SYMBOLS");
	char *const words = usual ? strdup(usual) : NULL, *rest = words, *word, error[512];

	symbols = symbols_new();
	if (!symbols || (usual && !words))
		die("out of memory");
	if (symbols_load_tape(symbols, reader, error, sizeof(error)) != ST_OK)
		message("%s", error);
	while ((word = strsep(&rest, " ")))
		if (*word)
			load(reader, word);
	free(words);
	for (size_t i = 0; i < tape_symbols.count; i++)
		load(reader, tape_symbols.values[i]);
	if (symbols_count(symbols, 1) || symbols_count(symbols, 2))
		reader_set_symbols(reader, symbols);
}

void tape_arg_fail(enum status status, const char *error)
{
	message("%s", error);
	exit(status == ST_CORRUPT || status == ST_TRUNCATED ? EXIT_DAMAGED : EXIT_USAGE);
}

struct reader *tape_arg_open(int count, char **args, struct position_range *range)
{
	const char *path = NULL, *place = NULL;
	struct reader *reader;
	enum status status;
	char error[512];

	for (int i = 0; i < count; i++) {
		const bool is_range = args[i][0] == '@' || !strncmp(args[i], "..@", 3);
		const char **const to = is_range ? &place : &path;

		if (*to || (is_range && !range))
			options_die_surplus(args[i]);
		*to = args[i];
	}
	status = reader_open(path ? path : TAPE_DEFAULT, &reader, error, sizeof(error));
	if (status != ST_OK)
		tape_arg_fail(status, error);
	tape_arg_symbols(reader);
	if (!range)
		return reader;
	range->first = 0;
	range->end = reader_info(reader)->events;
	if (place && position_resolve_range(reader, place, range, error, sizeof(error)) != ST_OK)
		die("%s", error);
	return reader;
}

int tape_arg_status(const struct reader *reader, int status)
{
	const char *const damage = reader_damage(reader);

	out_flush();
	if (damage) {
		message("%s", damage);
		status = EXIT_DAMAGED;
	}
	return status;
}

int tape_arg_close(struct reader *reader, int status)
{
	status = tape_arg_status(reader, status);
	reader_close(reader);
	symbols_free(symbols);
	return status;
}

void tape_arg_pass_symbols(void)
{
	const char *const usual = getenv("VMXTAPE_SYMBOLS");
	char *all = strdup(usual ? usual : ""), *more;

	for (size_t i = 0; all && i < tape_symbols.count; i++) {
		if (asprintf(&more, "%s %s", all, tape_symbols.values[i]) < 0)
			more = NULL;
		free(all);
		all = more;
	}
	if (!all || setenv("VMXTAPE_SYMBOLS", all, 1))
		die("out of memory");
	free(all);
}
