#include "tui/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "replay/array.h"

#define MAX_PUT 4096

void lines_clear(struct lines *lines)
{
	lines->count = lines->span_count = lines->size = 0;
	lines->no_memory = false;
}

void lines_free(struct lines *lines)
{
	free(lines->list);
	free(lines->spans);
	free(lines->bytes);
	*lines = (struct lines){ 0 };
}

void lines_add(struct lines *lines)
{
	if (lines->count >= LINES_MAX ||
	    !array_reserve(&lines->list, &lines->room, lines->count, 1, sizeof(*lines->list))) {
		lines->no_memory = true;
		return;
	}
	lines->list[lines->count++] = (struct line){
		.start = lines->size,
		.first_span = (u32)lines->span_count,
		.event = LINES_NO_EVENT,
		.field = LINES_NO_FIELD,
	};
}

/* The last line, NULL when there is none. */
static struct line *last_line(struct lines *lines)
{
	return lines->count ? &lines->list[lines->count - 1] : NULL;
}

static void put_bytes(struct lines *lines, enum style style, const char *text, size_t size)
{
	struct line *const line = last_line(lines);

	if (!line || lines->no_memory || !size)
		return;
	if (!array_reserve(&lines->bytes, &lines->size_room, lines->size, size, 1) ||
	    !array_reserve(&lines->spans, &lines->span_room, lines->span_count, 1,
			   sizeof(*lines->spans))) {
		lines->no_memory = true;
		return;
	}
	memcpy(lines->bytes + lines->size, text, size);
	lines->size += size;
	line->size += (u32)size;
	if (line->spans && lines->spans[lines->span_count - 1].style == style) {
		lines->spans[lines->span_count - 1].size += (u32)size;
		return;
	}
	lines->spans[lines->span_count++] =
		(struct line_span){ .size = (u32)size, .style = (u8)style };
	line->spans++;
}

static void put_va(struct lines *lines, enum style style, const char *format, va_list args)
{
	char text[MAX_PUT];
	const int length = vsnprintf(text, sizeof(text), format, args);

	put_bytes(lines, style, text, MIN((size_t)MAX(length, 0), sizeof(text) - 1));
}

void lines_put(struct lines *lines, enum style style, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_va(lines, style, format, args);
	va_end(args);
}

/* Columns that the last line takes so far. */
static unsigned last_width(struct lines *lines)
{
	const struct line *const line = last_line(lines);
	const char *at, *end;
	unsigned width = 0;

	if (!line || !line->size)
		return 0;
	at = lines->bytes + line->start;
	end = at + line->size;
	while (at < end) {
		grid_code_point(&at, end);
		width++;
	}
	return width;
}

void lines_pad(struct lines *lines, unsigned column)
{
	const unsigned width = last_width(lines);

	if (width < column)
		lines_put(lines, STYLE_PLAIN, "%*s", (int)(column - width), "");
	else if (width)
		lines_put(lines, STYLE_PLAIN, " ");
}

void lines_title(struct lines *lines, const char *format, ...)
{
	va_list args;

	lines_add(lines);
	va_start(args, format);
	put_va(lines, STYLE_TITLE, format, args);
	va_end(args);
}

void lines_event(struct lines *lines, u64 n)
{
	if (lines->count)
		last_line(lines)->event = n;
}

void lines_field(struct lines *lines, int index)
{
	if (lines->count)
		last_line(lines)->field = index;
}

void lines_wrap(struct lines *lines, enum style style, unsigned indent, unsigned width,
		const char *text)
{
	const size_t room = width > indent + 10 ? width - indent : 10;

	while (*text) {
		size_t size = strcspn(text, "\n"), cut;

		if (size > room) {
			for (cut = room; cut && text[cut] != ' '; cut--)
				;
			size = cut ? cut : room;
		}
		lines_add(lines);
		if (indent)
			lines_put(lines, STYLE_PLAIN, "%*s", (int)indent, "");
		put_bytes(lines, style, text, size);
		text += size;
		if (*text == ' ' || *text == '\n')
			text++;
	}
}

void lines_draw(const struct lines *lines, size_t index, const struct area *area, unsigned row,
		unsigned left)
{
	const struct line *const line = &lines->list[index];
	const char *at = line->size ? lines->bytes + line->start : "";
	unsigned column = 0;

	for (u32 i = 0; i < line->spans; i++) {
		const struct line_span *const span = &lines->spans[line->first_span + i];
		const char *const end = at + span->size;

		while (at < end) {
			const u32 ch = grid_code_point(&at, end);

			if (column >= left)
				draw_char(area, row, column - left, (enum style)span->style, ch);
			column++;
		}
	}
	if (column > left + area->columns)
		draw_more(area, row);
}

bool lines_contain(const struct lines *lines, size_t index, const char *text)
{
	const struct line *const line = &lines->list[index];
	const size_t size = strlen(text);

	for (size_t i = 0; i + size <= line->size; i++)
		if (!strncasecmp(lines->bytes + line->start + i, text, size))
			return true;
	return false;
}

/* Bytes that a position at @text takes, "@c0:123", 0 when none is there. */
static size_t position_size(const char *text, size_t size)
{
	size_t at = 2, start;

	if (size < 2 || text[0] != '@' || text[1] != 'c')
		return 0;
	while (at < size && text[at] >= '0' && text[at] <= '9')
		at++;
	if (at == 2 || at == size || text[at] != ':')
		return 0;
	for (start = ++at; at < size && text[at] >= '0' && text[at] <= '9';)
		at++;
	return at == start ? 0 : at;
}

bool lines_position(const struct lines *lines, size_t index, char to[LINES_POSITION])
{
	const struct line *const line = &lines->list[index];

	for (size_t i = 0; i < line->size; i++) {
		const char *const text = lines->bytes + line->start + i;
		const size_t size = position_size(text, line->size - i);

		if (!size || size >= LINES_POSITION)
			continue;
		memcpy(to, text, size);
		to[size] = 0;
		return true;
	}
	return false;
}

void lines_put_linked(struct lines *lines, enum style style, const char *text, size_t size)
{
	size_t plain = 0;

	for (size_t i = 0; i < size;) {
		const size_t length = position_size(text + i, size - i);

		if (!length) {
			i++;
			continue;
		}
		put_bytes(lines, style, text + plain, i - plain);
		put_bytes(lines, STYLE_LINK, text + i, length);
		i += length;
		plain = i;
	}
	put_bytes(lines, style, text + plain, size - plain);
}

/* Bytes of @text that fit into @room columns, up to a blank where there is one. */
static size_t fitting(const char *text, size_t size, unsigned room)
{
	const char *at = text, *const end = text + size;
	size_t blank = 0;

	for (unsigned column = 0; at < end && column < room; column++) {
		if (*at == ' ' && at > text)
			blank = (size_t)(at - text);
		grid_code_point(&at, end);
	}
	if (at == end)
		return size;
	if (*at == ' ' || !blank)
		return (size_t)(at - text);
	return blank;
}

void lines_add_linked(struct lines *lines, enum style style, const char *text, size_t size,
		      unsigned columns, unsigned indent)
{
	bool first = true;

	columns = columns ? MAX(columns, indent + 20) : ~0u;
	do {
		const size_t part = fitting(text, size, first ? columns : columns - indent);

		lines_add(lines);
		if (!first)
			lines_pad(lines, indent);
		lines_put_linked(lines, style, text, part);
		text += part;
		size -= part;
		while (size && *text == ' ') {
			text++;
			size--;
		}
		first = false;
	} while (size);
}
