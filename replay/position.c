#include "replay/position.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/check.h"

#define MAX_POSITION	256
#define MAX_MARKED_CPUS 256

static enum status find_entry(struct reader *reader, u64 wanted, u64 *n)
{
	const struct trace_event *event;
	u64 count = 0;

	if (!wanted || reader_seek(reader, 0) != ST_OK)
		return ST_NOT_FOUND;
	for (;;) {
		*n = reader_tell(reader);
		if (reader_next(reader, &event) != ST_OK)
			return ST_NOT_FOUND;
		if (event->kind == EV_L2_ENTRY && ++count == wanted)
			return ST_OK;
	}
}

static u64 last_evidence(const struct finding *finding)
{
	u64 n = 0;

	for (unsigned i = 0; i < finding->evidence_count; i++)
		n = MAX(n, finding->evidence[i].n);
	return n;
}

static enum status find_finding(struct reader *reader, u64 wanted, u64 *n)
{
	struct check *const check = check_new("");
	enum status status =
		check ? check_tape(check, reader, 0, reader_info(reader)->events) : ST_NO_MEMORY;

	if (status == ST_OK) {
		const struct findings *const findings = check_findings(check);

		if (wanted && wanted <= findings->count)
			*n = last_evidence(findings->list[wanted - 1]);
		else
			status = ST_NOT_FOUND;
	}
	check_free(check);
	return status;
}

static enum status find_tsc(struct reader *reader, u64 tsc, u64 *n)
{
	const struct trace_event *event;

	if (reader_seek(reader, 0) != ST_OK)
		return ST_NOT_FOUND;
	for (;;) {
		*n = reader_tell(reader);
		if (reader_next(reader, &event) != ST_OK)
			return ST_NOT_FOUND;
		if (event->tsc >= tsc)
			return ST_OK;
	}
}

/* Marks of one text: the first of each CPU. */
struct mark_search {
	const char *text;
	unsigned count;
	struct {
		u16 cpu;
		u64 seq;
	} list[MAX_MARKED_CPUS];
};

static void visit_mark(void *owner, const struct trace_event *event)
{
	struct mark_search *const search = owner;

	if (event->byte_count != strlen(search->text) ||
	    memcmp(event->bytes, search->text, event->byte_count) ||
	    search->count == MAX_MARKED_CPUS ||
	    (search->count && search->list[search->count - 1].cpu == event->cpu))
		return;
	search->list[search->count].cpu = event->cpu;
	search->list[search->count++].seq = event->seq;
}

static enum status find_mark(struct reader *reader, const char *text, u64 *n)
{
	struct mark_search search = { .text = text };
	enum status status = ST_NOT_FOUND;
	u64 at;

	reader_visit(reader, EV_MARK, visit_mark, &search);
	for (unsigned i = 0; i < search.count; i++) {
		if (reader_find(reader, search.list[i].cpu, search.list[i].seq, &at) != ST_OK)
			continue;
		*n = status == ST_OK ? MIN(*n, at) : at;
		status = ST_OK;
	}
	return status;
}

/* Digits up to @end of the text; false when there are none or something else follows. */
static bool number(const char *text, const char *suffix, u64 *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*value = strtoull(text, &end, 10);
	return !strcmp(end, suffix);
}

/* Decimal, or hexadecimal behind 0x. */
static bool any_number(const char *text, u64 *value)
{
	char *end;

	if (strncmp(text, "0x", 2))
		return number(text, "", value);
	*value = strtoull(text, &end, 16);
	return end != text + 2 && !*end;
}

bool position_counts(const char *text, const char *word, u64 *value)
{
	const size_t length = strlen(word);

	return *text == '@' && !strncmp(text + 1, word, length) && text[1 + length] == ':' &&
	       any_number(text + length + 2, value);
}

static enum status resolve(struct reader *reader, const char *text, u64 *n)
{
	const u64 events = reader_info(reader)->events;
	u64 value, cpu;
	char *rest;

	if (*text++ != '@')
		return ST_INVALID;
	if (number(text, "", n))
		return *n < events ? ST_OK : ST_NOT_FOUND;
	if (number(text, "%", &value)) {
		*n = value >= 100 ? (events ? events - 1 : 0)
				  : events / 100 * value + events % 100 * value / 100;
		return value <= 100 ? ST_OK : ST_NOT_FOUND;
	}
	if (position_counts(text - 1, "entry", &value))
		return find_entry(reader, value, n);
	if (position_counts(text - 1, "finding", &value))
		return find_finding(reader, value, n);
	if (position_counts(text - 1, "tsc", &value))
		return find_tsc(reader, value, n);
	if (!strncmp(text, "mark:", 5) && text[5])
		return find_mark(reader, text + 5, n);
	if (!strcmp(text, "last")) {
		*n = events ? events - 1 : 0;
		return events ? ST_OK : ST_NOT_FOUND;
	}
	if (*text != 'c' || text[1] < '0' || text[1] > '9')
		return ST_INVALID;
	cpu = strtoull(text + 1, &rest, 10);
	if (*rest != ':' || !number(rest + 1, "", &value))
		return ST_INVALID;
	return cpu > 0xffff ? ST_NOT_FOUND : reader_find(reader, (u16)cpu, value, n);
}

enum status position_resolve(struct reader *reader, const char *text, u64 *n, char *error,
			     size_t size)
{
	const enum status status = resolve(reader, text, n);

	if (status == ST_INVALID)
		snprintf(error, size,
			 "'%s' is no position: use @c0:123, @123, @50%%, @entry:5, @finding:1, "
			 "@tsc:0x1234, @mark:NAME or @last",
			 text);
	else if (status != ST_OK)
		snprintf(error, size, "'%s': the tape does not have it, it has %llu events", text,
			 (unsigned long long)reader_info(reader)->events);
	return status;
}

enum status position_resolve_range(struct reader *reader, const char *text,
				   struct position_range *range, char *error, size_t size)
{
	const u64 events = reader_info(reader)->events;
	const char *const dots = strstr(text, "..");
	char first[MAX_POSITION];
	enum status status = ST_OK;
	u64 last;

	range->first = 0;
	range->end = events;
	if (!dots) {
		status = position_resolve(reader, text, &range->first, error, size);
		if (status == ST_OK)
			range->end = range->first + 1;
		return status;
	}
	if ((size_t)(dots - text) >= sizeof(first)) {
		snprintf(error, size, "'%s' is no range", text);
		return ST_INVALID;
	}
	snprintf(first, sizeof(first), "%.*s", (int)(dots - text), text);
	if (*first)
		status = position_resolve(reader, first, &range->first, error, size);
	if (status != ST_OK || !dots[2])
		return status;
	/* A tape of fewer events ends the range. */
	if (number(dots + 3, "", &last) && dots[2] == '@') {
		range->end = last < events ? last + 1 : events;
		return ST_OK;
	}
	status = position_resolve(reader, dots + 2, &last, error, size);
	if (status == ST_OK)
		range->end = last + 1;
	return status;
}
