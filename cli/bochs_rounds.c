/*
 * cli/bochs_rounds.c - loaded into Bochs too: stops a machine of several processors anywhere
 *
 * Bochs lets its processors run one behind the other, a few instructions each: that is a round, and
 * each has a turn in it. Time goes on behind a round, by as many ticks as the longest turn had
 * instructions. The loop of Bochs's debugger stops between rounds only. A break ends a turn early
 * there, and from then on the machine goes another way; breaks where a turn has just ended are
 * passed over, and time breakpoints never stop. So this is that loop once more, but one that stops
 * inside of a turn, and goes on with the rest of it.
 *
 * Commands and answers are those of cli/bochs.h. What Bochs exports has names; where the members of
 * its objects are is known of the builds that are listed here.
 */
#include "cli/bochs_rounds.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bochs.h"
#include "cli/bochs_text.h"

#define MAX_CPUS     256 /* Bochs counts them in a byte */
#define MODE_LONG_64 4
#define ID_SIZE	     20
#define PAGE	     4096

/* Its stop reasons. */
enum { STOP_READ = 2, STOP_WRITE = 3, STOP_EXIT = 6, STOP_HALTED = 7 };
/* What it guards for. */
enum { GUARD_COUNT = 0x10 };

#define BOCHS(name) __asm__(name) __attribute__((weak))
extern u8 **bochs_cpus BOCHS("bx_cpu_array");
extern u8 bochs_cpu_count BOCHS("bx_cpu_count");
extern unsigned bochs_debugged BOCHS("dbg_cpu");
extern u8 bochs_guard[] BOCHS("bx_guard");
extern u8 bochs_clock[] BOCHS("bx_pc_system");
void bochs_run(u8 *cpu) BOCHS("_ZN8BX_CPU_C8cpu_loopEv");
void bochs_timers(u8 *clock) BOCHS("_ZN14bx_pc_system_c14countdownEventEv");
bool bochs_translate(u8 *cpu, u64 linear, u64 *physical, u64 *mask, bool verbose)
	BOCHS("_ZN8BX_CPU_C20dbg_xlate_linear2phyEmPmS0_b");
bool bochs_read(u8 *cpu, u64 physical, unsigned size, u8 *to)
	BOCHS("_ZN8BX_MEM_C13dbg_fetch_memEP8BX_CPU_CmjPh");

/* --- where the members are -------------------------------------------------------------------- */

struct layout {
	u8 id[ID_SIZE]; /* of the build */
	/* of a processor */
	size_t rip, count, cs_base, mode, watched, reason, stops_at_exits, found, most, linear;
	/* of the guard */
	size_t interrupted, break_count, breaks, break_size;
	/* of the clock: ticks until the next timer, from the last one to that, up to the last one
	 */
	size_t left, period, ticks;
};

static const struct layout layouts[] = {
	/* 2.7+dfsg-4+deb12u1, amd64 */
	{
		.id = { 0x6e, 0x89, 0xe0, 0xc0, 0x7c, 0x09, 0x6a, 0xb3, 0x05, 0xb6,
			0x8e, 0xb0, 0xbf, 0x69, 0xc4, 0xae, 0xb7, 0x88, 0xd1, 0x0d },
		.rip = 0xd8,
		.count = 0x130,
		.cs_base = 0x180,
		.mode = 0x93c0,
		.watched = 0x9430,
		.reason = 0x943a,
		.stops_at_exits = 0x943f,
		.found = 0x9448,
		.most = 0x9450,
		.linear = 0x9468,
		.interrupted = 0x520,
		.break_count = 0x210,
		.breaks = 0x218,
		.break_size = 0x18,
		.left = 0x1638,
		.period = 0x163c,
		.ticks = 0x1640,
	},
};

static const struct layout *layout;

static const u8 *find_id(const u8 *notes, size_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t name, text;

		memcpy(&note, notes, sizeof(note));
		name = sizeof(note);
		text = name + (note.n_namesz + 3u) / 4 * 4;
		if (text + note.n_descsz > size)
			return NULL;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz == ID_SIZE)
			return notes + text;
		text += (note.n_descsz + 3u) / 4 * 4;
		notes += MIN(text, size);
		size -= MIN(text, size);
	}
	return NULL;
}

/* The program itself is the first one of all. */
static int find_layout(struct dl_phdr_info *info, size_t size, void *to)
{
	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *const part = &info->dlpi_phdr[i];
		const u8 *const id = part->p_type == PT_NOTE
					     ? find_id((const u8 *)info->dlpi_addr + part->p_vaddr,
						       part->p_memsz)
					     : NULL;

		for (size_t k = 0; id && k < ARRAY_SIZE(layouts); k++)
			if (!memcmp(layouts[k].id, id, ID_SIZE))
				*(const struct layout **)to = &layouts[k];
	}
	return 1;
}

