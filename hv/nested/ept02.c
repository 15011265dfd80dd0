#include "hv/nested/ept02.h"

#include "hv/deep.h"
#include "hv/ept.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/ept12_access.h"

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
static NOINLINE void drop_tree(struct ept02 *ept02, unsigned root)
{
	unsigned i = 0;

	memset(ept02->root[root].table, 0, PAGE_SIZE);
	ept02->root[root].linked = ept02->root[root].top = 0;
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

/*
 * Take the tree of @root from the processor, but keep it: what its tables hold is compared with
 * EPT12 before they are linked again.
 */
static NOINLINE void unlink_tree(struct ept02 *ept02, unsigned root)
{
	struct ept02_root *const tree = &ept02->root[root];

	for (u64 *entry = tree->table; tree->top; entry++) {
		tree->top -= *entry & EPT_RIGHTS ? 1 : 0;
		*entry &= ~EPT_RIGHTS;
	}
	tree->linked = 0;
	invept(INVEPT_CONTEXT, pointer_of(tree), 0);
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
			drop_tree(ept02, root);
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
			unlink_tree(&nested->ept02, i);
}

void ept02_invalidate_all(struct nested *nested)
{
	for (unsigned i = 0; i < NESTED_EPT_ROOTS; i++)
		if (nested->ept02.root[i].key != NESTED_NONE)
			unlink_tree(&nested->ept02, i);
}

/* --- Tables that are linked again ------------------------------------------------------------- */

/*
 * The leaf for @gpa1, which EPT12 maps by a page of *@level: the largest that is whole in EPT01 as
 * well; *@level becomes its level.
 */
static u64 make_leaf(const struct nested *nested, u64 gpa1, u64 type, u64 rights, unsigned *level)
{
	struct ept_page page;

	if (!ept01_lookup(gpa1, &page)) {
		/* Nothing of L1's is there: reads find ones, writes are lost. */
		*level = 1;
		return virt_to_phys(nested->dummy) | type | rights;
	}
	while (ept_level_size(*level) > page.size)
		--*level;
	return (page.pa & ~(ept_level_size(*level) - 1)) | type | rights |
	       (*level > 1 ? EPT_LARGE : 0);
}

/* What L2 may do with a page of L1's, where EPT12 gives it @rights. */
static u64 limit_rights(const struct percpu *cpu, u64 gpa1, u64 rights)
{
	return deep_may_write(cpu, gpa1) ? rights : rights & ~EPT_WRITE;
}

/* What becomes of a leaf, where EPT12 has @entry of level 1 now; 0: L2 has to ask for the page. */
static u64 sync_leaf(const struct percpu *cpu, u64 eptp, const struct ept12_walk *walk, u64 entry)
{
	const u64 gpa1 = entry & EPT_ADDRESS;
	u64 rights = ept12_page_rights(&cpu->nested, walk, entry);
	unsigned level = 1;

	rights = ept12_rights_without_access(eptp, entry, rights);
	if (!rights)
		return 0;
	return make_leaf(&cpu->nested, gpa1, entry & EPT_LEAF_TYPE, limit_rights(cpu, gpa1, rights),
			 &level);
}

/*
 * Bring @table, which is of level 1 and on the way to the page of @walk, up to date: of the pages
 * that it has, which L2 used, L2 is likely to use more than that one.
 *
 * Most entries of EPT12 have the flags of the one before, and lead to where the leaf does. They
 * need no judgement of their own: EPT01 is the identity, and what it maps never changes.
 */
static NOINLINE void sync_pages(const struct percpu *cpu, u64 eptp, const struct ept12_walk *walk,
				u64 *table)
{
	const volatile u64 *table12 = NULL; /* L1 may be writing there */
	u64 like = 0, kept = 0, rights = 0; /* what entries with the flags of @like come to */

	if (walk->level == 1)
		table12 = guest_ram(walk->entry_gpa[1] & ~(PAGE_SIZE - 1), PAGE_SIZE);
	if (!table12) {
		memset(table, 0, PAGE_SIZE);
		return;
	}
	for (unsigned i = 0; i < 512; i++) {
		u64 entry;

		if (!table[i])
			continue;
		entry = table12[i];
		if (likely(!((entry ^ like) & ~EPT_ADDRESS) &&
			   !((entry ^ table[i]) & EPT_ADDRESS))) {
			table[i] = (entry & kept) | rights;
			continue;
		}
		table[i] = sync_leaf(cpu, eptp, walk, entry);
		/* With capture=deep, rights are those of the page. */
		if (table[i] && !cpu->deep) {
			like = entry;
			kept = EPT_ADDRESS | EPT_LEAF_TYPE;
			rights = table[i] & EPT_RIGHTS;
		}
	}
}

/* Of a table above level 1, most of which is empty: large pages go, tables below are stale. */
static void sync_tables(u64 *table)
{
	for (u64 *at = table; at < table + 512; at += 4)
		if (at[0] | at[1] | at[2] | at[3])
			for (unsigned i = 0; i < 4; i++)
				at[i] &= ~EPT_RIGHTS;
}

/* --- EPT02 ------------------------------------------------------------------------------------ */

static bool is_linked_table(u64 entry)
{
	return (entry & (EPT_RIGHTS | EPT_LARGE)) == EPT_RIGHTS;
}

/*
 * Make *@entry of @level, which is none, lead to a table on the way to the page of @walk: the one
 * it led to before, or an empty one. False: there is no page for it.
 */
static NOINLINE bool link_table(struct percpu *cpu, unsigned root, u64 *entry, unsigned level,
				const struct ept12_walk *walk)
{
	struct ept02_root *const tree = &cpu->nested.ept02.root[root];
	u64 *below;

	if (!*entry || *entry & EPT_LARGE) {
		below = take_page(&cpu->nested.ept02, root);
		if (!below)
			return false;
	} else {
		below = phys_to_virt(*entry & EPT_ADDRESS);
		if (level > 2)
			sync_tables(below);
		else
			sync_pages(cpu, tree->key, walk, below);
	}
	*entry = virt_to_phys(below) | EPT_RIGHTS;
	tree->linked++;
	tree->top += level == EPT12_LEVELS;
	return true;
}

/* A table that @leaf takes the place of is of no more use until the tree is dropped. */
static bool map_page(struct percpu *cpu, unsigned root, u64 gpa2, const struct ept12_walk *walk,
		     unsigned leaf_level, u64 leaf)
{
	u64 *table = cpu->nested.ept02.root[root].table;

	for (unsigned level = EPT12_LEVELS; level > leaf_level; level--) {
		u64 *const entry = &table[ept_index(gpa2, level)];

		if (unlikely(!is_linked_table(*entry)) &&
		    !link_table(cpu, root, entry, level, walk))
			return false;
		table = phys_to_virt(*entry & EPT_ADDRESS);
	}
	table[ept_index(gpa2, leaf_level)] = leaf;
	return true;
}

void ept02_map(struct percpu *cpu, u64 eptp, u64 gpa2, const struct ept12_walk *walk)
{
	struct nested *const nested = &cpu->nested;
	const unsigned root = take_root(nested, eptp);
	const u64 rights = limit_rights(cpu, walk->gpa1, walk->rights);
	unsigned level = walk->level;
	const u64 leaf = make_leaf(nested, walk->gpa1, walk->type, rights, &level);

	if (map_page(cpu, root, gpa2, walk, level, leaf))
		return;
	/* Out of pages: start over with this one page, which the reserve has room for. */
	for (unsigned i = 0; i < NESTED_EPT_ROOTS; i++)
		drop_tree(&nested->ept02, i);
	map_page(cpu, root, gpa2, walk, level, leaf);
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
		if (!(*entry & EPT_RIGHTS))
			return false;
		if (ept_is_leaf(*level, *entry))
			return true;
		table = phys_to_virt(*entry & EPT_ADDRESS);
	}
}

unsigned ept02_tables(const struct nested *nested, u64 eptp)
{
	const unsigned root = root_of(&nested->ept02, eptp);

	return root == NO_ROOT ? 0 : nested->ept02.root[root].linked;
}
