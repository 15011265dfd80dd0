#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define EPT_ACCESSED	  BIT(8)
#define EPT_DIRTY	  BIT(9)
#define EPT_FLAGS	  (EPT_ACCESSED | EPT_DIRTY)
#define EPT_LEVELS	  4

/* SDM: "Exit Qualification for EPT Violations". */
#define EPTV_READ	  BIT(0)
#define EPTV_WRITE	  BIT(1)
#define EPTV_READABLE	  BIT(3)
#define EPTV_EXECUTABLE	  BIT(5)
#define EPTV_LINEAR_VALID BIT(7)
#define EPTV_KNOWN	  MASK(8, 0)

#define PML_ENTRIES	  512
#define PML_EMPTY	  (PML_ENTRIES - 1)
#define PML_FULL	  0xffff

static volatile u64 page[512] __attribute__((aligned(PAGE_SIZE)));
static volatile u64 other[512] __attribute__((aligned(PAGE_SIZE)));

static u64 *ept_leaf(volatile const void *at)
{
	return guest_table_entry(l2_case_eptp, (uintptr_t)at);
}

/* The entry of @level on the way to @at. */
static u64 *ept_entry(unsigned level, volatile const void *at)
{
	u64 table = l2_case_eptp;

	for (unsigned above = EPT_LEVELS;; above--) {
		u64 *entry = (u64 *)(uintptr_t)(table & MASK(51, 12)) +
			     ((uintptr_t)at >> (12 + 9 * (above - 1)) & 511);

		if (above == level)
			return entry;
		table = *entry;
	}
}

static void use_flags(void)
{
	guest_vmcs_write(VMCS_EPT_POINTER, l2_case_eptp | EPTP_AD);
}

static void drop_translations(void)
{
	l2_check(invept(INVEPT_SINGLE, l2_case_eptp | EPTP_AD, 0) == VMX_SUCCEED, "INVEPT");
}

static void expect_flags(const char *when, const u64 *entry, u64 flags)
{
	l2_check((*entry & EPT_FLAGS) == flags, "%s: the entry is %lx", when, *entry);
}

/* --- flags ----------------------------------------------------------------------------------- */

static void code_ept_ad(void)
{
	const u64 value = page[0];

	l2_vmcall(2);
	page[0] = value;
	l2_vmcall(3);
	page[1] = value;
	l2_vmcall(true);
}

static void check_ept_ad(struct l2 *l2)
{
	u64 *entry = ept_leaf(page);

	use_flags();
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	expect_flags("after a read", entry, EPT_ACCESSED);
	for (unsigned level = 2; level <= EPT_LEVELS; level++)
		l2_check(*ept_entry(level, page) & EPT_ACCESSED, "level %u", level);
	l2_skip();
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	expect_flags("after a write", entry, EPT_FLAGS);
	/* INVEPT makes the processor set what software has cleared. */
	*entry &= ~EPT_FLAGS;
	drop_translations();
	l2_skip();
	l2_expect_end(l2);
	expect_flags("after another write", entry, EPT_FLAGS);
}

/* Without the flag in the EPTP the bits are software's. */
static void check_ept_ad_off(struct l2 *l2)
{
	u64 *entry = ept_leaf(page);

	for (unsigned i = 0; i < 2; i++) {
		if (!l2_expect(l2, EXIT_VMCALL))
			return;
		l2_skip();
	}
	l2_expect_end(l2);
	expect_flags("after a write", entry, 0);
	l2_check(!(*ept_entry(EPT_LEVELS, page) & EPT_ACCESSED), "accessed at the top");
}

/* The flag in the EPTP says it, not what was in use before. */
static void check_ept_ad_switch(struct l2 *l2)
{
	u64 *entry = ept_leaf(page);

	for (unsigned i = 0; i < 2; i++) {
		if (!l2_expect(l2, EXIT_VMCALL))
			return;
		l2_skip();
	}
	use_flags();
	drop_translations();
	l2_expect_end(l2);
	expect_flags("after a write", entry, EPT_FLAGS);
}

