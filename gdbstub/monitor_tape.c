/*
 * gdbstub/monitor_tape.c - the commands of `monitor` about the place, memory and symbols
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/gdb_regs.h"
#include "gdbstub/monitor.h"
#include "replay/disasm.h"
#include "replay/event_text.h"
#include "replay/memory_text.h"
#include "replay/symbols.h"

/* --- places ----------------------------------------------------------------------------------- */

void monitor_where(struct monitor *monitor)
{
	struct timeline *const timeline = monitor->tape->timeline;
	const struct trace_event *const event = timeline_event(timeline);
	const struct gdb_thread thread = gdb_tape_current(monitor->tape);
	char line[EVENT_TEXT_MAX];
	char *end;

	monitor_say(monitor, "@%llu of %llu, thread %u.%u\n",
		    (unsigned long long)timeline_tell(timeline),
		    (unsigned long long)timeline_events(timeline), thread.level, thread.cpu + 1);
	if (!event) {
		monitor_say(monitor, "behind the last event\n");
		return;
	}
	end = event_text(line, reader_names(timeline_reader(timeline)), event,
			 timeline_model(timeline));
	monitor->print(monitor->to, line, (size_t)(end - line));
	if (monitor->tape->stopped_for && monitor->tape->stopped_at == timeline_tell(timeline))
		monitor_say(monitor, "stopped for the breakpoint at 0x%llx\n",
			    (unsigned long long)monitor->tape->stopped_for);
}

static struct gdb_tape_bookmark *find_bookmark(struct gdb_tape *tape, const char *name)
{
	for (unsigned i = 0; i < GDB_MAX_BOOKMARKS; i++)
		if (!strcmp(tape->bookmarks[i].name, name))
			return &tape->bookmarks[i];
	return NULL;
}

void monitor_goto(struct monitor *monitor)
{
	struct timeline *const timeline = monitor->tape->timeline;
	const char *const name = monitor->count > 1 ? monitor->words[1] : "";
	const struct gdb_tape_bookmark *const mark =
		*name ? find_bookmark(monitor->tape, name) : NULL;
	char error[256];
	u64 n = mark ? mark->n : 0;

	if (!*name) {
		monitor_say(monitor,
			    "where to? a place such as @123, @c0:123 or @50%%, or a bookmark\n");
		return;
	}
	if (!mark && timeline_resolve(timeline, name, &n, error, sizeof(error)) != ST_OK) {
		monitor_say(monitor, "%s\n", error);
		return;
	}
	if (timeline_seek(timeline, n) != ST_OK) {
		monitor_say(monitor, "'%s' cannot be reached\n", name);
		return;
	}
	monitor_where(monitor);
	monitor_say(monitor, "gdb looks again after 'maintenance flush register-cache'\n");
}

void monitor_bookmark(struct monitor *monitor)
{
	struct gdb_tape *const tape = monitor->tape;
	struct gdb_tape_bookmark *mark;

	if (monitor->count < 2) {
		for (unsigned i = 0; i < GDB_MAX_BOOKMARKS; i++)
			if (*tape->bookmarks[i].name)
				monitor_say(monitor, "%-*s @%llu\n", GDB_MAX_BOOKMARK_NAME,
					    tape->bookmarks[i].name,
					    (unsigned long long)tape->bookmarks[i].n);
		return;
	}
	if (monitor->words[1][0] == '@' || strlen(monitor->words[1]) >= GDB_MAX_BOOKMARK_NAME) {
		monitor_say(monitor,
			    "'%s' is no name for a bookmark: without @, at most %d characters\n",
			    monitor->words[1], GDB_MAX_BOOKMARK_NAME - 1);
		return;
	}
	mark = find_bookmark(tape, monitor->words[1]);
	if (!mark)
		mark = find_bookmark(tape, "");
	if (!mark) {
		monitor_say(monitor, "there are %d bookmarks already\n", GDB_MAX_BOOKMARKS);
		return;
	}
	snprintf(mark->name, sizeof(mark->name), "%s", monitor->words[1]);
	mark->n = timeline_tell(tape->timeline);
	monitor_say(monitor, "%s is @%llu\n", mark->name, (unsigned long long)mark->n);
}

