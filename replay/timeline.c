#include "replay/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/model_hash.h"
#include "replay/timeline_parts.h"

#define WINDOW	   4096	 /* events that are looked at first to find the one before */
#define POLL_EVERY 65536 /* events */

/* --- opening ---------------------------------------------------------------------------------- */

void timeline_take_event(struct timeline *timeline)
{
	timeline->n = reader_tell(timeline->reader);
	if (reader_next(timeline->reader, &timeline->event) != ST_OK)
		timeline->event = NULL;
	timeline->moves++;
}

/* Takes over @made with its readers, or what became of them. */
static enum status start(struct timeline *made, enum status status, struct timeline **timeline,
			 char *error, size_t size)
{
	if (status == ST_OK) {
		made->model = model_new();
		if (made->model) {
			timeline_take_event(made);
			*timeline = made;
			return ST_OK;
		}
		snprintf(error, size, "'%s': %s", reader_info(made->reader)->path,
			 status_text(ST_NO_MEMORY));
		status = ST_NO_MEMORY;
	}
	timeline_close(made);
	return status;
}

static struct timeline *new_timeline(const char *name, char *error, size_t size)
{
	struct timeline *const timeline = calloc(1, sizeof(*timeline));

	if (timeline)
		timeline->interval = INDEX_INTERVAL;
	else
		snprintf(error, size, "'%s': %s", name, status_text(ST_NO_MEMORY));
	return timeline;
}

enum status timeline_open(const char *path, struct timeline **timeline, char *error, size_t size)
{
	struct timeline *const made = new_timeline(path, error, size);
	enum status status;

	*timeline = NULL;
	if (!made)
		return ST_NO_MEMORY;
	made->path = strdup(path);
	status = reader_open(path, &made->reader, error, size);
	if (status == ST_OK)
		status = reader_open(path, &made->look, error, size);
	return start(made, status, timeline, error, size);
}

enum status timeline_open_memory(const char *name, const void *bytes, size_t size,
				 struct timeline **timeline, char *error, size_t error_size)
{
	struct timeline *const made = new_timeline(name, error, error_size);
	enum status status;

	*timeline = NULL;
	if (!made)
		return ST_NO_MEMORY;
	status = reader_open_memory(name, bytes, size, &made->reader, error, error_size);
	if (status == ST_OK)
		status = reader_open_memory(name, bytes, size, &made->look, error, error_size);
	return start(made, status, timeline, error, error_size);
}

void timeline_close(struct timeline *timeline)
{
	if (!timeline)
		return;
	memory_state_free(timeline->memory);
	check_free(timeline->check);
	model_free(timeline->model);
	stride_free(timeline->stride);
	timeline_drop_index(timeline, INDEX_NONE);
	reader_close(timeline->look);
	reader_close(timeline->reader);
	free(timeline->path);
	free(timeline);
}

/* --- the cursor ------------------------------------------------------------------------------- */

struct reader *timeline_reader(struct timeline *timeline)
{
	return timeline->look;
}

u64 timeline_events(const struct timeline *timeline)
{
	return reader_info(timeline->reader)->events;
}

u64 timeline_tell(const struct timeline *timeline)
{
	return timeline->n;
}

u64 timeline_moves(const struct timeline *timeline)
{
	return timeline->moves;
}

const struct trace_event *timeline_event(struct timeline *timeline)
{
	return timeline->event;
}

const struct model *timeline_model(struct timeline *timeline)
{
	return timeline->model;
}

u64 timeline_hash(struct timeline *timeline)
{
	return model_hash(timeline->model) * 31 + timeline->n;
}

const struct cpu_facts *timeline_cpu_facts(struct timeline *timeline)
{
	const u16 cpu = timeline->event ? timeline->event->cpu : 0;
	const struct reader_boot *const boot = reader_boot(timeline->reader, cpu);

	timeline->cpu_facts = (struct cpu_facts){ 0 };
	for (unsigned i = 0; i < boot->cpuid_count; i++)
		cpu_facts_add(&timeline->cpu_facts, (u32)boot->cpuids[i].leaf,
			      (u32)boot->cpuids[i].subleaf, boot->cpuids[i].shown_ab,
			      boot->cpuids[i].shown_cd);
	return &timeline->cpu_facts;
}

/* --- looking ---------------------------------------------------------------------------------- */

