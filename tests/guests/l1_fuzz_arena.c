/*
 * tests/guests/l1_fuzz_arena.c - the memory that a hostile L1 plays with, and its random numbers
 */
#include "tests/guests/l1_fuzz.h"

#define ENTRIES	       512
#define LARGE_PAGE     MIB(2)
#define TABLE	       (PTE_PRESENT | PTE_WRITE | PTE_USER)
#define EPT_RX	       (EPT_READ | EPT_EXECUTE | EPT_WB)
#define EPT_RWX	       (EPT_RX | EPT_WRITE)
#define POKES	       16
#define GATE_INTERRUPT (0x8eull << 40)

static u8 arena[FUZZ_PAGES][PAGE_SIZE] __attribute__((aligned(MIB(2))));

extern u8 guest_start[], guest_end[];

static u64 random_state, memory_end;
static struct {
	u64 *at, old;
} pokes[POKES];
static unsigned poke_count;

u64 fuzz_page(unsigned page)
{
	return physical(arena[page]);
}

void *fuzz_at(unsigned page)
{
	return arena[page];
}

/* --- random numbers --------------------------------------------------------------------------- */

void fuzz_random_begin(u64 seed, u64 step)
{
	random_state = (seed * 0x9e3779b97f4a7c15) ^ ((step + 1) * 0xd1342543de82ef95) ^ 0x2545f491;
	for (unsigned i = 0; i < 4; i++)
		fuzz_below(1);
}

static u64 random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

u64 fuzz_below(u64 limit)
{
	return (random() >> 11) % limit;
}

bool fuzz_one_in(u64 n)
{
	return !fuzz_below(n);
}

u64 fuzz_value(void)
{
	switch (fuzz_below(8)) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return BIT(fuzz_below(64));
	case 3:
		return ~BIT(fuzz_below(64));
	case 4:
		return fuzz_below(256);
	case 5:
		return fuzz_gpa();
	case 6:
		return (u64)-fuzz_below(4096);
	default:
		return random();
	}
}

/* --- addresses -------------------------------------------------------------------------------- */

/* Whatever a processor makes of it, cut to 32 bits or not, L1's own memory is not hit. */
bool fuzz_is_harmless(u64 address)
{
	const u64 low = (u32)address;

	return low + PAGE_SIZE <= physical(guest_start) || low >= physical(guest_end) ||
	       (low >= fuzz_page(0) && low < fuzz_page(0) + sizeof(arena));
}

static u64 harmless(u64 address)
{
	const u64 low = (u32)address;

	if (fuzz_is_harmless(address))
		return address;
	return (address & ~0xffffffffull) | fuzz_page(PAGE_SCRATCH) | (low & (PAGE_SIZE - 1));
}

static u64 width(void)
{
	return guest_caps.maxphyaddr ? guest_caps.maxphyaddr : 40;
}

static u64 nowhere(void)
{
	const u64 places[] = {
		0,
		PAGE_SIZE,
		0xa0000,
		0xf0000,
		0xc0000000,
		0xfffff000,
		BIT(32),
		BIT(width()) - PAGE_SIZE,
		BIT(width()),
		MASK(63, 12),
		MASK(63, 52) | fuzz_page(PAGE_OTHER_REGION),
		BIT(fuzz_below(64)),
		memory_end - PAGE_SIZE + MIB(64),
	};

	return places[fuzz_below(ARRAY_SIZE(places))];
}

/*
 * Whoever writes to a VMCS region that is entered writes where L1 goes on, and with which CR3: that
 * is done on purpose alone, where it can be undone (fuzz_scribble(), l1_fuzz_second.c).
 */
static u64 page_to_lose(unsigned page)
{
	return fuzz_page(page <= PAGE_REGION_END ? PAGE_OTHER_REGION : page);
}

u64 fuzz_memory_end(void)
{
	return memory_end;
}

u64 fuzz_gpa(void)
{
	u64 address;

	switch (fuzz_below(8)) {
	case 0:
		address = nowhere();
		break;
	case 1: /* the hypervisor below has taken the end of memory */
		address = memory_end + fuzz_below(MIB(24)) / PAGE_SIZE * PAGE_SIZE;
		break;
	case 2:
		address = page_to_lose((unsigned)fuzz_below(FUZZ_PAGES));
		break;
	default:
		address = page_to_lose((unsigned)fuzz_below(PAGE_EPT));
		break;
	}
	return harmless(fuzz_one_in(6) ? address + fuzz_below(PAGE_SIZE) : address);
}

