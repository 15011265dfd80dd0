/*
 * tui/terminal.h - the real terminal, by ncurses
 *
 * Whatever ends the program, the terminal is left as it was: terminal_close(), SIGTERM and SIGHUP
 * (which only ask the loop to end), and crashes, whose signals are caught to write the terminal's
 * own reset sequences before they do what they do.
 */
#ifndef TUI_TERMINAL_H
#define TUI_TERMINAL_H

#include "tui/grid.h"
#include "tui/input.h"

struct terminal;

/* On failure NULL, and a line in @error: no terminal, or one that nothing is known about. */
struct terminal *terminal_open(char *error, size_t size);
void terminal_close(struct terminal *terminal);

/* What it can: read before anything is drawn. */
bool terminal_has_unicode(const struct terminal *terminal);

/* @theme: "light", "dark" or "auto". @mouse: clicks and the wheel come as keys. */
void terminal_set(struct terminal *terminal, const char *theme, bool mouse);

/* Its size now. */
void terminal_size(const struct terminal *terminal, unsigned *rows, unsigned *columns);

/* Show @grid; only what differs is written. */
void terminal_show(struct terminal *terminal, const struct grid *grid);

/* Write everything anew next time: something else has written over it. */
void terminal_spoil(struct terminal *terminal);

/* The next key that is there already; false when none is. */
bool terminal_read(struct terminal *terminal, struct input_event *event);

/*
 * Wait for a key, a signal, or one of @count @fds (at most TERMINAL_FDS), at most @milliseconds
 * (-1: for ever). False when the program was asked to end.
 */
#define TERMINAL_FDS 8
struct pollfd;
bool terminal_wait(struct terminal *terminal, const struct pollfd *fds, unsigned count,
		   int milliseconds);

/* Back to the shell until it continues this program. */
void terminal_suspend(struct terminal *terminal);

/* @text into the clipboard of the terminal, where it takes OSC 52. */
void terminal_copy(struct terminal *terminal, const char *text);

#endif