static bool know_layout(void)
{
	if (!layout && &bochs_cpus)
		dl_iterate_phdr(find_layout, &layout);
	return layout;
}

static u64 *long_at(u8 *object, size_t offset)
{
	return (u64 *)(void *)(object + offset);
}

static u32 *word_at(u8 *object, size_t offset)
{
	return (u32 *)(void *)(object + offset);
}

static u64 instructions(unsigned cpu)
{
	return *long_at(bochs_cpus[cpu], layout->count);
}

/* --- rounds ----------------------------------------------------------------------------------- */

struct reason {
	unsigned why; /* DEBUGGER_AT_* */
	u64 address;  /* of the watch */
};

static struct {
	unsigned turn; /* whose it is */
	bool begun;
	u64 start;   /* what that processor had executed before */
	u64 longest; /* turn of the round so far */
	/* Of the last instruction of a turn: it is told where the next turn begins. */
	struct reason late[MAX_CPUS];
} rounds;

struct goal {
	unsigned cpu;	/* whose places count; in the end, the one that stopped */
	u64 tick;	/* the first place there or behind; all ones: none */
	u64 count;	/* behind so many instructions; 0: any number */
	unsigned stops; /* DEBUGGER_AT_* that count */
	bool all;	/* those of all processors do */
	unsigned exits; /* whose exits stop it, then */
};

static u64 ticks(void)
{
	return *long_at(bochs_clock, layout->ticks) + *word_at(bochs_clock, layout->period) -
	       *word_at(bochs_clock, layout->left);
}

static void pass_time(u32 count)
{
	u32 *const left = word_at(bochs_clock, layout->left);

	while (count >= *left) {
		count -= *left;
		*left = 0;
		bochs_timers(bochs_clock);
	}
	*left -= count;
}

static bool is_break(u64 linear)
{
	const u32 count = *word_at(bochs_guard, layout->break_count);

	for (u32 i = 0; i < count; i++)
		if (*long_at(bochs_guard, layout->breaks + i * layout->break_size) == linear)
			return true;
	return false;
}

/* In the turn that is going on. */
static u64 turn_length(void)
{
	return rounds.begun ? instructions(rounds.turn) - rounds.start : 0;
}

static void end_turn(void)
{
	const u64 length = turn_length();

	if (length >= BOCHS_QUANTUM && is_break(*long_at(bochs_cpus[rounds.turn], layout->linear)))
		rounds.late[rounds.turn].why |= DEBUGGER_AT_BREAK;
	rounds.longest = MAX(rounds.longest, length);
	rounds.begun = false;
	if (++rounds.turn < bochs_cpu_count)
		return;
	pass_time((u32)MAX(rounds.longest, 1ull));
	rounds.turn = 0;
	rounds.longest = 0;
}

/* On with the turn, up to @most instructions of it, or to where it stops. */
static struct reason go_on(u64 most)
{
	u8 *const cpu = bochs_cpus[rounds.turn];
	struct reason reason = { 0 };

	if (!rounds.begun)
		rounds.start = instructions(rounds.turn);
	rounds.begun = true;
	*word_at(bochs_guard, 0) |= GUARD_COUNT;
	*word_at(cpu, layout->found) = 0;
	*long_at(cpu, layout->most) = rounds.start + most;
	bochs_run(cpu);
	if (*word_at(cpu, layout->found))
		reason.why |= DEBUGGER_AT_BREAK;
	switch (cpu[layout->reason]) {
	case STOP_READ:
	case STOP_WRITE:
		reason.why |= DEBUGGER_AT_WATCH;
		reason.address = *long_at(cpu, layout->watched);
		break;
	case STOP_EXIT:
		reason.why |= DEBUGGER_AT_EXIT;
		cpu[layout->reason] = 0;
		break;
	}
	return reason;
}

/* A SIPI makes the one exit that waits for it, in the turn of the one that sends it. */
static bool others_exit(void)
{
	bool found = false;

	for (unsigned i = 0; i < bochs_cpu_count; i++) {
		u8 *const reason = &bochs_cpus[i][layout->reason];

		if (i == rounds.turn || *reason != STOP_EXIT)
			continue;
		rounds.late[i].why |= DEBUGGER_AT_EXIT;
		*reason = 0;
		found = true;
	}
	return found;
}

/* Ctrl-C, and what Bochs does behind a VM exit that shall stop it. */
static bool take_interrupt(const struct reason *reason)
{
	volatile u8 *const flag = bochs_guard + layout->interrupted;
	const bool set = *flag;

	*flag = 0;
	return set && !(reason->why & DEBUGGER_AT_EXIT) && !others_exit();
}

