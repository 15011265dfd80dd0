/*
 * cli/cmd_mem.c - vmxtape mem: memory of the guests at a moment, as far as it is known
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/place_arg.h"
#include "cli/tape_arg.h"
#include "replay/memory_text.h"

#define USUAL_LENGTH 64
#define MAX_LENGTH   KIB(64)
#define LINE	     16
#define TEXT_MAX     160

static struct {
	const char *space;
	bool json;
} opt;

static const struct option options[] = {
	{ "space", 's', OPTION_TEXT, "SPACE", &opt.space,
	  "whose address it is: l1, l2 (linear), l1p, l2p\n(physical); the level that runs, "
	  "linear" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "one JSON object" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "mem [OPTION]... @N ADDR[,LENGTH] [TAPE.vxt]",
	.summary = "Prints LENGTH bytes (64) of memory as the tape knows it before event @N. "
		   "\"??\" is "
		   "unknown.\n"
		   "ADDR is a number, a register such as rsp, or a symbol.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

/* What was asked for, byte by byte. */
struct bytes {
	u64 address;
	size_t length, known_count;
	u8 *value;
	bool *known;
	u64 *seen; /* number of the event that told it */
};

static void split_length(char *text, size_t *length)
{
	char *const comma = strchr(text, ',');
	u64 number;

	*length = USUAL_LENGTH;
	if (!comma)
		return;
	*comma = 0;
	if (!options_number(comma + 1, &number) || !number || number > MAX_LENGTH)
		die("'%s' is no length: 1 to 64K bytes", comma + 1);
	*length = (size_t)number;
}

static void read_bytes(struct place *place, enum memory_space space, struct bytes *bytes)
{
	size_t at = 0;

	bytes->value = calloc(bytes->length, 1);
	bytes->known = calloc(bytes->length, sizeof(*bytes->known));
	bytes->seen = calloc(bytes->length, sizeof(*bytes->seen));
	if (!bytes->value || !bytes->known || !bytes->seen)
		die("out of memory");
	while (at < bytes->length) {
		/* Each word has been seen by an event of its own. */
		const u64 address = bytes->address + at;
		const size_t part = MIN(bytes->length - at, RAM_WORD - address % RAM_WORD);
		u64 seen;
		const size_t got = memory_read_seen(place->timeline, place->cpu, space, address,
						    bytes->value + at, part, &seen);

		for (size_t i = 0; i < got; i++) {
			bytes->known[at + i] = true;
			bytes->seen[at + i] = seen;
		}
		bytes->known_count += got;
		at += got ? got : 1;
	}
}

static void free_bytes(struct bytes *bytes)
{
	free(bytes->value);
	free(bytes->known);
	free(bytes->seen);
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_line(struct place *place, const struct bytes *bytes, u64 line)
{
	char hex[LINE * 3 + 2] = "", text[LINE + 1] = "";
	u64 oldest = MEMORY_NEVER;

	for (unsigned i = 0; i < LINE; i++) {
		const u64 at = line + i - bytes->address;
		char *const to = hex + strlen(hex);

		text[i] = ' ';
		if (at >= bytes->length) {
			strcpy(to, "   ");
		} else if (!bytes->known[at]) {
			strcpy(to, " ??");
			text[i] = '?';
		} else {
			snprintf(to, 4, " %02x", bytes->value[at]);
			text[i] = bytes->value[at] >= ' ' && bytes->value[at] < 0x7f
					  ? (char)bytes->value[at]
					  : '.';
			oldest = MIN(oldest, bytes->seen[at]);
		}
	}
	text[LINE] = 0;
	out_format("%016llx %s  |%s|", (unsigned long long)line, hex, text);
	if (oldest != MEMORY_NEVER)
		out_format("  %s", place_name(place, oldest));
	out_text("\n");
}

static void print_text(struct place *place, enum memory_space space, const struct bytes *bytes)
{
	const u64 last = bytes->address + bytes->length - 1;
	struct memory_walk walk;
	char text[MEMORY_TEXT_MAX];

	for (u64 line = bytes->address & ~(u64)(LINE - 1);; line += LINE) {
		print_line(place, bytes, line);
		if (last - line < LINE)
			break;
	}
	if (bytes->known_count)
		return;
	if (memory_walk(place->timeline, place->cpu, space, bytes->address, &walk) != ST_OK)
		die("out of memory");
	if (!memory_on_tape(place->timeline))
		out_text("the tape has no memory: record with --hv capture=default\n");
	memory_walk_text(&walk, text, sizeof(text));
	out_format("0x%llx: %s\n", (unsigned long long)bytes->address, text);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void print_run(struct place *place, const struct bytes *bytes, size_t from, size_t end)
{
	static char hex[2 * MAX_LENGTH + 1];

	for (size_t i = from; i < end; i++)
		snprintf(hex + 2 * (i - from), 3, "%02x", bytes->value[i]);
	json_open(NULL, '{');
	json_hex("address", bytes->address + from);
	json_text("bytes", hex);
	json_text("seen", place_name(place, bytes->seen[from]));
	json_close('}');
}

static void print_json(struct place *place, enum memory_space space, const struct bytes *bytes)
{
	size_t from = 0;

	json_open(NULL, '{');
	json_number("schema", 1);
	json_number("n", place->n);
	json_text("at", place->name);
	json_text("space", memory_space_name(space));
	json_hex("address", bytes->address);
	json_number("length", bytes->length);
	json_number("known", bytes->known_count);
	json_open("runs", '[');
	while (from < bytes->length) {
		size_t end = from + 1;

		if (!bytes->known[from]) {
			from++;
			continue;
		}
		while (end < bytes->length && bytes->known[end] &&
		       bytes->seen[end] == bytes->seen[from])
			end++;
		print_run(place, bytes, from, end);
		from = end;
	}
	json_close(']');
	json_close('}');
	json_end();
}

int cmd_mem(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct moment_args args;
	struct bytes bytes = { 0 };
	enum memory_space space;
	struct place place;
	char address[TEXT_MAX];

	moment_args_sort(count, argv + 1, 2, &args);
	moment_args_need_place(&args);
	if (!args.count)
		die("which address? give a number, or a register such as rsp");
	if (snprintf(address, sizeof(address), "%s", args.words[0]) >= (int)sizeof(address))
		die("'%s' is no address: it is too long", args.words[0]);
	split_length(address, &bytes.length);
	place_open(args.words[1], args.place, &place);
	space = place_space(&place, opt.space);
	bytes.address = place_address(&place, space, address);
	if (bytes.address + bytes.length - 1 < bytes.address)
		die("%zu bytes from 0x%llx on go beyond the last address", bytes.length,
		    (unsigned long long)bytes.address);
	read_bytes(&place, space, &bytes);
	if (opt.json)
		print_json(&place, space, &bytes);
	else
		print_text(&place, space, &bytes);
	free_bytes(&bytes);
	return place_close(&place, EXIT_CLEAN);
}
