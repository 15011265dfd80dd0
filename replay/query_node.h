/*
 * replay/query_node.h - a parsed query: between replay/query_parse.c and replay/query.c
 */
#ifndef REPLAY_QUERY_NODE_H
#define REPLAY_QUERY_NODE_H

#include "trace/schema.h"
#include "vmx/vmcs12.h"

#define QUERY_MAX_NODES 256
#define QUERY_MAX_TEXT	128

enum query_node_type { NODE_AND, NODE_OR, NODE_NOT, NODE_COMPARE };

/* What a comparison looks at. */
enum query_source {
	SOURCE_KIND,
	SOURCE_N,
	SOURCE_CPU,
	SOURCE_SEQ,
	SOURCE_TSC,
	SOURCE_LEVEL,
	SOURCE_RIP,
	SOURCE_TEXT,
	SOURCE_COLUMN, /* of the name @column */
	SOURCE_FIELD,  /* the VMCS field with index @id, wherever the event has it */
	SOURCE_ITEM,   /* the column @column of kinds that have it, else the item @id */
};

enum query_op { QOP_EQ, QOP_NE, QOP_LT, QOP_LE, QOP_GT, QOP_GE, QOP_CONTAINS };

struct query_node {
	u8 type; /* enum query_node_type */
	u8 left; /* numbers of nodes */
	u8 right;
	u8 source;     /* enum query_source; this and what follows of NODE_COMPARE only */
	u8 op;	       /* enum query_op */
	u8 value_type; /* enum trace_type of the column */
	u32 id;
	u64 mask; /* of the bits compared */
	u64 value;
	char column[SCHEMA_MAX_NAME + 1];
	char text[QUERY_MAX_TEXT]; /* of QOP_CONTAINS, and of comparisons with SOURCE_TEXT */
	size_t text_length;
};

struct query_nodes {
	struct query_node node[QUERY_MAX_NODES];
	unsigned count;
};

/*
 * Parse @text into @nodes; @root is the number of the outermost. ST_INVALID with a line in @error.
 */
enum status query_parse(const char *text, const struct trace_schema *schema,
			struct query_nodes *nodes, u8 *root, char *error, size_t size);

#endif