u64 fuzz_linear(void)
{
	switch (fuzz_below(12)) {
	case 0:
		return fuzz_gpa();
	case 1:
		return harmless(fuzz_value());
	case 2: /* over the border of two pages of any kind */
		return fuzz_page(PAGE_WINDOWS + (unsigned)fuzz_below(FUZZ_WINDOWS)) -
		       fuzz_below(16);
	case 3:
		return fuzz_page(PAGE_WINDOWS + (unsigned)fuzz_below(FUZZ_WINDOWS)) +
		       fuzz_below(PAGE_SIZE);
	case 4: /* the last canonical address, and the first */
		return fuzz_one_in(2) ? BIT(47) - fuzz_below(16)
				      : MASK(63, 47) - fuzz_below(16) + 8;
	default:
		return fuzz_page(PAGE_SCRATCH) + fuzz_below(3 * PAGE_SIZE);
	}
}

/* --- contents --------------------------------------------------------------------------------- */

/* Bochs stops when a processor fetches code from a device, a virtual APIC as well. */
static u64 no_code(u64 entry)
{
	const u64 at = entry & MASK(51, 12);
	const bool device = (at >= 0xa0000 && at < 0xc0000) || (at >= GIB(3) && at < GIB(4)) ||
			    at == fuzz_page(PAGE_APIC_ACCESS);

	return device ? entry & ~EPT_EXECUTE : entry;
}

/*
 * What L2 may write in the arena. The lists of exits are read after it ran: a bad one would be the
 * end of L1, as a bad VMCS is. With its EPT tables it would get at all memory.
 */
static bool is_for_l2(u64 page)
{
	return page > PAGE_REGION_END && (page < PAGE_STORE_LIST || page >= PAGE_CODE) &&
	       (page < PAGE_EPT || page >= PAGE_TABLES);
}

/* An entry for one page, not so that L2 could write to what L1 needs. */
static u64 no_harm(u64 entry)
{
	const u64 at = entry & MASK(51, 12), page = (at - fuzz_page(0)) / PAGE_SIZE;

	return (page < FUZZ_PAGES ? is_for_l2(page) : fuzz_is_harmless(at)) ? entry
									    : entry & ~EPT_WRITE;
}

static void build_ept(void)
{
	u64 *const pml4 = fuzz_at(PAGE_EPT), *const pdpt = fuzz_at(PAGE_EPT + 1);
	u64 *const pd = fuzz_at(PAGE_EPT + 2), *const pt = fuzz_at(PAGE_EPT_ARENA);
	u64 *const low = fuzz_at(PAGE_EPT_LOW), *const eptps = fuzz_at(PAGE_EPTP_LIST);
	const u64 begin = fuzz_page(0);

	for (unsigned i = 0; i < ENTRIES; i++) {
		const u64 at = begin + i * PAGE_SIZE;

		pd[i] = i * LARGE_PAGE | EPT_RX | EPT_LARGE;
		pt[i] = no_code(at | (i < FUZZ_PAGES && is_for_l2(i) ? EPT_RWX : EPT_RX));
		low[i] = no_code(i * PAGE_SIZE | EPT_RX);
	}
	/* What runs in real and virtual-8086 mode finds code at 0:100h and 1000:100h. */
	low[0] = low[16] = fuzz_page(PAGE_CODE) | EPT_RWX;
	pd[begin / LARGE_PAGE] = fuzz_page(PAGE_EPT_ARENA) | TABLE;
	pd[0] = fuzz_page(PAGE_EPT_LOW) | TABLE;
	pdpt[0] = fuzz_page(PAGE_EPT + 2) | TABLE;
	for (unsigned i = 1; i < 4; i++)
		pdpt[i] = 0;
	pml4[0] = fuzz_page(PAGE_EPT + 1) | TABLE;
	eptps[0] = fuzz_page(PAGE_EPT) | FUZZ_EPTP;
	eptps[1] = ~0ull;
	eptps[2] = fuzz_page(PAGE_EPT_BAD) | FUZZ_EPTP;
}

