/*
 * tests/guests/l1_insn.c - what each VMX instruction answers outside of L2
 *
 * Success, VMfailInvalid, VMfailValid with its error, or an exception, all arithmetic flags
 * included; and what of the VMCS survives. Operands that must fault are looked at in the order of
 * the SDM.
 */
#include "tests/guests/l1_insn.h"

static void init_regions(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(insn_regions); i++)
		insn_regions[i] = physical(guest_region());
}

void guest_main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} groups[] = {
		{ "outside", insn_outside },	   { "vmxon", insn_vmxon },
		{ "no vmcs", insn_no_current },	   { "pointers", insn_pointers },
		{ "fields", insn_fields },	   { "entries", insn_entries },
		{ "invalidate", insn_invalidate }, { "modes", insn_modes },
		{ "contents", insn_contents },
	};

	guest_vmx_init();
	init_regions();
	insn_unmap_page();
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		guest_mark(groups[i].name);
		guest_case("%s", groups[i].name);
		groups[i].run();
		guest_print("l1_insn: %s done\n", groups[i].name);
	}
	guest_check_end();
}
