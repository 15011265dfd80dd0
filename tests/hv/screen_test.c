#include "hv/multiboot.h"
#include "hv/screen.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define FRAMEBUFFER 0xc0000000ull
#define TEXT	    0xb8000ull

static void show(const char *text)
{
	screen_write(text, strlen(text));
}

static void use_text(u32 columns, u32 rows)
{
	boot_info.framebuffer = (struct boot_framebuffer){ .present = true,
							   .type = 2,
							   .bpp = 16,
							   .pitch = columns * 2,
							   .width = columns,
							   .height = rows,
							   .address = TEXT };
	screen_begin();
}

static void use_pixels(u32 width, u32 height, u8 bpp)
{
	boot_info.framebuffer = (struct boot_framebuffer){ .present = true,
							   .type = 1,
							   .bpp = bpp,
							   .pitch = width * bpp / 8 + 16,
							   .width = width,
							   .height = height,
							   .address = FRAMEBUFFER };
	screen_begin();
}

static void assert_row_is(u32 columns, u32 row, const char *text)
{
	const u8 *const at = stub_at(TEXT + row * columns * 2);

	for (u32 i = 0; i < columns; i++)
		assert_int_equal(at[2 * i], i < strlen(text) ? text[i] : ' ');
}

static void text_goes_down_the_screen_and_begins_again_at_its_top(void **state)
{
	(void)state;
	use_text(10, 3);
	show("one\ntwo\n");
	assert_row_is(10, 0, "one");
	assert_row_is(10, 1, "two");
	show("0123456789ab\n");
	assert_row_is(10, 2, "0123456789");
	assert_row_is(10, 0, "ab");
	assert_row_is(10, 1, "two");
	show("\x01\xff\n");
	assert_row_is(10, 1, "\?\?");
	assert_int_equal(*((u8 *)stub_at(TEXT) + 1), 7);
}

/* The pixel at @x, @y is white, or black; nothing else. */
static bool is_white(u32 x, u32 y)
{
	const struct boot_framebuffer *const fb = &boot_info.framebuffer;
	const u8 *const at = stub_at(FRAMEBUFFER + y * fb->pitch + x * fb->bpp / 8);

	for (unsigned i = 1; i < fb->bpp / 8u; i++)
		assert_int_equal(at[i], at[0]);
	assert_true(at[0] == 0 || at[0] == 0xff);
	return at[0];
}

static void characters_are_drawn_as_the_font_has_them(void **state)
{
	static const u32 widths[] = { 640, 3840 };

	(void)state;
	for (unsigned bpp = 24; bpp <= 32; bpp += 8)
		for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
			const u32 scale = widths[i] == 3840 ? 2 : 1;

			stub_memory_reset();
			use_pixels(widths[i], 480, (u8)bpp);
			show(" I");
			for (u32 x = 0; x < 16 * scale; x++)
				for (u32 y = 0; y < 13 * scale; y++) {
					const u32 column = x / scale, row = y / scale;
					const bool stem = column == 11 && row >= 2 && row <= 10;
					const bool serif = column >= 9 && column <= 13 &&
							   (row == 2 || row == 10);

					if (column >= 8)
						assert_int_equal(is_white(x, y), stem || serif);
					else
						assert_false(is_white(x, y));
				}
		}
}

static void only_what_can_be_drawn_on_is(void **state)
{
	static const struct {
		const char *name;
		struct boot_framebuffer fb;
	} rows[] = {
		{ "none", { .present = false } },
		{ "indexed colours",
		  { true, 0, 8, { 0 }, { 0 }, { 0 }, 640, 640, 480, FRAMEBUFFER } },
		{ "16 bits", { true, 1, 16, { 0 }, { 0 }, { 0 }, 1280, 640, 480, FRAMEBUFFER } },
		{ "lines that overlap",
		  { true, 1, 32, { 0 }, { 0 }, { 0 }, 640, 640, 480, FRAMEBUFFER } },
		{ "larger than memory",
		  { true, 1, 32, { 0 }, { 0 }, { 0 }, ~0u, 640, ~0u, FRAMEBUFFER } },
		{ "no room for a character",
		  { true, 1, 32, { 0 }, { 0 }, { 0 }, 28, 7, 480, FRAMEBUFFER } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot_info.framebuffer = rows[i].fb;
		screen_begin();
		show("X");
		for (u32 at = 0; at < 65536; at++)
			assert_row(rows[i].name, *(u8 *)stub_at(FRAMEBUFFER + at), 0);
	}
}

static void nothing_is_shown_once_l1_has_the_screen(void **state)
{
	(void)state;
	use_text(10, 3);
	screen_leave();
	show("X");
	assert_int_equal(*(u8 *)stub_at(TEXT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(text_goes_down_the_screen_and_begins_again_at_its_top,
				       stub_reset),
		cmocka_unit_test_setup(characters_are_drawn_as_the_font_has_them, stub_reset),
		cmocka_unit_test_setup(only_what_can_be_drawn_on_is, stub_reset),
		cmocka_unit_test_setup(nothing_is_shown_once_l1_has_the_screen, stub_reset),
	};

	return cmocka_run_group_tests_name("hv/screen", tests, NULL, NULL);
}
