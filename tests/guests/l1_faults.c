/*
 * tests/guests/l1_faults.c - an L1 that does, for each mistake of hv/nested/faults.def, what makes
 * it show
 *
 * Each case stands behind the marks "case NAME" and "fault NAME", of which the second makes an hv
 * with mistakes make that one; the mark "case end" closes the last. What L1 does is legal but where
 * a refusal is what shows, and goes on whatever hv makes of it: on an hv without mistakes check
 * must find nothing about L0 in the tape. On the command line, case=NAME runs one case alone.
 */
#include "tests/guests/l1_faults.h"

#include "base/fmt.h"

#define MARK_SIZE 33

static void mark(const char *what, const char *name)
{
	char text[MARK_SIZE];

	fmt(text, sizeof(text), "%s %s", what, name);
	guest_mark(text);
}

void faults_off(void)
{
	mark("fault", "");
}

void faults_create(struct l2 *l2, void (*code)(void), const struct l2_options *options)
{
	*l2 = (struct l2){ 0 };
	l2_create(l2, code, options);
}

void faults_drop(struct l2 *l2)
{
	vmclear(physical(l2->region));
}

void faults_vmcall_code(void)
{
	for (;;)
		l2_vmcall(1);
}

/* Exits behind which L2 can go on as if the instruction had done nothing. */
static bool is_instruction(u32 reason)
{
	switch (reason) {
	case EXIT_VMCALL:
	case EXIT_CPUID:
	case EXIT_HLT:
	case EXIT_IO:
	case EXIT_RDMSR:
	case EXIT_WRMSR:
	case EXIT_VMREAD:
		return true;
	default:
		return false;
	}
}

bool faults_run(struct l2 *l2, unsigned entries)
{
	for (unsigned i = 0; i < entries; i++) {
		u32 reason;

		if (l2_enter(l2) != VMX_SUCCEED) {
			(void)guest_vmcs_error();
			return false;
		}
		reason = (u32)guest_vmcs_read(VMCS_EXIT_REASON);
		if (reason & EXIT_REASON_ENTRY_FAILURE)
			return false;
		if (reason == EXIT_INTERRUPT_WINDOW)
			guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
					 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) &
						 ~(u64)PRIMARY_INTERRUPT_WINDOW_EXITING);
		if (is_instruction(reason))
			l2_skip();
		if (reason == EXIT_VMCALL && l2->regs.rax)
			return true;
	}
	return false;
}

void faults_run_once(const struct l2_options *options)
{
	struct l2 l2;

	faults_create(&l2, faults_vmcall_code, options);
	faults_run(&l2, 1);
	faults_drop(&l2);
}

u64 faults_bitmap(unsigned bit)
{
	u8 *page = guest_pages(1);

	page[bit / 8] = (u8)(1 << bit % 8);
	return physical(page);
}

static void run(const struct fault_case *row)
{
	const void *pages = guest_pages_mark();

	guest_print("case %s\n", row->name);
	mark("case", row->name);
	mark("fault", row->name);
	row->run();
	faults_off();
	/* The tables of the next case lie where those of this one did. */
	invept(INVEPT_ALL, 0, 0);
	invvpid(INVVPID_ALL, 0, 0);
	guest_pages_release(pages);
}

void guest_main(void)
{
	const struct {
		const struct fault_case *cases;
		size_t count;
	} tables[] = {
		{ l1_faults_insn_cases, l1_faults_insn_count },
		{ l1_faults_entry_cases, l1_faults_entry_count },
		{ l1_faults_exit_cases, l1_faults_exit_count },
		{ l1_faults_memory_cases, l1_faults_memory_count },
	};
	char only[MARK_SIZE];
	const bool all = !guest_option("case", only, sizeof(only));

	guest_vmx_init();
	guest_apic_enable();
	guest_vmx_on();
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t].count; i++)
			if (all || !strcmp(only, tables[t].cases[i].name))
				run(&tables[t].cases[i]);
	mark("case", "end");
	guest_vmx_off();
	guest_check(true, "came to the end");
	guest_check_end();
}
