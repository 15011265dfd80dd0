/*
 * tui/config.h - ~/.config/vmxtape/config: what a user wants differently
 *
 *	# a comment
 *	bind ctrl-n down	a key and the request that it asks for
 *	bind q none		a key that does nothing
 *	set theme light		auto, dark or light
 *	set unicode no		auto, yes or no
 *	set mouse no		yes or no
 *	set overview events	time or events
 */
#ifndef TUI_CONFIG_H
#define TUI_CONFIG_H

#include "tui/request.h"

struct config {
	struct keymap keymap;
	char theme[8];
	char unicode[8];
	bool mouse;
	bool by_events;
};

/* What holds without a file. */
void config_init(struct config *config);

/*
 * Reads the file @path into @config; one that does not exist is no mistake. ST_INVALID, ST_IO, and
 * in @error the first line that is wrong; all others are taken.
 */
enum status config_read(struct config *config, const char *path, char *error, size_t size);

/* Likewise one line, without its end. ST_INVALID. */
enum status config_line(struct config *config, const char *line, char *error, size_t size);

#endif
