#include "hv/nested/ept12_walk.h"

#include "hv/ept.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/nested/state.h"

static bool large_is_shown(const struct nested *nested, unsigned level)
{
	const u64 caps = nested->shown.msr[VMX_CAP_EPT_VPID_CAP];

	return caps & (level == 3 ? CAP_EPT_1G : CAP_EPT_2M);
}

/* Of an address, what this processor does not have. */
static u64 beyond_width(const struct nested *nested)
{
	return MASK(51, 12) & ~(BIT(nested->shown.maxphyaddr) - 1);
}

/* Bits that must be 0; SDM, "EPT Translation Mechanism". */
static u64 reserved_bits(const struct nested *nested, unsigned level, u64 entry)
{
	const u64 beyond = beyond_width(nested);

	if (level == 4)
		return beyond | MASK(7, 3);
	if (!ept_is_leaf(level, entry))
		return beyond | MASK(6, 3);
	return beyond | ((ept_level_size(level) - 1) & MASK(51, 12));
}

/* SDM, "EPT Misconfigurations", of an entry that is present. */
static bool misconfigured(const struct nested *nested, unsigned level, u64 entry)
{
	const u64 rights = entry & EPT_RIGHTS, type = BITS(entry, 5, 3);

	if (!(rights & EPT_READ) &&
	    (rights & EPT_WRITE ||
	     !(nested->shown.msr[VMX_CAP_EPT_VPID_CAP] & CAP_EPT_EXECUTE_ONLY)))
		return true;
	if (level > 1 && ept_is_leaf(level, entry) && !large_is_shown(nested, level))
		return true;
	if (ept_is_leaf(level, entry) && (type == 2 || type == 3 || type == 7))
		return true;
	return entry & reserved_bits(nested, level, entry);
}

/* What most entries are, above level 1: readable, of another table, and not misconfigured. */
static bool is_plain_table(u64 entry, u64 beyond)
{
	return (entry & (EPT_READ | MASK(7, 3) | beyond)) == EPT_READ;
}

/* Below entries that have @above in common. */
static u64 common_rights(u64 above, u64 entry)
{
	return hv_fault(EPT_LEAF_RIGHTS) ? entry & EPT_RIGHTS : above & entry;
}

u64 ept12_page_rights(const struct nested *nested, const struct ept12_walk *walk, u64 entry)
{
	const u64 above = EPT_RIGHTS & walk->entry[4] & walk->entry[3] & walk->entry[2];

	if (!(entry & EPT_RIGHTS) || misconfigured(nested, 1, entry))
		return 0;
	return common_rights(above, entry);
}

void ept12_walk(const struct nested *nested, u64 eptp, u64 gpa2, u64 access,
		struct ept12_walk *walk)
{
	const u64 beyond = beyond_width(nested);
	u64 table = eptp & EPT_ADDRESS;
	u64 rights = EPT_RIGHTS;

	walk->rights = walk->type = walk->gpa1 = 0;
	for (unsigned level = EPT12_LEVELS;; level--) {
		u64 *entry = &walk->entry[level];
		bool plain;

		walk->level = level;
		walk->entry_gpa[level] = table + 8 * ept_index(gpa2, level);
		guest_read_gpa(walk->entry_gpa[level], entry, sizeof(*entry));
		if (!(*entry & EPT_RIGHTS) || gpa2 >> 48) {
			walk->result = EPT12_VIOLATION;
			return;
		}
		plain = level > 1 && is_plain_table(*entry, beyond);
		if (!plain && misconfigured(nested, level, *entry)) {
			walk->result = EPT12_MISCONFIGURED;
			return;
		}
		rights = common_rights(rights, *entry);
		if (plain || !ept_is_leaf(level, *entry)) {
			table = *entry & EPT_ADDRESS;
			continue;
		}
		walk->rights = rights;
		walk->type = *entry & EPT_LEAF_TYPE;
		walk->gpa1 = (*entry & EPT_ADDRESS) | (gpa2 & (ept_level_size(level) - 1));
		walk->result = access & ~rights ? EPT12_VIOLATION : EPT12_MAPPED;
		return;
	}
}
