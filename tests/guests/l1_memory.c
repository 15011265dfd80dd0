/*
 * tests/guests/l1_memory.c - an L2 whose memory is nowhere where its addresses say
 *
 * Pages of L1 that hold patterns are code, stack and page tables of L2. EPT12 shows them to L2 in a
 * gigabyte where there is no memory, and L2's page tables, of each paging mode in turn, show them
 * somewhere else again; the stack goes on in a page that does not follow. L2 executes CPUID once.
 * So whoever reads L2's stack and code at that exit has translated rightly, or finds nothing.
 *
 * For each mode: a mark, and a line "l1_memory: MODE NUMBER rip RIP rsp RSP". Word i of the stack's
 * pages is STACK_WORD(NUMBER, i), but without paging a page of zeros follows; the code is l2_code.
 */
#include "tests/guests/lib/guest_l2.h"
#include "tests/guests/lib/guest_paging.h"

#define SHOWN		 GIB(1) /* gpa2 of page 0, and so on */
#define LINEAR		 0x00401000ull
#define CODE_OFFSET	 0x10
#define STACK_OFFSET	 0xf00
#define STACK_WORD(n, i) (0x5441434b00000000ull | (u64)(n) << 16 | (i))
#define L1_WORD(i)	 (0x314c000000000000ull | (i))
#define L1_WORDS	 8

#define CR0_PE		 BIT(0)
#define CR0_ET		 BIT(4)
#define CR0_NE		 BIT(5)
#define CR0_PG		 BIT(31)
#define CR4_PAE		 BIT(5)
#define RIGHTS_CODE32	 0xc09b
#define RIGHTS_DATA32	 0xc093
#define LIMIT_4G	 0xffffffff

enum { CODE, STACK, UNUSED, STACK_ABOVE, ROOT, PDPT, DIRECTORY, TABLE, PAGES };

struct mode {
	const char *name;
	u64 cr0, cr4;
	bool long_mode;
	void (*make_tables)(void);
	int root; /* page that CR3 names, -1: no paging */
};

static u8 *page[PAGES]; /* as L1 has them */

/* CPUID, and what would only run if L1 skipped it. */
static const u8 l2_code[] = { 0x0f, 0xa2, 0xf4, 0xeb, 0xfd, 'm', 'e', 'm',
			      'o',  'r',  'y',	' ',  'o',  'f', ' ', '2' };

static u64 shown(int number)
{
	return SHOWN + (u64)number * PAGE_SIZE;
}

static void link64(int table, unsigned index, int to, u64 flags)
{
	((u64 *)page[table])[index] = shown(to) | flags;
}

static void make_4_level(void)
{
	link64(ROOT, 0, PDPT, 7);
	link64(PDPT, 0, DIRECTORY, 7);
	link64(DIRECTORY, LINEAR >> 21, TABLE, 7);
	link64(TABLE, LINEAR >> 12 & 511, CODE, 7);
	link64(TABLE, (LINEAR >> 12 & 511) + 1, STACK, 7);
	link64(TABLE, (LINEAR >> 12 & 511) + 2, STACK_ABOVE, 7);
}

static void make_pae(void)
{
	make_4_level();
	link64(PDPT, 0, DIRECTORY, 1);
	for (unsigned i = 0; i < 4; i++)
		guest_vmcs_write(VMCS_GUEST_PDPTE0 + 2 * i, ((u64 *)page[PDPT])[i]);
}

static void make_32_bit(void)
{
	u32 *const table = (u32 *)page[TABLE];

	((u32 *)page[ROOT])[LINEAR >> 22] = (u32)shown(TABLE) | 7;
	table[LINEAR >> 12 & 1023] = (u32)shown(CODE) | 7;
	table[(LINEAR >> 12 & 1023) + 1] = (u32)shown(STACK) | 7;
	table[(LINEAR >> 12 & 1023) + 2] = (u32)shown(STACK_ABOVE) | 7;
}

static void make_none(void)
{
}

