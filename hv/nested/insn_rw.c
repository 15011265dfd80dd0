/*
 * hv/nested/insn_rw.c - VMREAD, VMWRITE
 *
 * The hottest of all: one lookup of the encoding, one array access.
 */
#include "hv/nested/nested.h"
#include "hv/nested/operand.h"
#include "hv/nested/outcome.h"

/* Index of the field that an encoding operand names, and whether by its high half; -1: none. */
static int field_of(const struct nested *nested, u64 encoding, bool *high)
{
	int ix;

	*high = vmcs_encoding_is_high(encoding);
	ix = vmcs_field_index(encoding & ~1ull);
	if (ix < 0 || !nested->exists[ix])
		return -1;
	if (*high && vmcs_fields[ix].width != VMCS_WIDTH_64)
		return -1;
	return ix;
}

/* Operands have 64 bits in 64-bit mode and 32 bits otherwise, whatever the field. */
static size_t operand_size(bool is_64bit)
{
	return is_64bit ? 8 : 4;
}

enum exit_action nested_handle_vmread(struct percpu *cpu)
{
	const struct nested *nested = &cpu->nested;
	struct ev_vmread *event;
	struct operand operand;
	bool high, is_64bit;
	u64 value;
	int ix;

	if (!nested_insn_begin(cpu, EV_VMREAD))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	event->field = operand_second_register(cpu);
	if (!nested->current)
		return nested_vmfail_invalid(cpu);
	ix = field_of(nested, event->field, &high);
	if (ix < 0)
		return nested_vmfail(cpu, VMERR_UNSUPPORTED_FIELD);
	is_64bit = nested_is_64bit(cpu);
	if (!operand_locate(cpu, operand_size(is_64bit), GUEST_WRITE, &operand))
		return EXIT_RESUME;
	event->linear = operand.linear;
	event->gpa = operand.gpa;

	value = nested->current->field[ix];
	if (high)
		value >>= 32;
	else if (!is_64bit)
		value = (u32)value;
	if (!operand.in_memory)
		percpu_set_reg(cpu, operand.reg, value);
	else if (!operand_write(cpu, &operand, &value, operand_size(is_64bit)))
		return EXIT_RESUME;
	event->value = value;
	return nested_vmsucceed(cpu);
}

/* What a write of @value leaves in field @ix. */
static u64 written_value(const struct nested_vmcs *vmcs, int ix, bool high, u64 value)
{
	if (high)
		return (u32)vmcs->field[ix] | value << 32;
	return value & vmcs_width_mask(vmcs_fields[ix].width);
}

enum exit_action nested_handle_vmwrite(struct percpu *cpu)
{
	const struct nested *nested = &cpu->nested;
	struct ev_vmwrite *event;
	struct operand operand;
	size_t size;
	bool high;
	int ix;

	if (!nested_insn_begin(cpu, EV_VMWRITE))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	event->field = operand_second_register(cpu);
	if (!nested->current)
		return nested_vmfail_invalid(cpu);
	size = operand_size(nested_is_64bit(cpu));
	if (!operand_locate(cpu, size, GUEST_READ, &operand))
		return EXIT_RESUME;
	event->linear = operand.linear;
	event->gpa = operand.gpa;
	if (!operand.in_memory)
		event->value = percpu_reg(cpu, operand.reg) & (size == 8 ? ~0ull : 0xffffffff);
	else if (!operand_read(cpu, &operand, &event->value, size))
		return EXIT_RESUME;

	ix = field_of(nested, event->field, &high);
	if (ix < 0)
		return nested_vmfail(cpu, VMERR_UNSUPPORTED_FIELD);
	if (vmcs_fields[ix].access == VMCS_ACCESS_RO &&
	    !(nested->shown.msr[VMX_CAP_MISC] & CAP_VMWRITE_ANY_FIELD))
		return nested_vmfail(cpu, VMERR_READ_ONLY_FIELD);
	nested_field_set(nested->current, (unsigned)ix,
			 written_value(nested->current, ix, high, event->value));
	return nested_vmsucceed(cpu);
}
