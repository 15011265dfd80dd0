#include "tui/terminal.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* <term.h> has it, together with macros named "columns" and "lines". */
extern NCURSES_EXPORT(char *) tigetstr(NCURSES_CONST char *);

#define ESCAPE_DELAY   25 /* milliseconds that the rest of a key may take to come */
#define MAX_RESET      512
#define SELECTED_PAIRS STYLE_COUNT /* pairs with the ground of the cursor's line follow */

enum colour {
#define COLOUR(NAME, ...) COLOUR_##NAME,
#include "tui/styles.def"
	COLOUR_COUNT
};

static const struct {
	int ansi, dark, light, rgb_dark, rgb_light;
} colours[COLOUR_COUNT] = {
#define COLOUR(NAME, ansi, dark, light, rgb_dark, rgb_light) \
	{ ansi, dark, light, rgb_dark, rgb_light },
#include "tui/styles.def"
};

/* The attributes as tui/styles.def names them. */
#define BOLD	  A_BOLD
#define DIM	  A_DIM
#define UNDERLINE A_UNDERLINE
#define REVERSE	  A_REVERSE

static const struct {
	u8 colour;
	attr_t attributes;
} styles[STYLE_COUNT] = {
#define STYLE(NAME, colour, attributes) { COLOUR_##colour, attributes },
#include "tui/styles.def"
};

struct terminal {
	SCREEN *screen;
	FILE *out;
	bool colours;
	bool selected_ground; /* the cursor's line has a ground of its own, else it is reversed */
	bool spoiled;
};

/* For the handlers of signals; there is one terminal. */
static struct {
	int pipe[2];
	struct termios modes;
	char reset[MAX_RESET]; /* what the terminal is to get at a crash */
	size_t reset_size;
	volatile sig_atomic_t end;
	volatile sig_atomic_t open;
} terminal_signals = { .pipe = { -1, -1 } };

/* --- signals ---------------------------------------------------------------------------------- */

static void wake(int signal)
{
	const int saved = errno;
	const char byte = 0;

	if (signal == SIGTERM || signal == SIGHUP || signal == SIGINT)
		terminal_signals.end = 1;
	if (write(terminal_signals.pipe[1], &byte, 1) < 0)
		errno = 0; /* full: it is awake already */
	errno = saved;
}

static void crash(int signal)
{
	if (terminal_signals.open) {
		ssize_t written =
			write(STDOUT_FILENO, terminal_signals.reset, terminal_signals.reset_size);

		(void)written;
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal_signals.modes);
	}
	raise(signal); /* SA_RESETHAND: this time it does what it does */
}

static void catch (int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

static void catch_signals(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	static const int wakes[] = { SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGCONT };

	for (size_t i = 0; i < ARRAY_SIZE(wakes); i++)
		catch (wakes[i], wake, SA_RESTART);
	/* A sanitizer wants to tell more about a crash than we do. */
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++) {
		struct sigaction old;

		if (!sigaction(crashes[i], NULL, &old) && old.sa_handler == SIG_DFL)
			catch (crashes[i], crash, (int)SA_RESETHAND);
	}
	catch (SIGPIPE, SIG_IGN, 0);
}

/* "$<5>" asks for a delay that nobody waits for here. */
static void add_reset(const char *name)
{
	const char *const text = tigetstr((char *)name);
	size_t *const size = &terminal_signals.reset_size;

	if (!text || text == (char *)-1)
		return;
	for (const char *at = text; *at && *size < MAX_RESET; at++) {
		if (at[0] == '$' && at[1] == '<') {
			while (*at && *at != '>')
				at++;
			continue;
		}
		terminal_signals.reset[(*size)++] = *at;
	}
}

static void prepare_reset(void)
{
	static const char mouse_off[] = "\033[?1000l\033[?1006l";

	terminal_signals.reset_size = 0;
	if (tigetstr("kmous") && tigetstr("kmous") != (char *)-1) {
		memcpy(terminal_signals.reset, mouse_off, sizeof(mouse_off) - 1);
		terminal_signals.reset_size = sizeof(mouse_off) - 1;
	}
	add_reset("sgr0");
	add_reset("rmkx");
	add_reset("cnorm");
	add_reset("rmcup");
}

/* --- start and end ---------------------------------------------------------------------------- */

struct terminal *terminal_open(char *error, size_t size)
{
	struct terminal *const terminal = calloc(1, sizeof(*terminal));
	const char *const name = getenv("TERM");

