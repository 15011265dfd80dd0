#include "hv/ept.h"

#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/mtrr.h"
#include "vmx/tables.h"

#define EPT_CAP_1G     BIT(17)
#define INVEPT_SINGLE  1
#define EPT_TYPE       MASK(5, 3)
#define MAX_WIDTH_1G   46 /* 64 TiB: 128 tables */
#define MAX_WIDTH_2M   39 /* without 1 GiB pages, 512 GiB: 512 tables */
/* Memory types are set up to the end of RAM, and at least up to here: devices with small BARs. */
#define TYPED_1G       GIB(64)
#define TYPED_2M       GIB(4)

/*
 * How many pages L1 can make hv split by MTRRs that it writes. Linux writes what the firmware
 * wrote, and each table costs whoever writes an MTRR some 5,000 instructions.
 */
#define MAX_SPLITS     4

/* Entries, so that an exit stays short: some 50 instructions each. */
#define RIGHTS_AT_ONCE 1500

static u64 *pml4;
static u64 mapped_end;
static u64 typed_end; /* above it all is uncached, whatever the MTRRs say */
static bool large_1g;
static bool built;
static bool changed;
static unsigned splits_left;
static u64 type_changes;

/*
 * hv's own range maps to one page of nothing: L1 that strays there finds memory that forgets, and
 * no exit whose instruction hv would have to emulate. One table of 512 such entries serves it all.
 */
static u64 *scratch_table;

static u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & MASK(51, 12));
}

/* A table to split a page with; NULL when L1 has had its share of hv's memory. */
static u64 *split_table(void)
{
	if (!built)
		return mem_alloc_pages(1);
	if (!splits_left)
		return NULL;
	splits_left--;
	return mem_try_page();
}

static void set_entry(u64 *entry, u64 value)
{
	if (*entry == value)
		return;
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
	changed = true;
}

/* A table of smaller pages in the place of the page that @entry maps. */
static enum status split(u64 *entry, unsigned level, u64 *table)
{
	const u64 whole = *entry;

	if (!table)
		return ST_NO_MEMORY;
	for (u64 i = 0; i < 512; i++)
		table[i] =
			(level == 2 ? whole & ~EPT_LARGE : whole) + i * ept_level_size(level - 1);
	__atomic_store_n(entry, virt_to_phys(table) | EPT_RIGHTS, __ATOMIC_RELEASE);
	return ST_OK;
}

/* --- The identity ----------------------------------------------------------------------------- */

/* Uncached, in the largest pages that leave hv's range out. */
static void map(u64 *table, unsigned level, u64 base)
{
	const u64 size = ept_level_size(level);

	for (u64 i = 0; i < 512 && base + i * size < mapped_end; i++) {
		const u64 at = base + i * size;

		if (level == 2 && at >= hv_range_base && at < hv_range_base + hv_range_size) {
			table[i] = virt_to_phys(scratch_table) | EPT_RIGHTS;
		} else if (level == 4 || (level == 3 && (!large_1g || mem_is_hv(at, size)))) {
			u64 *const lower = mem_alloc_pages(1);

			map(lower, level - 1, at);
			table[i] = virt_to_phys(lower) | EPT_RIGHTS;
		} else {
			table[i] = at | EPT_RIGHTS | EPT_LARGE;
		}
	}
}

/* --- Memory types ----------------------------------------------------------------------------- */

/*
 * The page at @entry has the flags of @bits now. Returns what is other than it was. Others may walk
 * the tables meanwhile: they find the old entry or the new one.
 */
static ALWAYS_INLINE u64 set_leaf(u64 *entry, u64 bits)
{
	const u64 old = *entry, now = (old & ~EPT_TYPE) | bits;

	__atomic_store_n(entry, now, __ATOMIC_RELAXED);
	return old ^ now;
}

