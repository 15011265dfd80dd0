#include "replay/memory_walk.h"

#include <string.h>

#include "replay/memory_state.h"
#include "vmx/tables.h"

#define PTE_P	    BIT(0)
#define PTE_W	    BIT(1)
#define PTE_U	    BIT(2)
#define PTE_PS	    BIT(7)
#define PTE_NX	    BIT(63)
#define CR0_PG	    BIT(31)
#define CR4_PSE	    BIT(4)
#define CR4_PAE	    BIT(5)
#define CR4_LA57    BIT(12)
#define EFER_LMA    BIT(10)
#define EFER_NXE    BIT(11)
#define EPT_R	    BIT(0)
#define EPT_W	    BIT(1)
#define EPT_X	    BIT(2)
#define EPT_RIGHTS  MASK(2, 0)
#define EPT_LARGE   BIT(7)
#define ADDRESS	    MASK(51, 12)
#define WHOLE_SPACE BIT(52) /* a page of this size never ends */

struct walker {
	struct timeline *timeline;
	const struct model_region *region; /* current VMCS */
	struct registers registers;	   /* of the level whose tables are walked */
	unsigned width;			   /* of physical addresses */
	struct memory_walk *walk;
};

/* Every step that fails says why; false ends the walk. */
static bool end(struct walker *walker, enum memory_walk_end why)
{
	walker->walk->end = why;
	return false;
}

static bool end_unknown(struct walker *walker, const char *name)
{
	walker->walk->unknown = name;
	return end(walker, WALK_UNKNOWN_REGISTER);
}

static bool is_too_wide(const struct walker *walker, u64 address)
{
	return address >> walker->width;
}

static struct memory_step *add_step(struct walker *walker, enum memory_table table, unsigned level,
				    u64 address, u64 translates)
{
	struct memory_step *const step = &walker->walk->steps[walker->walk->count++];

	*step = (struct memory_step){
		.table = (u8)table,
		.level = (u8)level,
		.address = address,
		.gpa1 = address,
		.translates = translates,
		.seen = MEMORY_NEVER,
	};
	return step;
}

static bool read_entry(struct walker *walker, struct memory_step *step, unsigned size)
{
	step->size = (u8)size;
	if (is_too_wide(walker, step->gpa1))
		return end(walker, WALK_TOO_WIDE);
	if (memory_state_read(walker->timeline, step->gpa1, &step->entry, size, &step->seen) !=
	    size) {
		step->entry = 0;
		return end(walker, WALK_UNKNOWN_ENTRY);
	}
	step->known = true;
	return true;
}

static void shrink_page(struct walker *walker, u64 size)
{
	walker->walk->page_size = MIN(walker->walk->page_size, size);
}

/* --- EPT12 ------------------------------------------------------------------------------------ */

static u64 ept_page_size(unsigned level)
{
	return 4096ull << 9 * (level - 1);
}

static bool ept_cap(const struct walker *walker, u64 bit)
{
	const struct vmx_caps *const caps = &timeline_model(walker->timeline)->shown;

	/* Where the processor is unknown it may have everything. */
	return !(caps->known >> VMX_CAP_EPT_VPID_CAP & 1) || caps->msr[VMX_CAP_EPT_VPID_CAP] & bit;
}

/* Bits that must be 0 in a present entry. */
static u64 ept_reserved(const struct walker *walker, unsigned level, bool leaf)
{
	const u64 wide = walker->width < 52 ? MASK(51, walker->width) : 0;

	if (leaf)
		return wide | ((ept_page_size(level) - 1) & ADDRESS);
	return wide | (level >= 4 ? MASK(7, 3) : MASK(6, 3));
}

/* SDM, "EPT Misconfigurations". */
static bool is_misconfigured(const struct walker *walker, unsigned level, u64 entry, bool leaf)
{
	const u64 type = BITS(entry, 5, 3);

	if (!(entry & EPT_R) && (entry & EPT_W || !ept_cap(walker, CAP_EPT_EXECUTE_ONLY)))
		return true;
	if (leaf && ((level == 2 && !ept_cap(walker, CAP_EPT_2M)) ||
		     (level == 3 && !ept_cap(walker, CAP_EPT_1G))))
		return true;
	if (leaf && (type == 2 || type == 3 || type == 7))
		return true;
	return entry & ept_reserved(walker, level, leaf);
}

