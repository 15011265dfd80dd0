#include "hv/vmcs01.h"

#include "hv/ept.h"
#include "hv/hwvmcs.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/processor.h"
#include "hv/record.h"
#include "vmx/tables.h"

#define CPUID_XSAVE	 BIT(26)
#define INVVPID_ALL	 2
#define INVEPT_ALL	 2
#define OWNED_CR0_IN_VMX (OWNED_CR0 | CR0_PE | CR0_PG)
#define WRITES_BIT	 0x4000 /* of an MSR bitmap: where those of writes begin */

static u8 msr_bitmap[PAGE_SIZE] __attribute__((aligned(4096)));
static u8 watching_bitmap[PAGE_SIZE] __attribute__((aligned(4096))); /* and those it watches */
static u8 io_bitmap[2 * PAGE_SIZE] __attribute__((aligned(4096)));

/* MSRs of L1's that VMCS01 has in its guest state, and that it rarely writes. */
static const u32 watched_msrs[] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_DEBUGCTL, MSR_PAT, MSR_EFER,
};

enum status vmcs01_enter_vmx(struct percpu *cpu)
{
	/* Without MCE a machine check in hv is a shutdown, with it a line (trap_handle()). */
	u64 cr4 = read_cr4() | CR4_VMXE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpuid(1, 0).ecx & CPUID_XSAVE)
		cr4 |= CR4_OSXSAVE;
	write_cr4((cr4 | rdmsr(MSR_VMX_CR4_FIXED0)) & rdmsr(MSR_VMX_CR4_FIXED1));
	write_cr0((read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1));
	if (!cpu->vmxon_pa) {
		u32 *region = mem_alloc_pages(1);

		*region = (u32)CAP_GET(rdmsr(MSR_VMX_BASIC), REVISION);
		cpu->vmxon_pa = virt_to_phys(region);
	}
	if (!vmxon(cpu->vmxon_pa)) {
		log_print("VMXON failed");
		return ST_UNSUPPORTED;
	}
	invept(INVEPT_ALL, 0, 0);
	invvpid(INVVPID_ALL, 0, 0);
	return ST_OK;
}

static void bit_set(u8 *bitmap, u32 bit)
{
	bitmap[bit / 8] |= (u8)(1 << bit % 8);
}

/* SDM "MSR-Bitmap Address": reads low, reads high, writes low, writes high, 1 KiB each. */
static u32 bit_of_msr(u32 index)
{
	return (index >= 0xc0000000 ? 0x2000 : 0) + (index & 0x1fff);
}

void vmcs01_intercept_msr(u32 index, bool reads, bool writes)
{
	const u32 bit = bit_of_msr(index);

	if ((index & ~0xc0000000u) >= 0x2000)
		return; /* always exits */
	if (reads) {
		bit_set(msr_bitmap, bit);
		bit_set(watching_bitmap, bit);
	}
	if (writes) {
		bit_set(msr_bitmap, WRITES_BIT + bit);
		bit_set(watching_bitmap, WRITES_BIT + bit);
	}
}

bool vmcs01_is_watched(u32 index)
{
	for (size_t i = 0; i < ARRAY_SIZE(watched_msrs); i++)
		if (watched_msrs[i] == index)
			return true;
	return false;
}

static void switch_control(u32 field, u64 control, bool on)
{
	const u64 controls = vmread(field);

	vmwrite(field, on ? controls | control : controls & ~control);
}

/* The bits that hv owns in any case are in the read shadows already. */
static void watch_registers(bool on)
{
	if (on) {
		vmwrite(VMCS_CR0_READ_SHADOW, vmcs01_visible_cr0());
		vmwrite(VMCS_CR4_READ_SHADOW, vmcs01_visible_cr4());
	}
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, on ? ~0ull : OWNED_CR0_IN_VMX);
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, on ? ~0ull : OWNED_CR4);
	switch_control(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MOV_DR_EXITING, on);
}

void vmcs01_watch(enum kept_part part, bool on)
{
	switch (part) {
	case KEPT_TABLES:
		switch_control(VMCS_SECONDARY_PROC_BASED_CONTROLS,
			       SECONDARY_DESCRIPTOR_TABLE_EXITING, on);
		break;
	case KEPT_MSRS:
		vmwrite(VMCS_MSR_BITMAP, virt_to_phys(on ? watching_bitmap : msr_bitmap));
		break;
	default:
		watch_registers(on);
		break;
	}
}

void vmcs01_intercept_port(u16 port)
{
	bit_set(io_bitmap, port);
}

const u8 *vmcs01_msr_bitmap(void)
{
	return msr_bitmap;
}

const u8 *vmcs01_io_bitmap(void)
{
	return io_bitmap;
}

