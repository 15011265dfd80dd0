#include "tui/input.h"

#include <stdio.h>
#include <string.h>

#include "tui/grid.h"

static const struct {
	const char *name;
	u32 key;
} names[] = {
	{ "space", ' ' },
	{ "tab", INPUT_TAB },
	{ "esc", INPUT_ESC },
#define INPUT(NAME, name, curses) { name, INPUT_##NAME },
#include "tui/inputs.def"
#undef INPUT
};

void input_name(u32 key, char *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].key == key) {
			snprintf(to, INPUT_MAX_NAME, "%s", names[i].name);
			return;
		}
	if (key < ' ')
		snprintf(to, INPUT_MAX_NAME, "ctrl-%c", (char)(key + 'a' - 1));
	else
		*grid_put_utf8(to, key < INPUT_FIRST ? key : '?') = 0;
}

u32 input_find(const char *name, size_t size)
{
	const char *at = name;
	u32 ch;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == size && !memcmp(names[i].name, name, size))
			return names[i].key;
	if (size == 6 && !memcmp(name, "ctrl-", 5) && name[5] >= 'a' && name[5] <= 'z')
		return INPUT_CTRL((u32)name[5]);
	if (!size)
		return INPUT_NONE;
	ch = grid_code_point(&at, name + size);
	return at == name + size ? ch : INPUT_NONE;
}
