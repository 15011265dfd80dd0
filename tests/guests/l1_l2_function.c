#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define VECTOR_UD	  6
#define VECTOR_VE	  20
#define VECTOR_SOFT	  0x60
#define EVENT_VE	  0x80000314u /* valid, hardware exception, 20 */
#define EVENT_SOFT	  (BIT(31) | VECTOR_SOFT)
#define RFLAGS_FIXED	  BIT(1)
#define RFLAGS_IF	  BIT(9)

#define VMFUNC_LENGTH	  3
#define FUNCTION_EPTP	  BIT(0)
#define EPTP_COUNT	  512
#define EPTP_INDEX	  7
#define OTHER_INDEX	  5 /* no VMFUNC chose it */

/* SDM: "Convertible EPT Violations". */
#define EPT_SUPPRESS_VE	  BIT(63)
#define VE_BUSY		  0xffffffff

/* SDM: "Exit Qualification for EPT Violations". */
#define EPTV_WRITE	  BIT(1)
#define EPTV_READABLE	  BIT(3)
#define EPTV_EXECUTABLE	  BIT(5)
#define EPTV_LINEAR_VALID BIT(7)
#define EPTV_FINAL	  BIT(8)
#define EPTV_KNOWN	  MASK(8, 0)

/* SDM: "Virtualization-Exception Information". */
struct ve_area {
	u32 reason, busy;
	u64 qualification, linear, physical;
	u16 eptp_index;
};

static volatile u64 page[512] __attribute__((aligned(PAGE_SIZE)));
static volatile u64 other[512] __attribute__((aligned(PAGE_SIZE)));
static volatile struct ve_area area __attribute__((aligned(PAGE_SIZE)));
static u64 list[EPTP_COUNT] __attribute__((aligned(PAGE_SIZE)));

/* --- VMFUNC ---------------------------------------------------------------------------------- */

static void vmfunc(u32 function, u32 parameter)
{
	__asm__ volatile("vmfunc" : : "a"(function), "c"(parameter) : "memory");
}

static bool has_eptp_switching(void)
{
	return guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_VM_FUNCTIONS) &&
	       guest_caps.msr[VMX_CAP_VMFUNC] & CAP_EPTP_SWITCHING;
}

static void use_list(void)
{
	for (size_t i = 0; i < EPTP_COUNT; i++)
		list[i] = 0;
	list[0] = l2_case_eptp;
	guest_vmcs_write(VMCS_VM_FUNCTION_CONTROLS, FUNCTION_EPTP);
	guest_vmcs_write(VMCS_EPTP_LIST_ADDRESS, (uintptr_t)list);
}

/* Other tables, in which @page is @other. */
static void add_other_tables(void)
{
	u64 *entry;

	list[EPTP_INDEX] = guest_ept_tables();
	entry = guest_table_entry(list[EPTP_INDEX], (uintptr_t)page);
	*entry = (*entry & ~MASK(51, 12)) | (uintptr_t)other;
	page[0] = 0x1111;
	other[0] = 0x2222;
}

static void code_vmfunc(void)
{
	u64 seen[3];

	seen[0] = page[0];
	vmfunc(0, EPTP_INDEX);
	seen[1] = page[0];
	vmfunc(0, 0);
	seen[2] = page[0];
	vmfunc(0, EPTP_INDEX);
	l2_vmcall(seen[0] == 0x1111 && seen[1] == 0x2222 && seen[2] == 0x1111);
}

static void check_vmfunc(struct l2 *l2)
{
	use_list();
	add_other_tables();
	l2_expect_end(l2);
	l2_expect_field(VMCS_EPT_POINTER, list[EPTP_INDEX]);
	if (guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_EPT_VIOLATION_VE))
		l2_expect_field(VMCS_EPTP_INDEX, EPTP_INDEX);
}

/* What the new tables lack is an EPT violation, and L1 can tell by which tables. */
static void code_vmfunc_violation(void)
{
	vmfunc(0, EPTP_INDEX);
	l2_vmcall(page[0] == 0x2222);
}

