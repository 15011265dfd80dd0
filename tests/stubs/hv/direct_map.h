/*
 * tests/stubs/hv/direct_map.h - physical memory of unit tests: what stub_memory points to
 */
#ifndef HV_DIRECT_MAP_H
#define HV_DIRECT_MAP_H

#include "base/base.h"

extern u8 *stub_memory;

#define DIRECT_MAP ((u64)stub_memory)

#endif
