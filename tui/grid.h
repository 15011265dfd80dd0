/*
 * tui/grid.h - what is on the screen: cells of one character in one style
 *
 * The whole UI draws into a grid. tui/terminal.h shows it; tests read it as text.
 */
#ifndef TUI_GRID_H
#define TUI_GRID_H

#include "base/base.h"
#include "base/status.h"

/* More than any terminal; what a terminal says beyond is cut. */
#define GRID_MAX_ROWS	 512
#define GRID_MAX_COLUMNS 1024

enum style {
#define STYLE(NAME, ...) STYLE_##NAME,
#include "tui/styles.def"
	STYLE_COUNT
};

enum glyph {
#define GLYPH(NAME, ...) GLYPH_##NAME,
#include "tui/glyphs.def"
#undef GLYPH
	GLYPH_COUNT
};

/* Besides the style. */
enum cell_flag {
	CELL_SELECTED = 1, /* in the line of the cursor */
	CELL_ACTIVE = 2,   /* ... of the pane that has the keys */
};

struct cell {
	u32 ch;	  /* a code point that takes one column */
	u8 style; /* enum style */
	u8 flags; /* enum cell_flag */
};

struct grid {
	unsigned rows;
	unsigned columns;
	struct cell *cells; /* row by row */
	bool unicode;	    /* glyphs and text beyond ASCII can be shown */
	bool cursor;	    /* the terminal's cursor is shown, here: */
	unsigned cursor_row;
	unsigned cursor_column;
};

/* Make @grid that large, blank. At least 1 by 1, at most the maxima above. ST_NO_MEMORY. */
enum status grid_resize(struct grid *grid, unsigned rows, unsigned columns);
void grid_free(struct grid *grid);
void grid_clear(struct grid *grid);

/* The code point of @glyph on this grid. */
u32 grid_glyph(const struct grid *grid, enum glyph glyph);

/* Bytes that grid_text() needs for one row. */
#define GRID_TEXT_ROW(columns) ((columns)*4 + 2)

/* Row @row as UTF-8 with a newline and a 0 behind it, blanks at its end cut. Returns the length. */
size_t grid_text(const struct grid *grid, unsigned row, char *to);

/*
 * The next code point of the bytes from *@text up to @end, and moves *@text behind it. What is no
 * UTF-8, no printable character or not one column wide comes as '?'.
 */
u32 grid_code_point(const char **text, const char *end);

/* Writes @ch as UTF-8 and returns the byte behind it. */
char *grid_put_utf8(char *to, u32 ch);

#endif
