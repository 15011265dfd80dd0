#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define VECTOR_PF	    14
#define VECTOR_SOFT	    0x60
#define PF_EVENT	    0x80000b0eu /* valid, error code, hardware exception, 14 */
#define EVENT_SOFT	    0x80000000u | VECTOR_SOFT
#define EVENT_VALID	    BIT(31)
#define PF_WRITE	    BIT(1)
#define RFLAGS_FIXED	    BIT(1)
#define RFLAGS_IF	    BIT(9)

/* SDM: "Exit Qualification for EPT Violations". */
#define EPTV_READ	    BIT(0)
#define EPTV_WRITE	    BIT(1)
#define EPTV_FETCH	    BIT(2)
#define EPTV_READABLE	    BIT(3)
#define EPTV_EXECUTABLE	    BIT(5)
#define EPTV_LINEAR_VALID   BIT(7)
#define EPTV_NOT_PAGE_TABLE BIT(8)
#define EPTV_KNOWN	    MASK(8, 0) /* the rest depends on the processor */

/* A page whose mapping the cases change, and one to map in its place. */
static volatile u64 page[512] __attribute__((aligned(PAGE_SIZE)));
static volatile u64 other[512] __attribute__((aligned(PAGE_SIZE)));

static u64 page_address(void)
{
	return (uintptr_t)page;
}

/* --- L2's own page tables -------------------------------------------------------------------- */

static void code_page_fault(void)
{
	page[5] = 0x1234;
	l2_vmcall(page[5] == 0x1234);
}

static void check_page_fault(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_cr3, page_address());

	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	*entry &= ~PTE_PRESENT;
	if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
		return;
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, PF_EVENT);
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE, PF_WRITE);
	l2_expect_field(VMCS_EXIT_QUALIFICATION, page_address() + 5 * sizeof(page[0]));
	*entry |= PTE_PRESENT;
	l2_expect_end(l2);
}

static void read_page(void *unused)
{
	(void)unused;
	(void)page[0];
}

/* Only faults whose error code matches exit: writes, here. */
static void code_page_fault_filter(void)
{
	struct guest_fault fault = { 0 };
	const bool ran = guest_try(read_page, NULL, &fault);

	page[0] = 1;
	l2_vmcall(!ran && fault.vector == VECTOR_PF && fault.cr2 == page_address());
}

static void check_page_fault_filter(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_cr3, page_address());

	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	guest_vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MASK, PF_WRITE);
	guest_vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, PF_WRITE);
	*entry &= ~PTE_PRESENT;
	if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
		return;
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE, PF_WRITE);
	*entry |= PTE_PRESENT;
	l2_expect_end(l2);
}

/* L1 can take a page away and give another; with a VPID it has to say so. */
static void code_remap(void)
{
	const u64 before = page[0];

	l2_vmcall(2);
	l2_vmcall(before == 0x1111 && page[0] == 0x2222);
}

static void check_remap(struct l2 *l2)
{
	const u64 vpid =
		guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_SECONDARY_CONTROLS &&
				guest_vmcs_read(VMCS_SECONDARY_PROC_BASED_CONTROLS) & SECONDARY_VPID
			? guest_vmcs_read(VMCS_VPID)
			: 0;
	u64 *entry = guest_table_entry(l2_case_cr3, page_address());

	page[0] = 0x1111;
	other[0] = 0x2222;
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	*entry = (*entry & ~MASK(51, 12)) | (uintptr_t)other;
	if (vpid)
		l2_check(invvpid(INVVPID_ADDRESS, vpid, page_address()) == VMX_SUCCEED, "INVVPID");
	l2_skip();
	l2_expect_end(l2);
}

/* --- EPT ------------------------------------------------------------------------------------- */

static void expect_violation(struct l2 *l2, u64 qualification, u64 gpa)
{
	const u64 got = guest_vmcs_read(VMCS_EXIT_QUALIFICATION) & EPTV_KNOWN;

	(void)l2;
	l2_check(got == qualification, "qualification %lx instead of %lx", got, qualification);
	l2_expect_field(VMCS_GUEST_PHYSICAL_ADDRESS, gpa);
}

static void code_ept_read(void)
{
	l2_vmcall(page[3] == 0x3333);
}

static void check_ept_read(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, page_address());
	const u64 mapped = *entry;
	const u64 address = page_address() + 3 * sizeof(page[0]);

	page[3] = 0x3333;
	*entry = 0;
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	expect_violation(l2, EPTV_READ | EPTV_LINEAR_VALID | EPTV_NOT_PAGE_TABLE, address);
	l2_expect_field(VMCS_GUEST_LINEAR_ADDRESS, address);
	*entry = mapped;
	l2_expect_end(l2);
}

