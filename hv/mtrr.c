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
	if (likely(index < MSR_MTRR_PHYSBASE || index > MSR_MTRR_DEF_TYPE))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(fixed_msrs); i++)
		if (fixed_msrs[i].index == index)
			return true;
	return index == MSR_MTRR_DEF_TYPE ||
	       (index >= MSR_MTRR_PHYSBASE && index < MSR_MTRR_PHYSBASE + 2 * MAX_VARIABLE);
}

static u8 fixed_type(u64 pa, u64 *end)
{
	unsigned i = ARRAY_SIZE(fixed_msrs) - 1, range;

	while (pa < fixed_msrs[i].base)
		i--;
	range = (unsigned)((pa - fixed_msrs[i].base) / fixed_msrs[i].size);
	*end = fixed_msrs[i].base + (range + 1ull) * fixed_msrs[i].size;
	return (u8)(fixed[i] >> range * 8);
}

/*
 * SDM "MTRR Precedences": UC wins, WT wins over WB; other overlaps are undefined, the lower is
 * kept.
 */
static u8 combine(u8 a, u8 b)
{
	if (a == MEMORY_UC || b == MEMORY_UC)
		return MEMORY_UC;
	if ((a == MEMORY_WT && b == MEMORY_WB) || (a == MEMORY_WB && b == MEMORY_WT))
		return MEMORY_WT;
	return MIN(a, b);
}

/* Whether a variable range has @pa; *@end, which is above @pa, goes down to where that changes. */
static bool is_in_range(u64 base, u64 mask, u64 pa, u64 *end)
{
	const u64 looked_at = mask & MASK(51, 12), size = looked_at & -looked_at;
	const u64 begin = base & looked_at;
	/* The mask does not look at address bits from here on: the range comes again there. */
	const u64 period = looked_at + size;

	if (!looked_at)
		return true;
	if ((pa & looked_at) == begin) {
		*end = MIN(*end, (pa | (size - 1)) + 1);
		return true;
	}
	if ((pa & (period - 1)) < begin)
		*end = MIN(*end, (pa & -period) + begin);
	else
		*end = MIN(*end, (pa | (period - 1)) + 1);
	return false;
}

u8 mtrr_type(u64 pa, u64 *end)
{
	bool matched = false;
	u8 type;

	*end = MTRR_END;
	/* Uncached is right for any type. Only an L1 that wants to keep hv busy scatters ranges. */
	if (!(default_type & DEF_TYPE_ENABLE) || scattered)
		return MEMORY_UC;
	if (default_type & DEF_TYPE_FIXED && pa < FIXED_END)
		return fixed_type(pa, end);
	type = (u8)default_type;
	for (unsigned i = 0; i < variable_count; i++) {
		if (!is_in_range(variable[i].base, variable[i].mask, pa, end))
			continue;
		type = matched ? combine(type, (u8)variable[i].base) : (u8)variable[i].base;
		matched = true;
	}
	return type;
}
