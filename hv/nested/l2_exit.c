/*
 * hv/nested/l2_exit.c - whose is an exit of L2?
 *
 * L1's, when VMCS12 asks for it or when it is unconditional. hv's, when only hv asked: NMIs, MSRs
 * and ports that hv keeps, and what EPT02 does not map yet. SDM, "VMX Non-Root Operation".
 */
#include "hv/nested/l2_exit.h"

#include "base/hv_leaf.h"
#include "hv/exit_l1.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/inject.h"
#include "hv/insn.h"
#include "hv/kick.h"
#include "hv/nested/bitmaps02.h"
#include "hv/nested/l0_record.h"
#include "hv/nested/msrlist.h"
#include "hv/nested/nested.h"
#include "hv/nested/outcome.h"
#include "hv/nested/reflect.h"
#include "hv/nested/vm_function.h"
#include "hv/nested/vmcs02_controls.h"
#include "hv/nested/vmcs02_registers.h"
#include "hv/nested/vmentry.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "hv/vmcs01.h"
#include "vmx/qual.h"

#define INFO_NMI	       (VMX_EVENT_VALID | VMX_EVENT_NMI << 8 | VECTOR_NMI)
#define INFO_MTF	       (VMX_EVENT_VALID | VMX_EVENT_OTHER << 8)
#define BLOCKING_STI	       BIT(0)
#define BLOCKING_MOV_SS	       BIT(1)
#define BLOCKING_NMI	       BIT(3)
#define VECTOR_NMI	       2
#define VECTOR_PF	       14

/* Exit qualification of an I/O instruction. */
#define IO_PORT(qualification) ((unsigned)BITS(qualification, 31, 16))
#define IO_SIZE(qualification) ((unsigned)BITS(qualification, 2, 0) + 1)

/* --- What L1 asked for ------------------------------------------------------------------------ */

/* SDM, "MSR-Bitmap Address": 1 KiB each for reads and writes of low and high MSRs. */
static bool l1_wants_msr(struct percpu *cpu, bool write)
{
	struct nested *nested = &cpu->nested;
	const struct nested_vmcs *vmcs = nested->current;
	const u32 index = (u32)cpu->regs[REG_RCX];
	u64 offset = write ? 2048 : 0;
	u8 byte;

	if (!(F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MSR_BITMAPS))
		return true;
	if ((index & ~0xc0000000u) >= 0x2000 || (index >> 30 != 0 && index >> 30 != 3))
		return true;
	if (index >> 30)
		offset += 1024;
	offset += (index & 0x1fff) / 8;
	guest_read_gpa(F12(vmcs, MSR_BITMAP) + offset, &byte, sizeof(byte));
	nested_item(nested, ITEM_MSR_BITMAP, byte);
	if (hv_fault(MSR_BITMAP_IGNORED))
		return true;
	return byte >> index % 8 & 1;
}

/* SDM, "I/O-Bitmap Addresses": A for ports below 8000h, B for those above. */
static bool l1_wants_port(struct percpu *cpu, const struct nested_exit *exit)
{
	struct nested *nested = &cpu->nested;
	const struct nested_vmcs *vmcs = nested->current;
	const u64 primary = F12(vmcs, PRIMARY_PROC_BASED_CONTROLS);
	const u64 qualification = exit->qualification;
	const unsigned port = IO_PORT(qualification);
	const unsigned size = IO_SIZE(qualification);
	u32 bits = 0;

	if (!(primary & PRIMARY_IO_BITMAPS))
		return primary & PRIMARY_UNCONDITIONAL_IO_EXITING;
	if (port + size > 0x10000)
		return true;
	for (unsigned i = 0; i < 2; i++) {
		const unsigned at = port / 8 + i;
		u8 byte = 0;

		if (at < 8192)
			guest_read_gpa(
				(at < 4096 ? F12(vmcs, IO_BITMAP_A) : F12(vmcs, IO_BITMAP_B)) +
					at % 4096,
				&byte, sizeof(byte));
		bits |= (u32)byte << 8 * i;
	}
	nested_item(nested, ITEM_IO_BITMAP, bits);
	if (hv_fault(IO_BITMAP_IGNORED))
		return false;
	return bits >> port % 8 & (BIT(size) - 1);
}