static bool walk_ept(struct walker *walker, u64 eptp, u64 gpa2, u64 *gpa1)
{
	struct memory_walk *const walk = walker->walk;
	u64 table = eptp & ADDRESS;
	u8 rights = EPT_RIGHTS;

	for (unsigned level = (unsigned)BITS(eptp, 5, 3) + 1;; level--) {
		struct memory_step *const step =
			add_step(walker, TABLE_EPT12, level,
				 table + 8 * (gpa2 >> (12 + 9 * (level - 1)) & 511), gpa2);

		if (!read_entry(walker, step, sizeof(u64)))
			return false;
		if (!(step->entry & EPT_RIGHTS))
			return end(walker, WALK_NOT_PRESENT);
		step->leaf = level == 1 || (step->entry & EPT_LARGE && level <= 3);
		if (is_misconfigured(walker, level, step->entry, step->leaf))
			return end(walker, WALK_MISCONFIGURED);
		rights &= step->entry & EPT_RIGHTS;
		table = step->entry & ADDRESS;
		if (!step->leaf)
			continue;
		shrink_page(walker, ept_page_size(level));
		walk->ept_rights = rights;
		*gpa1 = (table & ~(ept_page_size(level) - 1)) | (gpa2 & (ept_page_size(level) - 1));
		return true;
	}
}

/* L2's physical address as L1's. */
static bool from_l2(struct walker *walker, u64 gpa2, u64 *gpa1)
{
	enum model_truth ept;
	u64 eptp;

	if (!walker->region)
		return end_unknown(walker, "current VMCS");
	ept = model_control(walker->region, VMX_WORD_SECONDARY, SECONDARY_EPT);
	if (ept == MODEL_UNKNOWN)
		return end_unknown(walker,
				   model_control(walker->region, VMX_WORD_PRIMARY,
						 PRIMARY_SECONDARY_CONTROLS) == MODEL_UNKNOWN
					   ? "primary_proc_based_controls"
					   : "secondary_proc_based_controls");
	walker->walk->ept = ept == MODEL_YES;
	if (is_too_wide(walker, gpa2))
		return end(walker, WALK_TOO_WIDE);
	*gpa1 = gpa2;
	if (ept == MODEL_NO)
		return true;
	if (!model_field(walker->region, VMCS_IX_EPT_POINTER, ~0ull, &eptp))
		return end_unknown(walker, "ept_pointer");
	if (BITS(eptp, 5, 3) != 3 && BITS(eptp, 5, 3) != 4)
		return end(walker, WALK_MISCONFIGURED);
	/* Four levels translate 48 bits. */
	if (gpa2 >> (12 + 9 * (BITS(eptp, 5, 3) + 1)))
		return end(walker, WALK_TOO_WIDE);
	return walk_ept(walker, eptp, gpa2, gpa1);
}

/* --- Page tables ------------------------------------------------------------------------------ */

struct mode {
	unsigned levels, entry_size, index_bits;
	bool pse;
	u64 cr3;
};

/* Bits @mask of @reg; false when one of them is unknown. */
static bool bits_of(struct walker *walker, enum register_name reg, u64 mask, u64 *value)
{
	const struct word *const word = &walker->registers.reg[reg];

	*value = word->value & mask;
	return (word->known & mask) == mask || end_unknown(walker, register_info(reg)->name);
}

static bool find_mode(struct walker *walker, struct mode *mode)
{
	u64 lma, cr4;

	if (!bits_of(walker, REGISTER_EFER, EFER_LMA, &lma) ||
	    !bits_of(walker, REGISTER_CR4, lma ? CR4_LA57 : CR4_PAE | CR4_PSE, &cr4) ||
	    !bits_of(walker, REGISTER_CR3, ~0ull, &mode->cr3))
		return false;
	mode->levels = lma ? (cr4 & CR4_LA57 ? 5 : 4) : cr4 & CR4_PAE ? 3 : 2;
	mode->entry_size = mode->levels == 2 ? 4 : 8;
	mode->index_bits = mode->levels == 2 ? 10 : 9;
	mode->pse = cr4 & CR4_PSE;
	return true;
}

