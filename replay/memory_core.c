#include "replay/memory_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END	 ".vxt"
#define MAX_PATH 4096
#define MAX_HEAD 80

struct memory_core {
	u64 n;
	struct core_file *file; /* NULL: there is none */
};

bool memory_core_path(const char *path, u64 n, char *to, size_t size)
{
	const size_t length = strlen(path), end = sizeof(END) - 1;
	const bool has_end = length > end && !strcmp(path + length - end, END);

	return (size_t)snprintf(to, size, "%.*s@%llu.core", (int)(has_end ? length - end : length),
				path, (unsigned long long)n) < size;
}

void memory_core_head(const struct reader *reader, u64 n, char *to, size_t size)
{
	snprintf(to, size, "tape %08x\nn %llu\n", reader_fingerprint(reader),
		 (unsigned long long)n);
}

static struct core_file *open_core(struct timeline *timeline, u64 n)
{
	struct reader *const reader = timeline_reader(timeline);
	char path[MAX_PATH], head[MAX_HEAD];
	struct core_file *file;

	if (!memory_core_path(reader_info(reader)->path, n, path, sizeof(path)) ||
	    core_file_open(path, &file) != ST_OK)
		return NULL;
	memory_core_head(reader, n, head, sizeof(head));
	if (!strncmp(core_file_note(file), head, strlen(head)))
		return file;
	core_file_close(file);
	return NULL;
}

const struct core_file *memory_core_at(struct timeline *timeline, struct memory_core **core)
{
	const u64 n = timeline_tell(timeline);

	if (*core && (*core)->n == n)
		return (*core)->file;
	memory_core_free(*core);
	*core = malloc(sizeof(**core));
	if (!*core)
		return NULL;
	**core = (struct memory_core){ n, open_core(timeline, n) };
	return (*core)->file;
}

void memory_core_free(struct memory_core *core)
{
	if (!core)
		return;
	core_file_close(core->file);
	free(core);
}
