#include "tests/guests/l1_faults.h"

#define CR0_TS	       BIT(3)
#define RPL_3	       3
#define X2APIC_ID      0x802
#define STAR_LOW       0x81 /* IA32_STAR without its C0000000h */
#define EXCEPTION      3u
#define EXTERNAL       0u
#define VECTOR_UD      6
#define TIMER_VALUE    0x4000
#define WRITE_HIGH_MSR (8 * 3072) /* bit of the MSR bitmap */

struct list_entry {
	u32 index, reserved;
	u64 value;
};

/* --- checks ---------------------------------------------------------------------------------- */

static void case_checks_unused_address(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_IO_BITMAP_A, ~0ull);
	guest_vmcs_write(VMCS_IO_BITMAP_B, ~0ull);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

/* NMI-window exiting has the place in its word that 'save VMX-preemption timer' has in another. */
static void case_checks_wrong_word(void)
{
	const struct l2_options options = { .pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
					    .primary = PRIMARY_NMI_WINDOW_EXITING };

	faults_run_once(&options);
}

static void case_host_rpl_unchecked(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_HOST_ES_SELECTOR, GUEST_DS | RPL_3);
	faults_run(&l2, 1);
	faults_drop(&l2);
	__asm__ volatile("mov %0, %%es" : : "r"((u32)GUEST_DS));
}

static void case_mov_ss_checked_late(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	faults_run(&l2, 1);
	__asm__ volatile("mov %%ss, %%eax\n"
			 "mov %%eax, %%ss\n"
			 "vmlaunch\n"
			 :
			 :
			 : "rax", "memory", "cc");
	(void)guest_vmcs_error();
	faults_drop(&l2);
}

static void case_vmfail_changes_vmcs(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, FAULTS_EVENT(VECTOR_UD, EXCEPTION));
	guest_vmcs_write(VMCS_CR3_TARGET_COUNT, 255);
	faults_run(&l2, 1);
	(void)guest_vmcs_read(VMCS_VM_ENTRY_INTERRUPTION_INFO);
	faults_drop(&l2);
}

static void case_entry_failure_saves(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, 0);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_msr_list_unchecked(void)
{
	const struct l2_options options = { 0 };
	struct list_entry *list = guest_pages(1);
	struct l2 l2;

	list[0] = (struct list_entry){ .index = MSR_FS_BASE };
	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, physical(list));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_msr_list_own_entry(void)
{
	const struct l2_options options = { 0 };

	faults_run_once(&options);
}

/* --- what L2 runs with ----------------------------------------------------------------------- */

static void case_hlt_exiting_dropped(void)
{
	const struct l2_options options = { .primary = PRIMARY_HLT_EXITING };

	faults_run_once(&options);
}

static void case_tpr_shadow_dropped(void)
{
	const struct l2_options options = { .primary = PRIMARY_TPR_SHADOW };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_VIRTUAL_APIC_ADDRESS, physical(guest_pages(1)));
	guest_vmcs_write(VMCS_TPR_THRESHOLD, 0);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_apic_access_lost(void)
{
	const struct l2_options options = { .secondary = SECONDARY_VIRTUALIZE_APIC_ACCESSES };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_APIC_ACCESS_ADDRESS, physical(guest_pages(1)));
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_cr0_shadow_lost(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_CR0_GUEST_HOST_MASK, CR0_TS);
	guest_vmcs_write(VMCS_CR0_READ_SHADOW, read_cr0() | CR0_TS);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

/* The second entry has nothing new to load, but translations to drop. */
static void case_no_flush(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	faults_run(&l2, 1);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void run_with_msr_bitmap(unsigned bit)
{
	const struct l2_options options = { .primary = PRIMARY_MSR_BITMAPS };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_MSR_BITMAP, faults_bitmap(bit));
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void case_msr_bitmap_lost(void)
{
	run_with_msr_bitmap(WRITE_HIGH_MSR + STAR_LOW);
}

static void case_x2apic_bits_lost(void)
{
	run_with_msr_bitmap(X2APIC_ID);
}

static void case_window_dropped(void)
{
	const struct l2_options options = { .primary = PRIMARY_INTERRUPT_WINDOW_EXITING };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	faults_run(&l2, 2);
	faults_drop(&l2);
}

static void case_injection_dropped(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, &options);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, FAULTS_EVENT(FAULTS_VECTOR, EXTERNAL));
	faults_run(&l2, 1);
	faults_drop(&l2);
}

static void spin_code(void)
{
	for (;;)
		__asm__ volatile("pause");
}

static void case_timer_is_early(void)
{
	const struct l2_options options = { .pin = PIN_PREEMPTION_TIMER };
	struct l2 l2;

	faults_create(&l2, spin_code, &options);
	guest_vmcs_write(VMCS_VMX_PREEMPTION_TIMER_VALUE, TIMER_VALUE);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

const struct fault_case l1_faults_entry_cases[] = {
	FAULT_CASE(checks_unused_address),
	FAULT_CASE(checks_wrong_word),
	FAULT_CASE(host_rpl_unchecked),
	FAULT_CASE(mov_ss_checked_late),
	FAULT_CASE(vmfail_changes_vmcs),
	FAULT_CASE(entry_failure_saves),
	FAULT_CASE(msr_list_unchecked),
	FAULT_CASE(msr_list_own_entry),
	FAULT_CASE(hlt_exiting_dropped),
	FAULT_CASE(tpr_shadow_dropped),
	FAULT_CASE(apic_access_lost),
	FAULT_CASE(cr0_shadow_lost),
	FAULT_CASE(no_flush),
	FAULT_CASE(msr_bitmap_lost),
	FAULT_CASE(x2apic_bits_lost),
	FAULT_CASE(window_dropped),
	FAULT_CASE(injection_dropped),
	FAULT_CASE(timer_is_early),
};
const size_t l1_faults_entry_count = ARRAY_SIZE(l1_faults_entry_cases);
