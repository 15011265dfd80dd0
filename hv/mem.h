/*
 * hv/mem.h - hv's own memory: pages from a pool behind the image, and how it sees physical memory
 *
 * hv lies in one physically contiguous range, cut out of everything L1 sees.
 */
#ifndef HV_MEM_H
#define HV_MEM_H

#include "base/base.h"
#include "hv/direct_map.h"

#define PAGE_SIZE 4096ull

static inline void *phys_to_virt(u64 pa)
{
	return (void *)(DIRECT_MAP + pa);
}

/* Physical address of anything in hv's range, image or pool. */
u64 virt_to_phys(const void *virt);

/* hv is at [@base, @base + @size), and of that [@pool, @pool_end) is free: the pool. */
void mem_init(u64 base, u64 size, u64 pool, u64 pool_end);

/* The range that is hv's. */
extern u64 hv_range_base, hv_range_size;

static inline bool mem_is_hv(u64 pa, u64 size)
{
	return pa < hv_range_base + hv_range_size && pa + size > hv_range_base;
}

/*
 * Part what is left among the first @count processors: from now on each takes pages of its own
 * part.
 */
void mem_share(unsigned count);

/* @count contiguous zeroed pages, never freed. Panics when the pool is empty: set-up only. */
void *mem_alloc_pages(size_t count);

/* One zeroed page, never freed, or NULL; for what L1 can ask for more of than there is. */
void *mem_try_page(void);

/* Pages that mem_try_page() can still give. */
size_t mem_pages_left(void);

#endif
