/*
 * hv/relocate.h - hv moves to the top of memory, so that L1 finds the rest as on a bare machine
 */
#ifndef HV_RELOCATE_H
#define HV_RELOCATE_H

#include "base/base.h"
#include "base/status.h"

/*
 * Find @size bytes (a multiple of 2 MiB) below 4 GiB, clear of the modules, cut them out of the
 * memory map, move the running image there, and switch to page tables that map the image and, at
 * DIRECT_MAP, all RAM and the first 4 GiB. hv's memory pool is ready afterwards. ST_NO_SPACE when
 * memory is too small. On one processor, once.
 */
enum status relocate_image(u64 size);

#endif
