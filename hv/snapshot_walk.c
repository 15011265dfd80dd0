#include "hv/snapshot_walk.h"

#include "hv/guestmem.h"
#include "hv/mem.h"
#include "hv/nested/ept12_walk.h"
#include "hv/paging.h"

/* @gpa, which is L2's where EPT12 is in use, as L1's. */
static bool to_gpa1(struct percpu *cpu, struct tape_memory *memory,
		    const struct snapshot_space *space, u64 gpa, u64 *gpa1)
{
	struct ept12_walk walk;

	*gpa1 = gpa;
	if (!space->ept12)
		return true;
	ept12_walk(&cpu->nested, space->eptp, gpa, 0, &walk);
	for (unsigned level = EPT12_LEVELS; level >= walk.level; level--)
		tape_memory_words(cpu, memory, walk.entry_gpa[level], sizeof(u64));
	*gpa1 = walk.gpa1;
	return walk.result == EPT12_MAPPED;
}

static bool read_entry(struct percpu *cpu, struct tape_memory *memory,
		       const struct snapshot_space *space, u64 gpa, size_t size, u64 *entry)
{
	u64 gpa1;

	*entry = 0;
	return to_gpa1(cpu, memory, space, gpa, &gpa1) &&
	       tape_memory_words(cpu, memory, gpa1, size) == size &&
	       guest_read_gpa(gpa1, entry, size) == ST_OK;
}

static bool walk_tables(struct percpu *cpu, struct tape_memory *memory,
			const struct snapshot_space *space, u64 linear, u64 *gpa1)
{
	const struct paging_mode mode = paging_mode(space->cr4, space->efer);
	u64 table = paging_root(&mode, space->cr3);
	unsigned level = mode.levels;
	u64 entry;

	if (!(space->cr0 & CR0_PG))
		return to_gpa1(cpu, memory, space, (u32)linear, gpa1);
	for (;; level--) {
		const u64 index = paging_index(&mode, level, linear);

		if (paging_is_register(&mode, level))
			entry = space->pdpte[index & 3];
		else if (!read_entry(cpu, memory, space, table + index * mode.entry_size,
				     mode.entry_size, &entry))
			return false;
		if (!(entry & PTE_P))
			return false;
		if (level == 1 || (entry & PTE_PS && paging_may_be_large(&mode, space->cr4, level)))
			break;
		table = paging_table(&mode, entry);
	}
	return to_gpa1(cpu, memory, space, paging_address(&mode, level, entry, linear), gpa1);
}

static bool same_space(const struct snapshot_space *a, const struct snapshot_space *b)
{
	u64 differ = (a->cr0 ^ b->cr0) | (a->cr3 ^ b->cr3) | (a->cr4 ^ b->cr4) |
		     (a->efer ^ b->efer) | (a->eptp ^ b->eptp) | (a->ept12 ^ b->ept12);

	for (unsigned i = 0; i < ARRAY_SIZE(a->pdpte); i++)
		differ |= a->pdpte[i] ^ b->pdpte[i];
	return !differ;
}

bool snapshot_walk(struct percpu *cpu, struct tape_memory *memory, struct snapshot_ways *ways,
		   const struct snapshot_space *space, u64 linear, u64 *gpa1)
{
	const u64 offset = linear & (PAGE_SIZE - 1), page = linear - offset;
	bool found;

	for (unsigned i = 0; i < SNAPSHOT_WAYS; i++)
		if (ways->list[i].way.count && ways->list[i].linear == page &&
		    same_space(&ways->list[i].space, space) &&
		    tape_memory_way_holds(memory, &ways->list[i].way)) {
			*gpa1 = ways->list[i].gpa1 | offset;
			return true;
		}
	tape_memory_way_begin(memory, &ways->list[ways->next].way);
	found = walk_tables(cpu, memory, space, linear, gpa1);
	tape_memory_way_end(memory);
	if (!found) {
		ways->list[ways->next].way.count = 0;
		return false;
	}
	ways->list[ways->next].space = *space;
	ways->list[ways->next].linear = page;
	ways->list[ways->next].gpa1 = *gpa1 - offset;
	ways->next = (ways->next + 1) % SNAPSHOT_WAYS;
	return true;
}

size_t snapshot_record(struct percpu *cpu, struct tape_memory *memory, struct snapshot_ways *ways,
		       const struct snapshot_space *space, u64 linear, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const size_t part =
			MIN(size - done, PAGE_SIZE - ((linear + done) & (PAGE_SIZE - 1)));
		size_t recorded;
		u64 gpa1;

		if (!snapshot_walk(cpu, memory, ways, space, linear + done, &gpa1))
			break;
		recorded = tape_memory_words(cpu, memory, gpa1, part);
		done += recorded;
		if (recorded < part)
			break;
	}
	return done;
}
