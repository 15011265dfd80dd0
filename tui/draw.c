#include "tui/draw.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_FORMATTED 1024

unsigned draw_char(const struct area *area, unsigned row, unsigned column, enum style style, u32 ch)
{
	const struct grid *const grid = area->grid;
	const unsigned r = area->row + row, c = area->column + column;

	if (row >= area->rows || column >= area->columns || r >= grid->rows || c >= grid->columns)
		return column + 1;
	if (ch >= 0x80 && !grid->unicode)
		ch = '?';
	grid->cells[(size_t)r * grid->columns + c] =
		(struct cell){ .ch = ch, .style = (u8)style, .flags = area->flags };
	return column + 1;
}

unsigned draw_bytes(const struct area *area, unsigned row, unsigned column, enum style style,
		    const char *text, size_t size)
{
	const char *const end = text + size;

	while (text < end)
		column = draw_char(area, row, column, style, grid_code_point(&text, end));
	return column;
}

unsigned draw_text(const struct area *area, unsigned row, unsigned column, enum style style,
		   const char *text)
{
	return draw_bytes(area, row, column, style, text, strlen(text));
}

unsigned draw_format(const struct area *area, unsigned row, unsigned column, enum style style,
		     const char *format, ...)
{
	char text[MAX_FORMATTED];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return draw_text(area, row, column, style, text);
}

unsigned draw_glyph(const struct area *area, unsigned row, unsigned column, enum style style,
		    enum glyph glyph)
{
	return draw_char(area, row, column, style, grid_glyph(area->grid, glyph));
}

void draw_blank(const struct area *area, unsigned row, enum style style)
{
	for (unsigned column = 0; column < area->columns;)
		column = draw_char(area, row, column, style, ' ');
}

void draw_rule(const struct area *area, unsigned row)
{
	for (unsigned column = 0; column < area->columns;)
		column = draw_glyph(area, row, column, STYLE_RULE, GLYPH_HORIZONTAL);
}

unsigned draw_width(const char *text)
{
	const char *const end = text + strlen(text);
	unsigned width = 0;

	while (text < end) {
		grid_code_point(&text, end);
		width++;
	}
	return width;
}

void draw_more(const struct area *area, unsigned row)
{
	draw_glyph(area, row, area->columns - 1, STYLE_FAINT, GLYPH_MORE);
}
