/*
 * cli/hv_code.h - hv's code in a machine: what is no guest's
 */
#ifndef CLI_HV_CODE_H
#define CLI_HV_CODE_H

#include "base/base.h"

#define HV_MAX_ENTRIES 8

struct hv_code {
	u64 start, end;		     /* linear addresses */
	u64 entries[HV_MAX_ENTRIES]; /* of VMLAUNCH and VMRESUME */
	unsigned entry_count;
	u64 shift; /* from linear to physical addresses, once it is known where hv put itself */
};

/* Look for them in the image @path. Dies when it is no hypervisor image. */
void hv_code_read(const char *path, struct hv_code *code);

/* Whether the instruction at @rip, in memory at @physical, is hv's. */
static inline bool hv_code_has(const struct hv_code *code, u64 rip, u64 physical)
{
	/* L1 may have code at the same linear addresses, but never in hv's memory. */
	return rip >= code->start && rip < code->end && physical == rip + code->shift;
}

static inline bool hv_code_enters(const struct hv_code *code, u64 rip)
{
	for (unsigned i = 0; i < code->entry_count; i++)
		if (code->entries[i] == rip)
			return true;
	return false;
}

#endif
