/*
 * tests/guests/l1_fuzz_vmcs.c - VMCSs that are good for an entry again, whatever was done
 */
#include "tests/guests/l1_fuzz.h"

#define STACK_OFFSET	0xf00
#define BASES		BASE_32 /* the others are for an L1 in protected mode */
#define REGIONS		(PAGE_REGION_END + 1)
#define EPTP_SWITCHING	BIT(0)
#define FIELD(NAME)	VMCS_IX_##NAME
#define SET(v, NAME, x) ((v)->value[FIELD(NAME)] = (x))

struct truth_vmcs truth_bases[BASE_COUNT];
bool truth_exists[VMCS_FIELD_COUNT];
bool fuzz_second;

/* What a region holds once a base was written to it and it was cleared. */
static u64 images[BASES][PAGE_SIZE / sizeof(u64)];

static struct fuzz_slot slots[REGIONS];
static unsigned current;  /* slot */
static bool moved = true; /* another VMCS may be current, or none, or no VMX operation be */

u64 truth_random(void)
{
	return fuzz_below(~0ull);
}

bool fuzz_is_writable(unsigned ix)
{
	return truth_exists[ix] && vmcs_fields[ix].access == VMCS_ACCESS_RW;
}

/* Where L2 finds code, a stack, and tables; and nothing that it may write outside. */
static void in_arena(struct truth_vmcs *v, unsigned base)
{
	const u64 secondary = v->value[FIELD(SECONDARY_PROC_BASED_CONTROLS)];

	SET(v, IO_BITMAP_A, fuzz_page(PAGE_IO_BITMAP));
	SET(v, IO_BITMAP_B, fuzz_page(PAGE_IO_BITMAP + 1));
	SET(v, MSR_BITMAP, fuzz_page(PAGE_MSR_BITMAP));
	SET(v, VIRTUAL_APIC_ADDRESS, fuzz_page(PAGE_VIRTUAL_APIC));
	SET(v, APIC_ACCESS_ADDRESS, fuzz_page(PAGE_APIC_ACCESS));
	SET(v, VMREAD_BITMAP_ADDRESS, fuzz_page(PAGE_SHADOW_BITMAP));
	SET(v, VMWRITE_BITMAP_ADDRESS, fuzz_page(PAGE_SHADOW_BITMAP));
	SET(v, PML_ADDRESS, fuzz_page(PAGE_PML));
	SET(v, VE_INFORMATION_ADDRESS, fuzz_page(PAGE_VE));
	SET(v, EPTP_LIST_ADDRESS, fuzz_page(PAGE_EPTP_LIST));
	SET(v, VM_FUNCTION_CONTROLS, EPTP_SWITCHING);
	SET(v, VM_ENTRY_MSR_LOAD_ADDRESS, fuzz_page(PAGE_ENTRY_LIST));
	SET(v, VM_EXIT_MSR_STORE_ADDRESS, fuzz_page(PAGE_STORE_LIST));
	SET(v, VM_EXIT_MSR_LOAD_ADDRESS, fuzz_page(PAGE_LOAD_LIST));
	if (!(secondary & SECONDARY_EPT))
		return;
	/* What has a log has flags to log. */
	SET(v, EPT_POINTER,
	    fuzz_page(PAGE_EPT) | FUZZ_EPTP | (secondary & SECONDARY_PML ? EPTP_AD : 0));
	v->value[FIELD(PRIMARY_PROC_BASED_CONTROLS)] |= PRIMARY_IO_BITMAPS | PRIMARY_MSR_BITMAPS;
	SET(v, VMX_PREEMPTION_TIMER_VALUE, FUZZ_FIRST_TIME);
	SET(v, GUEST_RSP, fuzz_page(PAGE_STACK) + STACK_OFFSET);
	SET(v, GUEST_IDTR_BASE, fuzz_page(PAGE_IDT));
	SET(v, GUEST_IDTR_LIMIT, PAGE_SIZE - 1);
	if (base == BASE_V86 || base == BASE_REAL)
		return;
	SET(v, GUEST_RIP, fuzz_page(PAGE_CODE) + FUZZ_CODE);
	SET(v, GUEST_CR3, fuzz_page(base == BASE_PAE ? PAGE_PAE : PAGE_TABLES));
}

static void no_code(void)
{
}

