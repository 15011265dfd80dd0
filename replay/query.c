#include "replay/query.h"

#include <stdlib.h>
#include <string.h>

#include "replay/names.h"
#include "replay/query_node.h"

/* Where a jump leads that ends the query. */
enum { GO_FALSE = -1, GO_TRUE = -2 };

#define SET_WORDS 4 /* of 64 names */

/* The first are those of enum query_op. */
enum step_op { STEP_EQ, STEP_NE, STEP_LT, STEP_LE, STEP_GT, STEP_GE, STEP_IN, STEP_NAME_MSR };
_Static_assert(STEP_EQ == (int)QOP_EQ && STEP_GE == (int)QOP_GE && STEP_IN == (int)QOP_CONTAINS,
	       "comparisons keep their number");

/* One comparison, compiled for one kind of event. */
struct step {
	u8 source; /* enum query_source */
	u8 op;	   /* enum step_op */
	u8 column; /* of SOURCE_COLUMN; of SOURCE_FIELD the field column, SCHEMA_NONE: in the items
		    */
	u8 value_column; /* of SOURCE_FIELD */
	u8 type;	 /* enum trace_type: what STEP_IN is about */
	s32 yes;	 /* the next step */
	s32 no;
	u32 id;
	u64 mask;
	u64 value;
	const struct query_node *node;
	u64 set[SET_WORDS];
};

struct query {
	struct query_nodes nodes;
	const struct trace_schema *schema;
	struct step *steps;
	s32 count;
	s32 room;
	s32 entry[SCHEMA_MAX_KINDS];
	bool no_memory;
};

/* --- compiling, backwards: what follows a step is there when the step is made ----------------- */

static s32 add_step(struct query *query, const struct step *step)
{
	if (query->count == query->room) {
		const s32 room = query->room ? 2 * query->room : 64;
		struct step *const steps = realloc(query->steps, (size_t)room * sizeof(*steps));

		if (!steps) {
			query->no_memory = true;
			return GO_FALSE;
		}
		query->steps = steps;
		query->room = room;
	}
	query->steps[query->count] = *step;
	return query->count++;
}

static u8 column_of(const struct trace_kind_info *kind, const char *name)
{
	for (u8 i = 0; i < kind->column_count; i++)
		if (!strcmp(kind->columns[i].name, name))
			return i;
	return SCHEMA_NONE;
}

/* The numbers whose names contain the text of @node. */
static void fill_set(const struct query_node *node, struct step *step)
{
	if (node->value_type == TYPE_FIELD) {
		for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
			if (name_contains(vmcs_fields[i].name, node->text))
				step->set[i / 64] |= BIT(i % 64);
	} else {
		for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
			if (vmx_exit_by_reason(i) && name_contains(vmx_exit_name(i), node->text))
				step->set[i / 64] |= BIT(i % 64);
	}
}

_Static_assert(VMCS_FIELD_COUNT <= 64 * SET_WORDS && EXIT_REASON_COUNT <= 64 * SET_WORDS,
	       "a set of names holds all fields and all exit reasons");

static bool kind_matches(const struct query_node *node, const struct trace_kind_info *kind)
{
	const u64 id = kind->id & node->mask;

	switch (node->op) {
	case QOP_CONTAINS:
		return name_contains(kind->name, node->text);
	case QOP_EQ:
		return id == node->value;
	case QOP_NE:
		return id != node->value;
	case QOP_LT:
		return id < node->value;
	case QOP_LE:
		return id <= node->value;
	case QOP_GT:
		return id > node->value;
	default:
		return id >= node->value;
	}
}