static void code_ept_write(void)
{
	const u64 before = page[0];

	page[0] = before + 1;
	l2_vmcall(page[0] == before + 1);
}

static void check_ept_write(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, page_address());

	*entry &= ~EPT_WRITE;
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	expect_violation(l2,
			 EPTV_WRITE | EPTV_READABLE | EPTV_EXECUTABLE | EPTV_LINEAR_VALID |
				 EPTV_NOT_PAGE_TABLE,
			 page_address());
	*entry |= EPT_WRITE;
	/* An EPT violation invalidates what would cause it again. */
	l2_expect_end(l2);
}

static void code_ept_fetch(void)
{
	void (*const run)(void) = (void (*)(void))page_address();

	run();
	l2_vmcall(true);
}

static void check_ept_fetch(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, page_address());

	*(volatile u8 *)page = 0xc3; /* RET */
	*entry &= ~EPT_EXECUTE;
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	l2_check((guest_vmcs_read(VMCS_EXIT_QUALIFICATION) & MASK(2, 0)) == EPTV_FETCH,
		 "qualification %lx", guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
	l2_expect_field(VMCS_GUEST_RIP, page_address());
	*entry |= EPT_EXECUTE;
	l2_expect_end(l2);
}

/* Writable but not readable is no permission but a mistake. */
static void check_ept_misconfiguration(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, page_address());

	page[3] = 0x3333;
	*entry &= ~EPT_READ;
	if (!l2_expect(l2, EXIT_EPT_MISCONFIGURATION))
		return;
	l2_expect_field(VMCS_GUEST_PHYSICAL_ADDRESS, page_address() + 3 * sizeof(page[0]));
	*entry |= EPT_READ;
	l2_expect_end(l2);
}

/* The walk of L2's page tables goes through EPT too. */
static void check_ept_page_table(struct l2 *l2)
{
	const u64 *leaf = guest_table_entry(l2_case_cr3, page_address());
	const u64 table = ALIGN_DOWN((uintptr_t)leaf, PAGE_SIZE);
	u64 *entry = guest_table_entry(l2_case_eptp, table);
	const u64 mapped = *entry;

	page[3] = 0x3333;
	*entry = 0;
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	l2_check(!(guest_vmcs_read(VMCS_EXIT_QUALIFICATION) & EPTV_NOT_PAGE_TABLE),
		 "qualification %lx", guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
	l2_expect_field(VMCS_GUEST_PHYSICAL_ADDRESS, (uintptr_t)leaf);
	*entry = mapped;
	l2_expect_end(l2);
}

static void check_ept_remap(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, page_address());

	page[0] = 0x1111;
	other[0] = 0x2222;
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	*entry = (*entry & ~MASK(51, 12)) | (uintptr_t)other;
	l2_check(invept(INVEPT_SINGLE, l2_case_eptp, 0) == VMX_SUCCEED, "INVEPT");
	l2_skip();
	l2_expect_end(l2);
}

/* An event whose delivery the violation cut short is in the IDT-vectoring information. */
static void code_ept_vectoring(void)
{
	const u64 before = guest_interrupt_count(VECTOR_SOFT);

	/* The handler runs on the page that L1 takes away. */
	l2_case_vmcall_on(page + ARRAY_SIZE(page));
	l2_vmcall(guest_interrupt_count(VECTOR_SOFT) == before + 1);
}

static void check_ept_vectoring(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, page_address());
	const u64 mapped = *entry;

	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_skip();
	*entry = 0;
	l2_check(invept(INVEPT_SINGLE, l2_case_eptp, 0) == VMX_SUCCEED, "INVEPT");
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_SOFT);
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	l2_expect_field(VMCS_IDT_VECTORING_INFO, EVENT_SOFT);
	*entry = mapped;
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_SOFT);
	l2_expect_end(l2);
}

const struct l2_case l1_l2_memory_cases[] = {
	L2_CASE(page_fault),
	L2_CASE(page_fault_filter),
	L2_CASE(remap),
	L2_CASE(ept_read, .needs_ept = true),
	L2_CASE(ept_write, .needs_ept = true),
	L2_CASE(ept_fetch, .needs_ept = true),
	L2_CASE_OF(ept_misconfiguration, code_ept_read, check_ept_misconfiguration,
		   .needs_ept = true),
	L2_CASE_OF(ept_page_table, code_ept_read, check_ept_page_table, .needs_ept = true),
	L2_CASE_OF(ept_remap, code_remap, check_ept_remap, .needs_ept = true),
	L2_CASE(ept_vectoring, .needs_ept = true),
};
const size_t l1_l2_memory_count = ARRAY_SIZE(l1_l2_memory_cases);
