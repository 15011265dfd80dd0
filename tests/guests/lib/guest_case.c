#include "tests/guests/lib/guest_case.h"

#include "base/fmt.h"
#include "tests/guests/lib/guest_paging.h"

#define CASE_VPID 1

u64 l2_case_eptp, l2_case_cr3;

static const char *case_name, *mode_name;

bool l2_check(bool holds, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	fmt_va(text, sizeof(text), format, args);
	va_end(args);
	return guest_check(holds, "%s (%s): %s", case_name, mode_name, text);
}

bool l2_expect(struct l2 *l2, u32 reason)
{
	const enum vmx_outcome outcome = l2_enter(l2);
	u32 got;

	if (!l2_check(outcome == VMX_SUCCEED, "VM entry: %s, error %u", vmx_outcome_text(outcome),
		      guest_vmcs_error()))
		return false;
	got = (u32)guest_vmcs_read(VMCS_EXIT_REASON);
	return l2_check(
		got == reason,
		"exit %x (%s) instead of %x (%s), qualification %lx, information %lx, RIP %lx", got,
		vmx_exit_name(got), reason, vmx_exit_name(reason),
		guest_vmcs_read(VMCS_EXIT_QUALIFICATION),
		guest_vmcs_read(VMCS_VM_EXIT_INTERRUPTION_INFO), guest_vmcs_read(VMCS_GUEST_RIP));
}

bool l2_expect_end(struct l2 *l2)
{
	return l2_expect(l2, EXIT_VMCALL) &&
	       l2_check(l2->regs.rax == true, "L2 is not content (RAX %lx)", l2->regs.rax);
}

bool l2_expect_field(u32 field, u64 value)
{
	const u64 got = guest_vmcs_read(field);
	const int index = vmcs_field_index(field);

	return l2_check(got == value, "%s is %lx instead of %lx",
			index < 0 ? "field" : vmcs_fields[index].name, got, value);
}

static bool possible(const struct l2_case *row, const struct l2_mode *mode)
{
	return guest_control_allowed(VMX_WORD_PIN, row->options.pin) &&
	       guest_control_allowed(VMX_WORD_PRIMARY, row->options.primary) &&
	       guest_control_allowed(VMX_WORD_SECONDARY, row->options.secondary) &&
	       guest_control_allowed(VMX_WORD_EXIT, row->options.exit) &&
	       guest_control_allowed(VMX_WORD_ENTRY, row->options.entry) &&
	       (mode->ept || !row->needs_ept) && (!row->possible || row->possible());
}

void l2_cases_run(const struct l2_case *cases, size_t count, const struct l2_mode *mode)
{
	static struct l2 l2;
	const void *pages = guest_pages_mark();
	char only[32] = "";

	guest_option("case", only, sizeof(only));
	mode_name = mode->name;
	for (size_t i = 0; i < count; i++) {
		struct l2_options options = cases[i].options;

		case_name = cases[i].name;
		if (*only && strcmp(only, case_name))
			continue;
		if (!possible(&cases[i], mode)) {
			if (mode->ept || !cases[i].needs_ept)
				guest_print("skipped: %s (%s)\n", case_name, mode_name);
			continue;
		}
		guest_mark(case_name);
		guest_case("%s (%s)", case_name, mode_name);
		l2_case_eptp = mode->ept ? guest_ept_tables() : 0;
		l2_case_cr3 = guest_page_tables();
		options.eptp = l2_case_eptp;
		options.cr3 = l2_case_cr3;
		options.vpid = mode->vpid ? CASE_VPID : 0;
		l2 = (struct l2){ 0 };
		l2_create(&l2, cases[i].code, &options);
		cases[i].check(&l2);
		if (vmclear(physical(l2.region)) != VMX_SUCCEED)
			guest_fail("%s: VMCLEAR failed", case_name);
		/* The tables lie where those of the last case did. */
		if (mode->ept)
			invept(INVEPT_ALL, 0, 0);
		if (mode->vpid)
			invvpid(INVVPID_ALL, 0, 0);
		guest_pages_release(pages);
	}
}
