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

#include "gdbstub/gdb_regs.h"
#include "gdbstub/target_timeline.h"
#include "replay/disasm.h"
#include "replay/event_text.h"
#include "replay/position.h"
#include "replay/memory_text.h"

#define MAX_WORDS  32
#define MAX_LENGTH 1024
#define AROUND	   10 /* events that `events` shows */

struct monitor {
	struct gdb_tape *tape;
	gdb_print print;
	void *to;
	const char *words[MAX_WORDS + 1]; /* words[0] is the command; NULL behind the last */
	unsigned count;
};

enum place { HERE, ALL };

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	void (*handle)(struct monitor *monitor); /* NULL: it is a verb */
	const char *verb;
	enum place place;
};

#define MONITOR(name, arguments, help) static void monitor_##name(struct monitor *monitor);
#define VERB(...)
#include "gdbstub/monitor.def"
#undef VERB
#undef MONITOR

static const struct command commands[] = {
#define MONITOR(name, arguments, help)		 { #name, arguments, help, monitor_##name, NULL, HERE },
#define VERB(name, verb, place, arguments, help) { #name, arguments, help, NULL, verb, place },
#include "gdbstub/monitor.def"
#undef VERB
#undef MONITOR
};

/* --- printing --------------------------------------------------------------------------------- */

static void printf_like(2, 3) say(struct monitor *monitor, const char *format, ...)
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
	say(monitor, "%s command '%s'; 'monitor help' lists them\n", count ? "more than one" : "no",
	    name);
	return NULL;
}

static void monitor_help(struct monitor *monitor)
{
	const struct command *const one =
		monitor->count > 1 ? find(monitor, monitor->words[1]) : NULL;

	if (monitor->count > 1 && !one)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!one || one == &commands[i])
			say(monitor, "%-9s %-11s %s\n", commands[i].name, commands[i].arguments,
			    commands[i].help);
	if (!one)
		say(monitor, "Beginnings of names will do. Verbs take their own options too.\n");
}

/* --- verbs ------------------------------------------------------------------------------------ */

static void run_verb(struct monitor *monitor, const char *const *argv)
{
	struct gdb_tape *const tape = monitor->tape;

	if (tape->verb)
		tape->verb(tape->owner, argv, monitor->print, monitor->to);
	else
		say(monitor, "'%s' is not to be had here\n", argv[0]);
}

static void handle_verb(struct monitor *monitor, const struct command *command)
{
	const char *argv[MAX_WORDS + 4];
	bool has_place = command->place == ALL;
	char here[32];
	unsigned count = 0;

	argv[count++] = command->verb;
	for (unsigned i = 1; i < monitor->count; i++) {
		has_place = has_place || monitor->words[i][0] == '@';
		argv[count++] = monitor->words[i];
	}
	snprintf(here, sizeof(here), "@%llu",
		 (unsigned long long)timeline_tell(monitor->tape->timeline));
	if (!has_place)
		argv[count++] = here;
	argv[count++] = reader_info(timeline_reader(monitor->tape->timeline))->path;
	argv[count] = NULL;
	run_verb(monitor, argv);
}

static void monitor_events(struct monitor *monitor)
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

/* gdb reads all code as 64-bit code; and in other modes RIP alone is no linear address. */
static void monitor_code(struct monitor *monitor)
{
	struct gdb_tape *const tape = monitor->tape;
	const struct gdb_thread thread = gdb_tape_current(tape);
	u64 rip, bits, base = 0;
	u8 code[TRACE_MAX_CODE];
	char text[DISASM_MAX];
	size_t known;

	if (!gdb_tape_read_register(tape, thread, GDB_REG_RIP, &rip) ||
	    !gdb_tape_read_register(tape, thread, GDB_REG_CODE_BITS, &bits) ||
	    (bits != 64 && !gdb_tape_read_register(tape, thread, GDB_REG_CS_BASE, &base))) {
		say(monitor, "the tape does not tell where the code here is\n");
		return;
	}
	known = gdb_tape_read_memory(tape, thread, base + rip, code, sizeof(code));
	if (!known) {
		say(monitor, "the tape does not have the code here\n");
		return;
	}
	disasm_text(code, known, (enum disasm_mode)bits, rip, text);
	say(monitor, "0x%llx  %s  (%llu-bit code)\n", (unsigned long long)rip, text,
	    (unsigned long long)bits);
}

