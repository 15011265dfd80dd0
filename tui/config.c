#include "tui/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_LINE  512
#define MAX_WORDS 3

struct word {
	const char *at;
	int size;
};

void config_init(struct config *config)
{
	*config = (struct config){ .theme = "auto", .unicode = "auto", .mouse = true };
	keymap_init(&config->keymap);
}

static unsigned split(const char *line, struct word words[MAX_WORDS + 1])
{
	unsigned count = 0;

	for (;;) {
		line += strspn(line, " \t\r\n");
		if (!*line || (!count && *line == '#') || count > MAX_WORDS)
			return count;
		words[count].at = line;
		words[count].size = (int)strcspn(line, " \t\r\n");
		line += words[count++].size;
	}
}

static bool is(const struct word *word, const char *text)
{
	return strlen(text) == (size_t)word->size && !memcmp(word->at, text, strlen(text));
}

/* One of @choices, apart by blanks. */
static bool among(const struct word *word, const char *choices)
{
	while (*choices) {
		const size_t size = strcspn(choices, " ");

		if (size == (size_t)word->size && !memcmp(word->at, choices, size))
			return true;
		choices += size + (choices[size] == ' ');
	}
	return false;
}

static enum status bind(struct config *config, const struct word *key, const struct word *name,
			char *error, size_t size)
{
	const u32 code = input_find(key->at, (size_t)key->size);
	const struct request_info *const info = request_find(name->at, (size_t)name->size);

	if (code == INPUT_NONE) {
		snprintf(error, size, "'%.*s' is no key; 'ctrl-n', 'pagedown', 'f5' or 'x' are",
			 key->size, key->at);
		return ST_INVALID;
	}
	if (!info && !is(name, "none")) {
		snprintf(error, size, "'%.*s' is no request; the help names them", name->size,
			 name->at);
		return ST_INVALID;
	}
	return keymap_bind(&config->keymap, code,
			   info ? (enum request)info->request : REQUEST_NONE);
}

static enum status set(struct config *config, const struct word *name, const struct word *value,
		       char *error, size_t size)
{
	static const struct {
		const char *name;
		const char *choices;
	} settings[] = {
		{ "theme", "auto dark light" },
		{ "unicode", "auto yes no" },
		{ "mouse", "yes no" },
		{ "overview", "time events" },
	};
	size_t at = 0;

	while (at < ARRAY_SIZE(settings) && !is(name, settings[at].name))
		at++;
	if (at == ARRAY_SIZE(settings)) {
		snprintf(error, size,
			 "'%.*s' is no setting; theme, unicode, mouse and overview are", name->size,
			 name->at);
		return ST_INVALID;
	}
	if (!among(value, settings[at].choices)) {
		snprintf(error, size, "'%.*s' is none of: %s", value->size, value->at,
			 settings[at].choices);
		return ST_INVALID;
	}
	if (is(name, "theme"))
		snprintf(config->theme, sizeof(config->theme), "%.*s", value->size, value->at);
	else if (is(name, "unicode"))
		snprintf(config->unicode, sizeof(config->unicode), "%.*s", value->size, value->at);
	else if (is(name, "mouse"))
		config->mouse = is(value, "yes");
	else
		config->by_events = is(value, "events");
	return ST_OK;
}

enum status config_line(struct config *config, const char *line, char *error, size_t size)
{
	struct word words[MAX_WORDS + 1];
	const unsigned count = split(line, words);

	if (!count)
		return ST_OK;
	if (count == 3 && is(&words[0], "bind"))
		return bind(config, &words[1], &words[2], error, size);
	if (count == 3 && is(&words[0], "set"))
		return set(config, &words[1], &words[2], error, size);
	snprintf(error, size, "neither 'bind KEY REQUEST' nor 'set NAME VALUE'");
	return ST_INVALID;
}

enum status config_read(struct config *config, const char *path, char *error, size_t size)
{
	enum status status = ST_OK;
	char line[MAX_LINE], what[256];
	unsigned number = 0;
	FILE *const file = fopen(path, "r");

	if (!file && errno == ENOENT)
		return ST_OK;
	if (!file) {
		snprintf(error, size, "'%s': %s", path, strerror(errno));
		return ST_IO;
	}
	while (fgets(line, sizeof(line), file)) {
		number++;
		if (config_line(config, line, what, sizeof(what)) == ST_OK || status != ST_OK)
			continue;
		snprintf(error, size, "'%s', line %u: %s", path, number, what);
		status = ST_INVALID;
	}
	fclose(file);
	return status;
}
