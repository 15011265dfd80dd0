#include "hv/nested/operand.h"

#include "hv/deep.h"
#include "hv/fault.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/outcome.h"
#include "vmx/tables.h"

enum { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };
enum { ADDRESS_16, ADDRESS_32, ADDRESS_64 };

/* The instruction-information word; bits 9:7 and 17:15 are 3 bits of which fewer values are used.
 */
#define INFO_SCALE(info)	((unsigned)BITS(info, 1, 0))
#define INFO_ADDRESS_SIZE(info) ((unsigned)BITS(info, 9, 7))
#define INFO_SEGMENT(info)	((unsigned)BITS(info, 17, 15))
#define INFO_INDEX(info)	((unsigned)BITS(info, 21, 18))
#define INFO_NO_INDEX(info)	(BITS(info, 22, 22))
#define INFO_BASE(info)		((unsigned)BITS(info, 26, 23))
#define INFO_NO_BASE(info)	(BITS(info, 27, 27))
#define INFO_REG2(info)		((unsigned)BITS(info, 31, 28))

/* Segment access rights in VMCS format; SDM, "Guest Register State". */
#define AR_WRITABLE		BIT(1) /* of data; readable, of code */
#define AR_EXPAND_DOWN		BIT(2) /* of data */
#define AR_CODE			BIT(3)
#define AR_BIG			BIT(14)
#define AR_UNUSABLE		BIT(16)

#define PFEC_WRITE		2u
#define RFLAGS_AC		BIT(18)

static bool segment_fault(struct percpu *cpu, unsigned segment)
{
	if (segment == SEGMENT_SS)
		exit_inject_ss(cpu);
	else
		exit_inject_gp(cpu);
	return false;
}

/* Distance of the fields of one segment register from those of ES. */
static u32 segment_field(u32 es_field, unsigned segment)
{
	return es_field + 2 * segment;
}

/* SDM, "Type Checking" and "Limit Checking", for 32-bit and 16-bit code. */
static bool segment_allows(unsigned segment, u64 offset, size_t size, enum guest_access access)
{
	const u64 rights = vmread(segment_field(VMCS_GUEST_ES_ACCESS_RIGHTS, segment));
	const u64 limit = vmread(segment_field(VMCS_GUEST_ES_LIMIT, segment));
	const u64 last = offset + size - 1;

	if (rights & AR_UNUSABLE)
		return false;
	if (rights & AR_CODE) {
		if (access == GUEST_WRITE || !(rights & AR_WRITABLE))
			return false;
		return last <= limit;
	}
	if (access == GUEST_WRITE && !(rights & AR_WRITABLE))
		return false;
	if (rights & AR_EXPAND_DOWN)
		return offset > limit && last <= (rights & AR_BIG ? 0xffffffff : 0xffff);
	return last <= limit;
}

/* Base, index, scale and displacement; @offset is truncated to the address size. */
static u64 effective_offset(struct percpu *cpu, u64 info)
{
	u64 offset = vmread(VMCS_EXIT_QUALIFICATION);

	if (!INFO_NO_BASE(info))
		offset += percpu_reg(cpu, INFO_BASE(info));
	if (!INFO_NO_INDEX(info))
		offset += percpu_reg(cpu, INFO_INDEX(info)) << INFO_SCALE(info);
	switch (INFO_ADDRESS_SIZE(info)) {
	case ADDRESS_16:
		return (u16)offset;
	case ADDRESS_32:
		return (u32)offset;
	default:
		return offset;
	}
}

static bool crosses_page(u64 address, size_t size)
{
	return (address & (PAGE_SIZE - 1)) + size > PAGE_SIZE;
}

static bool linear_address(struct percpu *cpu, size_t size, enum guest_access access, u64 *linear)
{
	const u64 info = nested_insn(cpu)->info;
	const unsigned segment = INFO_SEGMENT(info);
	const u64 offset = effective_offset(cpu, info);

	if (nested_is_64bit(cpu)) {
		*linear = offset;
		if (segment == SEGMENT_FS || segment == SEGMENT_GS)
			*linear += vmread(segment_field(VMCS_GUEST_ES_BASE, segment));
		return (nested_is_canonical(&cpu->nested, *linear) &&
			(likely(!crosses_page(*linear, size)) ||
			 nested_is_canonical(&cpu->nested, *linear + size - 1))) ||
		       segment_fault(cpu, segment);
	}
	*linear = (u32)(offset + vmread(segment_field(VMCS_GUEST_ES_BASE, segment)));
	return segment_allows(segment, offset, size, access) || segment_fault(cpu, segment);
}