static void monitor_diff(struct monitor *monitor)
{
	char here[32], from[32];
	const char *const argv[] = { "vmcs",
				     monitor->count > 1 ? monitor->words[1] : from,
				     "--diff",
				     here,
				     reader_info(timeline_reader(monitor->tape->timeline))->path,
				     NULL };

	snprintf(here, sizeof(here), "@%llu",
		 (unsigned long long)timeline_tell(monitor->tape->timeline));
	snprintf(from, sizeof(from), "@%llu", (unsigned long long)monitor->tape->stopped_before);
	run_verb(monitor, argv);
}

/* --- places ----------------------------------------------------------------------------------- */

static void monitor_where(struct monitor *monitor)
{
	struct timeline *const timeline = monitor->tape->timeline;
	const struct trace_event *const event = timeline_event(timeline);
	const struct gdb_thread thread = gdb_tape_current(monitor->tape);
	char line[EVENT_TEXT_MAX];
	char *end;

	say(monitor, "@%llu of %llu, thread %u.%u\n", (unsigned long long)timeline_tell(timeline),
	    (unsigned long long)timeline_events(timeline), thread.level, thread.cpu + 1);
	if (!event) {
		say(monitor, "behind the last event\n");
		return;
	}
	end = event_text(line, reader_names(timeline_reader(timeline)), event,
			 timeline_model(timeline));
	monitor->print(monitor->to, line, (size_t)(end - line));
}

static struct gdb_tape_bookmark *find_bookmark(struct gdb_tape *tape, const char *name)
{
	for (unsigned i = 0; i < GDB_MAX_BOOKMARKS; i++)
		if (!strcmp(tape->bookmarks[i].name, name))
			return &tape->bookmarks[i];
	return NULL;
}

static void monitor_goto(struct monitor *monitor)
{
	struct timeline *const timeline = monitor->tape->timeline;
	const char *const name = monitor->count > 1 ? monitor->words[1] : "";
	const struct gdb_tape_bookmark *const mark =
		*name ? find_bookmark(monitor->tape, name) : NULL;
	char error[256];
	u64 n = mark ? mark->n : 0;

	if (!*name) {
		say(monitor, "where to? a place such as @123, @c0:123 or @50%%, or a bookmark\n");
		return;
	}
	if (!mark && timeline_resolve(timeline, name, &n, error, sizeof(error)) != ST_OK) {
		say(monitor, "%s\n", error);
		return;
	}
	if (timeline_seek(timeline, n) != ST_OK) {
		say(monitor, "'%s' cannot be reached\n", name);
		return;
	}
	monitor_where(monitor);
	say(monitor, "gdb looks again after 'maintenance flush register-cache'\n");
}

static void monitor_bookmark(struct monitor *monitor)
{
	struct gdb_tape *const tape = monitor->tape;
	struct gdb_tape_bookmark *mark;

	if (monitor->count < 2) {
		for (unsigned i = 0; i < GDB_MAX_BOOKMARKS; i++)
			if (*tape->bookmarks[i].name)
				say(monitor, "%-*s @%llu\n", GDB_MAX_BOOKMARK_NAME,
				    tape->bookmarks[i].name,
				    (unsigned long long)tape->bookmarks[i].n);
		return;
	}
	if (monitor->words[1][0] == '@' || strlen(monitor->words[1]) >= GDB_MAX_BOOKMARK_NAME) {
		say(monitor, "'%s' is no name for a bookmark: without @, at most %d characters\n",
		    monitor->words[1], GDB_MAX_BOOKMARK_NAME - 1);
		return;
	}
	mark = find_bookmark(tape, monitor->words[1]);
	if (!mark)
		mark = find_bookmark(tape, "");
	if (!mark) {
		say(monitor, "there are %d bookmarks already\n", GDB_MAX_BOOKMARKS);
		return;
	}
	snprintf(mark->name, sizeof(mark->name), "%s", monitor->words[1]);
	mark->n = timeline_tell(tape->timeline);
	say(monitor, "%s is @%llu\n", mark->name, (unsigned long long)mark->n);
}

/* --- watches and memory ----------------------------------------------------------------------- */

static void list_watches(struct monitor *monitor)
{
	for (unsigned i = 0; i < GDB_MAX_WATCHES; i++)
		if (monitor->tape->watches[i].id)
			say(monitor, "%s\n", vmcs_fields[monitor->tape->watches[i].field].name);
}

