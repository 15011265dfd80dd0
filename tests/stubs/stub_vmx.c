/*
 * VMX instructions, and VMCSs.
 */
#include <stdio.h>
#include <string.h>

#include "hv/mem.h"
#include "tests/stubs/stub_parts.h"
#include "vmx/tables.h"

#define MAX_VMCSS   72
#define FIELD_SLOTS 0x4000

struct vmcs {
	u64 pa;
	bool used;
	u64 field[FIELD_SLOTS]; /* by encoding / 2 */
};

static struct vmcs vmcss[MAX_VMCSS];
static bool fail_next;

static struct vmcs *find_vmcs(u64 pa)
{
	struct vmcs *unused = NULL;

	for (unsigned i = 0; i < MAX_VMCSS; i++) {
		if (vmcss[i].used && vmcss[i].pa == pa)
			return &vmcss[i];
		if (!vmcss[i].used && !unused)
			unused = &vmcss[i];
	}
	if (!unused)
		stub_misuse("too many VMCSs", pa);
	unused->used = true;
	unused->pa = pa;
	return unused;
}

static bool fails_by_order(void)
{
	const bool fails = fail_next;

	fail_next = false;
	return fails;
}

void stub_fail_next(void)
{
	fail_next = true;
}

/* VMfail: VMfailValid when there is a current VMCS. Returns false, for the caller to return. */
static bool vmfail(enum vmx_insn_error error)
{
	if (stub_cpu.current_vmcs != STUB_NO_VMCS)
		stub_vmcs_set(VMCS_VM_INSTRUCTION_ERROR, error);
	return false;
}

static void need_vmx(const char *insn)
{
	if (!stub_cpu.in_vmx) {
		fprintf(stderr, "stub_cpu: #UD\n");
		stub_misuse(insn, 0);
	}
}

static bool pointer_ok(u64 pa)
{
	return !(pa & 0xfff) && !(pa >> STUB_PHYS_WIDTH);
}

static bool revision_ok(u64 pa)
{
	u32 revision;

	if (pa >= STUB_MEMORY)
		return false;
	memcpy(&revision, stub_at(pa), sizeof(revision));
	/* Bit 31 makes it a shadow VMCS. */
	return (revision & ~(u32)BIT(31)) == (u32)CAP_GET(stub_msr(MSR_VMX_BASIC), REVISION);
}

bool vmxon(u64 address)
{
	if (fails_by_order() || !pointer_ok(address) || !revision_ok(address))
		return false;
	if (stub_cpu.in_vmx)
		return vmfail(VMERR_VMXON_IN_ROOT);
	if (!(stub_cpu.cr4 & BIT(13)))
		stub_misuse("VMXON without CR4.VMXE", stub_cpu.cr4);
	stub_cpu.in_vmx = true;
	stub_cpu.vmxon_pa = address;
	stub_cpu.current_vmcs = STUB_NO_VMCS;
	return true;
}

void vmxoff(void)
{
	need_vmx("VMXOFF outside of VMX operation");
	stub_cpu.in_vmx = false;
	stub_cpu.current_vmcs = STUB_NO_VMCS;
}

bool vmclear(u64 address)
{
	need_vmx("VMCLEAR outside of VMX operation");
	stub_cpu.vmclears++;
	if (fails_by_order() || !pointer_ok(address))
		return vmfail(VMERR_VMCLEAR_ADDRESS);
	if (address == stub_cpu.vmxon_pa)
		return vmfail(VMERR_VMCLEAR_VMXON_POINTER);
	if (address == stub_cpu.current_vmcs)
		stub_cpu.current_vmcs = STUB_NO_VMCS;
	return true;
}

bool vmptrld(u64 address)
{
	need_vmx("VMPTRLD outside of VMX operation");
	stub_cpu.vmptrlds++;
	if (fails_by_order() || !pointer_ok(address))
		return vmfail(VMERR_VMPTRLD_ADDRESS);
	if (address == stub_cpu.vmxon_pa)
		return vmfail(VMERR_VMPTRLD_VMXON_POINTER);
	if (!revision_ok(address))
		return vmfail(VMERR_VMPTRLD_REVISION);
	stub_cpu.current_vmcs = address;
	return true;
}