static bool inject_fault(struct percpu *cpu, const struct guest_fault *fault)
{
	switch (fault->vector) {
	case 12:
		exit_inject_ss(cpu);
		break;
	case 14:
		exit_inject_pf(cpu, fault->address,
			       hv_fault(OPERAND_FAULT_READS) ? fault->code & ~PFEC_WRITE
							     : fault->code);
		break;
	default:
		exit_inject_gp(cpu);
		break;
	}
	return false;
}

/* What the event and the exit do not tell already is read. */
static void *recall(struct percpu *cpu, u64 linear, enum guest_access access, u64 *gpa)
{
	const struct guest_paging paging = {
		.cr0 = vmread(VMCS_GUEST_CR0),
		.cr3 = nested_insn(cpu)->cr3,
		.cr4 = vmread(VMCS_GUEST_CR4),
		.efer = vmread(VMCS_GUEST_IA32_EFER),
		/* Else it would not have come this far. */
		.user = hv_fault(NO_CPL_CHECK) && nested_cpl(cpu) == 3,
		.smap_applies = !(cpu->exit.rflags & RFLAGS_AC),
	};

	return guest_recall(cpu, &paging, linear, access, gpa);
}

bool operand_locate(struct percpu *cpu, size_t size, enum guest_access access,
		    struct operand *operand)
{
	struct guest_fault fault;

	if (!linear_address(cpu, size, access, &operand->linear))
		return false;
	operand->ram = NULL;
	if (likely(!crosses_page(operand->linear, size)))
		operand->ram = recall(cpu, operand->linear, access, &operand->gpa);
	if (likely(operand->ram))
		return true;
	if (guest_translate(cpu, operand->linear, access, &operand->gpa, &fault) != ST_OK)
		return inject_fault(cpu, &fault);
	return true;
}

u64 operand_second_register(struct percpu *cpu)
{
	const u64 value = percpu_reg(cpu, INFO_REG2(nested_insn(cpu)->info));

	return nested_is_64bit(cpu) ? value : (u32)value;
}

struct __attribute__((packed)) word {
	u64 value;
};

/* Most have eight bytes. Volatile: what another processor is changing is read once. */
static void copy_bytes(void *to, const void *from, size_t size)
{
	if (likely(size == sizeof(u64)))
		((volatile struct word *)to)->value = ((const volatile struct word *)from)->value;
	else
		memcpy(to, from, size);
}

bool operand_read(struct percpu *cpu, const struct operand *operand, void *to, size_t size)
{
	struct guest_fault fault;

	if (likely(operand->ram)) {
		copy_bytes(to, operand->ram, size);
		return true;
	}
	if (!crosses_page(operand->linear, size)) {
		/* What is not RAM reads as ones, which is what the processor would see. */
		guest_read_gpa(operand->gpa, to, size);
		return true;
	}
	if (guest_read(cpu, operand->linear, to, size, &fault) != ST_OK)
		return inject_fault(cpu, &fault);
	return true;
}

bool operand_write(struct percpu *cpu, const struct operand *operand, const void *from, size_t size)
{
	struct guest_fault fault;

	if (likely(operand->ram)) {
		deep_hv_writes(operand->gpa, size);
		copy_bytes(operand->ram, from, size);
		return true;
	}
	if (!crosses_page(operand->linear, size)) {
		guest_write_gpa(operand->gpa, from, size);
		return true;
	}
	if (guest_write(cpu, operand->linear, from, size, &fault) != ST_OK)
		return inject_fault(cpu, &fault);
	return true;
}

bool operand_pointer(struct percpu *cpu, struct operand *operand, u64 *pointer)
{
	if (!operand_in_memory(cpu)) {
		exit_inject_ud(cpu);
		return false;
	}
	return operand_locate(cpu, sizeof(*pointer), GUEST_READ, operand) &&
	       operand_read(cpu, operand, pointer, sizeof(*pointer));
}
