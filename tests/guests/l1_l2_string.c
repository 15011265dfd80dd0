/*
 * tests/guests/l1_l2_string.c - INS and OUTS of L2 at a port that a hypervisor below L1 may watch
 *
 * L1 leaves the port to L2. Memory is found by L2's page tables and EPT, and what they forbid comes
 * before the port is touched.
 */
#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define LINE_CONTROL	0x3fb /* of the first serial line; reads as it was written */
#define VECTOR_PF	14
#define PF_EVENT	(BIT(31) | BIT(11) | 3ull << 8 | VECTOR_PF)
#define PF_WRITE	BIT(1)
#define COUNT		3
#define EPTV_KNOWN	MASK(8, 0) /* the rest depends on the processor */
#define EPTV_ACCESS	MASK(2, 0)
#define EPTV_LINEAR	BIT(7)
#define EPTV_FINAL	BIT(8)
#define EPTV_PERMISSION MASK(5, 3)

static volatile u8 page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static volatile u8 other[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static u64 page_address(void)
{
	return (uintptr_t)page;
}

static void code_string(void)
{
	const u8 line = inb(LINE_CONTROL);
	volatile u8 *to = page;
	volatile u8 *from = page;
	u64 in = COUNT, out = COUNT;

	__asm__ volatile("rep insb" : "+D"(to), "+c"(in) : "d"((u16)LINE_CONTROL) : "memory");
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(out) : "d"((u16)LINE_CONTROL) : "memory");
	l2_vmcall(!in && !out && to == page + COUNT && from == page + COUNT && page[0] == line &&
		  page[COUNT - 1] == line && page[COUNT] == 0xee && inb(LINE_CONTROL) == line);
}

static void prepare(void)
{
	for (unsigned i = 0; i <= COUNT; i++)
		page[i] = other[i] = 0xee;
}

static void check_plain(struct l2 *l2)
{
	prepare();
	l2_expect_end(l2);
	l2_check(page[0] != 0xee, "the page has not changed");
}

static void check_remapped(struct l2 *l2)
{
	prepare();
	*guest_table_entry(l2_case_eptp, page_address()) ^= page_address() ^ (uintptr_t)other;
	l2_expect_end(l2);
	l2_check(page[0] == 0xee && other[0] != 0xee, "the wrong page has changed");
}

/* The first access is INS's write. */
static void expect_violation(struct l2 *l2, u64 gpa, u64 kind)
{
	u64 qualification;

	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	qualification = guest_vmcs_read(VMCS_EXIT_QUALIFICATION) & EPTV_KNOWN & ~EPTV_PERMISSION;
	l2_check(qualification == (BIT(1) | EPTV_LINEAR | kind), "qualification %lx",
		 qualification);
	l2_expect_field(VMCS_GUEST_PHYSICAL_ADDRESS, gpa);
	l2_expect_field(VMCS_GUEST_LINEAR_ADDRESS, page_address());
	l2_check(l2->regs.rcx == COUNT, "RCX %lx", l2->regs.rcx);
}

static void check_violation(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, page_address());

	prepare();
	*entry &= ~EPT_WRITE;
	expect_violation(l2, page_address(), EPTV_FINAL);
	l2_check(page[0] == 0xee, "the page has changed");
	*entry |= EPT_WRITE;
	invept(INVEPT_SINGLE, l2_case_eptp, 0);
	l2_expect_end(l2);
}

static void check_page_fault(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_cr3, page_address());

	prepare();
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	*entry &= ~PTE_PRESENT;
	if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
		return;
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, PF_EVENT);
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE, PF_WRITE);
	l2_expect_field(VMCS_EXIT_QUALIFICATION, page_address());
	*entry |= PTE_PRESENT;
	l2_expect_end(l2);
}

const struct l2_case l1_l2_string_cases[] = {
	L2_CASE_OF(plain, code_string, check_plain, .needs_ept = false),
	L2_CASE_OF(remapped, code_string, check_remapped, .needs_ept = true),
	L2_CASE_OF(violation, code_string, check_violation, .needs_ept = true),
	L2_CASE_OF(page_fault, code_string, check_page_fault, .needs_ept = false),
};
const size_t l1_l2_string_count = ARRAY_SIZE(l1_l2_string_cases);
