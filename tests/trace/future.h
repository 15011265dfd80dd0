/*
 * tests/trace/future.h - the schema of a vmxtape to come: kinds have one more column, of a type
 * that nobody knows, and there is a kind and a range of items more
 */
#ifndef TESTS_TRACE_FUTURE_H
#define TESTS_TRACE_FUTURE_H

#include "trace/schema.h"

#define FUTURE_KIND 100
#define FUTURE_TYPE 99

/*
 * Kinds that get no column of their own any more. A tape that is kept has more columns in these
 * alone: in another kind they would stand where this program may have one some day.
 */
static inline bool future_is_closed(unsigned id)
{
	return id == EV_VMPTRST || id == EV_VMCALL || id == EV_MARK || id == EV_MEMORY ||
	       id == EV_PANIC;
}

/* @every: all kinds have more; otherwise those that are closed. */
static inline const struct trace_schema *future_schema(bool every)
{
	static struct trace_schema schemas[2];
	struct trace_schema *const schema = &schemas[every];
	static u8 scratch[SCHEMA_MAX_SIZE];
	const struct trace_schema *const ours = trace_schema_builtin();

	if (schema->id)
		return schema;
	trace_schema_start(schema);
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(ours, id);

		if (!kind)
			continue;
		trace_schema_add_kind(schema, kind->name, id, (enum trace_key)kind->key,
				      kind->flags);
		for (unsigned i = 0; i < kind->column_count; i++)
			trace_schema_add_column(schema, kind->columns[i].name,
						kind->columns[i].type,
						(enum trace_predictor)kind->columns[i].predictor);
		if (every || future_is_closed(id))
			trace_schema_add_column(schema, "future_column", FUTURE_TYPE,
						PREDICTOR_SITE);
	}
	trace_schema_add_kind(schema, "future_kind", FUTURE_KIND, KEY_COL0, KIND_ALL);
	trace_schema_add_column(schema, "what", FUTURE_TYPE, PREDICTOR_SITE);
	trace_schema_add_column(schema, "vmcs", TYPE_ADDR, PREDICTOR_LAST);
	trace_schema_add_column(schema, "future_cell", TYPE_HEX, PREDICTOR_LAST);
	for (unsigned i = 0; i < ours->range_count; i++)
		trace_schema_add_range(schema, ours->ranges[i].name, ours->ranges[i].first,
				       ours->ranges[i].count);
	trace_schema_add_range(schema, "future_range", 0xff00, 16);
	trace_schema_finish(schema, scratch);
	return schema;
}

#endif
