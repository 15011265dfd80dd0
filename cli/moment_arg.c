#include "cli/moment_arg.h"

#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/options.h"
#include "cli/tape_arg.h"
#include "replay/event_text.h"
#include "vmx/qual.h"

void moment_args_sort(int count, char **args, unsigned most, struct moment_args *sorted)
{
	*sorted = (struct moment_args){ 0 };
	for (int i = 0; i < count; i++) {
		if (args[i][0] == '@' && sorted->place)
			die("'%s' is too much: one position is enough", args[i]);
		if (args[i][0] == '@')
			sorted->place = args[i];
		else if (sorted->count == most)
			options_die_surplus(args[i]);
		else
			sorted->words[sorted->count++] = args[i];
	}
}

void moment_args_need_place(const struct moment_args *sorted)
{
	if (!sorted->place)
		die("which moment? give a position such as @c0:123, @50%% or @entry:5");
}

struct reader *moment_open_tape(const char *path)
{
	char *args[] = { (char *)path };

	return tape_arg_open(path ? 1 : 0, args, NULL);
}

u64 moment_position(struct reader *reader, const char *text)
{
	char error[256];
	u64 n;

	if (position_resolve(reader, text, &n, error, sizeof(error)) != ST_OK)
		die("%s", error);
	return n;
}

int moment_field(const char *name)
{
	const int index = vmcs_field_find(name);

	if (index < 0)
		die("no VMCS field '%s'; names are those of 'vmxtape dump', or encodings", name);
	return index;
}

const char *moment_place(const struct model_place *place)
{
	static char texts[4][40];
	static unsigned turn;
	char *const text = texts[turn++ % ARRAY_SIZE(texts)];

	if (!model_place_is(place))
		return "?";
	snprintf(text, sizeof(texts[0]), "@c%u:%llu", place->cpu, (unsigned long long)place->seq);
	return text;
}

const char *moment_event_line(struct reader *reader, u64 n)
{
	static char line[EVENT_TEXT_MAX];
	const struct trace_event *event;
	char *end;

	if (reader_seek(reader, n) != ST_OK || reader_next(reader, &event) != ST_OK)
		return "";
	end = event_text(line, reader_names(reader), event, NULL);
	end[-1] = 0;
	return line;
}