static enum owner msr_access(struct percpu *cpu, bool write)
{
	if (l1_wants_msr(cpu, write))
		return OWNER_L1;
	return bitmaps02_msr_is_hvs(&cpu->nested, (u32)cpu->regs[REG_RCX], write) ? OWNER_L1_HANDLER
										  : OWNER_HV;
}

static enum owner io(struct percpu *cpu, const struct nested_exit *exit)
{
	if (l1_wants_port(cpu, exit))
		return OWNER_L1;
	return bitmaps02_port_is_hvs(&cpu->nested, IO_PORT(exit->qualification),
				     IO_SIZE(exit->qualification))
		       ? OWNER_L1_HANDLER
		       : OWNER_HV;
}

bool l2_exception_is_wanted(const struct nested_vmcs *vmcs, unsigned vector, u64 code)
{
	bool wanted = F12(vmcs, EXCEPTION_BITMAP) >> vector & 1;

	if (vector == VECTOR_PF && !hv_fault(PFEC_IGNORED) &&
	    (code & F12(vmcs, PAGE_FAULT_ERROR_CODE_MASK)) !=
		    F12(vmcs, PAGE_FAULT_ERROR_CODE_MATCH))
		wanted = !wanted;
	return wanted;
}

bool nested_takes_exception(struct percpu *cpu, u8 vector, bool has_code, u32 code, u64 address)
{
	const struct nested_exit exit = {
		.reason = EXIT_EXCEPTION_NMI,
		.qualification = vector == VECTOR_PF ? address : 0,
		.event = VMX_EVENT_VALID | (u64)VMX_EVENT_HARDWARE_EXCEPTION << 8 | vector |
			 (has_code ? VMX_EVENT_ERROR_CODE : 0),
		.made = true,
		.error_code = code,
	};

	if (!l2_exception_is_wanted(cpu->nested.current, vector, code))
		return false;
	/* The instruction that faulted has an event of its own. */
	if (cpu->pending.event.kind)
		exit_emit(cpu);
	cpu->nested.hidden_exits--;
	nested_reflect(cpu, &exit);
	return true;
}

/* SDM, "Monitor Trap Flag": injected, it is pending whatever the control says. */
void nested_end_insn(struct percpu *cpu)
{
	if (F12(cpu->nested.current, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MONITOR_TRAP_FLAG)
		vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, INFO_MTF);
}

/* --- NMIs ------------------------------------------------------------------------------------- */

static void set_nmi_window(struct nested *nested, bool wanted)
{
	const u64 primary = vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS);

	nested->nmi_window = wanted;
	vmwrite(VMCS_PRIMARY_PROC_BASED_CONTROLS,
		wanted ? primary | PRIMARY_NMI_WINDOW_EXITING
		       : primary & ~(u64)PRIMARY_NMI_WINDOW_EXITING);
}

/* An NMI that L1 leaves to L2: injected, or as soon as L2 can take it. */
static void give_nmi_to_l2(struct percpu *cpu)
{
	const u64 blocked = BLOCKING_STI | BLOCKING_MOV_SS | BLOCKING_NMI;

	/* There it is blocked as well, and nothing says when it no longer is. */
	if (vmread(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_WAIT_SIPI)
		return;
	if (vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO) & VMX_EVENT_VALID ||
	    vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & blocked) {
		if (!cpu->nested.nmi_window)
			set_nmi_window(&cpu->nested, true);
		return;
	}
	if (cpu->nested.nmi_window)
		set_nmi_window(&cpu->nested, false);
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, INFO_NMI);
	cpu->nmi_pending = false;
}

/*
 * An NMI or INIT that came while hv ran can't be made to come again. With the timer at 0 the
 * processor exits behind the entry and what it injects, where they would have exited.
 */
