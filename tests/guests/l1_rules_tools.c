#include "tests/guests/l1_rules.h"

#define WORK_EXITS 20

void rules_want(enum vmx_outcome outcome, enum vmx_outcome expected, const char *what)
{
	guest_check(outcome == expected, "%s: %s instead of %s", what, vmx_outcome_text(outcome),
		    vmx_outcome_text(expected));
}

void rules_want_error(enum vmx_outcome outcome, u32 error, const char *what)
{
	rules_want(outcome, VMX_FAIL_VALID, what);
	guest_check(guest_vmcs_error() == error, "%s: error %u instead of %u", what,
		    guest_vmcs_error(), error);
}

void rules_clear(const void *region)
{
	rules_want(vmclear(physical(region)), VMX_SUCCEED, "VMCLEAR");
}

void rules_l2_code(void)
{
	for (;;)
		l2_vmcall(0);
}

void rules_run_once(struct l2 *l2)
{
	guest_check(l2_run(l2) == EXIT_VMCALL, "exit %lx", guest_vmcs_read(VMCS_EXIT_REASON));
	l2_skip();
}

void rules_create(struct l2 *l2)
{
	const struct l2_options options = { 0 };

	*l2 = (struct l2){ 0 };
	l2_create(l2, rules_l2_code, &options);
}

void rules_work(void)
{
	struct l2 l2;

	rules_create(&l2);
	for (unsigned i = 0; i < WORK_EXITS; i++)
		rules_run_once(&l2);
	rules_clear(l2.region);
}
