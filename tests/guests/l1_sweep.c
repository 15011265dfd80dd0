/*
 * tests/guests/l1_sweep.c - which VMCS fields exist?
 *
 * VMREAD of every 15-bit encoding, compared with vmx/fields.def and what the capability MSRs say;
 * VMWRITE of the same value to those that exist; and a few encodings beyond 15 bits. Prints a line
 * "field ENCODING NAME" for each encoding that answers.
 */
#include "tests/guests/lib/guest_vmx.h"

#define ENCODINGS 0x8000

static bool should_exist(u32 encoding)
{
	const bool high = vmcs_encoding_is_high(encoding);
	const int index = vmcs_field_index(encoding & ~1u);

	return index >= 0 && vmx_caps_field_exists(&guest_caps, index) &&
	       (!high || vmcs_fields[index].width == VMCS_WIDTH_64);
}

static const char *name_of(u32 encoding)
{
	const int index = vmcs_field_index(encoding & ~1u);

	return index < 0 ? "unknown" : vmcs_fields[index].name;
}

static bool is_read_only(u32 encoding)
{
	return vmcs_encoding_kind(encoding) == VMCS_KIND_INFO &&
	       !(guest_caps.msr[VMX_CAP_MISC] & CAP_VMWRITE_ANY_FIELD);
}

static void check_value(u32 encoding, u64 value)
{
	const unsigned bits = vmcs_encoding_is_high(encoding)
				      ? 32
				      : vmcs_width_bits(vmcs_encoding_width(encoding));

	guest_check(bits == 64 || value >> bits == 0, "field %x (%s) reads as %lx", encoding,
		    name_of(encoding), value);
}

static void check_write(u32 encoding, u64 value)
{
	const enum vmx_outcome outcome = vmwrite(encoding, value);

	if (is_read_only(encoding))
		guest_check(outcome == VMX_FAIL_VALID &&
				    guest_vmcs_error() == VMERR_READ_ONLY_FIELD,
			    "VMWRITE of read-only field %x (%s): %s, error %u", encoding,
			    name_of(encoding), vmx_outcome_text(outcome), guest_vmcs_error());
	else
		guest_check(outcome == VMX_SUCCEED, "VMWRITE of field %x (%s): %s, error %u",
			    encoding, name_of(encoding), vmx_outcome_text(outcome),
			    guest_vmcs_error());
}

static void check_unsupported(u64 encoding)
{
	const u64 marker = 0x1122334455667788;
	u64 value = marker;
	const enum vmx_outcome outcome = vmread(encoding, &value);

	guest_check(outcome == VMX_FAIL_VALID && guest_vmcs_error() == VMERR_UNSUPPORTED_FIELD,
		    "VMREAD of encoding %lx: %s, error %u", encoding, vmx_outcome_text(outcome),
		    guest_vmcs_error());
	guest_check(value == marker, "VMREAD of encoding %lx failed and changed its operand",
		    encoding);
}

/* Returns whether the encoding answers. */
static bool sweep_one(u32 encoding)
{
	u64 value = 0;
	const enum vmx_outcome outcome = vmread(encoding, &value);
	const bool exists = outcome == VMX_SUCCEED;

	guest_check(exists == should_exist(encoding), "field %x (%s) %s", encoding,
		    name_of(encoding),
		    exists ? "exists, the tables say no" : "does not exist, the tables say yes");
	if (!exists) {
		check_unsupported(encoding);
		return false;
	}
	guest_print("field %04x %s%s\n", encoding, name_of(encoding),
		    vmcs_encoding_is_high(encoding) ? ", high" : "");
	check_value(encoding, value);
	check_write(encoding, value);
	return true;
}

void guest_main(void)
{
	u64 highest = 0;

	guest_vmx_init();
	guest_vmx_on();
	guest_vmcs_load(guest_region());
	guest_mark("sweep");
	for (u32 encoding = 0; encoding < ENCODINGS; encoding++)
		if (sweep_one(encoding))
			highest = MAX(highest, BITS(encoding, 9, 1));
	check_unsupported(BIT(15) | VMCS_GUEST_RIP);
	check_unsupported(BIT(31) | VMCS_GUEST_RIP);
	check_unsupported(BIT(32) | VMCS_GUEST_RIP);
	guest_print("l1_sweep: highest index %lx, IA32_VMX_VMCS_ENUM says %lx\n", highest,
		    CAP_GET(guest_caps.msr[VMX_CAP_VMCS_ENUM], HIGHEST_INDEX));
	guest_check(highest <= CAP_GET(guest_caps.msr[VMX_CAP_VMCS_ENUM], HIGHEST_INDEX),
		    "a field lies above the highest index");
	guest_vmx_off();
	guest_check_end();
}