/* gdb reads all code as 64-bit code; and in other modes RIP alone is no linear address. */
void monitor_code(struct monitor *monitor)
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
		monitor_say(monitor, "the tape does not tell where the code here is\n");
		return;
	}
	known = gdb_tape_read_memory(tape, thread, base + rip, code, sizeof(code));
	if (!known) {
		monitor_say(monitor, "the tape does not have the code here\n");
		return;
	}
	disasm_text(code, known, (enum disasm_mode)bits, rip, text);
	monitor_say(monitor, "0x%llx  %s  (%llu-bit code)\n", (unsigned long long)rip, text,
		    (unsigned long long)bits);
}

/* --- watches and memory ----------------------------------------------------------------------- */

static void list_watches(struct monitor *monitor)
{
	for (unsigned i = 0; i < GDB_MAX_WATCHES; i++)
		if (monitor->tape->watches[i].id)
			monitor_say(monitor, "%s\n",
				    vmcs_fields[monitor->tape->watches[i].field].name);
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
		monitor_say(monitor, "no VMCS field '%s'; 'monitor vmcs' has their names\n",
			    monitor->words[1]);
	return field;
}

void monitor_watch(struct monitor *monitor)
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
		monitor_say(monitor, "no more can be watched\n");
		return;
	}
	*watch = (struct gdb_tape_watch){ .id = id, .field = how.field };
	monitor_say(monitor, "%s of any VMCS is watched; for gdb it is memory at 0x%llx\n",
		    vmcs_fields[how.field].name,
		    (unsigned long long)(GDB_VMCS_WINDOW + 8ull * vmcs_fields[how.field].encoding));
}

void monitor_unwatch(struct monitor *monitor)
{
	const bool all = monitor->count > 1 && !strcmp(monitor->words[1], "all");
	const int field = monitor->count > 1 && !all ? field_of(monitor) : -1;

	if (monitor->count < 2)
		monitor_say(monitor, "which? a field, or 'all'\n");
	for (unsigned i = 0; i < GDB_MAX_WATCHES; i++) {
		struct gdb_tape_watch *const watch = &monitor->tape->watches[i];

		if (watch->id && (all || (field >= 0 && watch->field == field))) {
			timeline_break_remove(monitor->tape->timeline, watch->id);
			watch->id = 0;
		}
	}
}

void monitor_phys(struct monitor *monitor)
{
	static const char *const names[] = { "off", "l1", "l2" };

	for (unsigned i = 0; monitor->count > 1 && i < ARRAY_SIZE(names); i++)
		if (!strcmp(monitor->words[1], names[i]))
			monitor->tape->phys = (enum gdb_phys)i;
	monitor_say(monitor, "%s\n",
		    monitor->tape->phys == GDB_PHYS_OFF	 ? "addresses are linear ones of the thread"
		    : monitor->tape->phys == GDB_PHYS_L1 ? "addresses are physical ones of L1"
							 : "addresses are physical ones of L2");
}

void monitor_stack(struct monitor *monitor)
{
	if (monitor->count > 1)
		monitor->tape->old_stack = !strcmp(monitor->words[1], "old");
	monitor_say(monitor, "%s\n",
		    monitor->tape->old_stack ? "stack is as it was seen last, which may be long ago"
					     : "stack is what the tape holds as it is now");
}

/* A number, a register as in gdb, or a symbol of the thread's level. */
static bool address_of(struct gdb_tape *tape, struct gdb_thread thread, const char *word,
		       u64 *address)
{
	const struct symbol *symbol;
	char *end;

	if (*word == '$') {
		word = !strcmp(word, "$pc") ? "$rip" : !strcmp(word, "$sp") ? "$rsp" : word;
		for (unsigned i = 0; i < GDB_REG_COUNT; i++)
			if (!strcmp(gdb_reg_info(i).name, word + 1))
				return gdb_tape_read_register(tape, thread, i, address);
		return false;
	}
	*address = strtoull(word, &end, 0);
	if (*word && !*end)
		return true;
	symbol = symbols_named(reader_names(timeline_reader(tape->timeline))->symbols, thread.level,
			       word);
	if (symbol)
		*address = symbol->address;
	return symbol;
}

