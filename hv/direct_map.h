/*
 * hv/direct_map.h - where hv sees physical memory
 *
 * Every address up to the top of RAM, and all of the first 4 GiB. Unit tests put
 * tests/stubs/hv/direct_map.h in its place.
 */
#ifndef HV_DIRECT_MAP_H
#define HV_DIRECT_MAP_H

#define DIRECT_MAP 0xffff800000000000ull

#endif
