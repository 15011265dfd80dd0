/*
 * gdbstub/monitor.c - the commands behind gdb's `monitor`
 *
 * What the command line has as a verb is that verb, run on this tape: nothing here prints what
 * a verb could.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/monitor.h"

#define MAX_LENGTH 1024
#define AROUND	   10 /* events that `events` shows */

enum place { HERE, ALL };

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	void (*handle)(struct monitor *monitor); /* NULL: it is a verb */
	const char *verb;
	enum place place;
};

static const struct command commands[] = {
#define MONITOR(name, arguments, help)		 { #name, arguments, help, monitor_##name, NULL, HERE },
#define VERB(name, verb, place, arguments, help) { #name, arguments, help, NULL, verb, place },
#include "gdbstub/monitor.def"
#undef VERB
#undef MONITOR
};

/* --- printing --------------------------------------------------------------------------------- */

void monitor_say(struct monitor *monitor, const char *format, ...)
{
	char text[MAX_LENGTH];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	monitor->print(monitor->to, text, MIN((size_t)length, sizeof(text) - 1));
}

/* --- finding the command ---------------------------------------------------------------------- */

/* By its name, or the beginning of one that no other has. NULL after a message. */
static const struct command *find(struct monitor *monitor, const char *name)
{
	const struct command *found = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
		if (!strncmp(commands[i].name, name, strlen(name))) {
			found = &commands[i];
			count++;
		}
	}
	if (count == 1)
		return found;
	monitor_say(monitor, "%s command '%s'; 'monitor help' lists them\n",
		    count ? "more than one" : "no", name);
	return NULL;
}

void monitor_help(struct monitor *monitor)
{
	const struct command *const one =
		monitor->count > 1 ? find(monitor, monitor->words[1]) : NULL;

	if (monitor->count > 1 && !one)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!one || one == &commands[i])
			monitor_say(monitor, "%-9s %-11s %s\n", commands[i].name,
				    commands[i].arguments, commands[i].help);
	if (!one)
		monitor_say(monitor,
			    "Beginnings of names will do. Verbs take their own options too.\n");
}

/* --- verbs ------------------------------------------------------------------------------------ */

static void run_verb(struct monitor *monitor, const char *const *argv)
{
	struct gdb_tape *const tape = monitor->tape;

	if (tape->verb)
		tape->verb(tape->owner, argv, monitor->print, monitor->to);
	else
		monitor_say(monitor, "'%s' is not to be had here\n", argv[0]);
}

/* A place, for a verb; no verb knows of the one behind the last event. */
static void place_text(struct timeline *timeline, u64 n, char *to, size_t size)
{
	if (n == timeline_events(timeline))
		snprintf(to, size, "@last");
	else
		snprintf(to, size, "@%llu", (unsigned long long)n);
}

static void handle_verb(struct monitor *monitor, const struct command *command)
{
	struct timeline *const timeline = monitor->tape->timeline;
	const char *argv[MONITOR_MAX_WORDS + 4];
	bool has_place = command->place == ALL;
	char here[32];
	unsigned count = 0;

	argv[count++] = command->verb;
	for (unsigned i = 1; i < monitor->count; i++) {
		has_place = has_place || monitor->words[i][0] == '@';
		argv[count++] = monitor->words[i];
	}
	place_text(timeline, timeline_tell(timeline), here, sizeof(here));
	if (!has_place)
		argv[count++] = here;
	argv[count++] = reader_info(timeline_reader(monitor->tape->timeline))->path;
	argv[count] = NULL;
	run_verb(monitor, argv);
}

void monitor_events(struct monitor *monitor)
{
	const u64 n = timeline_tell(monitor->tape->timeline);
	const u64 asked = monitor->count > 1 ? strtoull(monitor->words[1], NULL, 0) : 0;
	const u64 count = asked ? asked : AROUND;
	const u64 first = n > count / 2 ? n - count / 2 : 0;
	char range[64];
	const char *const argv[] = { "dump", range,
				     reader_info(timeline_reader(monitor->tape->timeline))->path,
				     NULL };

	snprintf(
		range, sizeof(range), "@%llu..@%llu", (unsigned long long)first,
		(unsigned long long)(first + MIN(count, timeline_events(monitor->tape->timeline))));
	run_verb(monitor, argv);
}

void monitor_diff(struct monitor *monitor)
{
	struct timeline *const timeline = monitor->tape->timeline;
	char here[32], from[32];
	const char *const argv[] = { "vmcs",
				     monitor->count > 1 ? monitor->words[1] : from,
				     "--diff",
				     here,
				     reader_info(timeline_reader(monitor->tape->timeline))->path,
				     NULL };

	place_text(timeline, timeline_tell(timeline), here, sizeof(here));
	place_text(timeline, monitor->tape->stopped_before, from, sizeof(from));
	run_verb(monitor, argv);
}

/* --- the command line ------------------------------------------------------------------------- */

bool gdb_tape_monitor(void *target, const char *command, gdb_print print, void *to)
{
	struct monitor monitor = { .tape = target, .print = print, .to = to };
	const struct command *found;
	char text[MAX_LENGTH];
	char *rest = text;

	if (strlen(command) >= sizeof(text)) {
		monitor_say(&monitor, "a command has at most %d characters\n", MAX_LENGTH - 1);
		return false;
	}
	strcpy(text, command);
	for (char *word; (word = strtok_r(rest, " \t\n", &rest));) {
		if (monitor.count == MONITOR_MAX_WORDS) {
			monitor_say(&monitor, "a command has at most %d words\n",
				    MONITOR_MAX_WORDS);
			return false;
		}
		monitor.words[monitor.count++] = word;
	}
	if (!monitor.count)
		monitor.words[monitor.count++] = "help";
	found = find(&monitor, monitor.words[0]);
	if (!found)
		return false;
	if (found->handle)
		found->handle(&monitor);
	else
		handle_verb(&monitor, found);
	return true;
}