static u64 bad_ept_entry(void)
{
	return no_code((fuzz_gpa() & ~(u64)(PAGE_SIZE - 1) & ~MASK(63, 57)) | fuzz_below(8) |
		       (fuzz_one_in(2) ? EPT_WB : fuzz_below(PAGE_SIZE) & MASK(11, 3)) |
		       (fuzz_one_in(8) ? BIT(fuzz_below(64)) : 0));
}

static void build_bad_ept(void)
{
	for (unsigned page = PAGE_EPT_BAD; page < PAGE_TABLES; page++)
		for (unsigned i = 0; i < ENTRIES; i++)
			((u64 *)fuzz_at(page))[i] = i % 8 ? 0 : bad_ept_entry() & ~EPT_WRITE;
}

/* 4 GiB one to one, for 4-level and for PAE paging. */
static void build_tables(void)
{
	u64 *const pml4 = fuzz_at(PAGE_TABLES), *const pdpt = fuzz_at(PAGE_TABLES + 1);
	u64 *const pae = fuzz_at(PAGE_PAE);

	pml4[0] = fuzz_page(PAGE_TABLES + 1) | TABLE;
	for (unsigned i = 0; i < 4; i++) {
		u64 *const pd = fuzz_at(PAGE_TABLES + 2 + i);

		pdpt[i] = fuzz_page(PAGE_TABLES + 2 + i) | TABLE;
		pae[i] = fuzz_page(PAGE_TABLES + 2 + i) | PTE_PRESENT;
		for (u64 j = 0; j < ENTRIES; j++)
			pd[j] = (i * ENTRIES + j) * LARGE_PAGE | TABLE | PTE_LARGE;
	}
}

/* Ports and MSRs that could end the machine exit; the others by chance. */
static void build_bitmaps(void)
{
	u8 *const ports = fuzz_at(PAGE_IO_BITMAP), *const msrs = fuzz_at(PAGE_MSR_BITMAP);

	for (unsigned i = 0; i < 2 * PAGE_SIZE; i++)
		ports[i] = 0xff;
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		msrs[i] = 0xff;
	ports[0x80 / 8] = 0;
	ports[0xe9 / 8] = (u8)~BIT(0xe9 % 8);
	ports[0x3f8 / 8] = (u8)~BIT(3);
	/* Reads, but of those that do not matter also writes; low MSRs, then C0000000h on. */
	for (unsigned i = 0; i < 2048; i++)
		if (i % 3)
			msrs[i] = 0;
	msrs[2048 + 0x174 / 8] = msrs[2048 + 0x480 / 8] = msrs[2048 + 0x488 / 8] = 0;
	msrs[2048 + 0x200 / 8] = msrs[2048 + 0x38 / 8] = 0;
	msrs[3072 + 0x80 / 8] = 0;
	msrs[3072 + 0x100 / 8] = 0;
}

void fuzz_lists_build(unsigned entries)
{
	static const u32 good[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
				    0xc0000081,	     0xc0000082,       0xc0000102 };
	static const u16 lists[] = { PAGE_ENTRY_LIST, PAGE_STORE_LIST, PAGE_LOAD_LIST };

	for (unsigned l = 0; l < ARRAY_SIZE(lists); l++) {
		u64 *const list = fuzz_at(lists[l]);

		for (unsigned i = 0; i < entries; i++) {
			list[2 * i] = good[i % ARRAY_SIZE(good)];
			list[2 * i + 1] = 0;
		}
	}
}

/* Half of the vectors lead to the code that L2 runs, half to a VMCALL; exceptions to either. */
static void build_idt(void)
{
	u64 *const gates = fuzz_at(PAGE_IDT);

	for (unsigned i = 0; i < 256; i++) {
		const u64 code =
			fuzz_page(PAGE_CODE) + ((i + i / 4) % 2 ? FUZZ_CODE : FUZZ_HANDLER);

		gates[2 * i] = (code & 0xffff) | (u64)GUEST_CS << 16 | GATE_INTERRUPT |
			       BITS(code, 31, 16) << 48;
		gates[2 * i + 1] = code >> 32;
	}
}

