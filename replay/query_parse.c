#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/names.h"
#include "replay/query_node.h"
#include "vmx/regs.h"
#include "vmx/tables.h"

#define MAX_DEPTH 64
#define MAX_WORD  96

struct parser {
	const char *at;
	const struct trace_schema *schema;
	struct query_nodes *nodes;
	unsigned depth;
	char *error;
	size_t error_size;
	bool failed;
};

struct variable {
	u8 source;
	u8 type; /* enum trace_type */
	u32 id;
	char name[MAX_WORD];
};

static void fail(struct parser *parser, const char *what, const char *subject)
{
	if (parser->failed)
		return;
	parser->failed = true;
	snprintf(parser->error, parser->error_size, "filter: %s%s%s%s", what, subject ? " '" : "",
		 subject ? subject : "", subject ? "'" : "");
}

static void skip_blanks(struct parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

/* Takes @token when it comes next. */
static bool take(struct parser *parser, const char *token)
{
	skip_blanks(parser);
	if (strncmp(parser->at, token, strlen(token)))
		return false;
	parser->at += strlen(token);
	return true;
}

/* Reads letters, digits and _ . : # into @word (MAX_WORD bytes); false when there are none. */
static bool take_word(struct parser *parser, char *word)
{
	size_t length = 0;

	skip_blanks(parser);
	while (isalnum((unsigned char)*parser->at) ||
	       (*parser->at && strchr("_.:#", *parser->at))) {
		if (length == MAX_WORD - 1) {
			fail(parser, "a name is too long", NULL);
			return false;
		}
		word[length++] = *parser->at++;
	}
	word[length] = 0;
	return length;
}

static u8 add_node(struct parser *parser, const struct query_node *node)
{
	if (parser->nodes->count == QUERY_MAX_NODES) {
		fail(parser, "it has too many parts", NULL);
		return 0;
	}
	parser->nodes->node[parser->nodes->count] = *node;
	return (u8)parser->nodes->count++;
}

static u8 join(struct parser *parser, enum query_node_type type, u8 left, u8 right)
{
	return add_node(parser, &(struct query_node){ .type = type, .left = left, .right = right });
}

/* --- names ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	u8 source;
} fixed_variables[] = {
	{ "kind", SOURCE_KIND }, { "n", SOURCE_N },	  { "cpu", SOURCE_CPU },
	{ "seq", SOURCE_SEQ },	 { "tsc", SOURCE_TSC },	  { "level", SOURCE_LEVEL },
	{ "rip", SOURCE_RIP },	 { "text", SOURCE_TEXT },
};

static const struct trace_column *find_column(const struct trace_schema *schema, const char *name)
{
	for (unsigned i = 0; i < schema->column_count; i++)
		if (!strcmp(schema->columns[i].name, name))
			return &schema->columns[i];
	return NULL;
}

static bool find_item(const struct trace_schema *schema, const char *name, u32 *id)
{
	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		if (!strcmp(vmx_reg_name(reg), name)) {
			*id = ITEM_REG + reg;
			return true;
		}
	for (unsigned i = 0; i < schema->range_count; i++)
		if (!strcmp(schema->ranges[i].name, name) && schema->ranges[i].count == 1) {
			*id = schema->ranges[i].first;
			return true;
		}
	return false;
}

static bool find_variable(struct parser *parser, struct variable *variable)
{
	const struct trace_column *const column = find_column(parser->schema, variable->name);
	const int field = vmcs_field_find(variable->name);

	variable->type = TYPE_HEX;
	for (size_t i = 0; i < ARRAY_SIZE(fixed_variables); i++)
		if (!strcmp(fixed_variables[i].name, variable->name)) {
			variable->source = fixed_variables[i].source;
			return true;
		}
	if (column)
		variable->type = column->type;
	if (find_item(parser->schema, variable->name, &variable->id)) {
		variable->source = SOURCE_ITEM;
	} else if (column) {
		variable->source = SOURCE_COLUMN;
	} else if (field >= 0) {
		variable->source = SOURCE_FIELD;
		variable->id = (u32)field;
	} else {
		fail(parser, "nothing is called", variable->name);
		return false;
	}
	return true;
}

static bool read_number(const char *word, u64 *number)
{
	char *end;

	if (!isdigit((unsigned char)*word))
		return false;
	*number = strtoull(word, &end, strncmp(word, "0x", 2) ? 10 : 16);
	if (!*end)
		return true;
	/* As in the SDM: 4402h. */
	*number = strtoull(word, &end, 16);
	return (*end == 'h' || *end == 'H') && !end[1];
}

