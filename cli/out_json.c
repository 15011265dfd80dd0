#include "cli/out_json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/out.h"
#include "replay/event_json.h"
#include "replay/model.h"
#include "replay/symbols.h"

#define MAX_DEPTH 16

static bool started[MAX_DEPTH]; /* by depth: something stands there already */
static unsigned depth;

static void before(const char *key)
{
	if (started[depth])
		out_text(",");
	started[depth] = true;
	if (key)
		out_format("\"%s\":", key);
}

void json_open(const char *key, char bracket)
{
	before(key);
	out_format("%c", bracket);
	assert(depth + 1 < MAX_DEPTH);
	started[++depth] = false;
}

void json_close(char bracket)
{
	assert(depth);
	depth--;
	out_format("%c", bracket);
}

void json_hex(const char *key, u64 value)
{
	before(key);
	out_format("\"0x%llx\"", (unsigned long long)value);
}

void json_number(const char *key, u64 value)
{
	before(key);
	out_format("%llu", (unsigned long long)value);
}

void json_bool(const char *key, bool value)
{
	before(key);
	out_text(value ? "true" : "false");
}

void json_null(const char *key)
{
	before(key);
	out_text("null");
}

void json_text(const char *key, const char *text)
{
	size_t length;

	if (!text) {
		json_null(key);
		return;
	}
	before(key);
	length = strlen(text);
	if (6 * length + 2 > OUT_BUFFER)
		die("a text is too long to be printed");
	out_took(json_string(out_room(6 * length + 2), text, length));
}

void json_ratio(const char *key, double value)
{
	before(key);
	out_format("%.4f", value);
}

void json_place(const char *key, const struct model_place *place)
{
	if (!model_place_is(place)) {
		json_null(key);
		return;
	}
	before(key);
	out_format("\"@c%u:%llu\"", place->cpu, (unsigned long long)place->seq);
}

void json_rip(const struct symbols *symbols, unsigned level, u64 rip)
{
	char name[SYMBOLS_MAX_NAME], source[SYMBOLS_MAX_SOURCE];
	const char *file;
	unsigned line;

	json_hex("rip", rip);
	if (!symbols_find(symbols, level, rip))
		return;
	name[symbols_text(symbols, level, rip, name)] = 0;
	json_text("symbol", name);
	if (!symbols_source(symbols, level, rip, &file, &line))
		return;
	snprintf(source, sizeof(source), "%s:%u", file, line);
	json_text("source", source);
}

void json_end(void)
{
	assert(!depth);
	out_text("\n");
	started[0] = false;
}
