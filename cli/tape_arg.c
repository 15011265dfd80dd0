#include "cli/tape_arg.h"

#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/out.h"

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
			die("'%s' is too much", args[i]);
		*to = args[i];
	}
	status = reader_open(path ? path : TAPE_DEFAULT, &reader, error, sizeof(error));
	if (status != ST_OK) {
		message("%s", error);
		exit(status == ST_CORRUPT || status == ST_TRUNCATED ? EXIT_DAMAGED : EXIT_USAGE);
	}
	if (!range)
		return reader;
	range->first = 0;
	range->end = reader_info(reader)->events;
	if (place && position_resolve_range(reader, place, range, error, sizeof(error)) != ST_OK)
		die("%s", error);
	return reader;
}

int tape_arg_close(struct reader *reader, int status)
{
	const char *const damage = reader_damage(reader);

	out_flush();
	if (damage) {
		message("%s", damage);
		status = EXIT_DAMAGED;
	}
	reader_close(reader);
	return status;
}
