#include "hv/percpu.h"

#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/panic.h"

#define STACK_PAGES 8

static struct percpu *percpus[PERCPU_MAX];
static unsigned count;

struct percpu *percpu_this(void)
{
	return count > 1 ? gs_self() : percpus[0];
}

struct percpu *percpu_of(unsigned id)
{
	return id < count ? percpus[id] : NULL;
}

unsigned percpu_count(void)
{
	return count;
}

void percpu_set_boot(struct percpu *cpu)
{
	percpus[0] = cpu;
	count = 1;
}

void percpu_add(struct percpu *cpu)
{
	hv_assert(count < PERCPU_MAX);
	cpu->id = count;
	percpus[count++] = cpu;
}

struct percpu *percpu_create(void)
{
	struct percpu *cpu = mem_alloc_pages(ALIGN_UP(sizeof(*cpu), PAGE_SIZE) / PAGE_SIZE);

	cpu->self = cpu;
	cpu->seen_init_rip = ~0ull;
	cpu->stack_top = (u8 *)mem_alloc_pages(STACK_PAGES) + STACK_PAGES * PAGE_SIZE;
	return cpu;
}