static void write_controls(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(watched_msrs); i++)
		bit_set(watching_bitmap, WRITES_BIT + bit_of_msr(watched_msrs[i]));
	vmwrite(VMCS_PIN_BASED_CONTROLS,
		processor_controls(VMX_WORD_PIN,
				   PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER));
	vmwrite(VMCS_PRIMARY_PROC_BASED_CONTROLS,
		processor_controls(VMX_WORD_PRIMARY, PRIMARY_MSR_BITMAPS | PRIMARY_IO_BITMAPS |
							     PRIMARY_SECONDARY_CONTROLS));
	vmwrite(VMCS_SECONDARY_PROC_BASED_CONTROLS,
		processor_controls(VMX_WORD_SECONDARY,
				   SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED_GUEST |
					   SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_XSAVES |
					   SECONDARY_USER_WAIT_PAUSE));
	vmwrite(VMCS_VM_EXIT_CONTROLS,
		processor_controls(VMX_WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE |
							  EXIT_SAVE_DEBUG_CONTROLS |
							  EXIT_SAVE_EFER | EXIT_LOAD_EFER |
							  EXIT_SAVE_PAT | EXIT_LOAD_PAT));
	vmwrite_try(VMCS_VMX_PREEMPTION_TIMER_VALUE, record_heartbeat_timer());
	vmwrite(VMCS_EXCEPTION_BITMAP, 0);
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(VMCS_MSR_BITMAP, virt_to_phys(msr_bitmap));
	vmwrite(VMCS_IO_BITMAP_A, virt_to_phys(io_bitmap));
	vmwrite(VMCS_IO_BITMAP_B, virt_to_phys(io_bitmap + PAGE_SIZE));
	vmwrite(VMCS_VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0);
	vmwrite(VMCS_TSC_OFFSET, 0);
	vmwrite(VMCS_EPT_POINTER, ept01_pointer());
	vmwrite(VMCS_VPID, VPID_L1);
	vmwrite_try(VMCS_XSS_EXITING_BITMAP, 0);
	vmwrite(VMCS_VMCS_LINK_POINTER, ~0ull);
}

struct segment {
	u32 selector_field;
	u16 selector;
	u32 access_rights, limit;
};

static void write_segment(const struct segment *segment)
{
	/* Selector, limit, access rights and base of one register are a fixed distance apart. */
	const u32 offset = segment->selector_field - VMCS_GUEST_ES_SELECTOR;

	vmwrite(VMCS_GUEST_ES_SELECTOR + offset, segment->selector);
	vmwrite(VMCS_GUEST_ES_LIMIT + offset, segment->limit);
	vmwrite(VMCS_GUEST_ES_ACCESS_RIGHTS + offset, segment->access_rights);
	vmwrite(VMCS_GUEST_ES_BASE + offset, 0);
}

static void write_guest_segments(bool long_mode)
{
	const struct segment segments[] = {
		{ VMCS_GUEST_CS_SELECTOR, 0x10, long_mode ? 0xa09b : 0xc09b, 0xffffffff },
		{ VMCS_GUEST_SS_SELECTOR, 0x18, 0xc093, 0xffffffff },
		{ VMCS_GUEST_DS_SELECTOR, 0x18, 0xc093, 0xffffffff },
		{ VMCS_GUEST_ES_SELECTOR, 0x18, 0xc093, 0xffffffff },
		{ VMCS_GUEST_FS_SELECTOR, 0x18, 0xc093, 0xffffffff },
		{ VMCS_GUEST_GS_SELECTOR, 0x18, 0xc093, 0xffffffff },
		{ VMCS_GUEST_LDTR_SELECTOR, 0, 0x10000, 0 },
		{ VMCS_GUEST_TR_SELECTOR, 0, 0x8b, 0xffff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
		write_segment(&segments[i]);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

static void write_guest_state(bool long_mode)
{
	const u64 cr0 = CR0_PE | CR0_NE | BIT(4) /* ET */ | (long_mode ? CR0_PG : 0);
	const u64 cr4 = CR4_VMXE | (long_mode ? CR4_PAE : 0);

	/* The masks first: what L1 sees is worked out with them. */
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, OWNED_CR0);
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, OWNED_CR4);
	vmwrite(VMCS_GUEST_CR0, cr0);
	vmwrite(VMCS_CR0_READ_SHADOW, cr0);
	vmwrite(VMCS_GUEST_CR3, 0);
	vmwrite(VMCS_GUEST_CR4, cr4);
	vmwrite(VMCS_CR4_READ_SHADOW, cr4 & ~OWNED_CR4);
	vmwrite(VMCS_GUEST_IA32_EFER, long_mode ? EFER_LME | EFER_LMA : 0);
	vmwrite(VMCS_GUEST_IA32_PAT, HOST_PAT);
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_RSP, 0);
	vmwrite(VMCS_GUEST_RFLAGS, 2);
	vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, 0);
	vmwrite(VMCS_GUEST_IA32_SYSENTER_CS, 0);
	vmwrite(VMCS_GUEST_IA32_SYSENTER_ESP, 0);
	vmwrite(VMCS_GUEST_IA32_SYSENTER_EIP, 0);
	vmwrite(VMCS_VM_ENTRY_CONTROLS,
		processor_controls(VMX_WORD_ENTRY,
				   ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_EFER | ENTRY_LOAD_PAT |
					   (long_mode ? ENTRY_IA32E_MODE_GUEST : 0)));
}

void vmcs01_init(struct percpu *cpu, bool long_mode)
{
	hwvmcs_init(&cpu->vmcs01);
	hwvmcs_switch(cpu, &cpu->vmcs01);
	write_controls();
	hwvmcs_write_host_state(cpu);
	write_guest_segments(long_mode);
	write_guest_state(long_mode);
}

u64 vmcs01_visible_cr0(void)
{
	/* PE and PG, which hv owns in VMX operation, are 1 then in both. */
	return (vmread(VMCS_GUEST_CR0) & ~OWNED_CR0) | (vmread(VMCS_CR0_READ_SHADOW) & OWNED_CR0);
}

u64 vmcs01_visible_cr4(void)
{
	return (vmread(VMCS_GUEST_CR4) & ~OWNED_CR4) | (vmread(VMCS_CR4_READ_SHADOW) & OWNED_CR4);
}

void vmcs01_begin_vmx(u64 cr0)
{
	vmwrite(VMCS_CR0_READ_SHADOW, cr0);
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, OWNED_CR0_IN_VMX);
}

void vmcs01_end_vmx(void)
{
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, OWNED_CR0);
}
