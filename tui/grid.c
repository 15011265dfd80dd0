#include "tui/grid.h"

#include <stdlib.h>
#include <wchar.h>

#define REPLACEMENT '?'

static const struct {
	u32 unicode;
	char ascii;
} glyphs[GLYPH_COUNT] = {
#define GLYPH(NAME, unicode, ascii) { unicode, ascii },
#include "tui/glyphs.def"
#undef GLYPH
};

enum status grid_resize(struct grid *grid, unsigned rows, unsigned columns)
{
	struct cell *cells;

	rows = MIN(MAX(rows, 1u), GRID_MAX_ROWS);
	columns = MIN(MAX(columns, 1u), GRID_MAX_COLUMNS);
	cells = realloc(grid->cells, (size_t)rows * columns * sizeof(*cells));
	if (!cells)
		return ST_NO_MEMORY;
	grid->cells = cells;
	grid->rows = rows;
	grid->columns = columns;
	grid_clear(grid);
	return ST_OK;
}

void grid_free(struct grid *grid)
{
	free(grid->cells);
	grid->cells = NULL;
}

void grid_clear(struct grid *grid)
{
	for (size_t i = 0; i < (size_t)grid->rows * grid->columns; i++)
		grid->cells[i] = (struct cell){ .ch = ' ', .style = STYLE_PLAIN };
	grid->cursor = false;
}

u32 grid_glyph(const struct grid *grid, enum glyph glyph)
{
	return grid->unicode ? glyphs[glyph].unicode : (u32)glyphs[glyph].ascii;
}

char *grid_put_utf8(char *to, u32 ch)
{
	if (ch < 0x80) {
		*to++ = (char)ch;
	} else if (ch < 0x800) {
		*to++ = (char)(0xc0 | ch >> 6);
		*to++ = (char)(0x80 | (ch & 0x3f));
	} else if (ch < 0x10000) {
		*to++ = (char)(0xe0 | ch >> 12);
		*to++ = (char)(0x80 | (ch >> 6 & 0x3f));
		*to++ = (char)(0x80 | (ch & 0x3f));
	} else {
		*to++ = (char)(0xf0 | ch >> 18);
		*to++ = (char)(0x80 | (ch >> 12 & 0x3f));
		*to++ = (char)(0x80 | (ch >> 6 & 0x3f));
		*to++ = (char)(0x80 | (ch & 0x3f));
	}
	return to;
}

size_t grid_text(const struct grid *grid, unsigned row, char *to)
{
	const struct cell *const cells = grid->cells + (size_t)row * grid->columns;
	unsigned columns = grid->columns;
	char *at = to;

	while (columns && cells[columns - 1].ch == ' ')
		columns--;
	for (unsigned i = 0; i < columns; i++)
		at = grid_put_utf8(at, cells[i].ch);
	*at++ = '\n';
	*at = 0;
	return (size_t)(at - to);
}

u32 grid_code_point(const char **text, const char *end)
{
	static const u32 least[] = { 0, 0x80, 0x800, 0x10000 };
	const u8 first = (u8) * (*text)++;
	unsigned more;
	u32 ch;

	if (first < 0x80)
		return first < ' ' || first == 0x7f ? REPLACEMENT : first;
	more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	ch = first & (0x3fu >> more);
	if (first < 0xc0 || first >= 0xf8)
		return REPLACEMENT;
	for (unsigned i = 0; i < more; i++) {
		if (*text == end || ((u8) * *text & 0xc0) != 0x80)
			return REPLACEMENT;
		ch = ch << 6 | ((u8) * (*text)++ & 0x3f);
	}
	if (ch < least[more] || ch > 0x10ffff || wcwidth((wchar_t)ch) != 1)
		return REPLACEMENT;
	return ch;
}
