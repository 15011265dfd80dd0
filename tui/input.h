/*
 * tui/input.h - what comes from a keyboard or a mouse
 *
 * A key is a code point, or one of enum input above them. Control keys are the codes 1 to 31.
 */
#ifndef TUI_INPUT_H
#define TUI_INPUT_H

#include "base/base.h"

#define INPUT_CTRL(letter) ((letter)&0x1f)
#define INPUT_TAB	   0x09
#define INPUT_ESC	   0x1b
#define INPUT_NONE	   0

enum input {
	INPUT_FIRST = 0x110000,
#define INPUT(NAME, name, curses) INPUT_##NAME,
#include "tui/inputs.def"
#undef INPUT
	INPUT_MOUSE, /* at row, column */
	INPUT_WHEEL_UP,
	INPUT_WHEEL_DOWN,
	INPUT_RESIZE, /* to row rows and column columns */
	INPUT_COUNT
};

struct input_event {
	u32 key;
	unsigned row;
	unsigned column;
};

#define INPUT_MAX_NAME 16

/* "j", "ctrl-o", "space", "pagedown": how bindings and help name @key. At most INPUT_MAX_NAME. */
void input_name(u32 key, char *to);

/* The key that the @size bytes at @name name, INPUT_NONE when there is none. */
u32 input_find(const char *name, size_t size);

#endif
