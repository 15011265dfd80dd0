/*
 * hv/exit_init.c - INIT and SIPI, by which L1 starts its processors
 *
 * The local APIC is L1's, so the signals arrive as they were sent; what they do to a processor, hv
 * does to L1's. A processor that the firmware did not boot is given to L1 in wait-for-SIPI.
 */
#include "hv/ap_restart.h"
#include "hv/apic.h"
#include "hv/ept.h"
#include "hv/exit_l1.h"
#include "hv/fault.h"
#include "hv/inject.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/nested/host_state.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "vmx/tables.h"

#define BLOCKING_SMI BIT(2)
#define CR0_ET	     BIT(4)
#define DR6_RESET    0xffff0ff0
#define DR7_RESET    0x400
#define RIGHTS_CODE  0x9b
#define RIGHTS_DATA  0x93
#define RIGHTS_LDT   0x82
#define RIGHTS_TSS   0x8b

static void reset_segment(u32 selector_field, u16 selector, u64 base, u32 rights)
{
	/* Selector, limit, access rights and base of one register are a fixed distance apart. */
	const u32 offset = selector_field - VMCS_GUEST_ES_SELECTOR;

	vmwrite(selector_field, selector);
	vmwrite(VMCS_GUEST_ES_BASE + offset, base);
	vmwrite(VMCS_GUEST_ES_LIMIT + offset, 0xffff);
	vmwrite(VMCS_GUEST_ES_ACCESS_RIGHTS + offset, rights);
}

static void reset_segments(void)
{
	reset_segment(VMCS_GUEST_CS_SELECTOR, 0xf000, 0xffff0000, RIGHTS_CODE);
	reset_segment(VMCS_GUEST_SS_SELECTOR, 0, 0, RIGHTS_DATA);
	reset_segment(VMCS_GUEST_DS_SELECTOR, 0, 0, RIGHTS_DATA);
	reset_segment(VMCS_GUEST_ES_SELECTOR, 0, 0, RIGHTS_DATA);
	reset_segment(VMCS_GUEST_FS_SELECTOR, 0, 0, RIGHTS_DATA);
	reset_segment(VMCS_GUEST_GS_SELECTOR, 0, 0, RIGHTS_DATA);
	reset_segment(VMCS_GUEST_LDTR_SELECTOR, 0, 0, RIGHTS_LDT);
	reset_segment(VMCS_GUEST_TR_SELECTOR, 0, 0, RIGHTS_TSS);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

static void reset_control_registers(void)
{
	const u64 cr0 = CR0_ET | (vmread(VMCS_GUEST_CR0) & (CR0_CD | CR0_NW));

	vmwrite(VMCS_GUEST_CR0, cr0 | OWNED_CR0);
	vmwrite(VMCS_CR0_READ_SHADOW, cr0);
	write_cr2(0);
	vmwrite(VMCS_GUEST_CR3, 0);
	vmwrite(VMCS_GUEST_CR4, OWNED_CR4);
	vmwrite(VMCS_CR4_READ_SHADOW, 0);
	vmwrite(VMCS_GUEST_IA32_EFER, 0);
	vmwrite(VMCS_VM_ENTRY_CONTROLS,
		vmread(VMCS_VM_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST);
	vmcs01_end_vmx();
}

static void reset_debug_registers(void)
{
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	write_dr6(DR6_RESET);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, 0);
}

/* SDM, "Processor State After Reset", column INIT. Vector registers and other MSRs stay. */
void l1_wait_for_sipi(struct percpu *cpu)
{
	host_state_open(cpu, KEPT_REGISTERS);
	host_state_forget(&cpu->nested);
	reset_segments();
	reset_control_registers();
	reset_debug_registers();
	memset(cpu->regs, 0, sizeof(cpu->regs));
	cpu->regs[REG_RDX] = cpuid(1, 0).eax;
	vmwrite(VMCS_GUEST_RSP, 0);
	vmwrite(VMCS_GUEST_RIP, 0xfff0);
	vmwrite(VMCS_GUEST_RFLAGS, 2);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	/* Nothing can be injected there. */
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0);
	cpu->nmi_pending = false;
	inject_close_nmi_window();
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_SIPI);
	__atomic_store_n(&cpu->parked, true, __ATOMIC_SEQ_CST);
}