	if (!terminal || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !name || !*name ||
	    !strcmp(name, "dumb")) {
		snprintf(error, size,
			 "this is no terminal that a screen can be drawn on; "
			 "'vmxtape info' and 'vmxtape dump' print");
		free(terminal);
		return NULL;
	}
	setlocale(LC_CTYPE, "");
	tcgetattr(STDIN_FILENO, &terminal_signals.modes);
	terminal->screen = newterm(NULL, stdout, stdin);
	if (!terminal->screen) {
		snprintf(error, size, "nothing is known about a terminal '%s'; try TERM=vt100",
			 name);
		free(terminal);
		return NULL;
	}
	if (pipe2(terminal_signals.pipe, O_CLOEXEC | O_NONBLOCK)) {
		snprintf(error, size, "a pipe: %s", strerror(errno));
		endwin();
		delscreen(terminal->screen);
		free(terminal);
		return NULL;
	}
	raw();
	noecho();
	nonl();
	keypad(stdscr, true);
	nodelay(stdscr, true);
	leaveok(stdscr, false);
	set_escdelay(ESCAPE_DELAY);
	prepare_reset();
	terminal_signals.open = 1;
	catch_signals();
	return terminal;
}

void terminal_close(struct terminal *terminal)
{
	if (!terminal)
		return;
	endwin();
	terminal_signals.open = 0;
	delscreen(terminal->screen);
	close(terminal_signals.pipe[0]);
	close(terminal_signals.pipe[1]);
	free(terminal);
}

bool terminal_has_unicode(const struct terminal *terminal)
{
	static const char *const poor[] = { "linux", "vt", "ansi", "cons", "sun", "xterm-mono" };
	const char *const name = getenv("TERM");

	(void)terminal;
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(poor); i++)
		if (name && !strncmp(name, poor[i], strlen(poor[i])))
			return false;
	return true;
}

/* --- colours ---------------------------------------------------------------------------------- */

/* "15;0" or "0;default;15": the last number is the ground. */
static bool ground_is_light(const char *theme)
{
	const char *const known = getenv("COLORFGBG");
	const char *const ground = known ? strrchr(known, ';') : NULL;

	if (!strcmp(theme, "light"))
		return true;
	if (!strcmp(theme, "dark"))
		return false;
	return ground && (!strcmp(ground, ";7") || !strcmp(ground, ";15"));
}

static int colour_number(enum colour colour, bool light)
{
	if (COLORS > 256)
		return light ? colours[colour].rgb_light : colours[colour].rgb_dark;
	if (COLORS == 256)
		return light ? colours[colour].light : colours[colour].dark;
	return colours[colour].ansi;
}

void terminal_set(struct terminal *terminal, const char *theme, bool mouse)
{
	const char *const no_color = getenv("NO_COLOR");
	const bool light = ground_is_light(theme);
	int ground = -1;

	terminal->colours = !(no_color && *no_color) && has_colors() && start_color() == OK;
	if (terminal->colours && use_default_colors() != OK)
		assume_default_colors(light ? COLOR_BLACK : COLOR_WHITE,
				      light ? COLOR_WHITE : COLOR_BLACK);
	if (terminal->colours && COLORS > 256)
		ground = light ? 0xd8d8e4 : 0x33334a;
	else if (terminal->colours && COLORS == 256)
		ground = light ? 254 : 237;
	terminal->selected_ground = ground >= 0;
	for (int style = 0; terminal->colours && style < STYLE_COUNT; style++) {
		const int number = colour_number((enum colour)styles[style].colour, light);

		init_extended_pair(1 + style, number, -1);
		init_extended_pair(1 + SELECTED_PAIRS + style, number, ground);
	}
	if (mouse) {
		mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED,
			  NULL);
		mouseinterval(0);
	}
	terminal->spoiled = true;
}

static attr_t attributes_of(const struct terminal *terminal, const struct cell *cell, int *pair)
{
	attr_t attributes = styles[cell->style].attributes;

	*pair = 0;
	if (terminal->colours) {
		/* A colour of its own says enough where there are enough of them. */
		if (COLORS >= 256 && styles[cell->style].colour != COLOUR_PLAIN)
			attributes &= ~(attr_t)A_DIM;
		*pair = 1 + cell->style;
		if (cell->flags & CELL_SELECTED && terminal->selected_ground)
			*pair += SELECTED_PAIRS;
	}
	if (cell->flags & CELL_SELECTED && !terminal->selected_ground)
		attributes = (attributes & ~(attr_t)A_DIM) |
			     (cell->flags & CELL_ACTIVE ? A_REVERSE : A_UNDERLINE);
	else if (cell->flags & CELL_ACTIVE)
		attributes |= A_BOLD;
	return attributes;
}