void timeline_on_poll(struct timeline *timeline, bool (*poll)(void *owner, u64 done, u64 total),
		      void *owner)
{
	timeline->poll = poll;
	timeline->poll_owner = owner;
}

enum status timeline_before(struct timeline *timeline, u64 n, u64 *before)
{
	struct reader *const reader = timeline->look;
	const struct trace_event *event;

	for (u64 window = WINDOW;; window *= 4) {
		const u64 first = n > window ? n - window : 0;
		enum status status = reader_seek(reader, first);
		u64 at;

		if (status != ST_OK)
			return status;
		*before = n;
		while ((at = reader_tell(reader)) < n && reader_next(reader, &event) == ST_OK)
			*before = at;
		/* Else it is the gap of a block that is larger than the window. */
		if (*before < n || !first)
			return ST_OK;
	}
}

static enum status make_findings(struct timeline *timeline, struct check *check)
{
	struct reader *const reader = timeline->look;
	const u64 events = timeline_events(timeline);
	const struct trace_event *event;
	enum status status = reader_seek(reader, 0);
	u64 n, polled = 0;

	while (status == ST_OK && (n = reader_tell(reader)) < events &&
	       reader_next(reader, &event) == ST_OK) {
		status = check_event(check, event, n);
		if (n - polled >= POLL_EVERY) {
			polled = n;
			if (timeline_interrupted(timeline, n, events))
				status = ST_INTERRUPTED;
		}
	}
	if (status == ST_OK)
		check_end(check);
	return status;
}

enum status timeline_findings(struct timeline *timeline, const struct findings **findings)
{
	enum status status;
	struct check *check;

	if (!timeline->check) {
		check = check_new(reader_info(timeline->look)->path);
		if (!check)
			return ST_NO_MEMORY;
		status = make_findings(timeline, check);
		if (status != ST_OK) {
			check_free(check);
			return status;
		}
		timeline->check = check;
	}
	*findings = check_findings(timeline->check);
	return ST_OK;
}

bool timeline_finding_place(const struct finding *finding, u64 *n)
{
	*n = 0;
	for (unsigned i = 0; i < finding->evidence_count; i++)
		*n = MAX(*n, finding->evidence[i].n);
	return finding->evidence_count;
}

/* For history_skip(). */
struct writer_search {
	const struct timeline_index *index;
	u64 interval; /* those below were not looked at */
	u32 region;
	bool known; /* the tape has that VMCS */
	int field;
};

static bool may_write(const struct writer_search *search, u64 i)
{
	if (search->known)
		return index_may_write(search->index, i, &search->region, search->field);
	return index_at(search->index, i)->flags & (INDEX_GAP | INDEX_UNSURE);
}

static bool interval_before(void *owner, u64 *first, u64 *end)
{
	struct writer_search *const search = owner;

	for (; search->interval; search->interval--) {
		const u64 i = search->interval - 1;

		if (index_at(search->index, i)->mark[0] >= *end || !may_write(search, i))
			continue;
		*first = index_at(search->index, i)->mark[0];
		*end = MIN(*end, index_begin(search->index, i + 1, *end));
		search->interval--;
		return true;
	}
	return false;
}

enum status timeline_history(struct timeline *timeline, u64 vmcs, int index, u64 n,
			     struct history **history)
{
	struct writer_search *search;
	const struct timeline_index *known;
	enum status status = timeline_get_index(timeline, &known);

	*history = NULL;
	if (status != ST_OK)
		return status;
	*history = history_new(timeline->look, vmcs, index, n);
	if (!*history)
		return ST_NO_MEMORY;
	if (!known)
		return ST_OK;
	search = malloc(sizeof(*search));
	if (!search) {
		history_free(*history);
		*history = NULL;
		return ST_NO_MEMORY;
	}
	*search = (struct writer_search){
		.index = known,
		.interval = index_find(known, n) + 1,
		.field = index,
	};
	search->known = index_region(known, vmcs, &search->region);
	history_skip(*history, interval_before, search);
	return ST_OK;
}

enum status timeline_last_writer(struct timeline *timeline, u64 vmcs, int index, u64 n,
				 struct history_write *write)
{
	struct history *history;
	enum status status = timeline_history(timeline, vmcs, index, n, &history);

	if (status == ST_OK)
		status = history_next(history, write);
	history_free(history);
	return status == ST_END ? ST_NOT_FOUND : status;
}