/* Pages [@first, @end) of @table, and what is below them, are of one type. hv's own keep theirs. */
static void set_whole_pages(u64 *table, unsigned level, u64 first, u64 end, u64 type)
{
	const u64 bits = type | EPT_RIGHTS;
	u64 differ = 0;

	for (u64 *entry = &table[first]; level == 1 && entry < &table[end]; entry++)
		differ |= set_leaf(entry, bits);
	for (u64 *entry = &table[first]; level > 1 && entry < &table[end] && *entry; entry++) {
		if (*entry & EPT_LARGE)
			differ |= set_leaf(entry, bits);
		else if (table_of(*entry) != scratch_table)
			set_whole_pages(table_of(*entry), level - 1, 0, 512, type);
	}
	if (differ)
		changed = true;
}

static void set_types(u64 *table, unsigned level, u64 base, u64 begin, u64 end, u64 type);

/* A part of the page at @entry, which begins at @at, is of one type. */
static void set_part_of_page(u64 *entry, unsigned level, u64 at, u64 begin, u64 end, u64 type)
{
	if (!*entry)
		return;
	if (ept_is_leaf(level, *entry)) {
		if ((*entry & EPT_TYPE) == type) {
			set_entry(entry, *entry | EPT_RIGHTS);
			return;
		}
		/* Without a table the whole page is uncached: slow, and right for every type. */
		if (split(entry, level, split_table()) != ST_OK) {
			set_entry(entry, *entry & ~EPT_TYPE);
			return;
		}
		changed = true;
	}
	if (table_of(*entry) != scratch_table)
		set_types(table_of(*entry), level - 1, at, begin, end, type);
}

/*
 * [@begin, @end), which overlaps what @table maps from @base on, is of one type. Called for all
 * ranges in turn, so that a page which is split keeps its type where it is not of this range.
 */
static void set_types(u64 *table, unsigned level, u64 base, u64 begin, u64 end, u64 type)
{
	const u64 size = ept_level_size(level);
	const u64 from = begin > base ? begin - base : 0, to = MIN(end - base, 512 * size);
	const u64 first = (from + size - 1) / size, last = to / size;

	if (from % size)
		set_part_of_page(&table[first - 1], level, base + (first - 1) * size, begin, end,
				 type);
	set_whole_pages(table, level, first, last, type);
	if (to % size && last >= first)
		set_part_of_page(&table[last], level, base + last * size, begin, end, type);
}

/* What L1 can make this cost is bounded by the number of tables: some ten instructions an entry. */
static void set_all_types(void)
{
	u64 begin = 0, end;
	u8 type = MEMORY_UC;

	mtrr_read();
	changed = false;
	for (u64 at = 0; at < typed_end; at = end) {
		const u8 type_here = mtrr_type(at, &end);

		if (type_here == type)
			continue;
		set_types(pml4, 4, 0, begin, at, (u64)type << EPT_TYPE_SHIFT);
		begin = at;
		type = type_here;
	}
	set_types(pml4, 4, 0, begin, typed_end, (u64)type << EPT_TYPE_SHIFT);
}

void ept01_init(void)
{
	const u32 width = cpuid(0x80000008, 0).eax & 0xff;
	void *scratch = mem_alloc_pages(1);

	large_1g = rdmsr(MSR_VMX_EPT_VPID_CAP) & EPT_CAP_1G;
	mapped_end = BIT(MIN(width, large_1g ? MAX_WIDTH_1G : MAX_WIDTH_2M));
	typed_end = MIN(mapped_end, MAX(memmap_top(), large_1g ? TYPED_1G : TYPED_2M));
	scratch_table = mem_alloc_pages(1);
	for (unsigned i = 0; i < 512; i++)
		scratch_table[i] =
			virt_to_phys(scratch) | EPT_TYPE_WB << EPT_TYPE_SHIFT | EPT_RIGHTS;
	pml4 = mem_alloc_pages(1);
	built = false;
	map(pml4, 4, 0);
	set_all_types();
	built = true;
	splits_left = MAX_SPLITS;
}

