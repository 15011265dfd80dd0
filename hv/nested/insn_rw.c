/*
 * hv/nested/insn_rw.c - VMREAD, VMWRITE
 *
 * The hottest of all: one lookup of the encoding, one array access.
 */
#include "hv/fault.h"
#include "hv/nested/nested.h"
#include "hv/nested/operand.h"
#include "hv/nested/outcome.h"

/* Index of the field that an encoding operand names; -1: none that L1 has. */
static int field_of(const struct nested *nested, u64 encoding)
{
	const int ix = vmcs_access_index(encoding);

	if (hv_fault(FIELD_MISSING) && ix == VMCS_IX_EXECUTIVE_VMCS_POINTER)
		return -1;
	return ix >= 0 && vmcs_set_has(&nested->exists, ix) ? ix : -1;
}

/* Operands have 64 bits in 64-bit mode and 32 bits otherwise, whatever the field. */
static size_t operand_size(bool is_64bit)
{
	return is_64bit ? 8 : 4;
}

/* Find the operand of the event in memory. False: a fault is injected. */
static bool locate(struct percpu *cpu, enum guest_access access, struct operand *operand)
{
	/* VMREAD and VMWRITE have the same columns. */
	struct ev_vmread *event = (void *)cpu->pending.columns;

	if (!operand_locate(cpu, operand_size(nested_is_64bit(cpu)), access, operand))
		return false;
	event->linear = operand->linear;
	event->gpa = operand->gpa;
	return true;
}

/* Apart, so that operands in registers need no stack. */
static NOINLINE bool store(struct percpu *cpu, u64 value)
{
	struct operand operand;

	return locate(cpu, GUEST_WRITE, &operand) &&
	       operand_write(cpu, &operand, &value, operand_size(nested_is_64bit(cpu)));
}

static NOINLINE bool load(struct percpu *cpu, u64 *value)
{
	struct operand operand;

	return locate(cpu, GUEST_READ, &operand) &&
	       operand_read(cpu, &operand, value, operand_size(nested_is_64bit(cpu)));
}

_Static_assert(sizeof(struct ev_vmread) == sizeof(struct ev_vmwrite), "struct ev_vmread");

enum exit_action nested_handle_vmread(struct percpu *cpu)
{
	const struct nested *nested = &cpu->nested;
	struct ev_vmread *event;
	bool is_64bit;
	u64 value;
	int ix;

	if (!nested_insn_begin(cpu, EV_VMREAD, sizeof(struct ev_vmread)))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	event->field = operand_second_register(cpu);
	if (!nested->current)
		return nested_vmfail_invalid(cpu);
	ix = field_of(nested, event->field);
	if (ix < 0)
		return nested_vmfail(cpu, VMERR_UNSUPPORTED_FIELD);
	is_64bit = nested_is_64bit(cpu);
	value = nested->current->field[ix];
	if (vmcs_encoding_is_high(event->field))
		value >>= 32;
	else if (!is_64bit)
		value = (u32)value;
	if (!operand_in_memory(cpu))
		percpu_set_reg(cpu, operand_register(cpu), value);
	else if (!store(cpu, value))
		return EXIT_RESUME;
	event->value = value;
	return nested_vmsucceed(cpu);
}

enum exit_action nested_handle_vmwrite(struct percpu *cpu)
{
	const struct nested *nested = &cpu->nested;
	struct ev_vmwrite *event;
	bool is_64bit;
	int ix;

	if (!nested_insn_begin(cpu, EV_VMWRITE, sizeof(struct ev_vmwrite)))
		return EXIT_RESUME;
	event = (void *)cpu->pending.columns;
	event->field = operand_second_register(cpu);
	if (!nested->current)
		return nested_vmfail_invalid(cpu);
	is_64bit = nested_is_64bit(cpu);
	if (!operand_in_memory(cpu))
		event->value =
			percpu_reg(cpu, operand_register(cpu)) & (is_64bit ? ~0ull : 0xffffffff);
	else if (!load(cpu, &event->value))
		return EXIT_RESUME;

	ix = field_of(nested, event->field);
	if (ix < 0)
		return nested_vmfail(cpu, VMERR_UNSUPPORTED_FIELD);
	if (vmcs_fields[ix].access == VMCS_ACCESS_RO &&
	    !(nested->shown.msr[VMX_CAP_MISC] & CAP_VMWRITE_ANY_FIELD))
		return nested_vmfail(cpu, VMERR_READ_ONLY_FIELD);
	nested_field_set(nested->current, (unsigned)ix,
			 vmcs_write_result(ix, nested->current->field[ix], event->field, is_64bit,
					   event->value));
	return nested_vmsucceed(cpu);
}