/* The watch of @field, a free one for -1. */
static struct gdb_tape_watch *find_watch(struct gdb_tape *tape, int field)
{
	for (unsigned i = 0; i < GDB_MAX_WATCHES; i++) {
		struct gdb_tape_watch *const watch = &tape->watches[i];

		if (field < 0 ? !watch->id : watch->id && watch->field == field)
			return watch;
	}
	return NULL;
}

static int field_of(struct monitor *monitor)
{
	const int field = vmcs_field_find(monitor->words[1]);

	if (field < 0)
		say(monitor, "no VMCS field '%s'; 'monitor vmcs' has their names\n",
		    monitor->words[1]);
	return field;
}

static void monitor_watch(struct monitor *monitor)
{
	struct timeline_break how = { .kind = BREAK_FIELD, .cpu = -1, .vmcs = HISTORY_ANY_VMCS };
	struct gdb_tape_watch *watch;
	int id;

	if (monitor->count < 2) {
		list_watches(monitor);
		return;
	}
	how.field = field_of(monitor);
	if (how.field < 0 || find_watch(monitor->tape, how.field))
		return;
	watch = find_watch(monitor->tape, -1);
	id = watch ? timeline_break_add(monitor->tape->timeline, &how) : -1;
	if (id < 0) {
		say(monitor, "no more can be watched\n");
		return;
	}
	*watch = (struct gdb_tape_watch){ .id = id, .field = how.field };
	say(monitor, "%s of any VMCS is watched\n", vmcs_fields[how.field].name);
}

static void monitor_unwatch(struct monitor *monitor)
{
	const bool all = monitor->count > 1 && !strcmp(monitor->words[1], "all");
	const int field = monitor->count > 1 && !all ? field_of(monitor) : -1;

	if (monitor->count < 2)
		say(monitor, "which? a field, or 'all'\n");
	for (unsigned i = 0; i < GDB_MAX_WATCHES; i++) {
		struct gdb_tape_watch *const watch = &monitor->tape->watches[i];

		if (watch->id && (all || (field >= 0 && watch->field == field))) {
			timeline_break_remove(monitor->tape->timeline, watch->id);
			watch->id = 0;
		}
	}
}

static void monitor_phys(struct monitor *monitor)
{
	static const char *const names[] = { "off", "l1", "l2" };

	for (unsigned i = 0; monitor->count > 1 && i < ARRAY_SIZE(names); i++)
		if (!strcmp(monitor->words[1], names[i]))
			monitor->tape->phys = (enum gdb_phys)i;
	say(monitor, "%s\n",
	    monitor->tape->phys == GDB_PHYS_OFF	 ? "addresses are linear ones of the thread"
	    : monitor->tape->phys == GDB_PHYS_L1 ? "addresses are physical ones of L1"
						 : "addresses are physical ones of L2");
}

static void monitor_walk(struct monitor *monitor)
{
	struct gdb_tape *const tape = monitor->tape;
	const struct gdb_thread thread = gdb_tape_current(tape);
	struct memory_walk walk;
	char text[MEMORY_TEXT_MAX], *end;
	u64 address;

	address = monitor->count > 1 ? strtoull(monitor->words[1], &end, 0) : 0;
	if (monitor->count < 2 || *end) {
		say(monitor, "which address? a number, such as 0xffffffff81000000\n");
		return;
	}
	if (memory_walk(tape->timeline, thread.cpu, gdb_tape_space(tape, thread), address, &walk) !=
	    ST_OK) {
		say(monitor, "interrupted\n");
		return;
	}
	for (unsigned i = 0; i < walk.count; i++) {
		memory_step_text(&walk.steps[i], text, sizeof(text));
		say(monitor, "%s\n", text);
	}
	memory_walk_text(&walk, text, sizeof(text));
	say(monitor, "%s\n", text);
}

/* --- the command line ------------------------------------------------------------------------- */

bool gdb_tape_monitor(void *target, const char *command, gdb_print print, void *to)
{
	struct monitor monitor = { .tape = target, .print = print, .to = to };
	const struct command *found;
	char text[MAX_LENGTH];
	char *rest = text;

	if (strlen(command) >= sizeof(text)) {
		say(&monitor, "a command has at most %d characters\n", MAX_LENGTH - 1);
		return false;
	}
	strcpy(text, command);
	for (char *word; (word = strtok_r(rest, " \t\n", &rest));) {
		if (monitor.count == MAX_WORDS) {
			say(&monitor, "a command has at most %d words\n", MAX_WORDS);
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
