/*
 * replay/boot_record.h - the boot record of a CPU, gathered from the events of its pinned head
 */
#ifndef REPLAY_BOOT_RECORD_H
#define REPLAY_BOOT_RECORD_H

#include "replay/reader.h"

struct boot_record {
	struct reader_boot boot;
	struct ev_capability *capabilities;
	struct ev_cpuid *cpuids;
	struct ev_memory *memory;
};

/* Takes what @event tells; other kinds are passed over. ST_NO_MEMORY. */
enum status boot_record_add(struct boot_record *record, const struct trace_event *event);
void boot_record_free(struct boot_record *record);

#endif