/* "fail_valid:12" asks for two columns. */
static u8 add_outcome(struct parser *parser, const struct query_node *node, const char *word)
{
	struct query_node outcome = *node, error = *node;
	const size_t length = strcspn(word, ":");
	char name[MAX_WORD];
	u64 number;
	int found;
	u8 left;

	snprintf(name, sizeof(name), "%.*s", (int)length, word);
	found = name_outcome_find(name);
	if (found < 0) {
		fail(parser, "no outcome is called", word);
		return 0;
	}
	outcome.value = (u64)found;
	left = add_node(parser, &outcome);
	if (!word[length])
		return left;
	if (!read_number(word + length + 1, &number)) {
		fail(parser, "no number stands behind the colon of", word);
		return 0;
	}
	strcpy(error.column, "error");
	error.value = number;
	return join(parser, node->op == QOP_NE ? NODE_OR : NODE_AND, left,
		    add_node(parser, &error));
}

/* The number that @word stands for in comparisons with @variable. */
static bool read_value(struct parser *parser, const struct variable *variable, const char *word,
		       struct query_node *node)
{
	const struct vmx_exit *exit;
	s64 index = -1;

	if (read_number(word, &node->value)) {
		/* The basic reason is what people mean, unless they give more. */
		if (variable->type == TYPE_REASON && node->value <= EXIT_REASON_BASIC)
			node->mask &= EXIT_REASON_BASIC;
		return true;
	}
	if (variable->source == SOURCE_KIND) {
		for (unsigned id = 0; id < SCHEMA_MAX_KINDS && index < 0; id++)
			if (trace_schema_kind(parser->schema, id) &&
			    !strcmp(parser->schema->kinds[id].name, word))
				index = id;
	} else if (variable->type == TYPE_FIELD) {
		index = vmcs_field_find(word);
		if (index >= 0)
			index = vmcs_fields[index].encoding;
	} else if (variable->type == TYPE_REASON) {
		exit = vmx_exit_find(word);
		if (exit)
			index = exit->number;
		node->mask &= EXIT_REASON_BASIC;
	} else if (variable->type == TYPE_MSR) {
		index = name_msr_find(word);
	} else if (variable->type == TYPE_BOOL) {
		index = !strcmp(word, "true") ? 1 : !strcmp(word, "false") ? 0 : -1;
	}
	if (index < 0) {
		char what[MAX_WORD + 40];

		snprintf(what, sizeof(what), "'%s' is never", variable->name);
		fail(parser, what, word);
		return false;
	}
	node->value = (u64)index;
	return true;
}

/* --- grammar ---------------------------------------------------------------------------------- */