/* Index of the field that exists on this processor, or -1. */
static int existing_field(u32 field)
{
	const int index = vmcs_field_index(field & ~1u);

	if (index < 0 || !vmx_caps_field_exists(&stub_caps, index))
		return -1;
	return vmcs_encoding_is_high(field) && vmcs_fields[index].width != VMCS_WIDTH_64 ? -1
											 : index;
}

static u64 get(const struct vmcs *vmcs, u32 field)
{
	const u64 value = vmcs->field[field / 2];

	return vmcs_encoding_is_high(field) ? value >> 32 : value;
}

static void set(struct vmcs *vmcs, u32 field, u64 value)
{
	u64 *at = &vmcs->field[field / 2];

	if (vmcs_encoding_is_high(field))
		*at = (u32)*at | value << 32;
	else
		*at = value & vmcs_width_mask(vmcs_encoding_width(field));
}

u64 stub_vmcs_get_of(u64 pa, u32 field)
{
	return get(find_vmcs(pa), field);
}

void stub_vmcs_set_of(u64 pa, u32 field, u64 value)
{
	set(find_vmcs(pa), field, value);
}

void stub_vmcs_set(u32 field, u64 value)
{
	if (stub_cpu.current_vmcs == STUB_NO_VMCS)
		stub_misuse("there is no current VMCS for field", field);
	set(find_vmcs(stub_cpu.current_vmcs), field, value);
}

bool vmread_try(u32 field, u64 *value)
{
	need_vmx("VMREAD outside of VMX operation");
	if (stub_cpu.current_vmcs == STUB_NO_VMCS)
		return false;
	if (existing_field(field) < 0)
		return vmfail(VMERR_UNSUPPORTED_FIELD);
	*value = get(find_vmcs(stub_cpu.current_vmcs), field);
	return true;
}

bool vmwrite_try(u32 field, u64 value)
{
	const int index = existing_field(field);

	need_vmx("VMWRITE outside of VMX operation");
	if (stub_cpu.current_vmcs == STUB_NO_VMCS)
		return false;
	if (index < 0)
		return vmfail(VMERR_UNSUPPORTED_FIELD);
	if (vmcs_fields[index].access == VMCS_ACCESS_RO &&
	    !(stub_msr(MSR_VMX_MISC) & CAP_VMWRITE_ANY_FIELD))
		return vmfail(VMERR_READ_ONLY_FIELD);
	set(find_vmcs(stub_cpu.current_vmcs), field, value);
	return true;
}

u64 vmread(u32 field)
{
	u64 value;

	if (!vmread_try(field, &value))
		vmcs_access_failed(field, false);
	return value;
}

void vmwrite(u32 field, u64 value)
{
	if (!vmwrite_try(field, value))
		vmcs_access_failed(field, true);
}

static void log_invalidation(char what, u64 type, u64 low, u64 high)
{
	if (stub_cpu.invalidation_count < STUB_LOG_MAX)
		stub_cpu.invalidations[stub_cpu.invalidation_count++] =
			(struct stub_invalidation){ what, type, low, high };
}

bool invept(u64 type, u64 low, u64 high)
{
	need_vmx("INVEPT outside of VMX operation");
	log_invalidation('e', type, low, high);
	if (fails_by_order() || type < 1 || type > 2)
		return vmfail(VMERR_INV_OPERAND);
	return true;
}

bool invvpid(u64 type, u64 low, u64 high)
{
	need_vmx("INVVPID outside of VMX operation");
	log_invalidation('v', type, low, high);
	if (fails_by_order() || type > 3 || (type != 2 && !(u16)low))
		return vmfail(VMERR_INV_OPERAND);
	return true;
}

void invlpg(u64 address)
{
	log_invalidation('p', 0, address, 0);
}

void stub_reset_vmx(void)
{
	for (unsigned i = 0; i < MAX_VMCSS; i++)
		if (vmcss[i].used)
			memset(&vmcss[i], 0, sizeof(vmcss[i]));
	fail_next = false;
}
