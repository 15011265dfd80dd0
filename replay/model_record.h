/*
 * replay/model_record.h - the state of a model in few bytes, as far as it differs from another
 *
 * For whoever keeps many states of one model. Reading such bytes back never goes out of bounds; it
 * gives back what was written where both sides begin with the same base.
 */
#ifndef REPLAY_MODEL_RECORD_H
#define REPLAY_MODEL_RECORD_H

#include "base/cursor.h"
#include "replay/model.h"

/* A set of fields, by enum vmcs_index. */
#define RECORD_SET_WORDS  ((VMCS_FIELD_COUNT + 63) / 64)

/* Bytes that records may be long. */
#define RECORD_REGION_MAX 16384
#define RECORD_CPU_MAX	  256
#define RECORD_REST_MAX	  8192

/* Write what of @region differs from @base to @to; returns the byte behind it. */
u8 *record_region(u8 *to, const struct model_region *region, const struct model_region *base);

/* Change @region, which is as the base was. Adds the fields that differ to @changed. */
enum status record_apply_region(struct cursor *in, struct model_region *region,
				u64 changed[RECORD_SET_WORDS]);

/* The same of a CPU. Its region is not part of it. */
u8 *record_cpu(u8 *to, const struct model_cpu *cpu, const struct model_cpu *base);
enum status record_apply_cpu(struct cursor *in, struct model_cpu *cpu);

/* What a model has besides CPUs and regions. Applying does not touch those. */
u8 *record_rest(u8 *to, const struct model *model);
enum status record_apply_rest(struct cursor *in, struct model *model);

#endif