static s32 compile_comparison(struct query *query, const struct query_node *node,
			      const struct trace_kind_info *kind, s32 yes, s32 no)
{
	struct step step = {
		.source = node->source,
		.op = node->op,
		.column = SCHEMA_NONE,
		.type = node->value_type,
		.yes = yes,
		.no = no,
		.id = node->id,
		.mask = node->mask,
		.value = node->value,
		.node = node,
	};

	switch (node->source) {
	case SOURCE_KIND:
		return kind_matches(node, kind) ? yes : no;
	case SOURCE_TEXT:
		if (!(kind->flags & KIND_BYTES))
			return no;
		break;
	case SOURCE_COLUMN:
		step.column = column_of(kind, node->column);
		if (step.column == SCHEMA_NONE)
			return no;
		break;
	case SOURCE_FIELD:
		step.column = kind->field_column;
		step.value_column = column_of(kind, "value");
		if (step.column == SCHEMA_NONE ? !(kind->flags & KIND_ITEMS)
					       : step.value_column == SCHEMA_NONE)
			return no;
		step.value = node->value;
		break;
	case SOURCE_ITEM:
		step.column = column_of(kind, node->column);
		if (step.column != SCHEMA_NONE)
			step.source = SOURCE_COLUMN;
		else if (!(kind->flags & KIND_ITEMS))
			return no;
		break;
	default:
		break;
	}
	if (node->op == QOP_CONTAINS && node->source != SOURCE_TEXT) {
		step.op = node->value_type == TYPE_MSR ? STEP_NAME_MSR : STEP_IN;
		if (step.op == STEP_IN)
			fill_set(node, &step);
	}
	return add_step(query, &step);
}

static s32 compile(struct query *query, u8 number, const struct trace_kind_info *kind, s32 yes,
		   s32 no)
{
	const struct query_node *const node = &query->nodes.node[number];

	switch (node->type) {
	case NODE_AND:
		return compile(query, node->left, kind, compile(query, node->right, kind, yes, no),
			       no);
	case NODE_OR:
		return compile(query, node->left, kind, yes,
			       compile(query, node->right, kind, yes, no));
	case NODE_NOT:
		return compile(query, node->left, kind, no, yes);
	default:
		return compile_comparison(query, node, kind, yes, no);
	}
}

enum status query_compile(const char *text, const struct trace_schema *schema, struct query **query,
			  char *error, size_t size)
{
	struct query *const made = calloc(1, sizeof(*made));
	enum status status = ST_NO_MEMORY;
	u8 root;

	*query = NULL;
	if (made) {
		made->schema = schema;
		status = query_parse(text, schema, &made->nodes, &root, error, size);
	}
	for (unsigned id = 0; status == ST_OK && id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(schema, id);

		made->entry[id] = kind ? compile(made, root, kind, GO_TRUE, GO_FALSE) : GO_FALSE;
		if (made->no_memory)
			status = ST_NO_MEMORY;
	}
	if (status == ST_OK) {
		*query = made;
		return ST_OK;
	}
	if (status == ST_NO_MEMORY && size)
		strncpy(error, "filter: out of memory", size);
	query_free(made);
	return status;
}

void query_free(struct query *query)
{
	if (!query)
		return;
	free(query->steps);
	free(query);
}

bool query_wants(const struct query *query, u8 kind)
{
	return kind < SCHEMA_MAX_KINDS && query->entry[kind] != GO_FALSE;
}

/* --- matching --------------------------------------------------------------------------------- */

static bool find_item(const struct trace_event *event, u32 id, u64 *value)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == id) {
			*value = event->items[i].value;
			return true;
		}
	return false;
}

/* The value that @step compares; false when the event has none. */
static bool load(const struct step *step, const struct trace_event *event, u64 n, u64 *value)
{
	switch (step->source) {
	case SOURCE_COLUMN:
		*value = event->col[step->column];
		return true;
	case SOURCE_RIP:
		*value = event->rip;
		return true;
	case SOURCE_N:
		*value = n;
		return true;
	case SOURCE_CPU:
		*value = event->cpu;
		return true;
	case SOURCE_SEQ:
		*value = event->seq;
		return true;
	case SOURCE_TSC:
		*value = event->tsc;
		return true;
	case SOURCE_LEVEL:
		*value = event->level;
		return true;
	case SOURCE_FIELD:
		if (step->column == SCHEMA_NONE)
			return find_item(event, vmcs_fields[step->id].encoding, value);
		*value = event->col[step->value_column];
		return vmcs_access_index(event->col[step->column]) == (int)step->id;
	case SOURCE_ITEM:
		return find_item(event, step->id, value);
	default:
		return false;
	}
}