u64 ept01_pointer(void)
{
	return virt_to_phys(pml4) | EPTP_WALK_4 | EPT_TYPE_WB;
}

void ept01_flush(void)
{
	invept(INVEPT_SINGLE, ept01_pointer(), 0);
}

bool ept01_update_types(void)
{
	set_all_types();
	if (changed) {
		type_changes++;
		ept01_flush();
	}
	return changed;
}

u64 ept01_type_changes(void)
{
	return type_changes;
}

/* --- The right to write ----------------------------------------------------------------------- */

static bool has_table(unsigned level, u64 entry)
{
	return entry && !ept_is_leaf(level, entry) && table_of(entry) != scratch_table;
}

/* @size is what the entry maps at @at. A page that is RAM in part is split. */
static enum status set_right(u64 *entry, unsigned level, u64 at, u64 size, bool protect)
{
	if (!*entry || !ept_is_leaf(level, *entry))
		return ST_OK;
	if (!protect)
		*entry |= EPT_WRITE;
	else if (memmap_is_ram(at, size))
		*entry &= ~EPT_WRITE;
	else if (level > 1)
		return split(entry, level, mem_try_page());
	return ST_OK;
}

static unsigned index_of(unsigned level, u64 at)
{
	return at >> (12 + 9 * (level - 1)) & 511;
}

/*
 * Of *@left entries at most, in the table that maps *@at; *@at goes behind what they map, or to
 * where a table of smaller pages begins.
 */
static enum status set_rights(u64 *at, u64 end, bool protect, unsigned *left)
{
	u64 *table = pml4;
	unsigned level = 4, i;
	enum status status = ST_OK;
	u64 size, base;

	while (has_table(level, table[index_of(level, *at)])) {
		table = table_of(table[index_of(level, *at)]);
		level--;
	}
	size = ept_level_size(level);
	base = *at & ~(size - 1);
	for (i = index_of(level, *at); i < 512 && base < end && *left && status == ST_OK; i++) {
		--*left;
		status = set_right(&table[i], level, base, size, protect);
		if (has_table(level, table[i]))
			break;
		base += size;
	}
	*at = base;
	return status;
}

enum status ept01_set_right(u64 *at, bool protect)
{
	const u64 end = memmap_top();
	unsigned left = RIGHTS_AT_ONCE;
	enum status status = ST_OK;

	while (left && *at < end && status == ST_OK)
		status = set_rights(at, end, protect, &left);
	return status == ST_OK && *at >= end ? ST_END : status;
}

void ept01_let_write(u64 gpa1)
{
	unsigned left = 1;

	set_rights(&gpa1, ~0ull, false, &left);
}

enum status ept01_protect_page(u64 gpa1, bool protect)
{
	u64 *table = pml4;

	for (unsigned level = 4;; level--) {
		u64 *const entry = &table[ept_index(gpa1, level)];

		if (level == 1) {
			*entry = protect ? *entry & ~EPT_WRITE : *entry | EPT_WRITE;
			return ST_OK;
		}
		if (ept_is_leaf(level, *entry) && split(entry, level, mem_try_page()) != ST_OK)
			return ST_NO_MEMORY;
		table = table_of(*entry);
	}
}

bool ept01_lookup(u64 gpa1, struct ept_page *page)
{
	const u64 *table = pml4;

	if (gpa1 >= mapped_end || mem_is_hv(gpa1, 1))
		return false;
	for (unsigned level = 4;; level--) {
		const u64 entry = table[ept_index(gpa1, level)];

		if (!entry)
			return false;
		if (!ept_is_leaf(level, entry)) {
			table = table_of(entry);
			continue;
		}
		*page = (struct ept_page){
			.pa = gpa1,
			.type = BITS(entry, 5, 3),
			.size = ept_level_size(level),
		};
		return true;
	}
}