static void make_l2_exit_early(struct nested *nested)
{
	if (nested->early_exit)
		return;
	nested->early_exit = true;
	nested->current->heartbeat = false;
	nested->timer_left = vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE);
	nested->timer_zero = true;
	vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE, 0);
}

void nested_deliver_nmi(struct percpu *cpu)
{
	const u64 pin = F12(cpu->nested.current, PIN_BASED_CONTROLS);

	if (!(pin & PIN_NMI_EXITING))
		give_nmi_to_l2(cpu);
	else if (pin & PIN_VIRTUAL_NMIS ||
		 !(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & BLOCKING_NMI))
		make_l2_exit_early(&cpu->nested);
	/* Else it waits until L1 runs again. */
}

void nested_deliver_init(struct percpu *cpu)
{
	make_l2_exit_early(&cpu->nested);
}

static enum owner exception_or_nmi(struct percpu *cpu)
{
	const struct nested_vmcs *vmcs = cpu->nested.current;
	const u64 info = vmread(VMCS_VM_EXIT_INTERRUPTION_INFO);

	if (vmx_event_type(info) != VMX_EVENT_NMI)
		return l2_exception_is_wanted(vmcs, (unsigned)(info & VMX_EVENT_VECTOR),
					      vmread(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE))
			       ? OWNER_L1
			       : OWNER_L1_HANDLER;
	unblock_nmis();
	if (kick_is_own_nmi(cpu))
		return OWNER_HV;
	if (F12(vmcs, PIN_BASED_CONTROLS) & PIN_NMI_EXITING)
		return OWNER_L1;
	cpu->nmi_pending = true;
	return OWNER_HV;
}

static enum owner nmi_window(struct percpu *cpu)
{
	return cpu->nested.nmi_window ? OWNER_HV : OWNER_L1;
}

/* INIT or SIPI, which are L1's; but a SIPI may be hv's way to end the tape. */
static enum owner start_up_signal(struct percpu *cpu)
{
	if (record_is_ending())
		record_join_end(cpu);
	exit_unblock_smi(cpu);
	exit_record_signal(cpu);
	cpu->seen_init_rip = F12(cpu->nested.current, HOST_RIP);
	return OWNER_L1;
}

/* An NMI or INIT for L1, L1's timer, or the heartbeat of hv where L1 has none. */
static enum owner preemption_timer(struct percpu *cpu, struct nested_exit *exit)
{
	if (cpu->nested.early_exit && cpu->init_pending) {
		cpu->init_pending = false;
		exit->reason = EXIT_INIT;
		return OWNER_L1;
	}
	if (cpu->nested.early_exit && cpu->nmi_pending) {
		cpu->nmi_pending = false;
		exit->reason = EXIT_EXCEPTION_NMI;
		exit->event = INFO_NMI;
		return OWNER_L1;
	}
	if (F12(cpu->nested.current, PIN_BASED_CONTROLS) & PIN_PREEMPTION_TIMER ||
	    hv_fault(HEARTBEAT_LEAKS))
		return OWNER_L1;
	record_heartbeat(cpu);
	return OWNER_HV;
}

/* LGDT and its like: hv asks for the exit while nobody uses them. */
static enum owner tables(struct nested *nested)
{
	if (nested_secondary(nested->current) & SECONDARY_DESCRIPTOR_TABLE_EXITING)
		return OWNER_L1;
	vmcs02_open_tables(nested);
	return OWNER_HV;
}

/* Likewise writes to CR0, CR4 and DR7. */
static enum owner control_register(struct nested *nested, const struct nested_exit *exit)
{
	return vmcs02_open_control_registers(nested->current, exit->qualification) ? OWNER_HV
										   : OWNER_L1;
}

static enum owner debug_register(struct nested *nested)
{
	return vmcs02_open_debug_registers(nested->current) ? OWNER_HV : OWNER_L1;
}

/* --- Exits that L1 does not see --------------------------------------------------------------- */

