#include "hv/mem.h"

#include "hv/panic.h"

u64 hv_range_base, hv_range_size;

#define IMAGE_VIRTUAL_BASE 0xffffffff80000000ull

/* The pool: [next, end) was never given out; freed pages form a list through their first word. */
static u8 *pool_next, *pool_end;
static void *free_list;
static size_t free_count;

u64 virt_to_phys(const void *virt)
{
	const u64 address = (u64)virt;

	if (address >= IMAGE_VIRTUAL_BASE)
		return hv_range_base + (address - IMAGE_VIRTUAL_BASE);
	return address - DIRECT_MAP;
}

void mem_init(u64 base, u64 size, u64 pool, u64 pool_end_pa)
{
	hv_range_base = base;
	hv_range_size = size;
	pool_next = phys_to_virt(pool);
	pool_end = phys_to_virt(pool_end_pa);
	free_list = NULL;
	free_count = 0;
}

void *mem_alloc_pages(size_t count)
{
	u8 *pages = pool_next;

	if ((size_t)(pool_end - pool_next) / PAGE_SIZE < count)
		panic("%lu pages wanted, %lu left", count,
		      (size_t)(pool_end - pool_next) / (size_t)PAGE_SIZE);
	pool_next += count * PAGE_SIZE;
	memset(pages, 0, count * PAGE_SIZE);
	return pages;
}

void *mem_try_page(void)
{
	void *page = free_list;

	if (page) {
		free_list = *(void **)page;
		free_count--;
	} else if (pool_next < pool_end) {
		page = pool_next;
		pool_next += PAGE_SIZE;
	} else {
		return NULL;
	}
	memset(page, 0, PAGE_SIZE);
	return page;
}

void mem_free_page(void *page)
{
	*(void **)page = free_list;
	free_list = page;
	free_count++;
}

size_t mem_free_pages(void)
{
	return free_count + (size_t)(pool_end - pool_next) / PAGE_SIZE;
}
