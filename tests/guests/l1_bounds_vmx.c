/*
 * tests/guests/l1_bounds_vmx.c - many VMCSs, all of whose memory changed, and many tables of EPT
 */
#include "tests/guests/l1_bounds.h"
#include "vmx/vmcs12.h"

#define MANY	   65 /* one more than a hypervisor holds, or so */
#define FEW	   4
#define ENTRIES	   512
#define TABLE	   (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define FAR	   GIB(4) /* from here on EPT maps one page again and again */
#define FAR_TABLES 3000	  /* of 2 MiB each: more than a hypervisor keeps */
#define ROOTS	   8
#define PAGES_1G   64

static u8 regions[MANY][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* --- VMCSs ------------------------------------------------------------------------------------ */

/* What another processor, or a device, may do to a region at any time; as random as can be. */
static void scribble(unsigned region)
{
	struct vmcs12 *const vmcs = (void *)regions[region];

	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		vmcs->value[ix] =
			(ix + 1 + bounds_turn * 256 + region * 65536ull) * 0x9e3779b97f4a7c15;
}

/* Who compares finds it late. */
static void scribble_last(void)
{
	for (unsigned i = 0; i < MANY; i++)
		((struct vmcs12 *)regions[i])->value[VMCS_IX_HOST_RIP] += bounds_turn + 1;
}

static void make_regions(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		*(u32 *)regions[i] = (u32)CAP_GET(guest_caps.msr[VMX_CAP_BASIC], REVISION);
		guest_vmcs_load(regions[i]);
	}
}

static void scribble_all(void)
{
	for (unsigned i = 0; i < MANY; i++)
		scribble(i);
}

static void load_all(void)
{
	for (unsigned i = 0; i < MANY; i++)
		vmptrld(physical(regions[i]));
	scribble_all();
}

void bounds_make_many(void)
{
	make_regions();
}

void bounds_change_many(void)
{
	for (unsigned i = 0; i < FEW; i++) {
		vmptrld(physical(regions[(bounds_turn * FEW + i) % (MANY - FEW)]));
		for (u32 field = VMCS_GUEST_ES_LIMIT; field <= VMCS_GUEST_IDTR_LIMIT; field += 2)
			vmwrite(field, (field + bounds_turn) * 0x9e3779b9);
	}
	vmptrld(physical(bounds_l2.region));
}

static void do_vmxoff(void)
{
	vmxoff();
}

static void restart(void)
{
	if (bounds_turn)
		guest_vmx_on();
	load_all();
}

static void restart_last(void)
{
	if (bounds_turn)
		guest_vmx_on();
	for (unsigned i = 0; i < MANY; i++)
		vmptrld(physical(regions[i]));
	scribble_last();
}

static void do_vmptrld(void)
{
	vmptrld(physical(regions[bounds_turn % MANY]));
}

static void do_vmclear(void)
{
	vmclear(physical(regions[bounds_turn % MANY]));
}

static void load_and_scribble(void)
{
	const unsigned region = bounds_turn % MANY;

	vmptrld(physical(regions[region]));
	scribble(region);
}

/* Every field is written, or so it seems to who compares. */
static void make_dirty(void)
{
	guest_vmcs_load(bounds_l2.region);
	bounds_l2.launched = false;
}

static void launch(void)
{
	l2_enter(&bounds_l2);
}

static void make_plain(void)
{
	bounds_make_l2(&(struct l2_options){ 0 });
}

const struct bound bounds_of_vmcss[] = {
	{ "vmcss-vmxoff", make_regions, restart, do_vmxoff, guest_vmx_on, 6 },
	{ "vmcss-vmxoff-last-field", make_regions, restart_last, do_vmxoff, guest_vmx_on, 24 },
	{ "vmcss-vmptrld", make_regions, scribble_all, do_vmptrld, NULL, 140 },
	{ "vmcss-vmclear", make_regions, load_and_scribble, do_vmclear, NULL, 70 },
	{ "vmcss-vmlaunch", make_plain, make_dirty, launch, NULL, 20 },
	{ 0 },
};

/* --- EPT -------------------------------------------------------------------------------------- */

