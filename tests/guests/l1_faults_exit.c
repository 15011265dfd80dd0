#include "tests/guests/l1_faults.h"

#include "tests/guests/lib/guest_paging.h"

#define VECTOR_PF     14
#define PF_WRITE      BIT(1)
#define EXTERNAL      0u
#define PORT_KEYBOARD 0x64 /* hv watches it */
#define TIMER_VALUE   0x1000
#define SPIN_TICKS    8000000
#define TSC_OFFSET    BIT(40)
#define PAT_ALL_WB    0x0606060606060606ull

struct list_entry {
	u32 index, reserved;
	u64 value;
};

static u8 page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* --- whose they are -------------------------------------------------------------------------- */

static void vmread_code(void)
{
	u64 value = 0;

	vmread(VMCS_GUEST_RIP, &value);
	l2_vmcall(1);
}

static void case_l2_vmx_insn_eaten(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, vmread_code, &options);
	faults_run(&l2, 2);
	faults_drop(&l2);
}

static void read_page(void *unused)
{
	(void)unused;
	(void)*(volatile u8 *)page;
}

static void page_fault_code(void)
{
	struct guest_fault fault;

	guest_try(read_page, NULL, &fault);
	l2_vmcall(1);
}

/* Only writes are to exit; L2 reads. */
static void case_pfec_ignored(void)
{
	const struct l2_options options = { .cr3 = guest_page_tables() };
	struct l2 l2;

	faults_create(&l2, page_fault_code, &options);
	*guest_table_entry(options.cr3, physical(page)) &= ~PTE_PRESENT;
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	guest_vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MASK, PF_WRITE);
	guest_vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, PF_WRITE);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void rdmsr_code(void)
{
	rdmsr(MSR_VMX_BASIC);
	l2_vmcall(1);
}

static void case_msr_bitmap_ignored(void)
{
	const struct l2_options options = { .primary = PRIMARY_MSR_BITMAPS };
	struct l2 l2;

	faults_create(&l2, rdmsr_code, &options);
	guest_vmcs_write(VMCS_MSR_BITMAP, physical(guest_pages(1)));
	faults_run(&l2, 2);
	faults_drop(&l2);
}

static void in_code(void)
{
	inb(PORT_KEYBOARD);
	l2_vmcall(1);
}

static void case_io_bitmap_ignored(void)
{
	const struct l2_options options = { .primary = PRIMARY_IO_BITMAPS };
	struct l2 l2;

	faults_create(&l2, in_code, &options);
	guest_vmcs_write(VMCS_IO_BITMAP_A, faults_bitmap(PORT_KEYBOARD));
	guest_vmcs_write(VMCS_IO_BITMAP_B, physical(guest_pages(1)));
	faults_run(&l2, 2);
	faults_drop(&l2);
}

static void gs_base_code(void)
{
	wrmsr(MSR_GS_BASE, 0x1234);
	l2_vmcall(1);
}

static void case_gs_base_of_vmcs01(void)
{
	const struct l2_options options = { .primary = PRIMARY_MSR_BITMAPS };
	struct l2 l2;

	faults_create(&l2, gs_base_code, &options);
	guest_vmcs_write(VMCS_MSR_BITMAP, physical(guest_pages(1)));
	faults_run(&l2, 2);
	faults_drop(&l2);
}

static void ins(void *unused)
{
	void *to = page;

	(void)unused;
	__asm__ volatile("insb" : "+D"(to) : "d"(PORT_KEYBOARD) : "memory");
}

static void ins_code(void)
{
	struct guest_fault fault;

	guest_try(ins, NULL, &fault);
	l2_vmcall(1);
}

/* L1 leaves the port to L2, whose page is missing. */
static void case_ins_before_check(void)
{
	const struct l2_options options = { .primary = PRIMARY_IO_BITMAPS,
					    .cr3 = guest_page_tables() };
	struct l2 l2;

	faults_create(&l2, ins_code, &options);
	*guest_table_entry(options.cr3, physical(page)) &= ~PTE_PRESENT;
	guest_vmcs_write(VMCS_IO_BITMAP_A, physical(guest_pages(1)));
	guest_vmcs_write(VMCS_IO_BITMAP_B, physical(guest_pages(1)));
	faults_run(&l2, 1);
	faults_drop(&l2);
}

/* --- events ---------------------------------------------------------------------------------- */

/* With new EPT tables, the delivery meets pages that hv has not mapped yet. */
static void case_vectoring_dropped(void)
{
	const struct l2_options options = { .eptp = guest_ept_tables() };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, FAULTS_EVENT(FAULTS_VECTOR, EXTERNAL));
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_inject_repeat(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, FAULTS_EVENT(FAULTS_VECTOR, EXTERNAL));
	faults_run(&l2, 1);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

/* Longer than hv leaves a processor alone. */
static void long_code(void)
{
	const u64 end = rdtsc() + SPIN_TICKS;

	while (rdtsc() < end)
		;
	l2_vmcall(1);
}

static void case_heartbeat_leaks(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, long_code, &options);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

/* --- what they save and load ----------------------------------------------------------------- */

static void halt_code(void)
{
	for (;;)
		__asm__ volatile("hlt");
}

static void case_activity_not_saved(void)
{
	const struct l2_options options = { .pin = PIN_PREEMPTION_TIMER };
	struct l2 l2;

	faults_create(&l2, halt_code, &options);
	guest_vmcs_write(VMCS_VMX_PREEMPTION_TIMER_VALUE, TIMER_VALUE);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_pending_debug_saved(void)
{
	const struct l2_options options = { 0 };

	faults_run_once(&options);
}

static void case_tsc_stored_with_offset(void)
{
	const struct l2_options options = { .primary = PRIMARY_TSC_OFFSETTING };
	struct list_entry *list = guest_pages(1);
	struct l2 l2;

	list[0] = (struct list_entry){ .index = MSR_TSC };
	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_TSC_OFFSET, TSC_OFFSET);
	guest_vmcs_write(VMCS_VM_EXIT_MSR_STORE_ADDRESS, physical(list));
	guest_vmcs_write(VMCS_VM_EXIT_MSR_STORE_COUNT, 1);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_host_pat_not_loaded(void)
{
	const struct l2_options options = { .exit = EXIT_LOAD_PAT };
	const u64 pat = rdmsr(MSR_PAT);
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_HOST_IA32_PAT, PAT_ALL_WB);
	faults_run(&l2, 1);
	wrmsr(MSR_PAT, pat);
	faults_drop(&l2);
}

static void case_exit_changes_control(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_CR3_TARGET_VALUE_3, 0);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_nmi_stays_blocked(void)
{
	const struct l2_options options = { .pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS };

	faults_run_once(&options);
}

const struct fault_case l1_faults_exit_cases[] = {
	FAULT_CASE(l2_vmx_insn_eaten),	  FAULT_CASE(pfec_ignored),
	FAULT_CASE(msr_bitmap_ignored),	  FAULT_CASE(io_bitmap_ignored),
	FAULT_CASE(gs_base_of_vmcs01),	  FAULT_CASE(ins_before_check),
	FAULT_CASE(vectoring_dropped),	  FAULT_CASE(inject_repeat),
	FAULT_CASE(heartbeat_leaks),	  FAULT_CASE(activity_not_saved),
	FAULT_CASE(pending_debug_saved),  FAULT_CASE(tsc_stored_with_offset),
	FAULT_CASE(host_pat_not_loaded),  FAULT_CASE(nmi_stays_blocked),
	FAULT_CASE(exit_changes_control),
};
const size_t l1_faults_exit_count = ARRAY_SIZE(l1_faults_exit_cases);
