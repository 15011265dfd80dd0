/*
 * trace/schema.h - which kinds, columns and items a tape has
 *
 * The encoder, the decoder and the printers are loops over a schema. trace_schema_builtin() is made
 * from the .def tables; a tape carries its writer's, so that a reader decodes kinds and columns
 * that were added after it was built. Layout: docs/trace-format.md, "Schema".
 */
#ifndef TRACE_SCHEMA_H
#define TRACE_SCHEMA_H

#include "base/cursor.h"
#include "trace/event.h"

#define SCHEMA_MAX_NAME	   31 /* characters */
#define SCHEMA_MAX_KINDS   128
#define SCHEMA_MAX_COLUMNS 1024
#define SCHEMA_MAX_RANGES  64
#define SCHEMA_MAX_STREAMS 192
#define SCHEMA_MAX_CELLS   32
#define SCHEMA_MAX_LAST	   8	 /* columns of a kind with PREDICTOR_LAST */
#define SCHEMA_MAX_SIZE	   32768 /* bytes when serialised, and of all names */
#define SCHEMA_NONE	   0xff

/* How a column reads; trace/events.def, TYPE. A tape may have others: they read as hexadecimal. */
enum trace_type {
	TYPE_NUM,
	TYPE_HEX,
	TYPE_ADDR,
	TYPE_MODE,
	TYPE_RFLAGS,
	TYPE_OUTCOME,
	TYPE_FIELD,
	TYPE_REASON,
	TYPE_MSR,
	TYPE_INSN_INFO,
	TYPE_TICKS,
	TYPE_BOOL,
	TYPE_COUNT
};

enum trace_predictor {
	PREDICTOR_SITE,
	PREDICTOR_LAST,
	PREDICTOR_FIELD,
	PREDICTOR_ORDER,
	PREDICTOR_CURRENT, /* as PREDICTOR_SITE; the VMCS that it names is current from then on */
	PREDICTOR_COUNT
};

enum trace_key { KEY_RIP, KEY_COL0 };

/* Flags of a kind; trace/events.def, FLAGS. */
enum {
	KIND_COUNTED = 1,
	KIND_CODE = 2,
	KIND_ITEMS = 4,
	KIND_BYTES = 8,
	KIND_RIP_FIELD = 16,
	KIND_ALL = 31,
};

/* The streams of a block that belong to no column; those of the columns follow. */
enum trace_stream {
	STREAM_OP,     /* which events are not as expected, and in what: OP_* */
	STREAM_SITE,   /* which site, where it was not the expected one */
	STREAM_MASK,   /* which columns differ from the prediction, where that set is new */
	STREAM_TSC,    /* time since the last event, against the site's last such time */
	STREAM_SHAPE,  /* which list of item ids, where it was not the site's last */
	STREAM_LENGTH, /* of the byte string */
	STREAM_BYTES,  /* byte strings */
	STREAM_DEF,    /* new sites and shapes */
	STREAM_RIP,    /* rip where it is not the key */
	STREAM_ITEM,   /* values of items */
	STREAM_COLUMNS
};

struct trace_column {
	const char *name;
	u8 type;      /* enum trace_type, or a newer one */
	u8 predictor; /* enum trace_predictor */
	u8 stream;    /* where its misses are, STREAM_COLUMNS or more */
	u8 cell;      /* PREDICTOR_LAST: the last value that it shares; else SCHEMA_NONE */
};

struct trace_kind_info {
	const char *name; /* as in JSON; NULL where the schema has no such kind */
	const struct trace_column *columns;
	u8 id;
	u8 key; /* enum trace_key */
	u8 flags;
	u8 column_count;
	u8 field_column;   /* the column that names a VMCS field, or SCHEMA_NONE */
	u8 value_column;   /* the column predicted by that field, or SCHEMA_NONE */
	u8 order_column;   /* the column with PREDICTOR_ORDER, or SCHEMA_NONE */
	u8 pointer_column; /* the column that names a region, or SCHEMA_NONE */
	u8 current_column; /* the column with PREDICTOR_CURRENT, or SCHEMA_NONE */
	u8 key_cell;	   /* the cell that column 0 sets where it is the key, or SCHEMA_NONE */
	u8 last_count;	   /* the other columns with PREDICTOR_LAST ... */
	u8 last[SCHEMA_MAX_LAST];
	u8 last_cell[SCHEMA_MAX_LAST]; /* ... and their cells */
	u32 last_mask;		       /* bit n: column n is one of them */
};

struct trace_item_range {
	const char *name;
	u32 first;
	u32 count;
};

struct trace_schema {
	u32 id; /* CRC-32C of the serialised schema; block headers name it */
	u8 kind_count;
	u8 range_count;
	u8 stream_count;
	u8 cell_count;
	u8 vmcs_cell;  /* the cell that holds the current-VMCS pointer, or SCHEMA_NONE */
	u16 rip_field; /* the field that predicts RIP of kinds with KIND_RIP_FIELD */
	u16 column_count;
	u8 last_kind; /* while it is built: the kind that columns are added to */
	struct trace_kind_info kinds[SCHEMA_MAX_KINDS]; /* by id */
	struct trace_column columns[SCHEMA_MAX_COLUMNS];
	struct trace_item_range ranges[SCHEMA_MAX_RANGES];
};

/* The schema of the .def tables. The first call makes it; not at the same time on two CPUs. */
const struct trace_schema *trace_schema_builtin(void);

/*
 * Build another schema: start, then each kind with its columns behind it, then the ranges, then
 * finish. All names must outlive @schema. For tests and importers; nothing is checked.
 */
void trace_schema_start(struct trace_schema *schema);
void trace_schema_add_kind(struct trace_schema *schema, const char *name, unsigned id,
			   enum trace_key key, unsigned flags);
void trace_schema_add_column(struct trace_schema *schema, const char *name, unsigned type,
			     enum trace_predictor predictor);
void trace_schema_add_range(struct trace_schema *schema, const char *name, u32 first, u32 count);

/* @scratch has SCHEMA_MAX_SIZE bytes. */
void trace_schema_finish(struct trace_schema *schema, u8 *scratch);

/*
 * Serialise @schema into the SCHEMA_MAX_SIZE bytes at @to and return the length: the payload of a
 * SCHM chunk.
 */
size_t trace_schema_write(const struct trace_schema *schema, u8 *to);

/*
 * Read a serialised schema. @names has SCHEMA_MAX_SIZE bytes and holds the names that @schema
 * points to from then on. ST_CORRUPT, ST_TRUNCATED, or ST_NEWER for a layout unknown to this
 * program.
 */
enum status trace_schema_parse(struct trace_schema *schema, char *names, const void *data,
			       size_t size);

/* The kind with @id; NULL where the schema has none. */
static inline const struct trace_kind_info *trace_schema_kind(const struct trace_schema *schema,
							      unsigned id)
{
	return id < SCHEMA_MAX_KINDS && schema->kinds[id].name ? &schema->kinds[id] : NULL;
}

/* The range of item ids that @id is in; NULL for none. */
const struct trace_item_range *trace_schema_range(const struct trace_schema *schema, u32 id);

#endif
