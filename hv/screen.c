#include "hv/screen.h"

#include "hv/mem.h"
#include "hv/multiboot.h"

#define TYPE_RGB       1
#define TYPE_TEXT      2
#define FIRST_GLYPH    ' '
#define GLYPH_WIDTH    8
#define GLYPH_HEIGHT   13
#define SCALE_WIDTH    2880 /* pixels, for each of which characters grow by their own size */
#define TEXT_BYTES     2    /* a character and its colours */
#define TEXT_ATTRIBUTE 0x07

static const u8 glyphs[][GLYPH_HEIGHT] = {
#define GLYPH(character, ...) [character - FIRST_GLYPH] = { __VA_ARGS__ },
#include "hv/screen_font.def"
#undef GLYPH
};

static struct {
	bool on;
	u32 columns, rows, scale;
	u32 column, row;
} screen;

static const struct boot_framebuffer *const fb = &boot_info.framebuffer;

void screen_range(u64 *base, u64 *size)
{
	*base = fb->address;
	*size = fb->present ? (u64)fb->pitch * fb->height : 0;
	/* The height of a text mode is one of characters, which makes no difference here. */
	if (*size > GIB(1) || *base + *size < *base)
		*size = 0;
}

void screen_begin(void)
{
	u64 base, size;

	screen_range(&base, &size);
	screen.scale = 1 + fb->width / SCALE_WIDTH;
	screen.columns = fb->width;
	screen.rows = fb->height;
	if (fb->type == TYPE_RGB) {
		screen.columns /= GLYPH_WIDTH * screen.scale;
		screen.rows /= GLYPH_HEIGHT * screen.scale;
	}
	screen.row = screen.column = 0;
	screen.on =
		size && screen.columns && screen.rows &&
		(fb->type == TYPE_TEXT ? (u64)fb->width * TEXT_BYTES <= fb->pitch
				       : fb->type == TYPE_RGB && (fb->bpp == 24 || fb->bpp == 32) &&
						 (u64)fb->width * fb->bpp / 8 <= fb->pitch);
}

static void put_pixels(u32 x, u32 y, bool white)
{
	volatile u8 *at = (u8 *)phys_to_virt(fb->address) + (u64)y * fb->pitch + x * (fb->bpp / 8u);

	for (u32 i = 0; i < screen.scale * (fb->bpp / 8u); i++)
		at[i] = white ? 0xff : 0;
}

static void draw_glyph(u8 character, u32 column, u32 row)
{
	const u8 *const glyph = glyphs[character - FIRST_GLYPH];

	for (u32 y = 0; y < GLYPH_HEIGHT * screen.scale; y++)
		for (u32 x = 0; x < GLYPH_WIDTH; x++)
			put_pixels((column * GLYPH_WIDTH + x) * screen.scale,
				   row * GLYPH_HEIGHT * screen.scale + y,
				   glyph[y / screen.scale] << x & 0x80);
}

static void draw(u8 character, u32 column, u32 row)
{
	volatile u8 *text;

	if (character < FIRST_GLYPH || character >= FIRST_GLYPH + ARRAY_SIZE(glyphs))
		character = '?';
	if (fb->type == TYPE_RGB) {
		draw_glyph(character, column, row);
		return;
	}
	text = (u8 *)phys_to_virt(fb->address) + row * fb->pitch + column * TEXT_BYTES;
	text[0] = character;
	text[1] = TEXT_ATTRIBUTE;
}

static void end_line(void)
{
	while (screen.column < screen.columns)
		draw(' ', screen.column++, screen.row);
	screen.column = 0;
	screen.row = (screen.row + 1) % screen.rows;
}

void screen_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length && screen.on; i++) {
		if (screen.column == screen.columns || text[i] == '\n')
			end_line();
		if (text[i] != '\n')
			draw((u8)text[i], screen.column++, screen.row);
	}
}

void screen_leave(void)
{
	screen.on = false;
}
