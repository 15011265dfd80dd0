#include "hv/mtrr.h"

#include "hv/insn.h"

#define MSR_MTRRCAP	  0xfe
#define MSR_MTRR_PHYSBASE 0x200
#define MSR_MTRR_DEF_TYPE 0x2ff
#define DEF_TYPE_ENABLE	  BIT(11)
#define DEF_TYPE_FIXED	  BIT(10)
#define PHYSMASK_VALID	  BIT(11)
#define MAX_VARIABLE	  16
#define FIXED_END	  0x100000

/* The fixed-range MTRRs: eight ranges each. */
static const struct {
	u32 index, base, size;
} fixed_msrs[] = {
	{ 0x250, 0x00000, 0x10000 }, { 0x258, 0x80000, 0x4000 }, { 0x259, 0xa0000, 0x4000 },
	{ 0x268, 0xc0000, 0x1000 },  { 0x269, 0xc8000, 0x1000 }, { 0x26a, 0xd0000, 0x1000 },
	{ 0x26b, 0xd8000, 0x1000 },  { 0x26c, 0xe0000, 0x1000 }, { 0x26d, 0xe8000, 0x1000 },
	{ 0x26e, 0xf0000, 0x1000 },  { 0x26f, 0xf8000, 0x1000 },
};

static struct {
	u64 base, mask;
} variable[MAX_VARIABLE]; /* those that are valid */
static unsigned variable_count;
static bool scattered; /* a mask has holes: its range is in pieces, maybe millions */
static u64 default_type, fixed[ARRAY_SIZE(fixed_msrs)];

/*
 * A range in one piece has a mask of ones from some bit up to the physical width, or, where memory
 * encryption takes address bits, to below those: never to below 64 GiB.
 */
static bool has_holes(u64 mask)
{
	const u64 looked_at = mask & MASK(51, 12);
	const u64 end = looked_at + (looked_at & -looked_at);

	return looked_at && (end & (end - 1) || end < GIB(64));
}

void mtrr_read(void)
{
	const u64 cap = rdmsr(MSR_MTRRCAP);
	const unsigned pairs = MIN((unsigned)(cap & 0xff), MAX_VARIABLE);

	variable_count = 0;
	scattered = false;
	for (unsigned i = 0; i < pairs; i++) {
		const u64 mask = rdmsr(MSR_MTRR_PHYSBASE + 2 * i + 1);

		if (!(mask & PHYSMASK_VALID))
			continue;
		variable[variable_count].base = rdmsr(MSR_MTRR_PHYSBASE + 2 * i);
		variable[variable_count++].mask = mask;
		scattered |= has_holes(mask);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fixed_msrs); i++)
		fixed[i] = cap & BIT(8) ? rdmsr(fixed_msrs[i].index) : 0;
	default_type = rdmsr(MSR_MTRR_DEF_TYPE);
}

bool mtrr_is_msr(u32 index)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fixed_msrs); i++)
		if (fixed_msrs[i].index == index)
			return true;
	return index == MSR_MTRR_DEF_TYPE ||
	       (index >= MSR_MTRR_PHYSBASE && index < MSR_MTRR_PHYSBASE + 2 * MAX_VARIABLE);
}

static u8 fixed_type(u64 pa)
{
	unsigned i = ARRAY_SIZE(fixed_msrs) - 1;

	while (pa < fixed_msrs[i].base)
		i--;
	return (u8)(fixed[i] >> (pa - fixed_msrs[i].base) / fixed_msrs[i].size * 8);
}

/* SDM "MTRR Precedences": UC wins, WT wins over WB; other overlaps are undefined, the lower is
 * kept. */
static u8 combine(u8 a, u8 b)
{
	if (a == MEMORY_UC || b == MEMORY_UC)
		return MEMORY_UC;
	if ((a == MEMORY_WT && b == MEMORY_WB) || (a == MEMORY_WB && b == MEMORY_WT))
		return MEMORY_WT;
	return MIN(a, b);
}

bool mtrr_type(u64 base, u64 size, u8 *type)
{
	bool matched = false;

	*type = MEMORY_UC;
	/* Uncached is right for any type. Only an L1 that wants to keep hv busy scatters ranges. */
	if (!(default_type & DEF_TYPE_ENABLE) || scattered)
		return true;
	if (default_type & DEF_TYPE_FIXED && base < FIXED_END) {
		*type = fixed_type(base);
		return size == 4096;
	}
	*type = (u8)default_type;
	for (unsigned i = 0; i < variable_count; i++) {
		const u64 mask = variable[i].mask & MASK(51, 12);

		/* Where the mask looks at bits below @size, part of the page may match and part
		 * not. */
		if ((base & mask & ~(size - 1)) != (variable[i].base & mask & ~(size - 1)))
			continue;
		if (mask & (size - 1) & ~0xfffull)
			return false;
		*type = matched ? combine(*type, (u8)variable[i].base) : (u8)variable[i].base;
		matched = true;
	}
	return true;
}
