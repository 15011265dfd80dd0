/*
 * tui/lines.h - styled lines of text, what most panes show
 *
 * A line can name an event to go to and a VMCS field to ask about. Texts are UTF-8; whatever cannot
 * be shown becomes '?' when drawn.
 */
#ifndef TUI_LINES_H
#define TUI_LINES_H

#include "tui/draw.h"

#define LINES_NO_EVENT (~0ull)
#define LINES_NO_FIELD (-1)
#define LINES_MAX      200000 /* more are cut, and the last says so */

struct line {
	size_t start; /* in bytes */
	u32 size;
	u32 first_span;
	u32 spans;
	u64 event; /* number of an event, or LINES_NO_EVENT */
	int field; /* enum vmcs_index, or LINES_NO_FIELD */
};

struct line_span {
	u32 size; /* bytes */
	u8 style; /* enum style */
};

struct lines {
	struct line *list;
	size_t count, room;
	struct line_span *spans;
	size_t span_count, span_room;
	char *bytes;
	size_t size, size_room;
	bool no_memory; /* something is missing */
};

void lines_clear(struct lines *lines);
void lines_free(struct lines *lines);

/* A new line; what is put goes to its end. */
void lines_add(struct lines *lines);
void lines_put(struct lines *lines, enum style style, const char *format, ...) printf_like(3, 4);
/* Likewise, positions such as "@c0:123" as links. */
void lines_put_linked(struct lines *lines, enum style style, const char *text, size_t size);
/*
 * One line of text as a new line, its positions as links; where it is longer than @columns (0: any
 * length is good), as several, the later ones @indent columns to the right.
 */
void lines_add_linked(struct lines *lines, enum style style, const char *text, size_t size,
		      unsigned columns, unsigned indent);
/* Blanks up to @column, at least one unless the line is empty. */
void lines_pad(struct lines *lines, unsigned column);

/* A line that is a heading. */
void lines_title(struct lines *lines, const char *format, ...) printf_like(2, 3);

/* The last line is about event @n, or field @index. */
void lines_event(struct lines *lines, u64 n);
void lines_field(struct lines *lines, int index);

/* @text as lines of at most @width columns, broken at blanks, each @indent columns to the right. */
void lines_wrap(struct lines *lines, enum style style, unsigned indent, unsigned width,
		const char *text);

/* Draws line @index into row @row of @area, @left columns scrolled away. */
void lines_draw(const struct lines *lines, size_t index, const struct area *area, unsigned row,
		unsigned left);

/* The first position such as "@c0:123" in line @index; false when it names none. */
#define LINES_POSITION 48
bool lines_position(const struct lines *lines, size_t index, char to[LINES_POSITION]);

/* Whether line @index contains @text, in any case. */
bool lines_contain(const struct lines *lines, size_t index, const char *text);

#endif
