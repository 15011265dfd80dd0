#include "replay/boot_record.h"

#include <stdlib.h>
#include <string.h>

/* Appends @size bytes at @row to the array at *@rows, which has @count of them. */
static enum status add_row(void *rows, unsigned *count, const void *row, size_t size)
{
	void *old, *more;

	memcpy(&old, rows, sizeof(old));
	more = realloc(old, (*count + 1) * size);
	if (!more)
		return ST_NO_MEMORY;
	memcpy((u8 *)more + *count * size, row, size);
	memcpy(rows, &more, sizeof(more));
	(*count)++;
	return ST_OK;
}

static enum status set_text(struct reader_boot *boot, const struct trace_event *event)
{
	const struct ev_option *const option = (const struct ev_option *)event->col;

	if (option->what >= ARRAY_SIZE(boot->texts) || boot->texts[option->what])
		return ST_OK;
	boot->texts[option->what] = strndup((const char *)event->bytes, event->byte_count);
	return boot->texts[option->what] ? ST_OK : ST_NO_MEMORY;
}

static void set_processor(struct reader_boot *boot, const struct trace_event *event)
{
	const size_t length = MIN(event->byte_count, sizeof(boot->hv_version) - 1);

	boot->present = true;
	memcpy(&boot->processor, event->col, sizeof(boot->processor));
	memcpy(boot->hv_version, event->bytes, length);
	boot->hv_version[length] = 0;
}

enum status boot_record_add(struct boot_record *record, const struct trace_event *event)
{
	struct reader_boot *const boot = &record->boot;
	enum status status = ST_OK;

	switch (event->kind) {
	case EV_BOOT:
		set_processor(boot, event);
		break;
	case EV_CLOCK:
		memcpy(&boot->clock, event->col, sizeof(boot->clock));
		break;
	case EV_CAPABILITY:
		status = add_row(&record->capabilities, &boot->capability_count, event->col,
				 sizeof(struct ev_capability));
		break;
	case EV_CPUID:
		status = add_row(&record->cpuids, &boot->cpuid_count, event->col,
				 sizeof(struct ev_cpuid));
		break;
	case EV_MEMORY:
		status = add_row(&record->memory, &boot->memory_count, event->col,
				 sizeof(struct ev_memory));
		break;
	case EV_OPTION:
		status = set_text(boot, event);
		break;
	}
	boot->capabilities = record->capabilities;
	boot->cpuids = record->cpuids;
	boot->memory = record->memory;
	return status;
}

void boot_record_free(struct boot_record *record)
{
	for (unsigned i = 0; i < ARRAY_SIZE(record->boot.texts); i++)
		free((char *)record->boot.texts[i]);
	free(record->capabilities);
	free(record->cpuids);
	free(record->memory);
}
