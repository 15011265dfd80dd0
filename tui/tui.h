/*
 * tui/tui.h - the terminal UI
 */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include "tui/app.h"

/*
 * Runs until the user leaves. False, and a line in @error, when the tape or the terminal cannot be
 * used.
 */
bool tui_run(const struct app_options *options, char *error, size_t size);

#endif