static bool is_canonical(const struct mode *mode, u64 linear)
{
	const unsigned unused = mode->levels == 5 ? 64 - 57 : 64 - 48;

	if (mode->levels <= 3)
		return !(linear >> 32);
	return (u64)((s64)(linear << unused) >> unused) == linear;
}

static bool may_be_large(const struct mode *mode, unsigned level)
{
	if (mode->levels == 2)
		return level == 2 && mode->pse;
	return level == 2 || (level == 3 && mode->levels >= 4);
}

static u64 page_size(const struct mode *mode, unsigned level)
{
	return BIT(12 + mode->index_bits * (level - 1));
}

/* Bits of a present entry that must be 0; SDM, "Paging-Structure Entries" of each mode. */
static u64 reserved_bits(const struct walker *walker, const struct mode *mode, unsigned level,
			 bool leaf)
{
	const struct word *const efer = &walker->registers.reg[REGISTER_EFER];
	const unsigned width = MIN(walker->width, 52u);
	u64 bits = 0;

	if (mode->levels == 2)
		/* PSE-36: bits 20:13 are address bits 39:32. */
		return leaf && level == 2 ? MASK(21, MAX(13u, MIN(width, 40u) - 19)) : 0;
	if (width < 52)
		bits |= MASK(51, width);
	if (mode->levels == 3 && level == 3)
		return bits | MASK(63, 52) | MASK(8, 5) | MASK(2, 1);
	if (mode->levels == 3)
		bits |= MASK(62, 52);
	if (efer->known & EFER_NXE && !(efer->value & EFER_NXE))
		bits |= PTE_NX;
	if (level >= 4)
		bits |= PTE_PS;
	if (leaf && level > 1)
		bits |= (page_size(mode, level) - 1) & MASK(51, 13);
	return bits;
}

/* PDPTEs of PAE paging are registers; where no register is known, they are as they were loaded. */
static bool pdpte_register(struct walker *walker, const struct mode *mode, unsigned level,
			   u64 index, struct memory_step *step)
{
	if (mode->levels != 3 || level != 3)
		return false;
	step->known = register_known(&walker->registers,
				     (enum register_name)(REGISTER_PDPTE0 + index), &step->entry);
	return step->known;
}

static bool fetch(struct walker *walker, const struct mode *mode, enum memory_table table,
		  unsigned level, u64 base, u64 linear, struct memory_step **step)
{
	const u64 index =
		linear >> (12 + mode->index_bits * (level - 1)) & (BIT(mode->index_bits) - 1);
	const u64 address = base + index * mode->entry_size;
	struct memory_step own = { .known = false };
	u64 gpa1 = address;
	bool ok = true;

	if (pdpte_register(walker, mode, level, index & 3, &own)) {
		*step = add_step(walker, table, level, address, linear);
		(*step)->known = true;
		(*step)->entry = own.entry;
		return true;
	}
	if (table == TABLE_L2)
		ok = from_l2(walker, address, &gpa1);
	if (!ok)
		return false;
	*step = add_step(walker, table, level, address, linear);
	(*step)->gpa1 = gpa1;
	return read_entry(walker, *step, mode->entry_size);
}

static void add_rights(struct memory_walk *walk, const struct mode *mode, unsigned level, u64 entry)
{
	/* PDPTEs of PAE paging have none. */
	if (mode->levels == 3 && level == 3)
		return;
	if (!(entry & PTE_W))
		walk->rights &= (u8)~WALK_WRITE;
	if (!(entry & PTE_U))
		walk->rights &= (u8)~WALK_USER;
	if (mode->entry_size == 8 && entry & PTE_NX)
		walk->rights &= (u8)~WALK_EXECUTE;
}

