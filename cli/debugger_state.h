/*
 * cli/debugger_state.h - registers and memory of the machine in a Bochs
 */
#ifndef CLI_DEBUGGER_STATE_H
#define CLI_DEBUGGER_STATE_H

#include "cli/bochs_debugger.h"

/* From here on places are those of processor @cpu: behind the next run. */
enum status debugger_look(struct debugger *debugger, unsigned cpu);

/* All registers of processor @cpu, as registers_from_text() takes them, into @to. */
enum status debugger_read_registers(struct debugger *debugger, unsigned cpu, char *to, size_t size);

/* Whether processor @cpu is in a guest: no hypervisor runs on it. ST_IO, ST_NOT_FOUND. */
enum status debugger_in_guest(struct debugger *debugger, unsigned cpu, bool *in_guest);

/* All physical memory into file @path. */
enum status debugger_write_memory(struct debugger *debugger, const char *path);

#endif
