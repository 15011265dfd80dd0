/*
 * tests/guests/l1_fuzz_second.c - a second processor that writes what the first one lets a
 *				   hypervisor read
 *
 * It takes a word of a VMCS region, of L2's EPT tables, of an MSR list, a bitmap, an operand or the
 * tables that lead to one, changes it, and puts it back some hundred ticks later; the hypervisor
 *may be reading it just then, on behalf of the first. Now and then it makes a VMCS of the first one
 *its own. Random numbers are its own, too.
 */
#include "tests/guests/l1_fuzz.h"
#include "tests/guests/lib/guest_cpus.h"
#include "vmx/vmcs12.h"

#define MAX_HOLD 1024 /* ticks */
#define ENTRIES	 512
#define ACCESSED BIT(5)
#define DIRTY	 BIT(6)

static u64 state;
static u32 vmxon_words[PAGE_SIZE / sizeof(u32)] __attribute__((aligned(PAGE_SIZE)));

static u64 below(u64 limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state * 0x2545f4914f6cdd1d >> 11) % limit;
}

static u64 *word_in(unsigned page, u64 words)
{
	return (u64 *)fuzz_at(page) + below(words);
}

/* A change of @at that another one may undo: the first processor makes the arena anew. */
static void flip(u64 *at, u64 value)
{
	const u64 old = guest_load(at);

	guest_store(at, value);
	guest_wait(below(MAX_HOLD));
	guest_store(at, old);
}

/* --- VMCS regions ----------------------------------------------------------------------------- */

/* In a VMCS that is not active this is what VMPTRLD reads. */
static void flip_field(void)
{
	const unsigned ix = (unsigned)below(VMCS_FIELD_COUNT);
	struct vmcs12 *const region = fuzz_at(PAGE_REGION + (unsigned)below(PAGE_REGION_END + 1));
	const u64 bit = BIT(below(64)) & vmcs_width_mask(vmcs_fields[ix].width);

	if (bit & truth_movable(ix) && fuzz_may_change(ix, region->value[ix] ^ bit))
		flip(&region->value[ix], region->value[ix] ^ bit);
}

/* Revision, abort indicator, launch state and stamp. */
static void flip_header(void)
{
	u64 *const at = word_in(PAGE_REGION + (unsigned)below(PAGE_REGION_END + 1), 2);

	flip(at, *at ^ BIT(below(64)));
}

static void own(void)
{
	const u64 pointer = fuzz_page(PAGE_REGION + (unsigned)below(PAGE_REGION_END + 1));
	u64 stored;

	switch (below(4)) {
	case 0:
		vmclear(pointer);
		break;
	case 1:
		vmptrst(&stored);
		break;
	default:
		vmptrld(pointer);
		break;
	}
}

/* --- what a VMCS names ------------------------------------------------------------------------ */

/* Never with a right to write that was not there, nor a table in the place of a large page. */
static void flip_ept(void)
{
	static const u16 tables[] = { PAGE_EPT,	      PAGE_EPT + 1, PAGE_EPT + 2,
				      PAGE_EPT_ARENA, PAGE_EPT_LOW, PAGE_EPT_BAD };
	static const u8 bits[] = { 0, 2, 3, 4, 5, 6, 8, 9, 10, 11, 40, 51, 52, 57, 63 };
	const unsigned table = tables[below(ARRAY_SIZE(tables))];
	u64 *const at = word_in(table, table == PAGE_EPT_ARENA ? FUZZ_PAGES
				       : below(2)	       ? 1
							       : ENTRIES);

	if (table == PAGE_EPT_ARENA && below(2))
		flip(at,
		     fuzz_page((unsigned)below(PAGE_STORE_LIST)) | EPT_READ | EPT_EXECUTE | EPT_WB);
	else if (below(8))
		flip(at, *at & ~(below(2) ? BIT(bits[below(ARRAY_SIZE(bits))]) : EPT_WRITE));
	else
		flip(at, *at ^ BIT(bits[below(ARRAY_SIZE(bits))]));
}

static void flip_list(void)
{
	static const u32 msrs[] = { MSR_EFER,	MSR_PAT, MSR_FS_BASE, MSR_VMX_BASIC,
				    0xc0000081, 0x808,	 0x200,	      0x40000000 };
	u64 *const at = word_in(PAGE_ENTRY_LIST, 16);

	flip(at, (at - (u64 *)fuzz_at(PAGE_ENTRY_LIST)) % 2 ? BIT(below(64))
							    : msrs[below(ARRAY_SIZE(msrs))]);
	/* Of the list that is stored the values: the index of an MSR is not to be missing. */
	flip((u64 *)fuzz_at(PAGE_STORE_LIST) + below(16) * 2 + 1, BIT(below(64)));
}

static void flip_bitmap(void)
{
	u64 *const at = word_in(below(2) ? PAGE_MSR_BITMAP : PAGE_IO_BITMAP, ENTRIES);

	flip(at, below(2) ? *at | BIT(below(64)) : ~0ull);
}

/* --- operands --------------------------------------------------------------------------------- */

static void flip_operand(void)
{
	flip(word_in(PAGE_SCRATCH, 3 * ENTRIES),
	     fuzz_page((unsigned)below(PAGE_OTHER_REGION + 1)) | (below(4) ? 0 : below(PAGE_SIZE)));
}

/* Right and flags of a page of L1's, which may be the one that an operand is in. */
static void flip_table(void)
{
	const unsigned page = below(2) ? PAGE_WINDOWS + (unsigned)below(FUZZ_WINDOWS)
				       : PAGE_SCRATCH + (unsigned)below(3);
	u64 *const at = guest_table_entry(read_cr3(), fuzz_page(page));

	/* Scratch pages must stay there for the first processor. */
	flip(at, *at & ~(page >= PAGE_WINDOWS && below(4) ? PTE_PRESENT : ACCESSED | DIRTY));
}

static void scribble(void *argument)
{
	u64 *const stop = argument;

	write_cr4(read_cr4() | CR4_VMXE);
	vmxon_words[0] = (u32)CAP_GET(guest_caps.msr[VMX_CAP_BASIC], REVISION);
	if (vmxon(physical(vmxon_words)) != VMX_SUCCEED)
		return;
	while (!guest_load(stop)) {
		switch (below(16)) {
		case 0:
			own();
			break;
		case 1:
			flip_header();
			break;
		case 2:
		case 3:
			flip_field();
			break;
		case 4:
			flip_list();
			break;
		case 5:
			flip_bitmap();
			break;
		case 6:
		case 7:
			flip_table();
			break;
		case 8:
		case 9:
		case 10:
			flip_operand();
			break;
		default:
			flip_ept();
			break;
		}
	}
	vmxoff();
}

static u64 stop;

bool fuzz_second_begin(u64 seed)
{
	if (guest_cpu_count() < 2)
		return false;
	state = seed * 0x9e3779b97f4a7c15 | 1;
	guest_apic_enable();
	if (!guest_cpu_start(1, NULL))
		guest_fail("the second processor does not start");
	guest_cpu_call(1, scribble, &stop);
	return true;
}

void fuzz_second_end(void)
{
	guest_store(&stop, 1);
	if (!guest_cpu_done(1))
		guest_fail("the second processor does not come back");
}