/* --- showing ---------------------------------------------------------------------------------- */

void terminal_size(const struct terminal *terminal, unsigned *rows, unsigned *columns)
{
	struct winsize size;

	(void)terminal;
	*rows = (unsigned)MAX(LINES, 1);
	*columns = (unsigned)MAX(COLS, 1);
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		*rows = size.ws_row;
		*columns = size.ws_col;
	}
}

void terminal_show(struct terminal *terminal, const struct grid *grid)
{
	if ((unsigned)LINES != grid->rows || (unsigned)COLS != grid->columns)
		resizeterm((int)grid->rows, (int)grid->columns);
	for (unsigned row = 0; row < grid->rows; row++)
		for (unsigned column = 0; column < grid->columns; column++) {
			const struct cell *const cell =
				&grid->cells[(size_t)row * grid->columns + column];
			const wchar_t text[2] = { (wchar_t)cell->ch };
			cchar_t ch;
			int pair;
			const attr_t attributes = attributes_of(terminal, cell, &pair);

			setcchar(&ch, text, attributes, 0, &pair);
			mvadd_wch((int)row, (int)column, &ch);
		}
	curs_set(grid->cursor);
	if (grid->cursor)
		move((int)grid->cursor_row, (int)grid->cursor_column);
	if (terminal->spoiled)
		clearok(stdscr, true);
	terminal->spoiled = false;
	refresh();
}

void terminal_spoil(struct terminal *terminal)
{
	terminal->spoiled = true;
}

void terminal_suspend(struct terminal *terminal)
{
	endwin();
	raise(SIGTSTP);
	terminal->spoiled = true;
	refresh();
}

void terminal_copy(struct terminal *terminal, const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const size_t size = strlen(text);

	(void)terminal;
	fputs("\033]52;c;", stdout);
	for (size_t i = 0; i < size; i += 3) {
		const u32 three = (u32)(u8)text[i] << 16 |
				  (u32)(i + 1 < size ? (u8)text[i + 1] : 0) << 8 |
				  (i + 2 < size ? (u8)text[i + 2] : 0);

		putchar(digits[three >> 18]);
		putchar(digits[three >> 12 & 63]);
		putchar(i + 1 < size ? digits[three >> 6 & 63] : '=');
		putchar(i + 2 < size ? digits[three & 63] : '=');
	}
	fputs("\a", stdout);
	fflush(stdout);
}

/* --- keys ------------------------------------------------------------------------------------- */

static const struct {
	int curses;
	u32 key;
} keys[] = {
#define INPUT(NAME, name, curses) { curses, INPUT_##NAME },
#include "tui/inputs.def"
#undef INPUT
};

static bool read_mouse(struct input_event *event)
{
	MEVENT mouse;

	if (getmouse(&mouse) != OK || mouse.x < 0 || mouse.y < 0)
		return false;
	event->row = (unsigned)mouse.y;
	event->column = (unsigned)mouse.x;
	if (mouse.bstate & BUTTON4_PRESSED)
		event->key = INPUT_WHEEL_UP;
	else if (mouse.bstate & BUTTON5_PRESSED)
		event->key = INPUT_WHEEL_DOWN;
	else if (mouse.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED))
		event->key = INPUT_MOUSE;
	else
		return false;
	return true;
}

bool terminal_read(struct terminal *terminal, struct input_event *event)
{
	wint_t ch;

	(void)terminal;
	for (;;) {
		const int kind = get_wch(&ch);

		*event = (struct input_event){ 0 };
		if (kind == ERR)
			return false;
		if (kind == OK) {
			event->key = ch == '\r' || ch == '\n' ? INPUT_ENTER
				     : ch == 0x7f	      ? INPUT_BACKSPACE
							      : ch;
			return true;
		}
		if (ch == KEY_MOUSE && read_mouse(event))
			return true;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (keys[i].curses == (int)ch) {
				event->key = keys[i].key;
				return true;
			}
	}
}

bool terminal_wait(struct terminal *terminal, const struct pollfd *fds, unsigned count,
		   int milliseconds)
{
	struct pollfd all[2 + TERMINAL_FDS] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = terminal_signals.pipe[0], .events = POLLIN },
	};
	char bytes[64];

	(void)terminal;
	count = MIN(count, (unsigned)TERMINAL_FDS);
	memcpy(all + 2, fds, count * sizeof(*fds));
	poll(all, 2 + count, milliseconds);
	while (read(terminal_signals.pipe[0], bytes, sizeof(bytes)) > 0)
		;
	/* The terminal has gone. */
	if (all[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		terminal_signals.end = 1;
	return !terminal_signals.end;
}