static u64 *far_directory; /* of 1 GiB, all of it one page */
static u64 eptps[ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static u64 wide_cr3;
static volatile u64 tables_wanted; /* read by L2 */

static u64 make_eptp(void)
{
	const u64 eptp = guest_ept_tables();
	u64 *const pml4 = (u64 *)(uintptr_t)(eptp & MASK(51, 12));
	u64 *const pdpt = (u64 *)(uintptr_t)(*pml4 & MASK(51, 12));

	for (unsigned i = FAR / GIB(1); i < ENTRIES; i++)
		pdpt[i] = physical(far_directory) | TABLE;
	return eptp;
}

/* L2's own tables: 64 GiB, one to one. */
static void make_wide_cr3(void)
{
	u64 *const pml4 = guest_pages(2), *const pdpt = pml4 + ENTRIES;

	pml4[0] = physical(pdpt) | PTE_PRESENT | PTE_WRITE;
	for (u64 i = 0; i < PAGES_1G; i++)
		pdpt[i] = i * GIB(1) | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
	wide_cr3 = physical(pml4);
}

static void make_tables(void)
{
	u64 *table, *page;

	if (wide_cr3)
		return;
	far_directory = guest_pages(3);
	table = far_directory + ENTRIES;
	page = table + ENTRIES;
	for (unsigned i = 0; i < ENTRIES; i++) {
		far_directory[i] = physical(table) | TABLE;
		table[i] = physical(page) | TABLE | EPT_WB;
	}
	for (unsigned i = 0; i < ROOTS; i++)
		eptps[i] = make_eptp();
	make_wide_cr3();
}

/* In each 2 MiB one page, so that each needs a table. */
static void touch(u64 tables)
{
	for (u64 i = 0; i < tables; i++)
		*(volatile u8 *)(FAR + i * MIB(2));
}

static void code_touch(void)
{
	for (;;) {
		touch(tables_wanted);
		cpuid(0, 0);
	}
}

/* All of the tables of four roots, then one that they leave no room for. */
static void code_switch(void)
{
	for (u64 root = 0;; root = (root + 1) % ROOTS) {
		__asm__ volatile("vmfunc" : : "a"(0), "c"(root) : "memory");
		touch(500);
		cpuid(0, 0);
	}
}

/* All pages of one table. */
static void code_touch_pages(void)
{
	for (;;) {
		for (u64 i = 0; i < ENTRIES; i++)
			*(volatile u8 *)(FAR + i * PAGE_SIZE);
		cpuid(0, 0);
	}
}

static void make_l2(void (*code)(void), u64 secondary)
{
	make_tables();
	l2_create(&bounds_l2, code,
		  &(struct l2_options){
			  .secondary = secondary,
			  .eptp = eptps[0],
			  .cr3 = wide_cr3,
		  });
	if (secondary & SECONDARY_VM_FUNCTIONS) {
		guest_vmcs_write(VMCS_VM_FUNCTION_CONTROLS, 1);
		guest_vmcs_write(VMCS_EPTP_LIST_ADDRESS, physical(eptps));
	}
}

static void make_touch(void)
{
	tables_wanted = 2000;
	make_l2(code_touch, 0);
}

static void make_too_many(void)
{
	tables_wanted = FAR_TABLES;
	make_l2(code_touch, 0);
}

static void make_pages(void)
{
	make_l2(code_touch_pages, 0);
}

static void make_roots(void)
{
	tables_wanted = 500;
	make_l2(code_touch, 0);
}

static void make_switch(void)
{
	make_l2(code_switch, SECONDARY_VM_FUNCTIONS);
}

/* L2 comes to its CPUID, and behind it touches all again. */
static void fill_one(void)
{
	l2_run(&bounds_l2);
	l2_skip();
}

static void fill_four(void)
{
	for (unsigned i = 0; i < 4; i++) {
		guest_vmcs_write(VMCS_EPT_POINTER, eptps[i]);
		fill_one();
	}
}

/* Their tables lie between each other. */
static void fill_four_in_turn(void)
{
	tables_wanted = 0;
	for (unsigned turn = 0; turn < 8; turn++) {
		tables_wanted += 62;
		fill_four();
	}
}

static void invept_one(void)
{
	invept(1, eptps[0], 0);
}

static void invept_all(void)
{
	invept(2, 0, 0);
}

/* Each page is another one, with other rights than the one before it. */
static void change_pages(void)
{
	u64 *const table = far_directory + ENTRIES;

	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = physical(&far_directory[bounds_turn % 2 * ENTRIES]) | EPT_WB |
			   (i % 2 ? TABLE : EPT_READ);
	invept_one();
	fill_one();
}

/* A root that is none of the four: that of most tables has to go. */
static void enter_another(void)
{
	tables_wanted = 2000;
	guest_vmcs_write(VMCS_EPT_POINTER, eptps[0]);
	fill_one();
	tables_wanted = 1;
	for (unsigned i = 1; i < ROOTS; i++) {
		guest_vmcs_write(VMCS_EPT_POINTER, eptps[i]);
		fill_one();
	}
}

const struct bound bounds_of_ept[] = {
	{ "ept-invept-of-one", make_touch, fill_one, invept_one, NULL, 4 },
	{ "ept-invept-of-all", make_touch, fill_one, invept_all, NULL, 4 },
	{ "ept-invept-of-four", make_roots, fill_four, invept_all, NULL, 4 },
	{ "ept-invept-of-four-in-turn", make_roots, fill_four_in_turn, invept_all, NULL, 4 },
	{ "ept-pages-changed", make_pages, fill_one, change_pages, NULL, 4 },
	{ "ept-one-table-too-many", make_too_many, NULL, fill_one, NULL, 4 },
	{ "ept-one-root-too-many", make_touch, NULL, enter_another, NULL, 2 },
	{ "ept-vmfunc", make_switch, NULL, fill_one, NULL, 12 },
	{ 0 },
};