static void make_bases(void)
{
	const struct l2_options options = { .pin = PIN_PREEMPTION_TIMER };
	struct l2 first = { 0 };

	l2_create(&first, no_code, &options);
	truth_make_bases(physical(first.region));
	vmclear(physical(first.region));
	/* What runs for more than an instant needs EPT. */
	truth_bases[BASE_INTERRUPT] = truth_bases[BASE_FULL];
	SET(&truth_bases[BASE_INTERRUPT], GUEST_RFLAGS, 0x202);
	/* An NMI window is open at once, so that L2 would never run. */
	truth_bases[BASE_FULL].value[FIELD(PRIMARY_PROC_BASED_CONTROLS)] &=
		~(u64)PRIMARY_NMI_WINDOW_EXITING;
	for (unsigned base = 0; base < BASES; base++)
		in_arena(&truth_bases[base], base);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned base = BASE_PAE; base <= BASE_V86; base++)
			truth_bases[base].value[FIELD(GUEST_PDPTE0) + i] =
				fuzz_page(PAGE_TABLES + 2 + i) | PTE_PRESENT;
}

static u32 revision(void)
{
	return (u32)CAP_GET(guest_caps.msr[VMX_CAP_BASIC], REVISION);
}

void fuzz_write_field(unsigned ix, u64 value)
{
	vmwrite(vmcs_fields[ix].encoding, value);
}

static void make_images(void)
{
	u32 *const region = fuzz_at(PAGE_REGION);

	*region = revision();
	for (unsigned base = 0; base < BASES; base++) {
		if (!truth_bases[base].there)
			continue;
		guest_vmcs_load(region);
		for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
			if (fuzz_is_writable(ix) && ix != FIELD(HOST_RSP))
				fuzz_write_field(ix, truth_bases[base].value[ix]);
		vmclear(physical(region));
		memcpy(images[base], region, PAGE_SIZE);
	}
}

/* --- standing on firm ground ------------------------------------------------------------------ */

static void do_vmxon(void *region)
{
	vmxon(physical(region));
}

/* In VMX operation, with no region that can be relied on. */
static void regain(void)
{
	struct guest_fault fault;
	u32 *const region = fuzz_at(PAGE_VMXON);

	*region = revision();
	guest_try(do_vmxon, region, &fault);
	for (unsigned i = 0; i < REGIONS; i++)
		slots[i].fresh = false;
	moved = false;
}

bool fuzz_has_ept(unsigned base)
{
	return truth_bases[base].value[FIELD(SECONDARY_PROC_BASED_CONTROLS)] & SECONDARY_EPT;
}

/*
 * Seldom one whose L2 does not run. A second processor may mix a VMCS out of two: L2 without EPT is
 * not held by anything then, and Bochs minds real mode (see is_safe()).
 */
static bool is_usable(unsigned base)
{
	if (!truth_bases[base].there)
		return false;
	if (fuzz_second)
		return fuzz_has_ept(base) && base != BASE_REAL;
	return fuzz_has_ept(base) || fuzz_one_in(4);
}

static unsigned any_base(void)
{
	unsigned base;

	do
		base = (unsigned)fuzz_below(BASES);
	while (!is_usable(base));
	return base;
}

static void make_fresh(unsigned slot)
{
	u64 *const region = fuzz_at(PAGE_REGION + slot);

	/* It may be what a random VMXON was given. */
	if (vmclear(physical(region)) != VMX_SUCCEED) {
		vmxoff();
		regain();
		vmclear(physical(region));
	}
	slots[slot].base = any_base();
	memcpy(region, images[slots[slot].base], PAGE_SIZE);
	slots[slot].l2 = (struct l2){ .region = region };
	slots[slot].fresh = true;
	slots[slot].entries = 0;
}

/* A VMCS that is good for an entry is current. */
struct fuzz_slot *fuzz_choose(void)
{
	const unsigned before = current;
	const bool was_moved = moved;

	if (moved)
		regain();
	if (fuzz_one_in(6))
		current = (unsigned)fuzz_below(REGIONS);
	/* Something may have written to the region, so that it can't be loaded any more. */
	if (!slots[current].fresh || slots[current].entries > 12 ||
	    ((was_moved || current != before) &&
	     vmptrld(fuzz_page(PAGE_REGION + current)) != VMX_SUCCEED)) {
		make_fresh(current);
		vmptrld(fuzz_page(PAGE_REGION + current));
	}
	slots[current].entries++;
	return &slots[current];
}

struct fuzz_slot *fuzz_current(void)
{
	return &slots[current];
}

void fuzz_lose(void)
{
	moved = true;
}

void fuzz_scribble(void)
{
	const unsigned slot = (unsigned)fuzz_below(REGIONS);
	u8 *const region = fuzz_at(PAGE_REGION + slot);

	if (moved)
		regain();
	vmclear(physical(region));
	region[fuzz_one_in(4) ? fuzz_below(16) : fuzz_below(PAGE_SIZE)] ^= (u8)BIT(fuzz_below(8));
	vmptrld(physical(region));
	if (fuzz_one_in(2))
		region[fuzz_below(PAGE_SIZE)] ^= (u8)BIT(fuzz_below(8));
	slots[slot].fresh = false;
	moved = true;
}

void fuzz_vmcss_make(void)
{
	make_bases();
	make_images();
}
