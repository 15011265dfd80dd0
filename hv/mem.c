#include "hv/mem.h"

#include "hv/panic.h"
#include "hv/percpu.h"

u64 hv_range_base, hv_range_size;

#define IMAGE_VIRTUAL_BASE 0xffffffff80000000ull

/* [next, end) was not given out yet. */
struct pool {
	u8 *next, *end;
};

/* One for each processor once mem_share() was called, so that none has to wait for another. */
static struct pool pools[PERCPU_MAX];
static bool shared;

static struct pool *own_pool(void)
{
	return &pools[shared ? percpu_this()->id : 0];
}

u64 virt_to_phys(const void *virt)
{
	const u64 address = (u64)virt;

	if (address >= IMAGE_VIRTUAL_BASE)
		return hv_range_base + (address - IMAGE_VIRTUAL_BASE);
	return address - DIRECT_MAP;
}

void mem_init(u64 base, u64 size, u64 pool, u64 pool_end)
{
	hv_range_base = base;
	hv_range_size = size;
	shared = false;
	pools[0] = (struct pool){ phys_to_virt(pool), phys_to_virt(pool_end) };
}

static size_t pages_left(const struct pool *pool)
{
	return (size_t)(pool->end - pool->next) / PAGE_SIZE;
}

void mem_share(unsigned count)
{
	const size_t each = pages_left(&pools[0]) / count * PAGE_SIZE;

	for (unsigned i = count; i-- > 1;) {
		pools[i] = (struct pool){ pools[0].end - each, pools[0].end };
		pools[0].end -= each;
	}
	shared = true;
}

void *mem_alloc_pages(size_t count)
{
	struct pool *pool = own_pool();
	u8 *pages = pool->next;

	if (pages_left(pool) < count)
		panic("%lu pages wanted, %lu left", count, pages_left(pool));
	pool->next += count * PAGE_SIZE;
	memset(pages, 0, count * PAGE_SIZE);
	return pages;
}

void *mem_try_page(void)
{
	struct pool *pool = own_pool();
	void *page = pool->next;

	if (pool->next == pool->end)
		return NULL;
	pool->next += PAGE_SIZE;
	memset(page, 0, PAGE_SIZE);
	return page;
}

size_t mem_pages_left(void)
{
	return pages_left(own_pool());
}
