/*
 * hv/nested/ve.h - EPT violations that are exceptions of L2 instead of exits to L1
 *
 * SDM, "Virtualization Exceptions".
 */
#ifndef HV_NESTED_VE_H
#define HV_NESTED_VE_H

#include "base/base.h"

struct ept12_walk;
struct percpu;

/*
 * Whether the EPT violation in which @walk for @gpa2 ended, with that exit qualification and
 * guest-linear address, becomes a virtualization exception. Then the information about it is where
 * L1 wants it.
 */
bool ve_replaces(const struct percpu *cpu, const struct ept12_walk *walk, u64 qualification,
		 u64 linear, u64 gpa2);

#endif