static void check_vmfunc_violation(struct l2 *l2)
{
	u64 *entry, mapped;

	use_list();
	add_other_tables();
	entry = guest_table_entry(list[EPTP_INDEX], (uintptr_t)page);
	mapped = *entry;
	*entry = 0;
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	l2_expect_field(VMCS_GUEST_PHYSICAL_ADDRESS, (uintptr_t)page);
	l2_expect_field(VMCS_EPT_POINTER, list[EPTP_INDEX]);
	*entry = mapped;
	l2_expect_end(l2);
}

static void code_vmfunc_exits(void)
{
	vmfunc(0, EPTP_COUNT);
	vmfunc(0, EPTP_COUNT - 1);
	vmfunc(0, EPTP_COUNT - 2);
	vmfunc(1, 0);
	vmfunc(63, 0);
	l2_vmcall(true);
}

static bool expect_vmfunc(struct l2 *l2, u64 function, u64 parameter)
{
	if (!l2_expect(l2, EXIT_VMFUNC))
		return false;
	l2_expect_field(VMCS_VM_EXIT_INSTRUCTION_LENGTH, VMFUNC_LENGTH);
	l2_expect_field(VMCS_EXIT_QUALIFICATION, 0);
	l2_expect_field(VMCS_EPT_POINTER, l2_case_eptp);
	l2_check(l2->regs.rax == function && l2->regs.rcx == parameter, "RAX %lx, RCX %lx",
		 l2->regs.rax, l2->regs.rcx);
	l2_skip();
	return true;
}

static void check_vmfunc_exits(struct l2 *l2)
{
	use_list();
	list[EPTP_COUNT - 2] = l2_case_eptp | BIT(11);
	if (expect_vmfunc(l2, 0, EPTP_COUNT) && expect_vmfunc(l2, 0, EPTP_COUNT - 1) &&
	    expect_vmfunc(l2, 0, EPTP_COUNT - 2) && expect_vmfunc(l2, 1, 0) &&
	    expect_vmfunc(l2, 63, 0))
		l2_expect_end(l2);
}

/* A function that the VM-function controls do not enable. */
static void code_vmfunc_disabled(void)
{
	vmfunc(0, 0);
	l2_vmcall(true);
}

static void check_vmfunc_disabled(struct l2 *l2)
{
	use_list();
	guest_vmcs_write(VMCS_VM_FUNCTION_CONTROLS, 0);
	if (expect_vmfunc(l2, 0, 0))
		l2_expect_end(l2);
}

static void do_vmfunc(void *function)
{
	vmfunc((u32)(uintptr_t)function, 0);
}

/* Which function it is matters only to VMs that have functions. */
static void code_vmfunc_ud(void)
{
	struct guest_fault fault = { .vector = 0xff };
	const bool ran = guest_try(do_vmfunc, (void *)64, &fault);

	l2_vmcall(!ran && fault.vector == VECTOR_UD);
}

static void check_vmfunc_ud(struct l2 *l2)
{
	use_list();
	l2_expect_end(l2);
}

static void code_vmfunc_off(void)
{
	struct guest_fault fault = { .vector = 0xff };
	const bool ran = guest_try(do_vmfunc, NULL, &fault);

	l2_vmcall(!ran && fault.vector == VECTOR_UD);
}

static void check_vmfunc_off(struct l2 *l2)
{
	l2_expect_end(l2);
}

/* SDM, "Checks on VM-Execution Control Fields". */
static void expect_bad_control(struct l2 *l2)
{
	const enum vmx_outcome outcome = l2_enter(l2);

	l2_check(outcome == VMX_FAIL_VALID && guest_vmcs_error() == VMERR_ENTRY_CONTROLS, "%s, %u",
		 vmx_outcome_text(outcome), guest_vmcs_error());
}

static void check_vmfunc_entry(struct l2 *l2)
{
	use_list();
	guest_vmcs_write(VMCS_VM_FUNCTION_CONTROLS, BIT(63));
	expect_bad_control(l2);
	guest_vmcs_write(VMCS_VM_FUNCTION_CONTROLS, FUNCTION_EPTP);
	guest_vmcs_write(VMCS_EPTP_LIST_ADDRESS, (uintptr_t)list + 8);
	expect_bad_control(l2);
	/* An address that is not used may be anything. */
	guest_vmcs_write(VMCS_VM_FUNCTION_CONTROLS, 0);
	if (expect_vmfunc(l2, 0, 0))
		l2_expect_end(l2);
}

