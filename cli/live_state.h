/*
 * cli/live_state.h - what a machine tells at its place, and until it moves is asked for but once
 *
 * The callbacks of struct memory_machine; their owner is a struct live_machine.
 */
#ifndef CLI_LIVE_STATE_H
#define CLI_LIVE_STATE_H

#include "cli/live_machine.h"

/* Registers where it stands, those of the other processor @cpu, and bytes of physical memory. */
const char *live_state_registers(void *owner);
const char *live_state_others(void *owner, u16 cpu, u8 *level);
size_t live_state_memory(void *owner, u64 address, void *to, size_t size);

/* The machine has moved: everything is asked for anew. */
void live_state_forget(struct live_machine *live);

#endif
