/*
 * hv/fault.h - mistakes on purpose: hv_fault(NAME) with a NAME of hv/nested/faults.def
 *
 * Always false, and gone from the code, but in vmxtape-hv-faults.elf. There a mistake is on from
 * the start by option fault=NAME,..., and L1 can choose another set by a mark "fault NAME,...".
 */
#ifndef HV_FAULT_H
#define HV_FAULT_H

#include "base/base.h"

#ifdef HV_FAULTS

enum hv_fault {
#define FAULT(NAME, ...) FAULT_##NAME,
#include "hv/nested/faults.def"
#undef FAULT
	FAULT_COUNT
};

extern u64 fault_set;

#define hv_fault(NAME) unlikely(fault_set >> FAULT_##NAME & 1)

/*
 * Make those of @list the ones that are on: "name,name", or "" for none. False: a name is unknown.
 */
bool fault_choose(const char *list);

/* The same where @text, not terminated, is "fault LIST". */
void fault_choose_by_mark(const void *text, u32 length);

#else

#define hv_fault(NAME) false

static inline void fault_choose_by_mark(const void *text, u32 length)
{
	(void)text, (void)length;
}

#endif
#endif
