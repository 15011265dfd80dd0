/*
 * replay/dependents.h - controls and the fields that the processor uses while they are on
 */
#ifndef REPLAY_DEPENDENTS_H
#define REPLAY_DEPENDENTS_H

#include "replay/model.h"

/* A row of replay/dependents.def. */
struct dependent {
	u64 mask;  /* the control */
	u16 field; /* enum vmcs_index */
	u8 word;   /* enum vmx_word */
};

extern const struct dependent dependents[];
extern const size_t dependent_count;

/*
 * Whether nobody ever wrote field @index of @region, and a control needs it: no when the tape does
 * not have the whole life of the region.
 */
bool dependent_unset(const struct model_region *region, unsigned index);

/* The first such field that one of controls @mask of @word needs, or -1. */
int dependent_unset_by(const struct model_region *region, enum vmx_word word, u64 mask);

#endif
