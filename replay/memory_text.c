#include "replay/memory_text.h"

#include <stdio.h>
#include <string.h>

static const char *const spaces[] = {
	[MEMORY_L1_PHYSICAL] = "l1p",
	[MEMORY_L1_LINEAR] = "l1",
	[MEMORY_L2_PHYSICAL] = "l2p",
	[MEMORY_L2_LINEAR] = "l2",
};

const char *memory_space_name(enum memory_space space)
{
	return spaces[space];
}

bool memory_space_find(const char *name, enum memory_space *space)
{
	for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++)
		if (!strcmp(spaces[i], name)) {
			*space = (enum memory_space)i;
			return true;
		}
	return false;
}

/* "EPT PDPTE": what an entry is called. */
static const char *step_name(const struct memory_step *step)
{
	static const char *const names[2][6] = {
		{ "?", "PTE", "PDE", "PDPTE", "PML4E", "PML5E" },
		{ "?", "EPT PTE", "EPT PDE", "EPT PDPTE", "EPT PML4E", "EPT PML5E" },
	};

	return names[step->table == TABLE_EPT12][step->level <= 5 ? step->level : 0];
}

struct flag {
	u64 mask;
	bool set; /* @name when the bit is 1, else when it is 0 */
	const char *name;
};

static const struct flag table_flags[] = {
	{ BIT(0), false, "not present" }, { BIT(1), true, "write" }, { BIT(2), true, "user" },
	{ BIT(5), true, "accessed" },	  { BIT(6), true, "dirty" }, { BIT(8), true, "global" },
	{ BIT(63), true, "no execute" },
};

static const struct flag ept_flags[] = {
	{ BIT(0), true, "read" },     { BIT(1), true, "write" }, { BIT(2), true, "execute" },
	{ BIT(8), true, "accessed" }, { BIT(9), true, "dirty" },
};

static void add(char *to, size_t size, const char *text)
{
	const size_t length = strlen(to);

	snprintf(to + length, size - length, " %s", text);
}

static void add_flags(const struct memory_step *step, char *to, size_t size)
{
	const bool ept = step->table == TABLE_EPT12;
	const struct flag *const flags = ept ? ept_flags : table_flags;
	const size_t count = ept ? ARRAY_SIZE(ept_flags) : ARRAY_SIZE(table_flags);

	if (ept && !(step->entry & MASK(2, 0))) {
		add(to, size, "not present");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		/* Bits of entries that are not present, or lead to a table, mean nothing. */
		if (!ept && i && !(step->entry & 1))
			break;
		if (!step->leaf && flags[i].mask & (BIT(6) | BIT(8)) && !ept)
			continue;
		if (step->size == 4 && flags[i].mask > BIT(31))
			continue;
		if (!(step->entry & flags[i].mask) == !flags[i].set)
			add(to, size, flags[i].name);
	}
	if (step->leaf)
		add(to, size, "page");
}

void memory_step_text(const struct memory_step *step, char *to, size_t size)
{
	char where[64];

	if (!step->size)
		snprintf(where, sizeof(where), "register");
	else if (step->table == TABLE_L2 && step->address != step->gpa1)
		snprintf(where, sizeof(where), "gpa2 0x%llx = gpa1 0x%llx",
			 (unsigned long long)step->address, (unsigned long long)step->gpa1);
	else
		snprintf(where, sizeof(where), "gpa1 0x%llx", (unsigned long long)step->gpa1);
	snprintf(to, size, step->table == TABLE_EPT12 ? "  %-9s  %-36s " : "%-11s  %-36s ",
		 step_name(step), where);
	if (!step->known) {
		add(to, size, "?");
		return;
	}
	snprintf(to + strlen(to), size - strlen(to), " 0x%0*llx ", step->size == 4 ? 8 : 16,
		 (unsigned long long)step->entry);
	add_flags(step, to, size);
}

static const struct {
	const char *name, *text;
} ends[] = {
	[WALK_MAPPED] = { "mapped", "" },
	[WALK_NOT_PRESENT] = { "not_present", "the last entry is not present" },
	[WALK_RESERVED] = { "reserved_bits", "the last entry has reserved bits set" },
	[WALK_MISCONFIGURED] = { "misconfigured", "the last entry of EPT12 is misconfigured" },
	[WALK_NOT_CANONICAL] = { "not_canonical", "the mode has no such linear address" },
	[WALK_TOO_WIDE] = { "too_wide", "a physical address is wider than the processor's" },
	[WALK_UNKNOWN_ENTRY] = { "unknown_entry", "the last entry is not on the tape" },
	[WALK_UNKNOWN_REGISTER] = { "unknown_register", "is unknown here" },
};

const char *memory_walk_end_name(enum memory_walk_end end)
{
	return ends[end].name;
}

static void add_rights(const struct memory_walk *walk, char *to, size_t size)
{
	if (walk->paged) {
		add(to, size, "tables:");
		add(to, size, walk->rights & WALK_WRITE ? "read write" : "read");
		if (walk->rights & WALK_USER)
			add(to, size, "user");
		if (walk->rights & WALK_EXECUTE)
			add(to, size, "execute");
	}
	if (!walk->ept)
		return;
	snprintf(to + strlen(to), size - strlen(to), walk->paged ? ", EPT12:" : " EPT12:");
	for (unsigned i = 0; i < 3; i++)
		if (walk->ept_rights >> i & 1)
			add(to, size, ept_flags[i].name);
}

void memory_walk_text(const struct memory_walk *walk, char *to, size_t size)
{
	static const char units[] = "KMG";
	unsigned unit = 0;
	u64 count = walk->page_size >> 10;

	if (walk->end == WALK_UNKNOWN_REGISTER) {
		snprintf(to, size, "%s %s", walk->unknown, ends[walk->end].text);
		return;
	}
	if (walk->end != WALK_MAPPED) {
		snprintf(to, size, "%s", ends[walk->end].text);
		return;
	}
	for (; count >= 1024 && unit < 2; count >>= 10)
		unit++;
	snprintf(to, size, "gpa1 0x%llx", (unsigned long long)walk->gpa1);
	if (walk->paged || walk->ept)
		snprintf(to + strlen(to), size - strlen(to), ", in %llu %ciB,",
			 (unsigned long long)count, units[unit]);
	add_rights(walk, to, size);
}
