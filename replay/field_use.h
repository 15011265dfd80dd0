/*
 * replay/field_use.h - whether the processor uses a VMCS field, and what its value says
 */
#ifndef REPLAY_FIELD_USE_H
#define REPLAY_FIELD_USE_H

#include "replay/model.h"

/*
 * Whether the controls of @region make the processor use field @index: MODEL_UNKNOWN when it rests
 * on controls that are unknown.
 */
enum model_truth field_used(const struct model_region *region, int index);

/* The control that is off so that field @index is not used, NULL when it is used, or may be. */
const struct vmx_control *field_unused_by(const struct model_region *region, int index);

/*
 * What @value of field @index of @region says, at most @size bytes; "" where there is nothing to
 * say beyond the number. What it depends on is taken from the region's other fields.
 */
void field_decode(const struct model_region *region, int index, u64 value, char *to, size_t size);

#endif
