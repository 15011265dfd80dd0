/*
 * hv/nested/insn_mode.c - VMXON, VMXOFF, and the two that L1 has no use for: VMCALL, VMFUNC
 */
#include "hv/deep.h"
#include "hv/fault.h"
#include "hv/insn.h"
#include "hv/nested/host_state.h"
#include "hv/nested/nested.h"
#include "hv/nested/operand.h"
#include "hv/nested/outcome.h"
#include "hv/nested/vmcs_shadow.h"
#include "hv/record.h"
#include "hv/vmcs01.h"

#define FEATURE_CONTROL_LOCK	    BIT(0)
#define FEATURE_CONTROL_OUTSIDE_SMX BIT(2)
#define REVISION_SHADOW		    BIT(31)

/* SDM, "VMXON": what makes it fault before its operand is read. */
static bool vmxon_is_allowed(const struct nested *nested, const struct ev_vmxon *event)
{
	const u64 *msr = nested->shown.msr;
	const u64 enabled = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_OUTSIDE_SMX;

	return !((msr[VMX_CAP_CR0_FIXED0] & ~event->cr0) | (event->cr0 & ~msr[VMX_CAP_CR0_FIXED1]) |
		 (msr[VMX_CAP_CR4_FIXED0] & ~event->cr4) | (event->cr4 & ~msr[VMX_CAP_CR4_FIXED1]) |
		 (enabled & ~event->feature_control));
}

enum exit_action nested_handle_vmxon(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	struct ev_vmxon *event;
	struct operand operand;

	exit_insn_event(cpu, EV_VMXON, true);
	event = (void *)cpu->pending.columns;
	nested_clear_columns(&event->linear, (size_t)(&event->cr0 - &event->linear));
	event->order = 0;
	event->cr0 = vmcs01_visible_cr0();
	event->cr4 = vmcs01_visible_cr4();
	event->feature_control = cpu->feature_control;
	if (!nested_mode_bit(cpu, MODE_VMXE) && !hv_fault(VMXON_WITHOUT_VMXE))
		return exit_inject_ud(cpu);
	if (nested_cpl(cpu))
		return exit_inject_gp(cpu);
	if (nested->mode != NESTED_OFF && !(hv_fault(POINTER_0_IS_NONE) && !nested->vmxon_pointer))
		return nested_vmfail(cpu, VMERR_VMXON_IN_ROOT);
	if (!vmxon_is_allowed(nested, event) && !hv_fault(VMXON_ANY_CR) &&
	    !hv_fault(VMXON_WITHOUT_VMXE))
		return exit_inject_gp(cpu);
	if (!operand_pointer(cpu, &operand, &event->pointer))
		return EXIT_RESUME;
	event->linear = operand.linear;
	event->gpa = operand.gpa;
	if (!nested_address_ok(nested, event->pointer, 4096))
		return nested_vmfail_invalid(cpu);
	event->order = record_take_order();
	event->dword0 = nested_region_revision(event->pointer);
	if (event->dword0 != CAP_GET(nested->shown.msr[VMX_CAP_BASIC], REVISION))
		return nested_vmfail_invalid(cpu);

	deep_take_early(cpu);
	nested->mode = NESTED_ROOT;
	nested->long_mode = nested_mode_bit(cpu, MODE_LMA);
	nested->vmxon_pointer = event->pointer;
	nested->current_pointer = NESTED_NONE;
	nested->current = NULL;
	vmcs01_begin_vmx(event->cr0);
	return nested_vmsucceed(cpu);
}

enum exit_action nested_handle_vmxoff(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;

	if (!nested_insn_begin(cpu, EV_VMXOFF, sizeof(struct ev_vmxoff)))
		return EXIT_RESUME;
	if (vmcs_shadow_is_on(nested))
		vmcs_shadow_take(cpu);
	vmcs_shadow_forget(nested);
	nested_vmcs_release_all(cpu);
	((struct ev_vmxoff *)cpu->pending.columns)->order = record_take_order();
	deep_take_early(cpu);
	host_state_open(cpu, KEPT_REGISTERS);
	nested->mode = NESTED_OFF;
	nested->long_mode = false;
	nested->vmxon_pointer = NESTED_NONE;
	nested->current_pointer = NESTED_NONE;
	nested->current = NULL;
	vmcs01_end_vmx();
	return nested_vmsucceed(cpu);
}

/* PE=0, virtual-8086 mode, or compatibility mode: VMCALL is undefined there, but exits. */
static bool mode_lacks_vmx(struct percpu *cpu)
{
	return !nested_mode_bit(cpu, MODE_PE) || nested_mode_bit(cpu, MODE_VM) ||
	       (nested_mode_bit(cpu, MODE_LMA) && !nested_mode_bit(cpu, MODE_CS_L));
}

/* There is no dual-monitor treatment of SMIs, so VMCALL in root operation only ever fails. */
enum exit_action nested_handle_vmcall(struct percpu *cpu)
{
	exit_event(cpu, EV_VMCALL, 1);
	if (mode_lacks_vmx(cpu))
		return exit_inject_ud(cpu);
	if (!nested_insn_allowed(cpu))
		return EXIT_RESUME;
	return nested_vmfail(cpu, VMERR_VMCALL_IN_ROOT);
}

/* VMFUNC is for VMX non-root operation; L1's is the root. */
enum exit_action nested_handle_vmfunc(struct percpu *cpu)
{
	exit_event(cpu, EV_VMFUNC, 1);
	return exit_inject_ud(cpu);
}
