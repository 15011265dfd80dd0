/*
 * tests/hv/ept12_build.h - an EPT12 of one table a level, at PLAY_EPT12
 */
#ifndef TESTS_HV_EPT12_BUILD_H
#define TESTS_HV_EPT12_BUILD_H

#include "tests/hv/nested_play.h"

#define WB_LARGE 0xb0
#define WB_PAGE	 0x30

static inline u64 *table(unsigned level)
{
	return stub_at(PLAY_EPT12 + 0x1000 * (4 - level));
}

/* EPT12 with one way through: the entries of levels 4 to 1 for gpa2 0. */
static inline u64 build(u64 e4, u64 e3, u64 e2, u64 e1)
{
	table(4)[0] = e4;
	table(3)[0] = e3;
	table(2)[0] = e2;
	table(1)[0] = e1;
	return PLAY_EPT12 | 3 << 3 | 6;
}

#define T3 (PLAY_EPT12 + 0x1000)
#define T2 (PLAY_EPT12 + 0x2000)
#define T1 (PLAY_EPT12 + 0x3000)

#endif