static u64 place_tick(void)
{
	return ticks() + turn_length();
}

/* How many instructions the turn may have until the goal is there. */
static u64 turn_most(const struct goal *goal, u64 first)
{
	u64 most = BOCHS_QUANTUM;

	if (rounds.turn != goal->cpu)
		return most;
	most = MIN(most, goal->tick - ticks());
	return goal->count
		       ? MIN(most, turn_length() + goal->count - (instructions(goal->cpu) - first))
		       : most;
}

/* What there is to tell where a turn begins. */
static struct reason take_late(void)
{
	struct reason *const late = &rounds.late[rounds.turn];
	struct reason reason = { 0 };

	if (rounds.begun)
		return reason;
	reason = *late;
	*late = (struct reason){ 0 };
	return reason;
}

static struct reason run(struct goal *goal)
{
	const u64 first = instructions(goal->cpu);
	bool interrupted = false;

	for (;;) {
		const bool counts = rounds.turn == goal->cpu || goal->all;
		struct reason reason = take_late();

		if (rounds.turn == goal->cpu &&
		    (interrupted || place_tick() >= goal->tick ||
		     (goal->count && instructions(goal->cpu) - first >= goal->count)))
			return reason;
		if (counts && reason.why & goal->stops) {
			goal->cpu = rounds.turn;
			return reason;
		}
		/* INIT makes a processor forget it. */
		bochs_cpus[goal->exits][layout->stops_at_exits] = goal->stops & DEBUGGER_AT_EXIT;
		reason = go_on(turn_most(goal, first));
		interrupted |= take_interrupt(&reason);
		if (turn_length() >= BOCHS_QUANTUM) {
			rounds.late[rounds.turn] = reason;
		} else if (counts && reason.why & goal->stops) {
			goal->cpu = rounds.turn;
			return reason;
		}
		if (turn_length() >= BOCHS_QUANTUM ||
		    bochs_cpus[rounds.turn][layout->reason] == STOP_HALTED)
			end_turn();
	}
}

/* --- commands --------------------------------------------------------------------------------- */

static void say_place(unsigned number, const struct reason *reason)
{
	u8 *const cpu = bochs_cpus[number];
	const u64 rip = *long_at(cpu, layout->rip);
	const u64 linear = *word_at(cpu, layout->mode) == MODE_LONG_64
				   ? rip
				   : (u32)(rip + *long_at(cpu, layout->cs_base));
	u64 physical, mask;

	if (!bochs_translate(cpu, linear, &physical, &mask, false))
		physical = ~0ull;
	printf(BOCHS_PLACE "%u %llu %llu %llx %llx %llx %u %llx\n", number,
	       (unsigned long long)ticks(), (unsigned long long)place_tick(),
	       (unsigned long long)rip, (unsigned long long)physical, (unsigned long long)linear,
	       reason->why, (unsigned long long)reason->address);
}

static void run_command(const char *arguments)
{
	unsigned long long tick, count;
	struct goal goal;
	struct reason reason;
	unsigned all;

	if (!know_layout() ||
	    sscanf(arguments, "%u %llu %llu %u %u %u", &goal.cpu, &tick, &count, &goal.stops, &all,
		   &goal.exits) != 6 ||
	    goal.cpu >= bochs_cpu_count || goal.exits >= bochs_cpu_count) {
		puts(BOCHS_UNKNOWN);
		return;
	}
	goal.tick = tick;
	goal.count = count;
	goal.all = all;
	reason = run(&goal);
	bochs_debugged = goal.cpu;
	say_place(goal.cpu, &reason);
}

static void look_command(const char *arguments)
{
	const unsigned long cpu = strtoul(arguments, NULL, 10);

	if (cpu < bochs_cpu_count)
		bochs_debugged = (unsigned)cpu;
}

/* All physical memory, up to where it ends. */
static void memory_command(const char *path)
{
	FILE *const file = fopen(path, "we");
	u8 page[PAGE];

	for (u64 at = 0; file && bochs_read(bochs_cpus[0], at, PAGE, page); at += PAGE)
		if (fwrite(page, PAGE, 1, file) != 1)
			break;
	if (file)
		fclose(file);
}

bool bochs_rounds_command(const char *line)
{
	static const struct {
		const char *begin;
		void (*run)(const char *arguments);
	} commands[] = {
		{ BOCHS_RUN, run_command },
		{ BOCHS_LOOK, look_command },
		{ BOCHS_MEMORY, memory_command },
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const size_t length = strlen(commands[i].begin);

		if (strncmp(line, commands[i].begin, length))
			continue;
		commands[i].run(line + length);
		return true;
	}
	return false;
}
