#include "tui/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmx/tables.h"

struct find *find_new(struct reader *reader)
{
	struct find *const find = calloc(1, sizeof(*find));

	if (!find)
		return NULL;
	find->rows = rows_new(reader);
	if (!find->rows) {
		free(find);
		return NULL;
	}
	rows_set_folding(find->rows, false);
	return find;
}

void find_free(struct find *find)
{
	if (!find)
		return;
	rows_free(find->rows);
	free(find);
}

static bool is_kind(const struct trace_schema *schema, const char *text)
{
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(schema, id);

		if (kind && !strcmp(kind->name, text))
			return true;
	}
	return false;
}

/* A name of something, and no expression: what it is a name of. */
static bool expand(const struct trace_schema *schema, const char *text, char *to, size_t size)
{
	static const char hexadecimal[] = "0123456789abcdefABCDEF";
	const size_t digits = strspn(text, hexadecimal);

	if (is_kind(schema, text))
		snprintf(to, size, "kind==%s", text);
	else if (vmx_exit_find(text))
		snprintf(to, size, "reason==%s", text);
	else if (vmcs_field_find(text) >= 0)
		snprintf(to, size, "%s>=0", text);
	else if (!strncmp(text, "0x", 2) && strspn(text + 2, hexadecimal) == strlen(text) - 2)
		snprintf(to, size, "rip==%s", text);
	else if (digits >= 6 && !text[digits])
		snprintf(to, size, "rip==0x%s", text);
	else
		return false;
	return true;
}

enum status find_meaning(const struct trace_schema *schema, const char *text, char *to, size_t size,
			 struct query **query, char *error, size_t error_size)
{
	char word[128];
	const char *start = text + strspn(text, " ");
	size_t length = strlen(start);

	*query = NULL;
	while (length && start[length - 1] == ' ')
		length--;
	if (length < sizeof(word)) {
		memcpy(word, start, length);
		word[length] = 0;
		if (length && expand(schema, word, to, size))
			return query_compile(to, schema, query, error, error_size);
	}
	snprintf(to, size, "%s", text);
	return query_compile(text, schema, query, error, error_size);
}

enum status find_start(struct find *find, const struct trace_schema *schema, const char *query,
		       const char *what, u64 n, enum rows_way way, u64 times, char *error,
		       size_t size)
{
	find->running = false;
	if (strcmp(find->text, query) || !rows_query(find->rows)) {
		struct query *compiled;
		const enum status status = query_compile(query, schema, &compiled, error, size);

		if (status != ST_OK)
			return status;
		rows_set_query(find->rows, compiled);
		snprintf(find->text, sizeof(find->text), "%s", query);
	}
	snprintf(find->what, sizeof(find->what), "%s", what);
	find->way = way;
	find->times = MAX(times, 1ull);
	find->from = (struct row){ .n = n, .count = 1 };
	find->running = true;
	return ST_OK;
}

enum find_result find_work(struct find *find, u64 microseconds)
{
	struct row row;
	enum rows_found found = ROWS_PENDING;

	rows_give(find->rows, microseconds);
	/* A count can be large, and each step takes some of the time: a thousand a slice. */
	for (unsigned i = 0; i < 1000 && find->times; i++) {
		found = find->way == ROWS_FORWARD ? rows_next(find->rows, &find->from, &row)
						  : rows_previous(find->rows, &find->from, &row);
		if (found != ROWS_FOUND)
			break;
		find->from = row;
		find->times--;
	}
	if (!find->times) {
		find->running = false;
		return FIND_FOUND;
	}
	if (found == ROWS_NONE) {
		find->running = false;
		return FIND_NOTHING;
	}
	if (found == ROWS_PENDING)
		rows_work(find->rows, microseconds);
	return FIND_RUNNING;
}
