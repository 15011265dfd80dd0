/*
 * tui/request.h - what keys ask for, and which key asks for what
 */
#ifndef TUI_REQUEST_H
#define TUI_REQUEST_H

#include "base/base.h"
#include "base/status.h"
#include "tui/input.h"

enum request {
	REQUEST_NONE,
#define REQUEST(NAME, ...) REQUEST_##NAME,
#include "tui/requests.def"
	REQUEST_COUNT
};

/* A row of tui/requests.def, or a heading. */
struct request_info {
	u8 request; /* enum request; REQUEST_NONE: a heading */
	bool essential;
	const char *name;
	const char *keys;
	const char *help; /* or the title of the group */
};

/* In the order of the table, REQUEST_NONE rows being headings. */
extern const struct request_info request_table[];
extern const size_t request_table_count;

/* NULL when @name (of @size bytes) is none. */
const struct request_info *request_find(const char *name, size_t size);

#define KEYMAP_MAX 256

struct keymap {
	struct {
		u32 key;
		u8 request;
	} bindings[KEYMAP_MAX];
	unsigned count;
};

/* The bindings of the table. */
void keymap_init(struct keymap *keymap);

/* Bind @key anew; REQUEST_NONE takes its binding away. ST_NO_SPACE when there are too many. */
enum status keymap_bind(struct keymap *keymap, u32 key, enum request request);

/* REQUEST_NONE when @key is not bound. */
enum request keymap_request(const struct keymap *keymap, u32 key);

/* The keys of @request, "j down", at most @size bytes; "" when no key is bound to it. */
void keymap_keys(const struct keymap *keymap, enum request request, char *to, size_t size);

/* Its first key alone. */
void keymap_key(const struct keymap *keymap, enum request request, char *to);

#endif