static const struct mode modes[] = {
	{ "4_level", CR0_PE | CR0_ET | CR0_NE | CR0_PG, CR4_PAE, true, make_4_level, ROOT },
	{ "pae", CR0_PE | CR0_ET | CR0_NE | CR0_PG, CR4_PAE, false, make_pae, PDPT },
	{ "32_bit", CR0_PE | CR0_ET | CR0_NE | CR0_PG, 0, false, make_32_bit, ROOT },
	{ "none", CR0_PE | CR0_ET | CR0_NE, 0, false, make_none, -1 },
};

static void unused(void)
{
	l2_vmcall(false);
}

static void write_flat_32_bit(void)
{
	for (u32 offset = 0; offset <= VMCS_GUEST_GS_SELECTOR - VMCS_GUEST_ES_SELECTOR;
	     offset += 2) {
		const bool code = VMCS_GUEST_ES_SELECTOR + offset == VMCS_GUEST_CS_SELECTOR;

		guest_vmcs_write(VMCS_GUEST_ES_SELECTOR + offset, code ? GUEST_CS32 : GUEST_DS);
		guest_vmcs_write(VMCS_GUEST_ES_BASE + offset, 0);
		guest_vmcs_write(VMCS_GUEST_ES_LIMIT + offset, LIMIT_4G);
		guest_vmcs_write(VMCS_GUEST_ES_ACCESS_RIGHTS + offset,
				 code ? RIGHTS_CODE32 : RIGHTS_DATA32);
	}
	guest_vmcs_write(VMCS_GUEST_IA32_EFER, 0);
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_vmcs_read(VMCS_VM_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST);
}

static void fill_pages(unsigned number)
{
	for (unsigned i = 0; i < PAGES; i++)
		memset(page[i], 0, PAGE_SIZE);
	memcpy(page[CODE] + CODE_OFFSET, l2_code, sizeof(l2_code));
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++) {
		((u64 *)page[STACK])[i] = STACK_WORD(number, i);
		((u64 *)page[STACK_ABOVE])[i] = STACK_WORD(number, i + PAGE_SIZE / 8);
	}
}

static void run(const struct mode *mode, unsigned number, u64 eptp)
{
	const u64 code = mode->root < 0 ? shown(CODE) : LINEAR;
	const u64 stack = mode->root < 0 ? shown(STACK) : LINEAR + PAGE_SIZE;
	const struct l2_options options = { .entry = ENTRY_LOAD_EFER,
					    .exit = EXIT_LOAD_EFER,
					    .secondary = SECONDARY_UNRESTRICTED_GUEST,
					    .eptp = eptp };
	volatile u64 pattern[L1_WORDS]; /* on L1's stack at the entry */
	struct l2 l2 = { .launched = false };

	for (unsigned i = 0; i < L1_WORDS; i++)
		pattern[i] = L1_WORD(i);
	fill_pages(number);
	guest_mark(mode->name);
	l2_create(&l2, unused, &options);
	if (!mode->long_mode)
		write_flat_32_bit();
	mode->make_tables();
	guest_vmcs_write(VMCS_GUEST_CR0, mode->cr0);
	guest_vmcs_write(VMCS_GUEST_CR3, mode->root < 0 ? 0 : shown(mode->root));
	guest_vmcs_write(VMCS_GUEST_CR4, mode->cr4 | CR4_VMXE);
	guest_vmcs_write(VMCS_GUEST_RIP, code + CODE_OFFSET);
	guest_vmcs_write(VMCS_GUEST_RSP, stack + STACK_OFFSET);
	guest_print("l1_memory: %s %u rip %lx rsp %lx\n", mode->name, number, code + CODE_OFFSET,
		    stack + STACK_OFFSET);
	guest_check(l2_run(&l2) == EXIT_CPUID, "%s: the exit reason is %lx", mode->name,
		    guest_vmcs_read(VMCS_EXIT_REASON));
	guest_check(pattern[L1_WORDS - 1] == L1_WORD(L1_WORDS - 1), "%s: the stack of L1 changed",
		    mode->name);
}

void guest_main(void)
{
	u64 eptp;

	guest_vmx_init();
	guest_vmx_on();
	eptp = guest_ept_tables();
	for (int i = 0; i < PAGES; i++) {
		page[i] = guest_pages(1);
		*guest_table_entry(eptp, shown(i)) =
			physical(page[i]) | EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_WB;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		run(&modes[i], i, eptp);
	guest_vmx_off();
	guest_check_end();
}
