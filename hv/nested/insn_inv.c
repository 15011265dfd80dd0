/*
 * hv/nested/insn_inv.c - INVEPT, INVVPID
 */
#include "hv/fault.h"
#include "hv/nested/ept02.h"
#include "hv/nested/entry_check.h"
#include "hv/nested/nested.h"
#include "hv/nested/operand.h"
#include "hv/nested/outcome.h"
#include "hv/nested/vmcs02.h"
#include "hv/record.h"

enum { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };

struct descriptor {
	u64 low, high;
};

/* The type operand has to be one of those that capability bits from @first on report. */
static bool type_is_supported(u64 capabilities, u64 type, unsigned highest, unsigned first)
{
	return type <= highest && capabilities >> (first + type) & 1;
}

static bool read_descriptor(struct percpu *cpu, struct operand *operand, struct descriptor *to)
{
	if (!operand_in_memory(cpu)) {
		exit_inject_ud(cpu);
		return false;
	}
	return operand_locate(cpu, sizeof(*to), GUEST_READ, operand) &&
	       operand_read(cpu, operand, to, sizeof(*to));
}

enum exit_action nested_handle_invept(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	const u64 caps = nested->shown.msr[VMX_CAP_EPT_VPID_CAP];
	struct descriptor descriptor;
	struct ev_invept *event;
	struct operand operand;

	if (!(caps & CAP_INVEPT)) {
		exit_event(cpu, EV_INVEPT, 1);
		return exit_inject_ud(cpu);
	}
	if (!nested_insn_begin(cpu, EV_INVEPT, sizeof(struct ev_invept)))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	event->type = operand_second_register(cpu);
	/* Bits 25 and 26 report types 1 and 2. */
	if (!event->type || !type_is_supported(caps, event->type, INVEPT_ALL, 24))
		return nested_vmfail(cpu, VMERR_INV_OPERAND);
	if (!read_descriptor(cpu, &operand, &descriptor))
		return EXIT_RESUME;
	event->linear = operand.linear;
	event->gpa = operand.gpa;
	event->descriptor_low = descriptor.low;
	event->descriptor_high = descriptor.high;
	if (event->type == INVEPT_SINGLE && !entry_check_eptp(nested, descriptor.low))
		return nested_vmfail(cpu, VMERR_INV_OPERAND);
	if (hv_fault(INVEPT_IGNORED))
		return nested_vmsucceed(cpu);
	if (event->type == INVEPT_SINGLE)
		ept02_invalidate(nested, descriptor.low);
	else
		ept02_invalidate_all(nested);
	event->order = record_take_order();
	return nested_vmsucceed(cpu);
}

/* SDM, "INVVPID": what is wrong with a descriptor for @type. */
static bool invvpid_operand_ok(const struct nested *nested, u64 type,
			       const struct descriptor *descriptor)
{
	if (descriptor->low >> 16)
		return false;
	if (type != INVVPID_ALL_CONTEXT && !descriptor->low)
		return false;
	return type != INVVPID_ADDRESS || nested_is_canonical(nested, descriptor->high);
}

enum exit_action nested_handle_invvpid(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	const u64 caps = nested->shown.msr[VMX_CAP_EPT_VPID_CAP];
	struct descriptor descriptor;
	struct ev_invvpid *event;
	struct operand operand;

	if (!(caps & CAP_INVVPID)) {
		exit_event(cpu, EV_INVVPID, 1);
		return exit_inject_ud(cpu);
	}
	if (!nested_insn_begin(cpu, EV_INVVPID, sizeof(struct ev_invvpid)))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	event->type = operand_second_register(cpu);
	if (!type_is_supported(caps, event->type, INVVPID_RETAINING_GLOBALS, 40))
		return nested_vmfail(cpu, VMERR_INV_OPERAND);
	if (!read_descriptor(cpu, &operand, &descriptor))
		return EXIT_RESUME;
	event->linear = operand.linear;
	event->gpa = operand.gpa;
	event->descriptor_low = descriptor.low;
	event->descriptor_high = descriptor.high;
	if (!invvpid_operand_ok(nested, event->type, &descriptor))
		return nested_vmfail(cpu, VMERR_INV_OPERAND);
	vmcs02_invvpid(nested, (enum invvpid_type)event->type, (u16)descriptor.low,
		       descriptor.high);
	event->order = record_take_order();
	return nested_vmsucceed(cpu);
}
