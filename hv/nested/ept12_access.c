#include "hv/nested/ept12_access.h"

#include "hv/ept.h"
#include "hv/guestmem.h"
#include "hv/mem.h"
#include "hv/nested/state.h"

/* For as long as another processor changes the entries in between. */
#define TRIES	    4
#define PML_ENTRIES 512

u64 ept12_access_kind(u64 eptp, u64 kind, bool paging_structure)
{
	return eptp & EPTP_ENABLE_AD && paging_structure ? EPT_READ | EPT_WRITE : kind;
}

/* The entry of @level behind the access. */
static u64 with_flags(const struct ept12_walk *walk, unsigned level, u64 access)
{
	const bool writes = level == walk->level && access & EPT_WRITE;

	return walk->entry[level] | EPT_ACCESSED | (writes ? EPT_DIRTY : 0);
}

static bool lacks_flags(const struct ept12_walk *walk, u64 access)
{
	u64 lacking = 0;

	for (unsigned level = EPT12_LEVELS; level >= walk->level; level--)
		lacking |= walk->entry[level] ^ with_flags(walk, level, access);
	return lacking;
}

/* The log goes from its last entry down to the first. */
static void log_page(struct nested *nested, u64 gpa2)
{
	const u64 at = F12(nested->current, PML_ADDRESS) + nested->pml_index * sizeof(u64);
	const u64 page = gpa2 & ~(PAGE_SIZE - 1);

	guest_write_gpa(at, &page, sizeof(page));
	nested->pml_index--;
}

/* False: an entry is no longer what @walk read. */
static bool set_flags(struct nested *nested, u64 gpa2, u64 access, bool logged,
		      struct ept12_walk *walk)
{
	for (unsigned level = EPT12_LEVELS; level >= walk->level; level--) {
		const u64 entry = walk->entry[level];
		const u64 with = with_flags(walk, level, access);

		if (with != entry &&
		    !guest_swap_gpa(walk->entry_gpa[level], entry, with, sizeof(entry)))
			return false;
		walk->entry[level] = with;
		if (logged && (entry ^ with) & EPT_DIRTY)
			log_page(nested, gpa2);
	}
	return true;
}

static u64 rights_while_clean(u64 entry, u64 rights)
{
	return entry & EPT_DIRTY ? rights : rights & ~EPT_WRITE;
}

u64 ept12_rights_without_access(u64 eptp, u64 entry, u64 rights)
{
	if (!(eptp & EPTP_ENABLE_AD))
		return rights;
	return entry & EPT_ACCESSED ? rights_while_clean(entry, rights) : 0;
}

void ept12_access(struct nested *nested, u64 eptp, u64 gpa2, u64 access, struct ept12_walk *walk)
{
	for (unsigned i = 0; i < TRIES; i++) {
		bool logged;

		ept12_walk(nested, eptp, gpa2, access, walk);
		if (walk->result != EPT12_MAPPED || !(eptp & EPTP_ENABLE_AD))
			return;
		logged = nested_secondary(nested->current) & SECONDARY_PML;
		if (logged && nested->pml_index >= PML_ENTRIES && lacks_flags(walk, access)) {
			walk->result = EPT12_LOG_FULL;
			return;
		}
		if (set_flags(nested, gpa2, access, logged, walk))
			break;
	}
	walk->rights = rights_while_clean(walk->entry[walk->level], walk->rights);
}
