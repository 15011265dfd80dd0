/*
 * tests/guests/l1_smoke.c - the life of a VMCS that is never entered
 *
 * VMXON, VMCLEAR, VMPTRLD, VMPTRST, VMWRITE, VMREAD, VMCLEAR, VMXOFF, each said on the console with
 * its outcome.
 */
#include "tests/guests/lib/guest_vmx.h"

static bool expect(enum vmx_outcome outcome, enum vmx_outcome expected, const char *what)
{
	guest_print("%s: %s\n", what, vmx_outcome_text(outcome));
	return guest_check(outcome == expected, "%s should %s", what, vmx_outcome_text(expected));
}

static void write_and_read(u32 field, const char *name, u64 written, u64 expected)
{
	u64 value = 0;

	expect(vmwrite(field, written), VMX_SUCCEED, name);
	expect(vmread(field, &value), VMX_SUCCEED, name);
	guest_check(value == expected, "%s is %lx instead of %lx", name, value, expected);
}

void guest_main(void)
{
	void *vmxon_region, *region;
	u64 pointer = 0;

	guest_vmx_init();
	vmxon_region = guest_region();
	region = guest_region();
	guest_print("l1_smoke: VMXON region %lx, VMCS %lx, revision %x\n", physical(vmxon_region),
		    physical(region), *(u32 *)region);
	guest_mark("smoke");

	expect(vmxon(physical(vmxon_region)), VMX_SUCCEED, "VMXON");
	expect(vmclear(physical(region)), VMX_SUCCEED, "VMCLEAR");
	expect(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	expect(vmptrst(&pointer), VMX_SUCCEED, "VMPTRST");
	guest_check(pointer == physical(region), "VMPTRST stored %lx", pointer);
	write_and_read(VMCS_GUEST_CS_SELECTOR, "guest_cs_selector", 0x12340008, 0x0008);
	write_and_read(VMCS_EXCEPTION_BITMAP, "exception_bitmap", 0x1234567800004000, 0x4000);
	write_and_read(VMCS_TSC_OFFSET, "tsc_offset", 0x123456789abcdef0, 0x123456789abcdef0);
	write_and_read(VMCS_TSC_OFFSET + 1, "tsc_offset, high", 0x9abcdef0fedcba98, 0xfedcba98);
	write_and_read(VMCS_GUEST_RIP, "guest_rip", 0xfedcba9876543210, 0xfedcba9876543210);
	expect(vmclear(physical(region)), VMX_SUCCEED, "VMCLEAR");
	expect(vmptrst(&pointer), VMX_SUCCEED, "VMPTRST");
	guest_check(pointer == ~0ull, "VMPTRST stored %lx with no current VMCS", pointer);
	expect(vmread(VMCS_GUEST_RIP, &pointer), VMX_FAIL_INVALID, "VMREAD without a VMCS");
	expect(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_check_end();
}