void monitor_walk(struct monitor *monitor)
{
	struct gdb_tape *const tape = monitor->tape;
	struct gdb_thread thread = gdb_tape_current(tape);
	struct memory_walk walk;
	char text[MEMORY_TEXT_MAX];
	u64 address;

	if (monitor->count > 2 && strcmp(monitor->words[2], "l1") &&
	    strcmp(monitor->words[2], "l2")) {
		monitor_say(monitor, "whose address? l1 or l2\n");
		return;
	}
	if (monitor->count > 2)
		thread.level = (u8)(monitor->words[2][1] - '0');
	if (!address_of(tape, thread, monitor->count > 1 ? monitor->words[1] : "", &address)) {
		monitor_say(monitor, "which address? a number, a register such as $pc that is "
				     "known, or a symbol\n");
		return;
	}
	if (memory_walk(tape->timeline, thread.cpu, gdb_tape_space(tape, thread), address, &walk) !=
	    ST_OK) {
		monitor_say(monitor, "interrupted\n");
		return;
	}
	for (unsigned i = 0; i < walk.count; i++) {
		memory_step_text(&walk.steps[i], text, sizeof(text));
		monitor_say(monitor, "%s\n", text);
	}
	memory_walk_text(&walk, text, sizeof(text));
	monitor_say(monitor, "%s\n", text);
}

/* Breakpoints there are met where gdb expects them. */
static void say_events(struct monitor *monitor, u8 level, u64 address)
{
	u64 addresses[GDB_MAX_EVENT_ADDRESSES];
	const unsigned count = gdb_tape_event_addresses(monitor->tape, level, address, addresses);

	monitor_say(monitor, count ? "   events at" : "   no events in it");
	for (unsigned i = 0; i < count; i++)
		monitor_say(monitor, " 0x%llx", (unsigned long long)addresses[i]);
	monitor_say(monitor, count == GDB_MAX_EVENT_ADDRESSES ? ", and maybe more\n" : "\n");
}

void monitor_symbol(struct monitor *monitor)
{
	const struct symbols *const symbols =
		reader_names(timeline_reader(monitor->tape->timeline))->symbols;
	const char *const name = monitor->count > 1 ? monitor->words[1] : "";
	char text[SYMBOLS_MAX_NAME], *end;
	const u64 address = strtoull(name, &end, 0);
	bool found = false;

	for (unsigned level = 1; level <= GDB_LEVELS && symbols; level++) {
		const struct symbol *const symbol =
			*end ? symbols_named(symbols, level, name) : NULL;

		if (symbol) {
			monitor_say(monitor, "L%u 0x%llx %s\n", level,
				    (unsigned long long)symbol->address, symbol->name);
			say_events(monitor, (u8)level, symbol->address);
		} else if (!*end && *name && symbols_text(symbols, level, address, text)) {
			monitor_say(monitor, "L%u 0x%llx %s\n", level, (unsigned long long)address,
				    text);
		} else {
			continue;
		}
		found = true;
	}
	if (!found)
		monitor_say(monitor, "no symbol '%s'%s\n", name,
			    symbols ? "" : "; give vmxtape gdb --symbols l1=FILE");
}

static void say_module(struct monitor *monitor, const struct symbols_file *file)
{
	monitor_say(monitor, "add-symbol-file '%s'", file->path);
	for (size_t i = 0; i < file->section_count; i++)
		monitor_say(monitor, " -s %s 0x%llx", file->sections[i].name,
			    (unsigned long long)file->sections[i].address);
	monitor_say(monitor, "\n");
}

void monitor_files(struct monitor *monitor)
{
	const struct symbols_file *files;
	const size_t count = symbols_files(
		reader_names(timeline_reader(monitor->tape->timeline))->symbols, &files);

	for (size_t i = 0; i < count; i++) {
		if (files[i].level != (i ? files[i - 1].level : 1))
			monitor_say(monitor, "inferior %u\n", files[i].level);
		if (files[i].section_count)
			say_module(monitor, &files[i]);
		else if (files[i].distance)
			monitor_say(monitor, "symbol-file -o 0x%llx '%s'\n",
				    (unsigned long long)files[i].distance, files[i].path);
		else
			monitor_say(monitor, "file '%s'\n", files[i].path);
	}
	if (!count)
		monitor_say(monitor, "no files: give vmxtape gdb --symbols l1=FILE\n");
}
