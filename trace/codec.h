/*
 * trace/codec.h - what the encoder and the decoder of a block both keep
 *
 * Both predict each event from what the block held so far and transmit what the prediction misses,
 * so they must keep the same state by the same rules: docs/trace-format.md, "Events".
 */
#ifndef TRACE_CODEC_H
#define TRACE_CODEC_H

#include "trace/event.h"
#include "trace/schema.h"

#define CODEC_MAX_RAW	    65536 /* bytes of a block before packing */
#define CODEC_MAX_SITES	    1024
#define CODEC_MAX_SHAPES    1024
#define CODEC_MAX_SHAPE_IDS 8192 /* in all shapes of a block together */
#define CODEC_MAX_FIELDS    4096 /* (VMCS, field) pairs with a last value */
#define CODEC_MAX_VMCSS	    256
#define CODEC_MAX_LEVEL	    3

/* What follows a site also depends on the last site with KEY_COL0: on its number modulo this. */
#define CODEC_TURNS	    8

#define CODEC_NO_SITE	    0xffff

/*
 * What is not as expected with an event. Events without any are only counted: a number in STREAM_OP
 * is how many there were before the next event with some, << OP_BITS, and the bits of that event.
 */
enum { OP_SITE = 1, OP_MASK = 2, OP_SHAPE = 4, OP_ALL = 7 };
#define OP_BITS 3

/* The last value of every VMCS field, for each VMCS of the block, by open addressing. */
struct codec_fields {
	u32 count;
	u32 vmcs_count;
	u32 vmcs;     /* number of the VMCS that lookups are about */
	u64 vmcs_now; /* its pointer */
	u64 vmcss[CODEC_MAX_VMCSS];
	u8 found[CODEC_MAX_VMCSS]; /* by a part of the pointer: a number to look at first, never
				      trusted */
	u32 keys[2 * CODEC_MAX_FIELDS]; /* 0: free */
	u64 values[2 * CODEC_MAX_FIELDS];
};

static inline void codec_fields_reset(struct codec_fields *fields)
{
	fields->count = 0;
	fields->vmcs_count = 1;
	fields->vmcs = 0;
	fields->vmcs_now = 0;
	fields->vmcss[0] = 0;
	memset(fields->found, 0, sizeof(fields->found));
	memset(fields->keys, 0, sizeof(fields->keys));
}

static inline u8 *codec_fields_found(struct codec_fields *fields, u64 pointer)
{
	return &fields->found[pointer >> 12 & (ARRAY_SIZE(fields->found) - 1)];
}

/* The number of the VMCS at @pointer where it is the last that was looked for there; else none. */
static inline u32 codec_fields_guess(struct codec_fields *fields, u64 pointer)
{
	const u32 i = *codec_fields_found(fields, pointer);

	return likely(i < fields->vmcs_count && fields->vmcss[i] == pointer) ? i
									     : fields->vmcs_count;
}

/* The number of the VMCS at @pointer; vmcs_count: it has none. */
static inline u32 codec_fields_find(struct codec_fields *fields, u64 pointer)
{
	u8 *const found = codec_fields_found(fields, pointer);
	u32 i = *found;

	if (likely(i < fields->vmcs_count && fields->vmcss[i] == pointer))
		return i;
	for (i = 0; i < fields->vmcs_count && fields->vmcss[i] != pointer; i++)
		;
	*found = (u8)i;
	return i;
}

/* Makes lookups be about the VMCS at @pointer. False when the block has too many of them. */
static inline bool codec_fields_select(struct codec_fields *fields, u64 pointer)
{
	u32 vmcs;

	if (likely(pointer == fields->vmcs_now))
		return true;
	vmcs = codec_fields_find(fields, pointer);
	if (vmcs == CODEC_MAX_VMCSS)
		return false;
	if (vmcs == fields->vmcs_count)
		fields->vmcss[fields->vmcs_count++] = pointer;
	fields->vmcs = vmcs;
	fields->vmcs_now = pointer;
	return true;
}

/*
 * Where the last value of field @id is, 0 for one not seen yet; NULL when the block has too many.
 * An operand that is no encoding shares a value with one: that can only worsen a prediction.
 */
static inline u64 *codec_fields_at(struct codec_fields *fields, u64 id)
{
	const u32 key = (fields->vmcs << 16 | (u16)id) + 1;
	u32 slot = (key * 0x9e3779b1u) >> 19;

	while (fields->keys[slot] != key) {
		if (!fields->keys[slot]) {
			if (fields->count == CODEC_MAX_FIELDS)
				return NULL;
			fields->count++;
			fields->keys[slot] = key;
			fields->values[slot] = 0;
			break;
		}
		slot = (slot + 1) % ARRAY_SIZE(fields->keys);
	}
	return &fields->values[slot];
}

#endif
