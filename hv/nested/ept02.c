#include "hv/nested/ept02.h"

#include "hv/ept.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/state.h"

#define ROOT_KEY       (EPT_ADDRESS | EPTP_ENABLE_AD) /* of an EPTP */
#define INVEPT_CONTEXT 1
#define NO_ROOT	       0xff
#define RESERVED_PAGES 64 /* so that every processor can always map what one instruction needs */

/* --- Pages ------------------------------------------------------------------------------------ */

void ept02_init(struct nested *nested)
{
	struct ept02 *ept02 = &nested->ept02;
	u8 *reserve;

	ept02->page = mem_alloc_pages(NESTED_EPT_PAGES * sizeof(*ept02->page) / PAGE_SIZE);
	ept02->page_root = mem_alloc_pages(1);
	_Static_assert(NESTED_EPT_PAGES <= PAGE_SIZE, "page_root is one page");
	reserve = mem_alloc_pages(RESERVED_PAGES);
	for (unsigned i = 0; i < RESERVED_PAGES; i++)
		ept02->page[ept02->total++] = (u64 *)(reserve + i * PAGE_SIZE);
	for (unsigned i = 0; i < NESTED_EPT_ROOTS; i++) {
		ept02->root[i].key = NESTED_NONE;
		ept02->root[i].table = mem_alloc_pages(1);
	}
}

/* A zeroed table for @root; NULL when the processor has as many as it can get. */
static u64 *take_page(struct ept02 *ept02, unsigned root)
{
	if (ept02->in_use == ept02->total) {
		u64 *page = ept02->total < NESTED_EPT_PAGES ? mem_try_page() : NULL;

		if (!page)
			return NULL;
		ept02->page[ept02->total++] = page;
	} else {
		memset(ept02->page[ept02->in_use], 0, PAGE_SIZE);
	}
	ept02->page_root[ept02->in_use] = (u8)root;
	return ept02->page[ept02->in_use++];
}

static u64 pointer_of(const struct ept02_root *root)
{
	return virt_to_phys(root->table) | EPTP_WALK_4 | EPT_TYPE_WB | (root->key & EPTP_ENABLE_AD);
}

/*
 * Forget the tree of @root: its tables go back behind those in use, as they are. To zero 2,048 of
 * them would keep L1 waiting for a million instructions.
 */
static void zap(struct ept02 *ept02, unsigned root)
{
	unsigned i = 0;

	memset(ept02->root[root].table, 0, PAGE_SIZE);
	while (i < ept02->in_use) {
		u64 *page = ept02->page[i];

		if (ept02->page_root[i] != root) {
			i++;
			continue;
		}
		ept02->in_use--;
		ept02->page[i] = ept02->page[ept02->in_use];
		ept02->page_root[i] = ept02->page_root[ept02->in_use];
		ept02->page[ept02->in_use] = page;
	}
	invept(INVEPT_CONTEXT, pointer_of(&ept02->root[root]), 0);
}

static unsigned root_of(const struct ept02 *ept02, u64 eptp)
{
	for (unsigned i = 0; i < NESTED_EPT_ROOTS; i++)
		if (ept02->root[i].key == (eptp & ROOT_KEY))
			return i;
	return NO_ROOT;
}

/* The tree for @eptp; when there is none, an empty one, which may have been another's. */
static unsigned take_root(struct nested *nested, u64 eptp)
{
	struct ept02 *ept02 = &nested->ept02;
	unsigned root = root_of(ept02, eptp);

	if (root == NO_ROOT) {
		root = 0;
		for (unsigned i = 1; i < NESTED_EPT_ROOTS; i++)
			if (ept02->root[i].used < ept02->root[root].used)
				root = i;
		if (ept02->root[root].key != NESTED_NONE)
			zap(ept02, root);
		ept02->root[root].key = eptp & ROOT_KEY;
	}
	ept02->root[root].used = ++nested->clock;
	return root;
}

u64 ept02_pointer(struct nested *nested, u64 eptp)
{
	return pointer_of(&nested->ept02.root[take_root(nested, eptp)]);
}

void ept02_invalidate(struct nested *nested, u64 eptp)
{
	/* Bits 51:12 alone name what INVEPT drops. */
	for (unsigned i = 0; i < NESTED_EPT_ROOTS; i++)
		if (nested->ept02.root[i].key != NESTED_NONE &&
		    !((nested->ept02.root[i].key ^ eptp) & EPT_ADDRESS))
			zap(&nested->ept02, i);
}

void ept02_invalidate_all(struct nested *nested)
{
	for (unsigned i = 0; i < NESTED_EPT_ROOTS; i++)
		if (nested->ept02.root[i].key != NESTED_NONE)
			zap(&nested->ept02, i);
}

/* --- EPT02 ------------------------------------------------------------------------------------ */

/* The level of the largest page that is whole in EPT12's page and in EPT01's. */
static unsigned common_level(const struct ept12_walk *walk, const struct ept_page *page)
{
	unsigned level = walk->level;

	while (ept_level_size(level) > page->size)
		level--;
	return level;
}

static bool map_page(struct ept02 *ept02, unsigned root, u64 gpa2, unsigned leaf_level, u64 leaf)
{
	u64 *table = ept02->root[root].table;

	for (unsigned level = EPT12_LEVELS; level > leaf_level; level--) {
		u64 *entry = &table[ept_index(gpa2, level)];

		if (!*entry || *entry & EPT_LARGE) {
			u64 *below = take_page(ept02, root);

			if (!below)
				return false;
			*entry = virt_to_phys(below) | EPT_RIGHTS;
		}
		table = phys_to_virt(*entry & EPT_ADDRESS);
	}
	table[ept_index(gpa2, leaf_level)] = leaf;
	return true;
}

void ept02_map(struct nested *nested, u64 eptp, u64 gpa2, const struct ept12_walk *walk)
{
	struct ept02 *ept02 = &nested->ept02;
	const unsigned root = take_root(nested, eptp);
	struct ept_page page;
	unsigned level = 1;
	u64 leaf;

	if (ept01_lookup(walk->gpa1, &page)) {
		level = common_level(walk, &page);
		leaf = page.pa & ~(ept_level_size(level) - 1);
	} else {
		/* Nothing of L1's is there: reads find ones, writes are lost. */
		leaf = virt_to_phys(nested->dummy);
	}
	leaf |= walk->type | walk->rights | (level > 1 ? EPT_LARGE : 0);
	if (map_page(ept02, root, gpa2, level, leaf))
		return;
	/* Out of pages: start over with this one page, which the reserve has room for. */
	for (unsigned i = 0; i < NESTED_EPT_ROOTS; i++)
		zap(ept02, i);
	map_page(ept02, root, gpa2, level, leaf);
}

bool ept02_find(const struct nested *nested, u64 eptp, u64 gpa2, unsigned *level, u64 *entry)
{
	const unsigned root = root_of(&nested->ept02, eptp);
	const u64 *table;

	if (root == NO_ROOT)
		return false;
	table = nested->ept02.root[root].table;
	for (*level = EPT12_LEVELS;; --*level) {
		*entry = table[ept_index(gpa2, *level)];
		if (!*entry || ept_is_leaf(*level, *entry))
			return *entry;
		table = phys_to_virt(*entry & EPT_ADDRESS);
	}
}

unsigned ept02_tables(const struct nested *nested, u64 eptp)
{
	const unsigned root = root_of(&nested->ept02, eptp);
	unsigned count = 0;

	for (unsigned i = 0; i < nested->ept02.in_use; i++)
		count += nested->ept02.page_root[i] == root;
	return count;
}