static void code_ept_ad_write(void)
{
	page[0] = 1;
	l2_vmcall(true);
}

static void check_ept_ad_large(struct l2 *l2)
{
	const u64 *entry = ept_entry(2, page);

	use_flags();
	l2_check(*entry & EPT_LARGE, "no large page");
	l2_expect_end(l2);
	expect_flags("after a write", entry, EPT_FLAGS);
}

/* SDM, "Accessed and Dirty Flags for EPT": a walk of L2's page tables is a write to them. */
static void code_ept_ad_tables(void)
{
	(void)page[0];
	l2_vmcall(2);
	(void)page[1];
	l2_vmcall(true);
}

static bool start_tables(struct l2 *l2, u64 *table, u64 **entry)
{
	*table = ALIGN_DOWN((uintptr_t)guest_table_entry(l2_case_cr3, (uintptr_t)page),
			    (u64)PAGE_SIZE);
	*entry = ept_leaf((void *)(uintptr_t)*table);
	use_flags();
	return l2_expect(l2, EXIT_VMCALL);
}

static void check_ept_ad_tables(struct l2 *l2)
{
	u64 table, *entry;

	if (!start_tables(l2, &table, &entry))
		return;
	expect_flags("a table", entry, EPT_FLAGS);
	/* The walk finds its own flags set, and writes all the same. */
	*entry &= ~EPT_FLAGS;
	drop_translations();
	l2_skip();
	l2_expect_end(l2);
	expect_flags("the table again", entry, EPT_FLAGS);
}

static void check_ept_ad_tables_forbidden(struct l2 *l2)
{
	u64 table, *entry, qualification;

	if (!start_tables(l2, &table, &entry))
		return;
	*entry &= ~EPT_WRITE;
	drop_translations();
	l2_skip();
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	qualification = guest_vmcs_read(VMCS_EXIT_QUALIFICATION) & EPTV_KNOWN;
	guest_departs("BOCHS_EPT_WALK_ACCESS", !(qualification & EPTV_READ));
	l2_check((qualification & ~EPTV_READ) ==
			 (EPTV_WRITE | EPTV_READABLE | EPTV_EXECUTABLE | EPTV_LINEAR_VALID),
		 "qualification %lx", qualification);
	l2_check(ALIGN_DOWN(guest_vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS), (u64)PAGE_SIZE) == table,
		 "guest-physical %lx", guest_vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS));
	*entry |= EPT_WRITE;
	l2_expect_end(l2);
}

static bool has_ept_ad(void)
{
	return guest_caps.msr[VMX_CAP_EPT_VPID_CAP] & CAP_EPT_AD;
}

/* --- the log --------------------------------------------------------------------------------- */

static const volatile u64 *use_log(u64 index)
{
	const volatile u64 *log = guest_pages(1);

	guest_vmcs_write(VMCS_PML_ADDRESS, (uintptr_t)log);
	guest_vmcs_write(VMCS_PML_INDEX, index);
	return log;
}

static unsigned times_logged(const volatile u64 *log, volatile const void *at)
{
	unsigned times = 0;

	for (u64 i = guest_vmcs_read(VMCS_PML_INDEX) + 1; i < PML_ENTRIES; i++)
		times += log[i] == (uintptr_t)at;
	return times;
}

static void check_pml(struct l2 *l2)
{
	const volatile u64 *log = use_log(PML_EMPTY);

	use_flags();
	ept_leaf(page);
	l2_expect_end(l2);
	l2_check(guest_vmcs_read(VMCS_PML_INDEX) < PML_EMPTY, "nothing was logged");
	l2_check(times_logged(log, page) == 1, "the page is logged %u times",
		 times_logged(log, page));
	l2_check(!times_logged(log, other), "a page that was not written is logged");
}

static void check_pml_off(struct l2 *l2)
{
	use_log(PML_EMPTY);
	l2_expect_end(l2);
	l2_expect_field(VMCS_PML_INDEX, PML_EMPTY);
}