/* --- #VE ------------------------------------------------------------------------------------- */

static void write_page(void *unused)
{
	(void)unused;
	page[3] = 0x3333;
}

static bool wrote_page(struct guest_fault *fault)
{
	*fault = (struct guest_fault){ .vector = 0xff };
	return guest_try(write_page, NULL, fault);
}

static void use_area(void)
{
	area = (struct ve_area){ 0 };
	guest_vmcs_write(VMCS_VE_INFORMATION_ADDRESS, (uintptr_t)&area);
}

static bool area_tells(u64 rights)
{
	const u64 at = (uintptr_t)&page[3];

	return area.reason == EXIT_EPT_VIOLATION && area.busy == VE_BUSY &&
	       (area.qualification & EPTV_KNOWN) ==
		       (EPTV_WRITE | EPTV_LINEAR_VALID | EPTV_FINAL | rights) &&
	       area.linear == at && area.physical == at;
}

static void code_ve(void)
{
	struct guest_fault fault;

	l2_vmcall(!wrote_page(&fault) && fault.vector == VECTOR_VE && area_tells(0));
}

static void check_ve(struct l2 *l2)
{
	use_area();
	*guest_table_entry(l2_case_eptp, (uintptr_t)page) = 0;
	l2_expect_end(l2);
}

/* The index that the VMCS has. */
static void check_ve_index_of_vmcs(struct l2 *l2)
{
	use_area();
	guest_vmcs_write(VMCS_EPTP_INDEX, OTHER_INDEX);
	*guest_table_entry(l2_case_eptp, (uintptr_t)page) = 0;
	l2_expect_end(l2);
	guest_departs("BOCHS_EPTP_INDEX", area.eptp_index != OTHER_INDEX);
	l2_expect_field(VMCS_EPTP_INDEX, OTHER_INDEX);
}

/* The tables that VMFUNC chose. */
static void code_ve_index(void)
{
	struct guest_fault fault;

	vmfunc(0, EPTP_INDEX);
	l2_vmcall(!wrote_page(&fault) && fault.vector == VECTOR_VE && area_tells(0) &&
		  area.eptp_index == EPTP_INDEX);
}

static void check_ve_index(struct l2 *l2)
{
	use_area();
	use_list();
	add_other_tables();
	*guest_table_entry(list[EPTP_INDEX], (uintptr_t)page) = 0;
	l2_expect_end(l2);
	l2_expect_field(VMCS_EPTP_INDEX, EPTP_INDEX);
}

/* Of entries that are there, that of the page decides. */
static void code_ve_forbidden(void)
{
	struct guest_fault fault;

	l2_vmcall(!wrote_page(&fault) && fault.vector == VECTOR_VE &&
		  area_tells(EPTV_READABLE | EPTV_EXECUTABLE));
}

static void check_ve_forbidden(struct l2 *l2)
{
	use_area();
	*guest_table_entry(l2_case_eptp, (uintptr_t)page) &= ~EPT_WRITE;
	l2_expect_end(l2);
}

static void code_ve_exit(void)
{
	page[3] = 0x3333;
	l2_vmcall(page[3] == 0x3333);
}

/* An exit, and then the write. */
static void expect_violation(struct l2 *l2, u64 *entry, u64 mapped)
{
	if (!l2_expect(l2, EXIT_EPT_VIOLATION))
		return;
	l2_expect_field(VMCS_GUEST_PHYSICAL_ADDRESS, (uintptr_t)&page[3]);
	*entry = mapped;
	l2_expect_end(l2);
}

static void check_ve_suppressed(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, (uintptr_t)page);
	const u64 mapped = *entry;

	use_area();
	*entry = EPT_SUPPRESS_VE;
	expect_violation(l2, entry, mapped);
	l2_check(!area.busy, "the area was written");
}

static void check_ve_suppressed_page(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, (uintptr_t)page);
	const u64 mapped = *entry;

	use_area();
	*entry = (mapped & ~EPT_WRITE) | EPT_SUPPRESS_VE;
	expect_violation(l2, entry, mapped);
}

