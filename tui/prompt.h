/*
 * tui/prompt.h - a line that the user types at the bottom of the screen
 */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include "base/base.h"

#define PROMPT_MAX     1024 /* bytes */
#define PROMPT_HISTORY 50

enum prompt_kind {
	PROMPT_NONE, /* nothing is asked */
	PROMPT_GOTO,
	PROMPT_SEARCH,
	PROMPT_FILTER,
	PROMPT_COMMAND,
	PROMPT_NOTE,
	PROMPT_MEMORY,
	PROMPT_MARK,	  /* a letter */
	PROMPT_GOTO_MARK, /* a letter */
	PROMPT_KINDS
};

struct prompt {
	enum prompt_kind kind;
	char text[PROMPT_MAX];
	size_t size;
	size_t at; /* the cursor, in bytes */
	char *history[PROMPT_KINDS][PROMPT_HISTORY];
	unsigned history_count[PROMPT_KINDS];
	unsigned history_at; /* 0: the line itself, n: the n-th before */
};

enum prompt_result { PROMPT_EDITED, PROMPT_ENTERED, PROMPT_LEFT, PROMPT_IGNORED };

/* Begin with @text, which may be "". */
void prompt_open(struct prompt *prompt, enum prompt_kind kind, const char *text);

/* A key; PROMPT_ENTERED and PROMPT_LEFT leave the text, and the caller closes the prompt. */
enum prompt_result prompt_key(struct prompt *prompt, u32 key);

/* No prompt; @keep: its text becomes history. */
void prompt_close(struct prompt *prompt, bool keep);

void prompt_free(struct prompt *prompt);

/* What stands before the text: "/", "filter: ". */
const char *prompt_lead(const struct prompt *prompt);

#endif
