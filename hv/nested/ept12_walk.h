/*
 * hv/nested/ept12_walk.h - the way through the tables that L1 made for L2, as a processor goes it
 *
 * SDM, "EPT Translation Mechanism". L1 and its devices may change an entry at any time: each is
 * read once, and nothing is written here.
 */
#ifndef HV_NESTED_EPT12_WALK_H
#define HV_NESTED_EPT12_WALK_H

#include "base/base.h"

struct nested;

#define EPT12_LEVELS 4

/* One way through EPT12; the entries read are kept for the tape. */
struct ept12_walk {
	enum {
		EPT12_MAPPED,
		EPT12_VIOLATION,
		EPT12_MISCONFIGURED,
		EPT12_LOG_FULL, /* of ept12_access() only */
	} result;
	unsigned level; /* of the last entry read: 4 to 1 */
	u64 rights;	/* EPT_READ ... of all levels together; 0 when some level is not present */
	u64 type;	/* bits 6:3 of the leaf: memory type, and whether it ignores the PAT */
	u64 gpa1;	/* what gpa2 maps to */
	u64 entry[EPT12_LEVELS + 1]; /* by level, down to @level */
	u64 entry_gpa[EPT12_LEVELS + 1];
};

/*
 * Walk the EPT12 of @eptp for @gpa2. A misconfigured entry is found before a missing permission;
 * @access is bits 2:0 of the exit qualification.
 */
void ept12_walk(const struct nested *nested, u64 eptp, u64 gpa2, u64 access,
		struct ept12_walk *walk);

/*
 * What @entry gives, if it is read in the table in which @walk ended, at level 1: EPT_READ ... of
 * all levels together; 0 when it is not present, or misconfigured.
 */
u64 ept12_page_rights(const struct nested *nested, const struct ept12_walk *walk, u64 entry);

#endif