static enum owner owner_of(struct percpu *cpu, struct nested_exit *exit)
{
	switch (exit->reason & EXIT_REASON_BASIC) {
	case EXIT_EXCEPTION_NMI:
		return exception_or_nmi(cpu);
	case EXIT_INIT:
	case EXIT_SIPI:
		return start_up_signal(cpu);
	case EXIT_NMI_WINDOW:
		return nmi_window(cpu);
	case EXIT_CPUID:
		return (u32)cpu->regs[REG_RAX] == HV_LEAF ? OWNER_L1_HANDLER : OWNER_L1;
	case EXIT_IO:
		return io(cpu, exit);
	case EXIT_RDMSR:
		return msr_access(cpu, false);
	case EXIT_WRMSR:
		return msr_access(cpu, true);
	case EXIT_EPT_VIOLATION:
	case EXIT_EPT_MISCONFIGURATION:
		return l2_ept_exit(cpu, exit);
	case EXIT_PREEMPTION_TIMER:
		return preemption_timer(cpu, exit);
	case EXIT_VMFUNC:
		return vm_function(cpu) ? OWNER_HV_INSN : OWNER_L1;
	case EXIT_GDTR_IDTR:
	case EXIT_LDTR_TR:
		return tables(&cpu->nested);
	case EXIT_CR_ACCESS:
		return control_register(&cpu->nested, exit);
	case EXIT_DR_ACCESS:
		return debug_register(&cpu->nested);
	case EXIT_VMREAD:
		return hv_fault(L2_VMX_INSN_EATEN) ? OWNER_L1_HANDLER : OWNER_L1;
	default:
		return OWNER_L1;
	}
}

/* SDM, "Basic VM-Exit Information": the exit qualification of other reasons is 0. */
static bool has_qualification(u32 reason)
{
	static const u64 without =
#define EXIT(NAME, name, number, QUALIFICATION, REGS, RESULTS, title) \
	(u64)(number < 64 && VMX_QUAL_##QUALIFICATION == VMX_QUAL_NONE) << (number) % 64 |
#include "vmx/exits.def"
#undef EXIT
		0;

	return reason >= 64 || !(without >> reason & 1);
}

static bool has_event(u32 reason)
{
	return reason == EXIT_EXCEPTION_NMI || reason == EXIT_EXTERNAL_INTERRUPT;
}

enum exit_action nested_handle_l2_exit(struct percpu *cpu, bool *for_l1_handler)
{
	struct nested *nested = &cpu->nested;
	struct nested_exit exit = {
		.reason = cpu->exit.reason,
		.qualification =
			has_qualification(cpu->exit.reason) ? vmread(VMCS_EXIT_QUALIFICATION) : 0,
	};
	enum owner owner;

	*for_l1_handler = false;
	if (exit.reason & EXIT_REASON_ENTRY_FAILURE && !nested->entry.waits) {
		l0_record_exit(cpu);
		return nested_entry_failed_again(cpu);
	}
	if (exit.reason & EXIT_REASON_ENTRY_FAILURE) {
		exit.qualification = nested_entry_failed(cpu, exit.reason, exit.qualification);
		l0_record_exit(cpu);
		return nested_reflect_entry_failure(cpu, exit.reason, exit.qualification);
	}
	nested_entry_settle(cpu, true);
	l0_record_exit(cpu);
	nested_items_reset(nested);
	owner = owner_of(cpu, &exit);
	if (owner == OWNER_L1) {
		if (has_event(cpu->exit.reason))
			exit.event = vmread(VMCS_VM_EXIT_INTERRUPTION_INFO);
		return nested_reflect(cpu, &exit);
	}
	nested->hidden_exits++;
	/* It stays expired; Bochs saves what an earlier timer had left. */
	if (nested->timer_zero)
		vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE, 0);
	if (owner == OWNER_L1_HANDLER) {
		*for_l1_handler = true;
		return EXIT_RESUME;
	}
	if (owner == OWNER_HV)
		inject_again(cpu);
	return owner == OWNER_HV_INSN ? EXIT_SKIP : EXIT_RESUME;
}
