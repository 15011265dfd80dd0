#include "tui/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "tui/grid.h"
#include "tui/input.h"

static const char *const leads[PROMPT_KINDS] = {
	[PROMPT_NONE] = "",
	[PROMPT_GOTO] = "go to: ",
	[PROMPT_SEARCH] = "/",
	[PROMPT_FILTER] = "filter: ",
	[PROMPT_COMMAND] = ":",
	[PROMPT_NOTE] = "note: ",
	[PROMPT_MEMORY] = "memory at: ",
	[PROMPT_MARK] = "mark with which letter? ",
	[PROMPT_GOTO_MARK] = "go to which mark? ",
};

const char *prompt_lead(const struct prompt *prompt)
{
	return leads[prompt->kind];
}

static void set_text(struct prompt *prompt, const char *text)
{
	prompt->size = MIN(strlen(text), (size_t)PROMPT_MAX - 1);
	memcpy(prompt->text, text, prompt->size);
	prompt->text[prompt->size] = 0;
	prompt->at = prompt->size;
}

void prompt_open(struct prompt *prompt, enum prompt_kind kind, const char *text)
{
	prompt->kind = kind;
	prompt->history_at = 0;
	set_text(prompt, text);
}

static void remember(struct prompt *prompt)
{
	char **const history = prompt->history[prompt->kind];
	unsigned *const count = &prompt->history_count[prompt->kind];
	char *const text = strdup(prompt->text);

	if (!text)
		return;
	if (*count && !strcmp(history[*count - 1], text)) {
		free(text);
		return;
	}
	if (*count == PROMPT_HISTORY) {
		free(history[0]);
		memmove(history, history + 1, (PROMPT_HISTORY - 1) * sizeof(*history));
		--*count;
	}
	history[(*count)++] = text;
}

void prompt_close(struct prompt *prompt, bool keep)
{
	if (keep && prompt->size)
		remember(prompt);
	prompt->kind = PROMPT_NONE;
}

void prompt_free(struct prompt *prompt)
{
	for (unsigned kind = 0; kind < PROMPT_KINDS; kind++)
		for (unsigned i = 0; i < prompt->history_count[kind]; i++)
			free(prompt->history[kind][i]);
}

/* Takes the bytes from @from up to @to out. */
static void cut(struct prompt *prompt, size_t from, size_t to)
{
	memmove(prompt->text + from, prompt->text + to, prompt->size - to + 1);
	prompt->size -= to - from;
	prompt->at = from;
}

static void insert(struct prompt *prompt, u32 ch)
{
	char bytes[4];
	const size_t size = (size_t)(grid_put_utf8(bytes, ch) - bytes);

	if (prompt->size + size >= PROMPT_MAX)
		return;
	memmove(prompt->text + prompt->at + size, prompt->text + prompt->at,
		prompt->size - prompt->at + 1);
	memcpy(prompt->text + prompt->at, bytes, size);
	prompt->size += size;
	prompt->at += size;
}

static bool continues(char c)
{
	return ((u8)c & 0xc0) == 0x80;
}

static size_t before(const struct prompt *prompt)
{
	size_t at = prompt->at;

	while (at && continues(prompt->text[--at]))
		;
	return at;
}

static size_t behind(const struct prompt *prompt)
{
	size_t at = prompt->at + (prompt->at < prompt->size);

	while (at < prompt->size && continues(prompt->text[at]))
		at++;
	return at;
}

/* Where the word before the cursor begins. */
static size_t word_before(const struct prompt *prompt)
{
	size_t at = prompt->at;

	while (at && prompt->text[at - 1] == ' ')
		at--;
	while (at && prompt->text[at - 1] != ' ')
		at--;
	return at;
}

static void recall(struct prompt *prompt, bool older)
{
	const unsigned count = prompt->history_count[prompt->kind];

	if (older && prompt->history_at < count)
		prompt->history_at++;
	else if (!older && prompt->history_at)
		prompt->history_at--;
	else
		return;
	set_text(prompt, prompt->history_at
				 ? prompt->history[prompt->kind][count - prompt->history_at]
				 : "");
}

enum prompt_result prompt_key(struct prompt *prompt, u32 key)
{
	switch (key) {
	case INPUT_ENTER:
	case '\r':
	case '\n':
		return PROMPT_ENTERED;
	case INPUT_ESC:
	case INPUT_CTRL('c'):
	case INPUT_CTRL('g'):
		return PROMPT_LEFT;
	case INPUT_BACKSPACE:
	case INPUT_CTRL('h'):
	case 0x7f:
		if (!prompt->size)
			return PROMPT_LEFT;
		cut(prompt, before(prompt), prompt->at);
		break;
	case INPUT_DELETE:
		cut(prompt, prompt->at, behind(prompt));
		break;
	case INPUT_CTRL('u'):
		cut(prompt, 0, prompt->at);
		break;
	case INPUT_CTRL('k'):
		cut(prompt, prompt->at, prompt->size);
		break;
	case INPUT_CTRL('w'):
		cut(prompt, word_before(prompt), prompt->at);
		break;
	case INPUT_LEFT:
		prompt->at = before(prompt);
		break;
	case INPUT_RIGHT:
		prompt->at = behind(prompt);
		break;
	case INPUT_HOME:
	case INPUT_CTRL('a'):
		prompt->at = 0;
		break;
	case INPUT_END:
	case INPUT_CTRL('e'):
		prompt->at = prompt->size;
		break;
	case INPUT_UP:
	case INPUT_CTRL('p'):
		recall(prompt, true);
		break;
	case INPUT_DOWN:
	case INPUT_CTRL('n'):
		recall(prompt, false);
		break;
	default:
		if (key < ' ' || key >= INPUT_FIRST)
			return PROMPT_IGNORED;
		insert(prompt, key);
	}
	return PROMPT_EDITED;
}
