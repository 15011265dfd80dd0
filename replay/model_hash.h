/*
 * replay/model_hash.h - one number for all that a model knows
 */
#ifndef REPLAY_MODEL_HASH_H
#define REPLAY_MODEL_HASH_H

#include "replay/model.h"

/*
 * Of every CPU, every region with values, known bits and writers, and the capabilities; of unknown
 * bits only that they are unknown. Two models that went through the same events have the same hash,
 * two that differ in anything a different one, but for chance. Counts of verdicts do not matter.
 */
u64 model_hash(const struct model *model);

#endif
