#include "hv/nested/ept12_access.h"

#include "hv/ept.h"
#include "hv/guestmem.h"

/* For as long as another processor changes the entries in between. */
#define TRIES 4

u64 ept12_access_kind(u64 eptp, u64 kind, bool paging_structure)
{
	return eptp & EPTP_ENABLE_AD && paging_structure ? EPT_READ | EPT_WRITE : kind;
}

/* False: an entry is no longer what @walk read. */
static bool set_flags(u64 access, struct ept12_walk *walk)
{
	for (unsigned level = EPT12_LEVELS; level >= walk->level; level--) {
		const bool writes = level == walk->level && access & EPT_WRITE;
		const u64 entry = walk->entry[level];
		const u64 with = entry | EPT_ACCESSED | (writes ? EPT_DIRTY : 0);

		if (with != entry &&
		    !guest_swap_gpa(walk->entry_gpa[level], entry, with, sizeof(entry)))
			return false;
		walk->entry[level] = with;
	}
	return true;
}

void ept12_access(struct nested *nested, u64 eptp, u64 gpa2, u64 access, struct ept12_walk *walk)
{
	for (unsigned i = 0; i < TRIES; i++) {
		ept12_walk(nested, eptp, gpa2, access, walk);
		if (walk->result != EPT12_MAPPED || !(eptp & EPTP_ENABLE_AD))
			return;
		if (set_flags(access, walk))
			break;
	}
	if (!(walk->entry[walk->level] & EPT_DIRTY))
		walk->rights &= ~EPT_WRITE;
}
