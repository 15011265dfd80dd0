#include "cli/why_insn.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/moment_arg.h"
#include "cli/out.h"
#include "cli/out_json.h"

struct facts {
	const struct why *why;
	bool json;
};

static void printf_like(3, 4)
	fact(const struct facts *facts, const char *name, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (facts->json)
		json_text(name, text);
	else
		out_format("  %-15s%s\n", name, text);
}

static const struct model_cpu *cpu_of(const struct why *why)
{
	return &why->model->cpus[why->place.cpu];
}

/* --- mode and pointers ------------------------------------------------------------------------ */

static void tell_mode(const struct facts *facts)
{
	static const struct {
		const char *name;
		u8 low, bits;
	} parts[] = {
#define MODE(NAME, low, bits, text) { text, low, bits },
#include "trace/mode.def"
#undef MODE
	};
	const u64 mode = facts->why->insn->mode;
	char text[256] = "";
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && length < sizeof(text); i++) {
		const u64 value = mode >> parts[i].low & (BIT(parts[i].bits) - 1);

		if (parts[i].bits > 1)
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s %u",
						   length ? ", " : "", parts[i].name,
						   (unsigned)value);
		else if (value)
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
						   length ? ", " : "", parts[i].name);
	}
	fact(facts, "mode", "%s", text);
}

static void tell_current(const struct facts *facts)
{
	const struct model_cpu *const cpu = cpu_of(facts->why);
	const u64 current = facts->why->insn->vmcs;

	if (current == MODEL_NO_POINTER && model_place_is(&cpu->vmxon_place))
		fact(facts, "current VMCS",
		     "none: no VMPTRLD since VMXON at %s, or VMCLEAR took it away",
		     moment_place(&cpu->vmxon_place));
	else if (current == MODEL_NO_POINTER)
		fact(facts, "current VMCS",
		     "none: instructions that need one fail with VMfailInvalid");
	else
		fact(facts, "current VMCS", "0x%llx", (unsigned long long)current);
	if (!cpu->vmxon_known)
		fact(facts, "VMXON pointer", "unknown");
	else if (cpu->vmxon_pointer == MODEL_NO_POINTER)
		fact(facts, "VMXON pointer", "none: not in VMX operation");
	else
		fact(facts, "VMXON pointer", "0x%llx, since %s",
		     (unsigned long long)cpu->vmxon_pointer, moment_place(&cpu->vmxon_place));
}

/* --- operands --------------------------------------------------------------------------------- */

static void tell_region(const struct facts *facts)
{
	const struct ev_vmxon *const insn = (const struct ev_vmxon *)facts->why->col;
	const struct vmx_caps *const caps = facts->why->situation.insn.caps;
	const struct model_region *const region = model_region(facts->why->model, insn->pointer);

	fact(facts, "operand", "0x%llx%s%s", (unsigned long long)insn->pointer,
	     insn->pointer & MASK(11, 0) ? ", not aligned to 4 KiB" : "",
	     caps->maxphyaddr && caps->maxphyaddr < 64 && insn->pointer >> caps->maxphyaddr
		     ? ", beyond the physical-address width"
		     : "");
	if (insn->dword0)
		fact(facts, "revision", "0x%llx in the region, 0x%llx by ia32_vmx_basic",
		     (unsigned long long)insn->dword0,
		     (unsigned long long)CAP_GET(caps->msr[VMX_CAP_BASIC], REVISION));
	if (region && model_place_is(&region->clear_place))
		fact(facts, "VMCLEARed", "last at %s", moment_place(&region->clear_place));
	else if (region && region->cleared == MODEL_NO)
		fact(facts, "VMCLEARed", "never");
}

static void tell_fixed(const struct facts *facts, const char *name, u64 value, enum vmx_cap fixed0)
{
	const struct vmx_caps *const caps = facts->why->situation.insn.caps;
	const u64 missing = caps->msr[fixed0] & ~value, excess = value & ~caps->msr[fixed0 + 1];

	if ((caps->known >> fixed0 & 3) != 3)
		fact(facts, name, "0x%llx; what VMX demands of it is unknown",
		     (unsigned long long)value);
	else if (missing)
		fact(facts, name, "0x%llx: bits 0x%llx must be 1", (unsigned long long)value,
		     (unsigned long long)missing);
	else if (excess)
		fact(facts, name, "0x%llx: bits 0x%llx must be 0", (unsigned long long)value,
		     (unsigned long long)excess);
	else
		fact(facts, name, "0x%llx: as VMX demands", (unsigned long long)value);
}

static void tell_vmxon(const struct facts *facts)
{
	const struct ev_vmxon *const insn = (const struct ev_vmxon *)facts->why->col;

	tell_fixed(facts, "CR0", insn->cr0, VMX_CAP_CR0_FIXED0);
	tell_fixed(facts, "CR4", insn->cr4, VMX_CAP_CR4_FIXED0);
	fact(facts, "feature ctrl", "0x%llx: %s, VMXON outside SMX %s",
	     (unsigned long long)insn->feature_control,
	     insn->feature_control & 1 ? "locked" : "not locked",
	     insn->feature_control & 4 ? "enabled" : "disabled");
}

static void tell_field(const struct facts *facts)
{
	const u64 encoding = ((const struct ev_vmread *)facts->why->col)->field;
	const struct vmx_caps *const caps = facts->why->situation.insn.caps;
	const int index = vmcs_access_index(encoding);

	if (index < 0) {
		fact(facts, "field", "0x%llx is no VMCS field", (unsigned long long)encoding);
		return;
	}
	fact(facts, "field", "0x%llx, %s", (unsigned long long)encoding, vmcs_fields[index].name);
	if (!vmx_caps_field_known(caps, index))
		fact(facts, "exists", "unknown: capability MSRs are missing");
	else if (!vmx_caps_field_exists(caps, index))
		fact(facts, "exists", "not with the capabilities that L1 is shown");
	else
		fact(facts, "exists", "yes");
	if (facts->why->kind == EV_VMWRITE && vmcs_fields[index].access == VMCS_ACCESS_RO)
		fact(facts, "access", "read-only: VMWRITE needs ia32_vmx_misc[29], which is %u",
		     (unsigned)CAP_GET(caps->msr[VMX_CAP_MISC], VMWRITE_ANY_FIELD));
}

static void tell_invalidation(const struct facts *facts)
{
	const struct ev_invept *const insn = (const struct ev_invept *)facts->why->col;

	fact(facts, "operand", "type %llu, descriptor 0x%llx 0x%llx",
	     (unsigned long long)insn->type, (unsigned long long)insn->descriptor_low,
	     (unsigned long long)insn->descriptor_high);
	fact(facts, "capabilities", "ia32_vmx_ept_vpid_cap = 0x%llx",
	     (unsigned long long)facts->why->situation.insn.caps->msr[VMX_CAP_EPT_VPID_CAP]);
}

void why_print_insn(const struct why *why, bool json)
{
	const struct facts facts = { why, json };

	if (json)
		json_open("facts", '{');
	tell_mode(&facts);
	tell_current(&facts);
	switch (why->kind) {
	case EV_VMXON:
		tell_region(&facts);
		tell_vmxon(&facts);
		break;
	case EV_VMCLEAR:
	case EV_VMPTRLD:
		tell_region(&facts);
		break;
	case EV_VMREAD:
	case EV_VMWRITE:
		tell_field(&facts);
		break;
	case EV_INVEPT:
	case EV_INVVPID:
		tell_invalidation(&facts);
		break;
	default:
		break;
	}
	if (json)
		json_close('}');
}
