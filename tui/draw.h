/*
 * tui/draw.h - text into a rectangle of a grid
 *
 * Rows and columns count from the corner of the area; what does not fit is cut.
 */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

#include "tui/grid.h"

struct area {
	struct grid *grid;
	unsigned row;
	unsigned column;
	unsigned rows;
	unsigned columns;
	u8 flags; /* of the cells that are drawn, enum cell_flag */
};

/* Text, and returns the column behind it. @size: bytes, or all up to the 0. */
unsigned draw_text(const struct area *area, unsigned row, unsigned column, enum style style,
		   const char *text);
unsigned draw_bytes(const struct area *area, unsigned row, unsigned column, enum style style,
		    const char *text, size_t size);
unsigned draw_format(const struct area *area, unsigned row, unsigned column, enum style style,
		     const char *format, ...) printf_like(5, 6);

/* One character. Returns the column behind it. */
unsigned draw_glyph(const struct area *area, unsigned row, unsigned column, enum style style,
		    enum glyph glyph);
unsigned draw_char(const struct area *area, unsigned row, unsigned column, enum style style,
		   u32 ch);

/* The whole row blank in @style. */
void draw_blank(const struct area *area, unsigned row, enum style style);

/* A horizontal line over the whole row. */
void draw_rule(const struct area *area, unsigned row);

/* Columns that @text takes. */
unsigned draw_width(const char *text);

/* The last cell of row @row says that its text goes on beyond the edge. */
void draw_more(const struct area *area, unsigned row);

#endif