/* Of a large page the 4 KiB that were written are logged. */
static void check_pml_large(struct l2 *l2)
{
	const volatile u64 *log = use_log(PML_EMPTY);

	use_flags();
	/* The 2 MiB hold L2's stack too, and whichever was written first is logged. */
	l2_expect_end(l2);
	l2_check(log[PML_EMPTY] && !(log[PML_EMPTY] & (PAGE_SIZE - 1)), "logged: %lx",
		 log[PML_EMPTY]);
	l2_check(times_logged(log, page) + times_logged(log, other) <= 1, "logged twice");
}

static void code_pml_full(void)
{
	page[0] = 1;
	other[0] = 1;
	l2_vmcall(true);
}

/* The exit comes before the flag is set: the same access, tried again, is logged. */
static void check_pml_full(struct l2 *l2)
{
	const volatile u64 *log = use_log(0);
	u64 *entries[2] = { ept_leaf(page), ept_leaf(other) };
	unsigned exits = 0;

	use_flags();
	for (unsigned i = 0; i < 64; i++) {
		const u64 before = log[0];

		if (l2_enter(l2) != VMX_SUCCEED ||
		    guest_vmcs_read(VMCS_EXIT_REASON) != EXIT_PML_FULL)
			break;
		exits++;
		l2_expect_field(VMCS_PML_INDEX, PML_FULL);
		l2_expect_field(VMCS_EXIT_QUALIFICATION, 0);
		l2_check(before != log[0] && !(log[0] & (PAGE_SIZE - 1)), "the log has %lx",
			 log[0]);
		if (log[0] == (uintptr_t)page)
			expect_flags("before the exit", entries[1], 0);
		guest_vmcs_write(VMCS_PML_INDEX, 0);
	}
	l2_check(exits >= 1, "the log was never full");
	l2_check(guest_vmcs_read(VMCS_EXIT_REASON) == EXIT_VMCALL && l2->regs.rax == true,
		 "exit %lx", guest_vmcs_read(VMCS_EXIT_REASON));
	expect_flags("in the end", entries[0], EPT_FLAGS);
	expect_flags("in the end", entries[1], EPT_FLAGS);
}

/* Any index beyond the last is a full log. */
static void check_pml_index(struct l2 *l2)
{
	const volatile u64 *log = use_log(PML_ENTRIES);

	use_flags();
	ept_leaf(page);
	if (!l2_expect(l2, EXIT_PML_FULL))
		return;
	l2_expect_field(VMCS_PML_INDEX, PML_ENTRIES);
	guest_vmcs_write(VMCS_PML_INDEX, PML_EMPTY);
	l2_expect_end(l2);
	l2_check(times_logged(log, page) == 1, "the page is not logged");
}

#define WITH_LOG .options.secondary = SECONDARY_PML, .possible = has_ept_ad, .needs_ept = true
#define WITH_AD	 .possible = has_ept_ad, .needs_ept = true

const struct l2_case l1_l2_flags_cases[] = {
	L2_CASE(ept_ad, WITH_AD),
	L2_CASE_OF(ept_ad_off, code_ept_ad, check_ept_ad_off, WITH_AD),
	L2_CASE_OF(ept_ad_switch, code_ept_ad, check_ept_ad_switch, WITH_AD),
	L2_CASE_OF(ept_ad_large, code_ept_ad_write, check_ept_ad_large, WITH_AD),
	L2_CASE(ept_ad_tables, WITH_AD),
	L2_CASE_OF(ept_ad_tables_forbidden, code_ept_ad_tables, check_ept_ad_tables_forbidden,
		   WITH_AD),
	L2_CASE_OF(pml, code_ept_ad_write, check_pml, WITH_LOG),
	L2_CASE_OF(pml_off, code_ept_ad_write, check_pml_off, WITH_LOG),
	L2_CASE_OF(pml_large, code_ept_ad_write, check_pml_large, WITH_LOG),
	L2_CASE(pml_full, WITH_LOG),
	L2_CASE_OF(pml_index, code_ept_ad_write, check_pml_index, WITH_LOG),
};
const size_t l1_l2_flags_count = ARRAY_SIZE(l1_l2_flags_cases);
