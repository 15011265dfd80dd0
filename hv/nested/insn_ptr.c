/*
 * hv/nested/insn_ptr.c - VMCLEAR, VMPTRLD, VMPTRST
 */
#include "hv/deep.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/nested/vmcs_key_frames.h"
#include "hv/nested/l0_record.h"
#include "hv/nested/nested.h"
#include "hv/nested/operand.h"
#include "hv/nested/outcome.h"
#include "hv/nested/vmcs_shadow.h"
#include "hv/record.h"

enum exit_action nested_handle_vmclear(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	struct ev_vmclear *event;
	struct nested_vmcs *vmcs;
	struct operand operand;

	if (!nested_insn_begin(cpu, EV_VMCLEAR, sizeof(struct ev_vmclear)))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	if (!operand_pointer(cpu, &operand, &event->pointer))
		return EXIT_RESUME;
	event->linear = operand.linear;
	event->gpa = operand.gpa;
	if (!nested_address_ok(nested, event->pointer, 4096))
		return nested_vmfail(cpu, VMERR_VMCLEAR_ADDRESS);
	if (event->pointer == nested->vmxon_pointer && !hv_fault(VMCLEAR_OF_VMXON))
		return nested_vmfail(cpu, VMERR_VMCLEAR_VMXON_POINTER);

	if (vmcs_shadow_is_on(nested) && event->pointer == nested->current_pointer)
		vmcs_shadow_take(cpu);
	vmcs = nested_vmcs_find(nested, event->pointer);
	event->dword0 = nested_region_revision(event->pointer);
	event->launched = vmcs ? vmcs->launched : nested_region_launched(event->pointer);
	nested_vmcs_clear(cpu, event->pointer);
	event->order = record_take_order();
	if (hv_fault(VMCLEAR_CLOBBERS_HEADER))
		guest_write_gpa(event->pointer, &(u32){ 0 }, sizeof(u32));
	l0_record_region(nested, event->pointer);
	if (event->pointer == nested->current_pointer) {
		deep_take_early(cpu);
		nested->current_pointer = NESTED_NONE;
		nested->current = NULL;
		vmcs_shadow_forget(nested);
	}
	return nested_vmsucceed(cpu);
}

enum exit_action nested_handle_vmptrld(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	struct ev_vmptrld *event;
	enum exit_action action;
	struct operand operand;

	if (!nested_insn_begin(cpu, EV_VMPTRLD, sizeof(struct ev_vmptrld)))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	if (!operand_pointer(cpu, &operand, &event->pointer))
		return EXIT_RESUME;
	event->linear = operand.linear;
	event->gpa = operand.gpa;
	if (!nested_address_ok(nested, event->pointer, 4096))
		return nested_vmfail(cpu, VMERR_VMPTRLD_ADDRESS);
	if (event->pointer == nested->vmxon_pointer)
		return nested_vmfail(cpu, VMERR_VMPTRLD_VMXON_POINTER);
	event->order = record_take_order();
	/* All 32 bits: a shadow VMCS is not supported, and its bit 31 is not in the revision. */
	event->dword0 = nested_region_revision(event->pointer);
	if (event->dword0 != CAP_GET(nested->shown.msr[VMX_CAP_BASIC], REVISION))
		return nested_vmfail(cpu, VMERR_VMPTRLD_REVISION);

	if (vmcs_shadow_is_on(nested))
		vmcs_shadow_take(cpu);
	vmcs_shadow_forget(nested);
	deep_take_early(cpu);
	nested->current = nested_vmcs_load(cpu, event->pointer);
	nested->current_pointer = event->pointer;
	event->launched = nested->current->launched;
	action = nested_vmsucceed(cpu);
	if (unlikely(nested->current->forgotten) && cpu->rec)
		nested_tell_forgotten(cpu, nested->current);
	return action;
}

enum exit_action nested_handle_vmptrst(struct percpu *cpu)
{
	struct ev_vmptrst *event;
	struct operand operand;

	if (!nested_insn_begin(cpu, EV_VMPTRST, sizeof(struct ev_vmptrst)))
		return EXIT_RESUME;
	if (!operand_in_memory(cpu))
		return exit_inject_ud(cpu);
	if (!operand_locate(cpu, sizeof(u64), GUEST_WRITE, &operand))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	event->linear = operand.linear;
	event->gpa = operand.gpa;
	if (!operand_write(cpu, &operand, &cpu->nested.current_pointer, sizeof(u64)))
		return EXIT_RESUME;
	return nested_vmsucceed(cpu);
}