static bool in_set(const struct step *step, u64 value)
{
	s64 index = step->type == TYPE_FIELD ? vmcs_access_index(value)
					     : (s64)(value & EXIT_REASON_BASIC);

	if (step->op == STEP_NAME_MSR) {
		const char *const name = value <= ~0u ? vmx_msr_name((u32)value) : NULL;

		return name && name_contains(name, step->node->text);
	}
	return index >= 0 && index < 64 * SET_WORDS && step->set[index / 64] >> (index % 64) & 1;
}

static bool text_matches(const struct query_node *node, const struct trace_event *event)
{
	const bool same = event->byte_count == node->text_length &&
			  !memcmp(event->bytes, node->text, node->text_length);

	if (node->op == QOP_EQ)
		return same;
	if (node->op == QOP_NE)
		return !same;
	return memmem(event->bytes, event->byte_count, node->text, node->text_length);
}

/* Whether @value satisfies the comparison. */
static bool compare(const struct step *step, u64 value)
{
	value &= step->mask;
	switch (step->op) {
	case STEP_EQ:
		return value == step->value;
	case STEP_NE:
		return value != step->value;
	case STEP_LT:
		return value < step->value;
	case STEP_LE:
		return value <= step->value;
	case STEP_GT:
		return value > step->value;
	case STEP_GE:
		return value >= step->value;
	default:
		return in_set(step, value);
	}
}

static bool step_holds(const struct step *step, const struct trace_event *event, u64 n)
{
	u64 value;

	if (unlikely(step->source == SOURCE_TEXT))
		return event->byte_count && text_matches(step->node, event);
	return load(step, event, n, &value) && compare(step, value);
}

bool query_match(const struct query *query, const struct trace_event *event, u64 n)
{
	s32 at = event->kind < SCHEMA_MAX_KINDS ? query->entry[event->kind] : GO_FALSE;

	while (at >= 0) {
		const struct step *const step = &query->steps[at];

		at = step_holds(step, event, n) ? step->yes : step->no;
	}
	return at == GO_TRUE;
}

/* --- many events at once ---------------------------------------------------------------------- */

#define MAX_VISITS 1000 /* of steps; then it may match */

static bool reason_may_hold(const struct step *step, const struct query_scene *scene)
{
	if (scene->reasons[1] >> 63)
		return true;
	for (u64 reason = 0; reason < 127; reason++)
		if (scene->reasons[reason / 64] >> (reason % 64) & 1 &&
		    (compare(step, reason) ||
		     (scene->entries_fail && compare(step, reason | BIT(31)))))
			return true;
	return false;
}

static bool outcome_may_hold(const struct step *step, const struct query_scene *scene)
{
	for (u64 outcome = 0; outcome < 64; outcome++)
		if (scene->outcomes >> outcome & 1 && compare(step, outcome))
			return true;
	return false;
}

/* Whether the comparison can be true for an event of @kind. */
static bool may_hold(const struct step *step, u8 kind, const struct query_scene *scene)
{
	if (step->source == SOURCE_RIP && step->op == STEP_EQ && step->mask == ~0ull)
		return scene->has_rip(scene->owner, step->value);
	if (step->source != SOURCE_COLUMN)
		return true;
	if (kind == EV_L2_EXIT && step->column == EV_COLUMN(l2_exit, reason))
		return reason_may_hold(step, scene);
	if (kind >= EV_VMXON && kind <= EV_CR_WRITE && step->column == EV_COLUMN(insn, outcome))
		return outcome_may_hold(step, scene);
	return true;
}

static bool may_reach(const struct query *query, s32 at, u8 kind, const struct query_scene *scene,
		      unsigned *visits)
{
	while (at >= 0) {
		const struct step *const step = &query->steps[at];

		if (++*visits > MAX_VISITS)
			return true;
		if (may_hold(step, kind, scene) && may_reach(query, step->yes, kind, scene, visits))
			return true;
		at = step->no;
	}
	return at == GO_TRUE;
}

bool query_may_match(const struct query *query, const struct query_scene *scene)
{
	unsigned visits = 0;

	for (unsigned kind = 0; kind < SCHEMA_MAX_KINDS; kind++)
		if (query->entry[kind] != GO_FALSE && scene->kinds >> MIN(kind, 63u) & 1 &&
		    may_reach(query, query->entry[kind], (u8)kind, scene, &visits))
			return true;
	return false;
}