static void check_ve_busy(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, (uintptr_t)page);
	const u64 mapped = *entry;

	use_area();
	area.busy = 1;
	*entry = 0;
	expect_violation(l2, entry, mapped);
	l2_check(area.busy == 1 && !area.reason, "the area was written");
}

/* #VE is an exception like others: what the bitmap names exits, and the area is written. */
static void check_ve_bitmap(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, (uintptr_t)page);
	const u64 mapped = *entry;

	use_area();
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_VE));
	*entry = 0;
	if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
		return;
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, EVENT_VE);
	l2_expect_field(VMCS_EXIT_QUALIFICATION, 0);
	l2_check(area_tells(0), "the area does not tell");
	*entry = mapped;
	l2_expect_end(l2);
}

/* No #VE while an event is delivered. */
static void code_ve_vectoring(void)
{
	const u64 before = guest_interrupt_count(VECTOR_SOFT);

	/* The handler runs on the page that L1 takes away. */
	l2_case_vmcall_on(page + ARRAY_SIZE(page));
	l2_vmcall(guest_interrupt_count(VECTOR_SOFT) == before + 1);
}

static void check_ve_vectoring(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, (uintptr_t)page);
	const u64 mapped = *entry;

	use_area();
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
	l2_check(!area.busy, "the area was written");
	*entry = mapped;
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_SOFT);
	l2_expect_end(l2);
}

/* Misconfigurations are never converted. */
static void check_ve_misconfiguration(struct l2 *l2)
{
	u64 *entry = guest_table_entry(l2_case_eptp, (uintptr_t)page);
	const u64 mapped = *entry;

	use_area();
	*entry &= ~EPT_READ;
	if (!l2_expect(l2, EXIT_EPT_MISCONFIGURATION))
		return;
	*entry = mapped;
	l2_expect_end(l2);
}

static void check_ve_entry(struct l2 *l2)
{
	use_area();
	guest_vmcs_write(VMCS_VE_INFORMATION_ADDRESS, (uintptr_t)&area + 8);
	expect_bad_control(l2);
	use_area();
	l2_expect_end(l2);
}

#define WITH_FUNCTIONS                                                               \
	.options.secondary = SECONDARY_VM_FUNCTIONS, .possible = has_eptp_switching, \
	.needs_ept = true
#define WITH_VE .options.secondary = SECONDARY_EPT_VIOLATION_VE, .needs_ept = true

const struct l2_case l1_l2_function_cases[] = {
	L2_CASE(vmfunc, WITH_FUNCTIONS),
	L2_CASE(vmfunc_violation, WITH_FUNCTIONS),
	L2_CASE(vmfunc_exits, WITH_FUNCTIONS),
	L2_CASE(vmfunc_disabled, WITH_FUNCTIONS),
	L2_CASE(vmfunc_ud, WITH_FUNCTIONS),
	L2_CASE(vmfunc_off),
	L2_CASE_OF(vmfunc_entry, code_vmfunc_disabled, check_vmfunc_entry, WITH_FUNCTIONS),
	L2_CASE(ve, WITH_VE),
	L2_CASE_OF(ve_index_of_vmcs, code_ve, check_ve_index_of_vmcs, WITH_VE),
	L2_CASE(ve_index, .options.secondary = SECONDARY_VM_FUNCTIONS | SECONDARY_EPT_VIOLATION_VE,
		.possible = has_eptp_switching, .needs_ept = true),
	L2_CASE(ve_forbidden, WITH_VE),
	L2_CASE_OF(ve_suppressed, code_ve_exit, check_ve_suppressed, WITH_VE),
	L2_CASE_OF(ve_suppressed_page, code_ve_exit, check_ve_suppressed_page, WITH_VE),
	L2_CASE_OF(ve_busy, code_ve_exit, check_ve_busy, WITH_VE),
	L2_CASE_OF(ve_bitmap, code_ve_exit, check_ve_bitmap, WITH_VE),
	L2_CASE(ve_vectoring, WITH_VE),
	L2_CASE_OF(ve_misconfiguration, code_ve_exit, check_ve_misconfiguration, WITH_VE),
	L2_CASE_OF(ve_entry, code_ve_exit, check_ve_entry, WITH_VE),
};
const size_t l1_l2_function_count = ARRAY_SIZE(l1_l2_function_cases);