static u64 root_of(const struct mode *mode)
{
	if (mode->levels == 3)
		return mode->cr3 & MASK(31, 5);
	return mode->cr3 & (mode->levels == 2 ? MASK(31, 12) : ADDRESS);
}

static u64 leaf_address(const struct mode *mode, unsigned level, u64 entry, u64 linear)
{
	const u64 offset = page_size(mode, level) - 1;
	u64 page = entry & (mode->levels == 2 ? MASK(31, 12) : ADDRESS);

	if (mode->levels == 2 && level == 2)
		page |= BITS(entry, 20, 13) << 32;
	return (page & ~offset) | (linear & offset);
}

static bool walk_tables(struct walker *walker, enum memory_table table, u64 linear, u64 *physical)
{
	struct memory_step *step;
	struct mode mode;
	u64 base;

	if (!find_mode(walker, &mode))
		return false;
	if (!is_canonical(&mode, linear))
		return end(walker, WALK_NOT_CANONICAL);
	base = root_of(&mode);
	for (unsigned level = mode.levels;; level--) {
		if (!fetch(walker, &mode, table, level, base, linear, &step))
			return false;
		if (!(step->entry & PTE_P))
			return end(walker, WALK_NOT_PRESENT);
		step->leaf = level == 1 || (step->entry & PTE_PS && may_be_large(&mode, level));
		if (step->entry & reserved_bits(walker, &mode, level, step->leaf))
			return end(walker, WALK_RESERVED);
		add_rights(walker->walk, &mode, level, step->entry);
		if (step->leaf)
			break;
		base = step->entry & (mode.levels == 2 ? MASK(31, 12) : ADDRESS);
	}
	shrink_page(walker, page_size(&mode, step->level));
	*physical = leaf_address(&mode, step->level, step->entry, linear);
	return true;
}

static bool from_linear(struct walker *walker, unsigned level, u64 linear, u64 *physical)
{
	u64 pg;

	registers_at(walker->timeline, walker->walk->cpu, level, &walker->registers);
	if (!bits_of(walker, REGISTER_CR0, CR0_PG, &pg))
		return false;
	walker->walk->paged = pg;
	if (pg)
		return walk_tables(walker, level == 1 ? TABLE_L1 : TABLE_L2, linear, physical);
	if (linear >> 32)
		return end(walker, WALK_NOT_CANONICAL);
	*physical = linear;
	return true;
}

/* --- All of it -------------------------------------------------------------------------------- */

static bool translate(struct walker *walker)
{
	struct memory_walk *const walk = walker->walk;
	u64 physical = walk->address;

	switch (walk->space) {
	case MEMORY_L1_LINEAR:
		if (!from_linear(walker, 1, walk->address, &walk->gpa1))
			return false;
		break;
	case MEMORY_L2_LINEAR:
		if (!from_linear(walker, 2, walk->address, &physical))
			return false;
		/* fallthrough */
	case MEMORY_L2_PHYSICAL:
		walk->gpa2 = physical;
		if (!from_l2(walker, physical, &walk->gpa1))
			return false;
		break;
	default:
		walk->gpa1 = physical;
		break;
	}
	return !is_too_wide(walker, walk->gpa1) || end(walker, WALK_TOO_WIDE);
}

enum status memory_walk(struct timeline *timeline, u16 cpu, enum memory_space space, u64 address,
			struct memory_walk *walk)
{
	const struct model *const model = timeline_model(timeline);
	struct walker walker = {
		.timeline = timeline,
		.region = cpu < MODEL_MAX_CPUS ? model_current(model, cpu) : NULL,
		.width = model->shown.maxphyaddr ? model->shown.maxphyaddr : 52,
		.walk = walk,
	};

	memset(walk, 0, sizeof(*walk));
	walk->cpu = cpu;
	walk->space = space;
	walk->address = address;
	walk->rights = WALK_WRITE | WALK_USER | WALK_EXECUTE;
	walk->page_size = WHOLE_SPACE;
	if (!memory_state_index(timeline))
		return ST_NO_MEMORY;
	if (translate(&walker))
		walk->end = WALK_MAPPED;
	return ST_OK;
}
