/*
 * cli/bochs_text.h - what the debugger of Bochs prints, as numbers
 *
 * It comes mixed with bytes of the guest's, which may be any.
 */
#ifndef CLI_BOCHS_TEXT_H
#define CLI_BOCHS_TEXT_H

#include "base/base.h"

/* Begins each line that asks for a command. */
#define BOCHS_PROMPT   "<bochs:"

/* Bytes that Bochs says at most of a stop, with the prompt. */
#define BOCHS_MAX_STOP 1024

/* Why a run stopped; several may hold. */
enum {
	DEBUGGER_AT_TIME = 1,
	DEBUGGER_AT_BREAK = 2,
	DEBUGGER_AT_EXIT = 4,  /* a VM exit was just done */
	DEBUGGER_AT_WATCH = 8, /* the last instruction did what is watched */
	DEBUGGER_EARLY = DEBUGGER_AT_BREAK | DEBUGGER_AT_EXIT | DEBUGGER_AT_WATCH,
};

struct debugger_place {
	u64 tick; /* of the next instruction, since power-on */
	u64 rip;
	u64 physical; /* where that instruction is; all ones: nowhere, and @rip is not told either
		       */
	unsigned why; /* DEBUGGER_AT_* of the run that led here */
	u64 linear;   /* address of the break, for DEBUGGER_AT_BREAK */
	u64 watched;  /* address of the watch, for DEBUGGER_AT_WATCH */
	unsigned cpu; /* whose next instruction it is */
	u64 round;    /* a tick that each processor has reached, and none is far behind */
};

/* Where a processor stands by the last lines of @text. False: that is not told. */
bool bochs_text_place(const char *text, size_t length, struct debugger_place *place);

/* The same, where bochs_rounds.c says it. */
bool bochs_text_rounds_place(const char *text, size_t length, struct debugger_place *place);

/*
 * Where in @text, up to the prompt behind a run, Bochs begins to say that it has stopped: before
 * that come the guest's bytes. @length: it does not say so.
 */
size_t bochs_text_stop(const char *text, size_t length);

/* A register of 64 bits, such as "rip", in the answer to "r". False: it is not there. */
bool bochs_text_register(const char *text, const char *name, u64 *value);

/* The words in the answer to "xp /COUNTgx ADDRESS": how many were found. */
size_t bochs_text_words(const char *text, u64 *words, size_t count);

/* The value of "KEY = VALUE", hexadecimal behind 0x, in the answer to "show NAME". */
bool bochs_text_parameter(const char *text, const char *key, u64 *value);

#endif
