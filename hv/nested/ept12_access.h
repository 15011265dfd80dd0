/*
 * hv/nested/ept12_access.h - accesses by EPT12, with what a processor does besides translating
 *
 * SDM, "Accessed and Dirty Flags for EPT": where the EPTP enables them, an access sets the accessed
 * flag of each entry on its way and, if it writes, the dirty flag of the last. "Page-Modification
 * Logging": where VMCS12 asks for it, pages that become dirty are entered into L1's log.
 */
#ifndef HV_NESTED_EPT12_ACCESS_H
#define HV_NESTED_EPT12_ACCESS_H

#include "hv/nested/ept12_walk.h"

/*
 * Bits 2:0 of the exit qualification for an access that is @kind: with flags enabled, one to a
 * paging structure of L2 is a read and a write, whatever it does.
 */
u64 ept12_access_kind(u64 eptp, u64 kind, bool paging_structure);

/*
 * ept12_walk() for an access that L2 makes. Where it succeeds, the flags of @walk's entries are set
 * in L1's memory, and @walk->rights lack EPT_WRITE as long as the page is not dirty. Where a flag
 * is to be set and the log is full, nothing is done.
 */
void ept12_access(struct nested *nested, u64 eptp, u64 gpa2, u64 access, struct ept12_walk *walk);

/*
 * Of the @rights that @entry for a page gives, those that a processor may use before L2 accesses
 * the page: with flags enabled none, unless it was accessed before, and a write if it is dirty.
 */
u64 ept12_rights_without_access(u64 eptp, u64 entry, u64 rights);

#endif
