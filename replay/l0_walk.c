#include "replay/l0_walk.h"

#include "replay/l0_view.h"

#define EPT_READ   BIT(0)
#define EPT_WRITE  BIT(1)
#define EPT_RIGHTS MASK(2, 0)

bool l0_walk_take(const struct trace_event *event, struct l0_walk *walk)
{
	walk->last = 0;
	for (unsigned level = L0_WALK_LEVELS; level; level--) {
		if (!l0_item(event, ITEM_EPT12 + level, &walk->entry[level]))
			break;
		walk->last = level;
	}
	return walk->last;
}

static const char *misconfiguration(const struct vmx_caps *caps, unsigned level, u64 entry)
{
	const u64 cap = caps->msr[VMX_CAP_EPT_VPID_CAP], type = BITS(entry, 5, 3);
	const u64 beyond = caps->maxphyaddr ? MASK(51, 12) & ~(BIT(caps->maxphyaddr) - 1) : 0;

	if (!(entry & EPT_RIGHTS))
		return NULL;
	if (entry & EPT_WRITE && !(entry & EPT_READ))
		return "it is writable and not readable";
	if (!(entry & EPT_READ) && !(cap & CAP_EPT_EXECUTE_ONLY))
		return "it is executable and not readable, which the processor does not support";
	if (entry & beyond)
		return "its address is beyond the physical-address width";
	if (level == 4 && entry & MASK(7, 3))
		return "bits 7:3 are not 0";
	if (!l0_walk_is_leaf(level, entry))
		return entry & MASK(6, 3) ? "bits 6:3 are not 0" : NULL;
	if ((level == 3 && !(cap & CAP_EPT_1G)) || (level == 2 && !(cap & CAP_EPT_2M)))
		return "it maps a page of a size that the processor does not support";
	if (entry & (l0_walk_page_size(level) - 1) & MASK(51, 12))
		return "the low bits of its address are not 0";
	return type == 2 || type == 3 || type == 7 ? "its memory type is reserved" : NULL;
}

const char *l0_walk_misconfigured(const struct l0_walk *walk, const struct vmx_caps *caps,
				  unsigned *level)
{
	const char *text = NULL;

	for (unsigned at = L0_WALK_LEVELS; at >= walk->last && !text; at--) {
		text = misconfiguration(caps, at, walk->entry[at]);
		*level = at;
	}
	return text;
}
