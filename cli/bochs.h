/*
 * cli/bochs.h - an emulated machine with VMX: configuring, starting and stopping Bochs
 *
 * Bochs runs without a display, in a process group and (where the system allows it) a network of
 * its own, from a fixed date, so that the same image runs the same instructions each time.
 */
#ifndef CLI_BOCHS_H
#define CLI_BOCHS_H

#include <stdio.h>
#include <sys/types.h>

#include "base/base.h"

/* Firmware of the machine. */
#define BOCHS_BIOS     "/usr/share/bochs/BIOS-bochs-latest"
#define BOCHS_VGA_BIOS "/usr/share/vgabios/vgabios.bin"

/*
 * A line of the debugger's input that Bochs does not see: it is followed by "PATH PARENT"
 * (bochs_preload.c).
 */
#define BOCHS_COPY     "vmxtape-copy "

/*
 * More of them (bochs_rounds.c), for machines of several processors. RUN is followed by "CPU TICK
 * COUNT STOPS ALL EXITS": on to where processor CPU is before an instruction at TICK or behind, or
 * has executed COUNT (0: any number), or to what stops it (DEBUGGER_AT_*; exits are those of
 * processor EXITS), or with ALL any of them. The answer is PLACE and "CPU ROUND TICK RIP PHYSICAL
 * LINEAR WHY WATCHED", where ROUND is the tick at which all processors began their turns, and TICK
 * counts on in this one's; or UNKNOWN. LOOK and a number: commands are about that processor. MEMORY
 * and a path: all physical memory goes there.
 */
#define BOCHS_QUANTUM  5 /* instructions of a turn: what Bochs's debugger has */
#define BOCHS_RUN      "vmxtape-run "
#define BOCHS_LOOK     "vmxtape-look "
#define BOCHS_MEMORY   "vmxtape-memory "
#define BOCHS_PLACE    "vmxtape-place "
#define BOCHS_UNKNOWN  "vmxtape-unknown"

struct bochs_setup {
	const char *image;     /* the CD */
	const char *work;      /* folder for configuration, log and the serial pipe */
	const char *cpu_model; /* a name of `bochs --help cpu` */
	u64 cpus, mib, ips;
	bool errors; /* Bochs logs what it holds for errors of the guest */
	bool waits;  /* for commands, before the first instruction */
};

struct bochs {
	pid_t pid;
	int commands; /* write end: the debugger's input */
	int output;   /* read end: what the guest writes to port E9, and Bochs's own lines */
	int serial;   /* read end: the guest's COM1 */
	char *log;    /* path of Bochs's log */
	char *pipe;   /* path of the serial pipe, which no other program must open */
};

/* Why Bochs stopped, as far as its log tells. */
struct bochs_end {
	bool by_guest;	   /* the guest asked for it: hv's way to end */
	u64 ticks;	   /* time ticks since power-on, 0: unknown */
	char message[256]; /* Bochs's last words, "" when there are none */
};

/* Start Bochs. Dies, naming the package to install, when it or its BIOS is missing. */
void bochs_start(const struct bochs_setup *setup, struct bochs *bochs);

/* Ask Bochs to stop at the next instruction and to quit; it may take a moment. */
void bochs_stop(const struct bochs *bochs);

/*
 * Write the 32-bit word @value at physical address @address of the machine, which then goes on. It
 * is stopped, and given BOCHS_POKE_COMMANDS commands.
 */
#define BOCHS_POKE_COMMANDS 2
void bochs_poke(const struct bochs *bochs, u64 address, u32 value);

/* Kill it. The caller waits for it. */
void bochs_kill(const struct bochs *bochs);

/* Read the log of a Bochs that has ended, and remove its serial pipe. */
void bochs_read_end(const struct bochs *bochs, struct bochs_end *end);

#endif
