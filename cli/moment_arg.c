#include "cli/moment_arg.h"

#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/options.h"
#include "cli/tape_arg.h"
#include "replay/event_text.h"
#include "vmx/qual.h"

void moment_args_sort(int count, char **args, struct moment_args *sorted)
{
	*sorted = (struct moment_args){ 0 };
	for (int i = 0; i < count; i++) {
		if (args[i][0] == '@' && sorted->place)
			die("'%s' is too much: one position is enough", args[i]);
		if (args[i][0] == '@')
			sorted->place = args[i];
		else if (sorted->count == MOMENT_MAX_WORDS)
			die("'%s' is too much", args[i]);
		else
			sorted->words[sorted->count++] = args[i];
	}
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

void moment_at(struct reader *reader, u64 n, bool whole, struct moment *moment)
{
	const enum status status = moment_open(reader, n, whole, moment);

	if (status != ST_OK)
		die("the state at event %llu: %s", (unsigned long long)n, status_text(status));
}

const struct model_region *moment_vmcs(const struct moment *moment, const char *text)
{
	const struct model_region *region;
	u64 pointer;

	if (!text) {
		region = model_current(moment->model, moment->place.cpu);
		if (!region)
			die("%s: the CPU has no current VMCS, or it is unknown; name one by --vmcs",
			    moment_place(&moment->place));
		return region;
	}
	if (!options_number(text, &pointer))
		die("'%s' is no address of a VMCS", text);
	region = model_region(moment->model, pointer);
	if (!region)
		die("the tape has shown no VMCS at '%s' by %s", text, moment_place(&moment->place));
	return region;
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
