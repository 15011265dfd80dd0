/*
 * tests/guests/l1_bounds_memory.c - memory types, and MSR lists, those of memory types among them
 */
#include "tests/guests/l1_bounds.h"

#define MTRRCAP	     0xfe
#define PHYSBASE     0x200
#define DEF_TYPE     0x2ff
#define ENABLE	     BIT(11)
#define ENABLE_FIXED BIT(10)
#define VALID	     BIT(11)
#define MAX_PAIRS    16
#define TYPE_UC	     0
#define TYPE_WB	     6
#define TYPE_WT	     4
#define ALL_WB	     0x0606060606060606ull
#define WIDTH	     40 /* at least, of physical addresses */
#define SPLIT_AT     GIB(8)
#define LIST_ENTRIES 512
#define BAD_MSR	     0x808 /* x2APIC MSRs are not loaded */

static const u32 fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
			     0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

static struct {
	u64 base[MAX_PAIRS], mask[MAX_PAIRS], fixed[ARRAY_SIZE(fixed)], def_type;
	bool known;
} firmware;

/* --- memory types ----------------------------------------------------------------------------- */

static unsigned pairs(void)
{
	return MIN((unsigned)(rdmsr(MTRRCAP) & 0xff), MAX_PAIRS);
}

static void write_pair(unsigned pair, u64 base, u64 mask)
{
	wrmsr(PHYSBASE + 2 * pair, base);
	wrmsr(PHYSBASE + 2 * pair + 1, mask);
}