/* Linear pages of L1 that VMX operands run into. */
static void build_windows(void)
{
	const u64 elsewhere[FUZZ_WINDOWS] = {
		0,				       /* not present */
		fuzz_page(PAGE_SCRATCH) | PTE_PRESENT, /* read-only where CR0.WP says so */
		(memory_end + MIB(1)) | TABLE,
		0xc0000000 | TABLE,
		0xa0000 | TABLE,
		(BIT(width()) - PAGE_SIZE) | TABLE,
		fuzz_page(PAGE_SCRATCH + 1) | TABLE,
		fuzz_page(PAGE_SCRATCH + 2) | TABLE,
	};
	const u64 root = read_cr3();

	for (unsigned i = 0; i < FUZZ_WINDOWS; i++) {
		const u64 page = fuzz_page(PAGE_WINDOWS + i);

		*guest_table_entry(root, page) =
			i % 2 ? page | TABLE : elsewhere[i / 2] & (MASK(width() - 1, 12) | TABLE);
	}
	write_cr3(root);
}

void fuzz_arena_build(void)
{
	/* What the loader left may be lost later. */
	if (!memory_end)
		memory_end = guest_memory_end();
	build_ept();
	build_bad_ept();
	build_tables();
	build_bitmaps();
	fuzz_lists_build(FUZZ_LIST_ENTRIES);
	build_idt();
	build_windows();
}

/* --- for one step ----------------------------------------------------------------------------- */

void fuzz_poke(u64 *at, u64 value)
{
	if (poke_count == POKES)
		return;
	pokes[poke_count].at = at;
	pokes[poke_count++].old = *at;
	*at = value;
}

void fuzz_unpoke(void)
{
	while (poke_count) {
		poke_count--;
		*pokes[poke_count].at = pokes[poke_count].old;
	}
}

static void poke_ept(void)
{
	static const u16 tables[] = { PAGE_EPT, PAGE_EPT + 1, PAGE_EPT + 2, PAGE_EPT_ARENA,
				      PAGE_EPT_LOW };
	u64 *const table = fuzz_at(tables[fuzz_below(ARRAY_SIZE(tables))]);
	u64 *const entry = (u64 *)fuzz_at(PAGE_EPT_ARENA) + fuzz_below(FUZZ_PAGES);

	if (fuzz_one_in(2)) {
		fuzz_poke(entry,
			  no_harm(fuzz_one_in(2) ? bad_ept_entry() : *entry ^ BIT(fuzz_below(64))));
		return;
	}
	/* Not so that L2 could write elsewhere. */
	fuzz_poke(&table[fuzz_one_in(2) ? 0 : fuzz_below(ENTRIES)],
		  fuzz_one_in(2) ? fuzz_page(PAGE_EPT_BAD + (unsigned)fuzz_below(4)) | fuzz_below(8)
				 : bad_ept_entry() & ~EPT_WRITE);
}

static void poke_list(void)
{
	u64 *const entry = (u64 *)fuzz_at(PAGE_ENTRY_LIST) + 2 * fuzz_below(8);
	static const u32 msrs[] = { MSR_EFER,
				    MSR_PAT,
				    MSR_DEBUGCTL,
				    MSR_FS_BASE,
				    MSR_GS_BASE,
				    MSR_VMX_BASIC,
				    0xc0000081,
				    MSR_SYSENTER_EIP,
				    MSR_BIOS_UPDT_TRIG,
				    MSR_FEATURE_CONTROL,
				    0x808,
				    0x200,
				    0x201,
				    0x250,
				    0xffffffff,
				    0x40000000 };

	fuzz_poke(entry, fuzz_one_in(16) ? fuzz_value() : msrs[fuzz_below(ARRAY_SIZE(msrs))]);
	fuzz_poke(entry + 1, fuzz_value());
}

static void poke_bitmap(void)
{
	u64 *const words = fuzz_at(fuzz_one_in(2) ? PAGE_MSR_BITMAP : PAGE_IO_BITMAP);

	fuzz_poke(&words[fuzz_below(ENTRIES)], fuzz_value());
}

void fuzz_poke_at_random(void)
{
	switch (fuzz_below(4)) {
	case 0:
		poke_list();
		break;
	case 1:
		poke_bitmap();
		break;
	default:
		poke_ept();
		break;
	}
}
