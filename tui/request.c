#include "tui/request.h"

#include <stdio.h>
#include <string.h>

const struct request_info request_table[] = {
#define GROUP(NAME, title)		  { REQUEST_NONE, false, NULL, NULL, title },
#define REQUEST(NAME, name, keys, help)	  { REQUEST_##NAME, false, #name, keys, help },
#define ESSENTIAL(NAME, name, keys, help) { REQUEST_##NAME, true, #name, keys, help },
#include "tui/requests.def"
};

const size_t request_table_count = ARRAY_SIZE(request_table);

const struct request_info *request_find(const char *name, size_t size)
{
	for (size_t i = 0; i < request_table_count; i++)
		if (request_table[i].request && strlen(request_table[i].name) == size &&
		    !memcmp(request_table[i].name, name, size))
			return &request_table[i];
	return NULL;
}

void keymap_init(struct keymap *keymap)
{
	keymap->count = 0;
	for (size_t i = 0; i < request_table_count; i++) {
		const char *keys = request_table[i].keys;

		while (keys && *keys) {
			const size_t size = strcspn(keys, " ");

			keymap_bind(keymap, input_find(keys, size),
				    (enum request)request_table[i].request);
			keys += size + (keys[size] == ' ');
		}
	}
}

enum status keymap_bind(struct keymap *keymap, u32 key, enum request request)
{
	unsigned at = 0;

	while (at < keymap->count && keymap->bindings[at].key != key)
		at++;
	if (at == KEYMAP_MAX)
		return ST_NO_SPACE;
	keymap->bindings[at].key = key;
	keymap->bindings[at].request = (u8)request;
	keymap->count = MAX(keymap->count, at + 1);
	return ST_OK;
}

enum request keymap_request(const struct keymap *keymap, u32 key)
{
	for (unsigned i = 0; i < keymap->count; i++)
		if (keymap->bindings[i].key == key)
			return (enum request)keymap->bindings[i].request;
	return REQUEST_NONE;
}

void keymap_keys(const struct keymap *keymap, enum request request, char *to, size_t size)
{
	char name[INPUT_MAX_NAME];
	size_t length = 0;

	*to = 0;
	for (unsigned i = 0; i < keymap->count && length < size; i++) {
		if (keymap->bindings[i].request != request)
			continue;
		input_name(keymap->bindings[i].key, name);
		length += (size_t)snprintf(to + length, size - length, "%s%s", length ? " " : "",
					   name);
	}
}

void keymap_key(const struct keymap *keymap, enum request request, char *to)
{
	char keys[64];
	size_t size;

	keymap_keys(keymap, request, keys, sizeof(keys));
	size = MIN(strcspn(keys, " "), (size_t)INPUT_MAX_NAME - 1);
	memcpy(to, keys, size);
	to[size] = 0;
}
