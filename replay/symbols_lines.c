/*
 * replay/symbols_lines.c - symbols as text: System.map and /proc/kallsyms
 */
#include <stdlib.h>
#include <string.h>

#include "replay/symbols_parts.h"

#define MAX_NAME 512 /* KSYM_NAME_LEN of Linux */

struct line {
	u64 address;
	char type;
	char name[MAX_NAME];
	char module[MAX_NAME]; /* "" */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes a word from *@at, at most up to @end, into @to of MAX_NAME bytes. False: there is none. */
static bool take_word(const char **at, const char *end, char *to)
{
	size_t length = 0;

	while (*at < end && is_blank(**at))
		++*at;
	for (; *at < end && !is_blank(**at); ++*at)
		if (length < MAX_NAME - 1)
			to[length++] = **at;
	to[length] = 0;
	return length;
}

static bool parse_line(const char *at, const char *end, struct line *line)
{
	char word[MAX_NAME], *rest;
	size_t length;

	if (!take_word(&at, end, word) || strlen(word) > 16)
		return false;
	line->address = strtoull(word, &rest, 16);
	if (*rest || !take_word(&at, end, word) || word[1])
		return false;
	line->type = word[0];
	if (!take_word(&at, end, line->name))
		return false;
	line->module[0] = 0;
	if (!take_word(&at, end, word))
		return true;
	length = strlen(word);
	if (length < 3 || word[0] != '[' || word[length - 1] != ']')
		return false;
	memcpy(line->module, word + 1, length - 2);
	line->module[length - 2] = 0;
	return true;
}

static bool is_code(char type)
{
	return strchr("tTwWi", type) != NULL;
}

enum status symbols_load_lines(struct symbols *symbols, unsigned level, const char *text,
			       size_t size, u64 above, size_t *count, bool *hidden)
{
	const char *const end = text + size;
	struct line line;
	size_t zeroes = 0;

	*count = 0;
	while (text < end) {
		const char *const newline = memchr(text, '\n', (size_t)(end - text));
		const char *const stop = newline ? newline : end;
		const bool good = parse_line(text, stop, &line) && is_code(line.type);
		struct symbol symbol;

		text = newline ? newline + 1 : end;
		if (!good)
			continue;
		symbol = (struct symbol){ .address = line.address + above,
					  .name = line.name,
					  .module = line.module[0] ? line.module : NULL };
		zeroes += !line.address;
		if (symbols_add(symbols, level, &symbol, line.type == 'T') != ST_OK)
			return ST_NO_MEMORY;
		++*count;
	}
	*hidden = *count && zeroes == *count;
	return ST_OK;
}
