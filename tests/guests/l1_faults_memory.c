#include "tests/guests/l1_faults.h"

#include "tests/guests/lib/guest_paging.h"

#define CR0_PE	    BIT(0)
#define CR0_ET	    BIT(4)
#define CR0_NE	    BIT(5)
#define CR0_PG	    BIT(31)
#define CR4_PAE	    BIT(5)
#define LIMIT_4G    0xffffffff
#define RIGHTS_CODE 0xc09b
#define RIGHTS_DATA 0xc093
#define PDPTES	    4
#define FAR	    MIB(128) /* memory that nobody uses */

/* VMCALL, then MOV of EBX to CR3 and VMCALL again, in 32-bit code. */
__asm__("	.pushsection .text\n"
	"	.code32\n"
	"faults_code32:\n"
	"	movl $0, %eax\n"
	"	vmcall\n"
	"	movl %ebx, %cr3\n"
	"	movl $1, %eax\n"
	"	vmcall\n"
	"	.code64\n"
	"	.popsection\n");
extern const u8 faults_code32[];

static u8 other[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void read_far_code(void)
{
	(void)*(volatile u64 *)FAR;
	l2_vmcall(0);
	(void)*(volatile u64 *)FAR;
	l2_vmcall(1);
}

/* --- PAE ------------------------------------------------------------------------------------- */

/* The page-directory-pointer table in front of the directories of the 4-level tables at @cr3. */
static u64 *make_pae_tables(u64 cr3)
{
	u64 *pdptes = guest_pages(1);
	const u64 *pml4 = (const u64 *)(uintptr_t)cr3;
	const u64 *pdpt = (const u64 *)(uintptr_t)(pml4[0] & MASK(51, 12));

	for (unsigned i = 0; i < PDPTES; i++)
		pdptes[i] = (pdpt[i] & MASK(51, 12)) | PTE_PRESENT;
	return pdptes;
}

static void write_flat_segments(void)
{
	static const u32 segments[] = { VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_CS_SELECTOR,
					VMCS_GUEST_SS_SELECTOR, VMCS_GUEST_DS_SELECTOR };

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		const bool code = segments[i] == VMCS_GUEST_CS_SELECTOR;
		const u32 offset = segments[i] - VMCS_GUEST_ES_SELECTOR;

		guest_vmcs_write(segments[i], code ? GUEST_CS32 : GUEST_DS);
		guest_vmcs_write(VMCS_GUEST_ES_LIMIT + offset, LIMIT_4G);
		guest_vmcs_write(VMCS_GUEST_ES_ACCESS_RIGHTS + offset,
				 code ? RIGHTS_CODE : RIGHTS_DATA);
	}
}

/* Makes the L2 just created one of 32-bit code with PAE paging. */
static void leave_long_mode(struct l2 *l2, u64 cr3)
{
	const u64 *pdptes = make_pae_tables(cr3);

	write_flat_segments();
	guest_vmcs_write(VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE | CR0_PG);
	guest_vmcs_write(VMCS_GUEST_CR3, physical(pdptes));
	guest_vmcs_write(VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE);
	guest_vmcs_write(VMCS_GUEST_IA32_EFER, 0);
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_vmcs_read(VMCS_VM_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST);
	guest_vmcs_write(VMCS_GUEST_RIP, physical(faults_code32));
	l2->regs.rbx = physical(pdptes);
}

static void case_pdptes_not_loaded(void)
{
	const struct l2_options options = { .entry = ENTRY_LOAD_EFER, .exit = EXIT_LOAD_EFER };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	leave_long_mode(&l2, guest_page_tables());
	faults_run(&l2, 2);
	faults_drop(&l2);
}

/* L2 loads CR3 again after L1 took the page away that it points to. */
static void case_pdpte_load_faults(void)
{
	const struct l2_options options = { .entry = ENTRY_LOAD_EFER,
					    .exit = EXIT_LOAD_EFER,
					    .eptp = guest_ept_tables() };
	const u64 *pdptes;
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	leave_long_mode(&l2, guest_page_tables());
	pdptes = (const u64 *)(uintptr_t)l2.regs.rbx;
	guest_vmcs_write(VMCS_GUEST_IDTR_LIMIT, 0); /* a fault of this L2 is its end */
	for (unsigned i = 0; i < PDPTES; i++)
		guest_vmcs_write(VMCS_GUEST_PDPTE0 + 2 * i, pdptes[i]);
	faults_run(&l2, 1);
	*guest_table_entry(options.eptp, physical(pdptes)) = 0;
	invept(INVEPT_SINGLE, options.eptp, 0);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

/* --- EPT ------------------------------------------------------------------------------------- */

static void case_ept_write_only_ok(void)
{
	const struct l2_options options = { .eptp = guest_ept_tables() };
	struct l2 l2;

	faults_create(&l2, read_far_code, &options);
	*guest_table_entry(options.eptp, FAR) &= ~EPT_READ;
	faults_run(&l2, 1);
	faults_drop(&l2);
}

/* The entry that leads to the page of entries for @address. */
static u64 *directory_entry(u64 root, u64 address)
{
	const u64 *pml4 = (const u64 *)(uintptr_t)(root & MASK(51, 12));
	const u64 *pdpt = (const u64 *)(uintptr_t)(pml4[0] & MASK(51, 12));
	u64 *directory = (u64 *)(uintptr_t)(pdpt[address >> 30] & MASK(51, 12));

	return &directory[address >> 21 & 511];
}

static void case_ept_leaf_rights(void)
{
	const struct l2_options options = { .eptp = guest_ept_tables() };
	struct l2 l2;

	faults_create(&l2, read_far_code, &options);
	guest_table_entry(options.eptp, FAR); /* makes it a 4 KiB page */
	*directory_entry(options.eptp, FAR) &= ~EPT_WRITE;
	faults_run(&l2, 2);
	faults_drop(&l2);
}

static void case_invept_ignored(void)
{
	const struct l2_options options = { .eptp = guest_ept_tables() };
	struct l2 l2;
	u64 *entry;

	faults_create(&l2, read_far_code, &options);
	entry = guest_table_entry(options.eptp, FAR);
	faults_run(&l2, 1);
	*entry = (*entry & ~MASK(51, 12)) | physical(other);
	invept(INVEPT_SINGLE, options.eptp, 0);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

const struct fault_case l1_faults_memory_cases[] = {
	FAULT_CASE(pdptes_not_loaded), FAULT_CASE(pdpte_load_faults), FAULT_CASE(ept_write_only_ok),
	FAULT_CASE(ept_leaf_rights),   FAULT_CASE(invept_ignored),
};
const size_t l1_faults_memory_count = ARRAY_SIZE(l1_faults_memory_cases);