static bool take_operator(struct parser *parser, u8 *op)
{
	static const struct {
		const char *token;
		u8 op;
	} operators[] = {
		{ "==", QOP_EQ }, { "!=", QOP_NE }, { "<=", QOP_LE },	   { ">=", QOP_GE },
		{ "<", QOP_LT },  { ">", QOP_GT },  { "~", QOP_CONTAINS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (take(parser, operators[i].token)) {
			*op = operators[i].op;
			return true;
		}
	return false;
}

/* Text in quotes, or a word, into @node. */
static bool take_text(struct parser *parser, struct query_node *node)
{
	char word[MAX_WORD];

	if (take(parser, "\"")) {
		const size_t length = strcspn(parser->at, "\"");

		if (!parser->at[length] || length >= sizeof(node->text)) {
			fail(parser, "a text is not closed, or too long", NULL);
			return false;
		}
		memcpy(node->text, parser->at, length);
		node->text_length = length;
		parser->at += length + 1;
		return true;
	}
	if (!take_word(parser, word)) {
		fail(parser, "a text is missing at", parser->at);
		return false;
	}
	node->text_length = strlen(word);
	memcpy(node->text, word, node->text_length + 1);
	return true;
}

static u8 parse_text_comparison(struct parser *parser, const struct variable *variable,
				struct query_node *node)
{
	const bool named = variable->source == SOURCE_KIND || variable->type == TYPE_FIELD ||
			   variable->type == TYPE_REASON || variable->type == TYPE_MSR;

	if (variable->source == SOURCE_TEXT && node->op != QOP_CONTAINS && node->op != QOP_EQ &&
	    node->op != QOP_NE)
		fail(parser, "text knows only == != ~, in", variable->name);
	else if (variable->source != SOURCE_TEXT && !named)
		fail(parser, "~ wants names or text, which it has not:", variable->name);
	else if (take_text(parser, node))
		return add_node(parser, node);
	return 0;
}

static u8 parse_comparison(struct parser *parser)
{
	struct query_node node = { .type = NODE_COMPARE, .op = QOP_NE, .mask = ~0ull };
	struct variable variable = { 0 };
	char word[MAX_WORD];

	if (!take_word(parser, variable.name)) {
		fail(parser, "a name is missing at", parser->at);
		return 0;
	}
	if (!find_variable(parser, &variable))
		return 0;
	node.source = variable.source;
	node.id = variable.id;
	node.value_type = variable.type;
	snprintf(node.column, sizeof(node.column), "%.*s", SCHEMA_MAX_NAME, variable.name);
	skip_blanks(parser);
	if (parser->at[0] == '&' && parser->at[1] != '&') {
		parser->at++;
		if (!take_word(parser, word) || !read_number(word, &node.mask)) {
			fail(parser, "& wants a number, at", word);
			return 0;
		}
	}
	if (!take_operator(parser, &node.op))
		return add_node(parser, &node);
	if (node.source == SOURCE_TEXT || node.op == QOP_CONTAINS)
		return parse_text_comparison(parser, &variable, &node);
	if (!take_word(parser, word)) {
		fail(parser, "a value is missing at", parser->at);
		return 0;
	}
	if (variable.type == TYPE_OUTCOME && !isdigit((unsigned char)*word))
		return add_outcome(parser, &node, word);
	if (!read_value(parser, &variable, word, &node))
		return 0;
	return add_node(parser, &node);
}

static u8 parse_or(struct parser *parser);

static u8 parse_not(struct parser *parser)
{
	u8 inner = 0;

	if (++parser->depth > MAX_DEPTH) {
		fail(parser, "it is nested too deep", NULL);
	} else if (take(parser, "!")) {
		inner = parse_not(parser);
		inner = join(parser, NODE_NOT, inner, inner);
	} else if (take(parser, "(")) {
		inner = parse_or(parser);
		if (!take(parser, ")"))
			fail(parser, ") is missing at", parser->at);
	} else {
		inner = parse_comparison(parser);
	}
	parser->depth--;
	return inner;
}

static u8 parse_and(struct parser *parser)
{
	u8 left = parse_not(parser);

	while (!parser->failed && take(parser, "&&"))
		left = join(parser, NODE_AND, left, parse_not(parser));
	return left;
}

static u8 parse_or(struct parser *parser)
{
	u8 left = parse_and(parser);

	while (!parser->failed && take(parser, "||"))
		left = join(parser, NODE_OR, left, parse_and(parser));
	return left;
}

enum status query_parse(const char *text, const struct trace_schema *schema,
			struct query_nodes *nodes, u8 *root, char *error, size_t size)
{
	struct parser parser = {
		.at = text,
		.schema = schema,
		.nodes = nodes,
		.error = error,
		.error_size = size,
	};

	nodes->count = 0;
	*root = parse_or(&parser);
	skip_blanks(&parser);
	if (*parser.at)
		fail(&parser, "nothing can be made of", parser.at);
	return parser.failed ? ST_INVALID : ST_OK;
}