void exit_unblock_smi(struct percpu *cpu)
{
	const u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	if (!(blocking & BLOCKING_SMI))
		return;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking & ~BLOCKING_SMI);
	cpu->smi_stays = cpu->more_to_do = true;
}

/* Fill cpu->pending with the INIT or SIPI. */
static void describe_signal(struct percpu *cpu)
{
	const u8 level = exit_level(cpu);

	if (cpu->exit.reason == EXIT_INIT) {
		struct ev_init *event = (void *)exit_event(cpu, EV_INIT, level);

		event->level = level;
		event->order = record_take_order();
	} else {
		struct ev_sipi *event = (void *)exit_event(cpu, EV_SIPI, level);

		event->vector = vmread(VMCS_EXIT_QUALIFICATION);
		event->order = record_take_order();
	}
}

void exit_record_signal(struct percpu *cpu)
{
	describe_signal(cpu);
	exit_emit(cpu);
}

void l1_tell_init(struct percpu *cpu)
{
	if (cpu->rec && !cpu->events_off && cpu->parked_by.kind)
		rec_emit(cpu->rec, &cpu->parked_by);
	cpu->parked_by.kind = 0;
}

static void take_init(struct percpu *cpu)
{
	if (!cpu->id) {
		log_print("INIT reached the boot processor");
		record_stop(cpu, END_RESET, "INIT of the boot processor");
	}
	l1_wait_for_sipi(cpu);
	apic_reset();
}

/*
 * An INIT that comes again before L1 has executed anything, or behind the SIPI that followed it, is
 * the one that L1 has had. Bochs lets it come for ever, until the processor is reset.
 */
static bool came_before(struct percpu *cpu)
{
	if (cpu->exit.rip != cpu->seen_init_rip) {
		cpu->init_again = 0;
		return false;
	}
	if (cpu->init_again++)
		ap_restart(cpu);
	return true;
}

/* SDM, "Restrictions on VMX Operation": INIT stays pending in VMX root operation. */
static bool init_is_blocked(const struct percpu *cpu)
{
	return cpu->nested.mode != NESTED_OFF && !hv_fault(INIT_IN_ROOT);
}

/* Where INIT is not blocked, L1 is about to send a SIPI: sealing a block would take too long. */
enum exit_action l1_handle_init(struct percpu *cpu)
{
	if (came_before(cpu))
		return EXIT_RESUME;
	cpu->seen_init_rip = cpu->exit.rip;
	cpu->init_pending = true;
	describe_signal(cpu);
	if (init_is_blocked(cpu) || !cpu->id)
		return EXIT_RESUME;
	cpu->parked_by = cpu->pending.event;
	cpu->parked_by.col = cpu->parked_by_columns;
	memcpy(cpu->parked_by_columns, cpu->pending.columns, sizeof(cpu->parked_by_columns));
	cpu->pending.event.kind = 0;
	return EXIT_RESUME;
}

void l1_take_pending_init(struct percpu *cpu)
{
	if (init_is_blocked(cpu))
		return;
	cpu->init_pending = false;
	take_init(cpu);
}

enum exit_action l1_handle_sipi(struct percpu *cpu)
{
	const u64 vector = vmread(VMCS_EXIT_QUALIFICATION) & 0xff;

	exit_unblock_smi(cpu);
	__atomic_store_n(&cpu->parked, false, __ATOMIC_SEQ_CST);
	/* What was asked of others while this one could not be reached. */
	if (record_is_ending())
		record_join_end(cpu);
	ept01_flush();
	cpu->seen_init_rip = 0;
	cpu->init_again = 0;
	l1_tell_init(cpu);
	describe_signal(cpu);
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(VMCS_GUEST_CS_SELECTOR, vector << 8);
	vmwrite(VMCS_GUEST_CS_BASE, vector << 12);
	vmwrite(VMCS_GUEST_RIP, 0);
	return EXIT_RESUME;
}
