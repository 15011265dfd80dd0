#include "tests/guests/l1_rules.h"
#include "tests/guests/lib/guest_paging.h"

#define VPID_INDEX	5 /* the number of the bit, not its mask */
#define FEATURES_LEAF	7
#define FEATURE_INVPCID BIT(10) /* of EBX */
#define STUCK_EXITS	100
#define LOOP_EXITS	1100
#define PAIRS		10
#define APIC_EOI	0xfee000b0
#define TIMER_TICKS	1000
#define VECTOR_TIMER	0x30
#define VECTOR_IRQ7	0x37
#define VECTOR_OTHER	0x52

/* --- L1.ctl-looks-like-index ----------------------------------------------------------------- */

static void ctl_index(void)
{
	const struct l2_options options = { .secondary = SECONDARY_WBINVD_EXITING };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	guest_vmcs_write(VMCS_SECONDARY_PROC_BASED_CONTROLS, VPID_INDEX);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* Low bits that were meant, with the field that one of them needs. */
static void ctl_low_bits(void)
{
	const struct l2_options options = {
		.secondary = SECONDARY_RDTSCP,
		.eptp = guest_ept_tables() | EPTP_WB | EPTP_LEVEL_4,
	};
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* --- L1.feature-ud --------------------------------------------------------------------------- */

static void l2_cpuid(void)
{
	for (;;)
		cpuid(FEATURES_LEAF, 0);
}

/* Answers CPUID with @ebx, while the secondary controls are @secondary. */
static void answer_cpuid(u64 secondary, u64 ebx)
{
	const struct l2_options options = { .secondary = secondary };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_cpuid, &options);
	for (unsigned i = 0; i < 2; i++) {
		guest_check(l2_run(&l2) == EXIT_CPUID, "exit %lx",
			    guest_vmcs_read(VMCS_EXIT_REASON));
		l2.regs.rax = l2.regs.rcx = l2.regs.rdx = 0;
		l2.regs.rbx = ebx;
		l2_skip();
	}
	rules_clear(l2.region);
}

static void feature_ud(void)
{
	answer_cpuid(SECONDARY_RDTSCP, FEATURE_INVPCID);
}

static void feature_hidden(void)
{
	answer_cpuid(SECONDARY_RDTSCP, 0);
}

static void feature_enabled(void)
{
	answer_cpuid(SECONDARY_INVPCID, FEATURE_INVPCID);
}

/* --- SUR.exit-livelock, SUR.vmcall-owner ----------------------------------------------------- */

/* L1 does not move RIP. */
static void exit_stuck(void)
{
	struct l2 l2;

	rules_create(&l2);
	for (unsigned i = 0; i < STUCK_EXITS; i++)
		guest_check(l2_run(&l2) == EXIT_VMCALL, "exit %lx",
			    guest_vmcs_read(VMCS_EXIT_REASON));
	rules_clear(l2.region);
}

/* Nor here, but what L2 has in registers changes. */
static void exit_changes(void)
{
	struct l2 l2;

	rules_create(&l2);
	for (unsigned i = 0; i < STUCK_EXITS; i++) {
		guest_check(l2_run(&l2) == EXIT_VMCALL, "exit %lx",
			    guest_vmcs_read(VMCS_EXIT_REASON));
		l2.regs.rbx++;
	}
	rules_clear(l2.region);
}

static void vmcall_loop(void)
{
	struct l2 l2;

	rules_create(&l2);
	for (unsigned i = 0; i < LOOP_EXITS; i++)
		rules_run_once(&l2);
	rules_clear(l2.region);
}

static void vmcall_of_l1(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	rules_want_error(vmcall_root(), VMERR_VMCALL_IN_ROOT, "VMCALL");
	rules_clear(region);
}

/* --- SUR.spurious-irq7 ----------------------------------------------------------------------- */

static void l2_spin(void)
{
	__asm__ volatile("sti");
	for (;;)
		__asm__ volatile("pause");
}

/* L2 is interrupted by @a and @b in turn. */
static void interrupt_l2(u8 a, u8 b)
{
	const struct l2_options options = {
		.pin = PIN_EXTERNAL_INTERRUPT_EXITING,
		.exit = EXIT_ACKNOWLEDGE_INTERRUPT,
	};
	struct l2 l2 = { 0 };

	guest_apic_enable();
	l2_create(&l2, l2_spin, &options);
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		guest_apic_timer(i % 2 ? b : a, TIMER_TICKS);
		guest_check(l2_run(&l2) == EXIT_EXTERNAL_INTERRUPT, "exit %lx",
			    guest_vmcs_read(VMCS_EXIT_REASON));
		*(volatile u32 *)(uintptr_t)APIC_EOI = 0;
	}
	rules_clear(l2.region);
}

static void irq7_behind_timer(void)
{
	interrupt_l2(VECTOR_TIMER, VECTOR_IRQ7);
}

static void irq_behind_timer(void)
{
	interrupt_l2(VECTOR_TIMER, VECTOR_OTHER);
}

/* Bochs stops at VMCALL in VMX root operation; on top of hv it is hv that answers. */
const struct rule_case l1_rules_l2_cases[] = {
	RULE_CASE(ctl_index),
	RULE_CASE(ctl_low_bits),
	RULE_CASE(feature_ud),
	RULE_CASE(feature_hidden),
	RULE_CASE(feature_enabled),
	RULE_CASE(exit_stuck),
	RULE_CASE(exit_changes),
	RULE_CASE(irq7_behind_timer),
	RULE_CASE(irq_behind_timer),
	RULE_CASE(vmcall_loop, .alone = true),
	RULE_CASE(vmcall_of_l1, .alone = true),
};
const size_t l1_rules_l2_count = ARRAY_SIZE(l1_rules_l2_cases);