static void keep_types(void)
{
	if (firmware.known)
		return;
	firmware.known = true;
	firmware.def_type = rdmsr(DEF_TYPE);
	for (unsigned i = 0; i < pairs(); i++) {
		firmware.base[i] = rdmsr(PHYSBASE + 2 * i);
		firmware.mask[i] = rdmsr(PHYSBASE + 2 * i + 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
		firmware.fixed[i] = rdmsr(fixed[i]);
}

void bounds_restore_types(void)
{
	for (unsigned i = 0; i < pairs(); i++)
		write_pair(i, firmware.base[i], firmware.mask[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
		wrmsr(fixed[i], firmware.fixed[i]);
	wrmsr(DEF_TYPE, firmware.def_type);
}

static u64 mask_of(u64 size, unsigned width)
{
	return (MASK(width - 1, 0) & ~(size - 1)) | VALID;
}

/* Each range is 4 KiB, in a GiB of its own. */
static u64 base_of(unsigned pair)
{
	return SPLIT_AT + pair * (GIB(1) + MIB(2) + PAGE_SIZE);
}

void bounds_scatter_types(void)
{
	keep_types();
	for (unsigned i = 0; i < pairs(); i++)
		write_pair(i, base_of(i) | TYPE_UC, mask_of(PAGE_SIZE, WIDTH));
	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
		wrmsr(fixed[i], i % 2 ? 0 : ALL_WB);
	wrmsr(DEF_TYPE, ENABLE | ENABLE_FIXED | TYPE_WB);
}

static void toggle_all(void)
{
	wrmsr(DEF_TYPE, ENABLE_FIXED | TYPE_WB | (bounds_turn % 2 ? ENABLE : 0));
}

static void toggle_default(void)
{
	wrmsr(DEF_TYPE, ENABLE_FIXED | ENABLE | (bounds_turn % 2 ? TYPE_WB : TYPE_WT));
}

static void toggle_fixed(void)
{
	wrmsr(fixed[bounds_turn % ARRAY_SIZE(fixed)], bounds_turn % 3 ? 0 : ALL_WB);
}

static void toggle_pair(void)
{
	const unsigned pair = bounds_turn / 2 % pairs();

	wrmsr(PHYSBASE + 2 * pair + 1, mask_of(PAGE_SIZE, WIDTH) ^ (bounds_turn % 2 ? VALID : 0));
}

/* Ranges of all sizes, one in the other. */
static void toggle_size(void)
{
	const unsigned pair = bounds_turn % pairs();
	const u64 size = BIT(12 + bounds_turn * 7 % (WIDTH - 12));

	write_pair(pair, (base_of(pair) & ~(size - 1)) | (bounds_turn % 2 ? TYPE_UC : TYPE_WT),
		   mask_of(size, WIDTH));
}

/* A mask that ends at 64 GiB: the range comes again and again. */
static void toggle_repeated(void)
{
	const unsigned pair = bounds_turn % pairs();

	write_pair(pair, BIT(12 + bounds_turn * 5 % 24) | (bounds_turn / 8 % 2 ? TYPE_UC : TYPE_WT),
		   mask_of(BIT(12 + bounds_turn * 5 % 24), 36));
}

/* Every other page, up to the end. */
static void toggle_holes(void)
{
	const unsigned pair = bounds_turn % pairs();

	write_pair(pair, TYPE_UC, BIT(12 + bounds_turn % 28) | VALID);
}

const struct bound bounds_of_memory[] = {
	{ "types-enable", bounds_scatter_types, NULL, toggle_all, NULL, 24 },
	{ "types-default", bounds_scatter_types, NULL, toggle_default, NULL, 24 },
	{ "types-fixed", bounds_scatter_types, NULL, toggle_fixed, NULL, 33 },
	{ "types-variable", bounds_scatter_types, NULL, toggle_pair, NULL, 32 },
	{ "types-sizes", bounds_scatter_types, NULL, toggle_size, NULL, 48 },
	{ "types-repeated", bounds_scatter_types, NULL, toggle_repeated, NULL, 48 },
	{ "types-holes", bounds_scatter_types, NULL, toggle_holes, bounds_restore_types, 48 },
	{ 0 },
};

/* --- MSR lists -------------------------------------------------------------------------------- */

struct list_entry {
	u64 index, value;
};

static struct list_entry entry_list[LIST_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static struct list_entry store_list[LIST_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static struct list_entry load_list[LIST_ENTRIES] __attribute__((aligned(PAGE_SIZE)));

/* What a processor keeps nowhere else, so that each access is one to the MSR itself. */
static const u32 plain_msrs[] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000102 };

/* Variable and fixed ranges in turn, and the default type at last. */
static void list_types(struct list_entry *list, bool on)
{
	const unsigned count = 2 * pairs();

	for (unsigned i = 0; i < LIST_ENTRIES; i++) {
		const unsigned pair = i % count / 2;

		if (i % 3 == 2)
			list[i] = (struct list_entry){ fixed[i % ARRAY_SIZE(fixed)],
						       on ? ALL_WB : 0 };
		else if (i % 2)
			list[i] = (struct list_entry){ PHYSBASE + 2 * pair + 1,
						       mask_of(PAGE_SIZE, WIDTH) };
		else
			list[i] = (struct list_entry){ PHYSBASE + 2 * pair,
						       base_of(pair) | (on ? TYPE_UC : TYPE_WT) };
	}
	list[LIST_ENTRIES - 1] =
		(struct list_entry){ DEF_TYPE, ENABLE_FIXED | TYPE_WB | (on ? ENABLE : 0) };
}

static void list_plain(struct list_entry *list, u64 value)
{
	for (unsigned i = 0; i < LIST_ENTRIES; i++)
		list[i] = (struct list_entry){ plain_msrs[i % ARRAY_SIZE(plain_msrs)], value };
}

static void use_lists(unsigned entry, unsigned store, unsigned load)
{
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, physical(entry_list));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, entry);
	guest_vmcs_write(VMCS_VM_EXIT_MSR_STORE_ADDRESS, physical(store_list));
	guest_vmcs_write(VMCS_VM_EXIT_MSR_STORE_COUNT, store);
	guest_vmcs_write(VMCS_VM_EXIT_MSR_LOAD_ADDRESS, physical(load_list));
	guest_vmcs_write(VMCS_VM_EXIT_MSR_LOAD_COUNT, load);
}

static void prepare_plain(void)
{
	bounds_make_l2(&(struct l2_options){ 0 });
	list_plain(entry_list, 0);
	list_plain(store_list, 0);
	list_plain(load_list, 0);
	use_lists(LIST_ENTRIES, LIST_ENTRIES, LIST_ENTRIES);
}

/* L2 runs with memory uncached, L1 with it write-back. */
static void prepare_types(void)
{
	bounds_make_l2(&(struct l2_options){ 0 });
	bounds_scatter_types();
	list_types(entry_list, false);
	list_types(store_list, false);
	list_types(load_list, true);
	use_lists(LIST_ENTRIES, LIST_ENTRIES, LIST_ENTRIES);
}

/* With many VMCSs of which a new block of a recorder has to tell. */
static void prepare_types_and_many(void)
{
	bounds_make_many();
	prepare_types();
}

/* The guest state is bad, which the processor says once the list is loaded. */
static void prepare_bad_state(void)
{
	prepare_types();
	guest_vmcs_write(VMCS_GUEST_RFLAGS, 0);
}

static void prepare_bad_entry(void)
{
	prepare_types();
	entry_list[LIST_ENTRIES - 1].index = BAD_MSR;
}

/* No prediction of a recorder's serves. */
static void change_values(void)
{
	for (unsigned i = 0; i < LIST_ENTRIES; i++)
		entry_list[i].value = load_list[i].value =
			(i + bounds_turn) * 0x9e3779b97f4a7c15 >> 17;
}

static void enter(void)
{
	l2_resume(&bounds_l2);
}

const struct bound bounds_of_lists[] = {
	{ "lists-plain", prepare_plain, change_values, enter, NULL, 48 },
	{ "lists-types", prepare_types, NULL, enter, bounds_restore_types, 24 },
	{ "lists-types-many-vmcss", prepare_types_and_many, bounds_change_many, enter,
	  bounds_restore_types, 48 },
	{ "lists-types-bad-state", prepare_bad_state, NULL, enter, bounds_restore_types, 24 },
	{ "lists-types-bad-entry", prepare_bad_entry, NULL, enter, bounds_restore_types, 24 },
	{ 0 },
};
