#include "cli/bochs_text.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bochs.h"

#define NEXT	  "Next at t="
#define BROKEN	  "Breakpoint "	     /* and its number, a comma, its address */
#define WATCHED	  " watch point at " /* and its address */
#define MAX_LINES 256		     /* bytes in which the reasons stand, before NEXT */

static const char *find(const char *from, const char *end, const char *what)
{
	return from ? memmem(from, (size_t)(end - from), what, strlen(what)) : NULL;
}

/* The number behind @what, 0: it is not there. */
static u64 number_behind(const char *from, const char *end, const char *what)
{
	const char *const at = find(from, end, what);

	return at ? strtoull(at + strlen(what), NULL, 16) : 0;
}

static void read_reasons(const char *from, const char *end, struct debugger_place *place)
{
	static const struct {
		const char *line;
		unsigned why;
	} reasons[] = {
		{ "Caught time breakpoint", DEBUGGER_AT_TIME },
		{ BROKEN, DEBUGGER_AT_BREAK },
		{ "Caught VMEXIT breakpoint", DEBUGGER_AT_EXIT },
		{ WATCHED, DEBUGGER_AT_WATCH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (find(from, end, reasons[i].line))
			place->why |= reasons[i].why;
	place->linear = number_behind(find(from, end, BROKEN), end, ", 0x");
	place->watched = number_behind(from, end, WATCHED);
}

/*
 * The reasons have lines of their own, then comes "Next at t=TICK", and "(0) [PHYSICAL] CS:RIP
 * ...", or "(0).[TICK] ???" where nothing translates the address yet.
 */
bool bochs_text_place(const char *text, size_t length, struct debugger_place *place)
{
	const char *const end = text + length;
	const char *at = text, *last = NULL, *line, *code;

	while ((at = find(at, end, NEXT)))
		last = at++;
	line = last ? find(last, end, "\n(0)") : NULL;
	if (!line)
		return false;
	code = find(line, end, "\n(0) [0x") == line ? find(line, end, "] ") : NULL;
	code = find(code, end, ":");
	*place = (struct debugger_place){ .tick = strtoull(last + strlen(NEXT), NULL, 10) };
	place->rip = code ? strtoull(code + 1, NULL, 16) : 0;
	place->physical = code ? strtoull(line + 6, NULL, 16) : ~0ull;
	place->round = place->tick;
	read_reasons(last - text > MAX_LINES ? last - MAX_LINES : text, last, place);
	return true;
}

bool bochs_text_rounds_place(const char *text, size_t length, struct debugger_place *place)
{
	const char *at = find(text, text + length, BOCHS_PLACE);
	u64 values[8];
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (!at)
			return false;
		at += i ? 0 : strlen(BOCHS_PLACE);
		values[i] = strtoull(at, &end, i < 3 || i == 6 ? 10 : 16);
		at = end > at ? end : NULL;
	}
	*place = (struct debugger_place){
		.cpu = (unsigned)values[0],
		.round = values[1],
		.tick = values[2],
		.rip = values[3],
		.physical = values[4],
		.linear = values[5],
		.why = (unsigned)values[6],
		.watched = values[7],
	};
	return at;
}

/* Where the line that ends at @at begins, if it is a reason: "(0) Caught ..."; else @at. */
static const char *reason_before(const char *text, const char *at)
{
	const char *line = at;

	if (at == text || at[-1] != '\n')
		return at;
	while (line > text && at - line < MAX_LINES) {
		line--;
		if (*line == '\n' && line + 1 < at)
			break;
		if (*line == '(' && (find(line, at, ") Caught ") == line + 2 ||
				     find(line, at, ") " BROKEN) == line + 2))
			return line;
	}
	return at;
}

size_t bochs_text_stop(const char *text, size_t length)
{
	const size_t before = length > BOCHS_MAX_STOP ? length - BOCHS_MAX_STOP : 0;
	const char *const end = text + length;
	const char *at = text + before, *last = NULL, *line;

	if (!find(text + before, end, BOCHS_PROMPT))
		return length;
	while ((at = find(at, end, BOCHS_PLACE)))
		last = at++;
	if (last)
		return (size_t)(last - text);
	for (at = text + before; (at = find(at, end, NEXT));)
		last = at++;
	while (last && (line = reason_before(text + before, last)) != last)
		last = line;
	return last ? (size_t)(last - text) : length;
}

/* Two halves, as in "rip: ffffffff_801250cd". */
bool bochs_text_register(const char *text, const char *name, u64 *value)
{
	const size_t length = strlen(name);
	const char *line = text;
	char *end;
	u64 high;

	while (line && (strncmp(line, name, length) || strncmp(line + length, ": ", 2))) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return false;
	high = strtoull(line + length + 2, &end, 16);
	*value = high << 32 | (*end == '_' ? strtoull(end + 1, NULL, 16) : 0);
	return *end == '_';
}

/* Lines such as "0x0000000001004320 <bogus+       0>:	0x8440786789480476 0x84f8b48078b48f6". */
size_t bochs_text_words(const char *text, u64 *words, size_t count)
{
	size_t found = 0;

	while ((text = strstr(text, ">:"))) {
		text += 2;
		while (*text == '\t' && found < count) {
			char *end;

			words[found++] = strtoull(text, &end, 16);
			text = end;
		}
	}
	return found;
}

bool bochs_text_parameter(const char *text, const char *key, u64 *value)
{
	const size_t length = strlen(key);
	char *end;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, "\n ");
		if (strncmp(line, key, length) || strncmp(line + length, " = 0x", 5))
			continue;
		*value = strtoull(line + length + 3, &end, 16);
		return end > line + length + 5;
	}
	return false;
}
