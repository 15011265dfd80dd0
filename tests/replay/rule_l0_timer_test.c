#include "tests/replay/script_l0.h"

/* A script's event comes every 1000 ticks; IA32_VMX_MISC of the good processor says 2^N. */
static u64 rate(void)
{
	return CAP_GET(good_caps[VMX_CAP_MISC], PREEMPTION_TIMER_RATE);
}

static struct script expires(u64 pin, u64 value, unsigned later, u64 reason)
{
	struct script script = script_ready();

	FIELD12(&script, PIN_BASED_CONTROLS, 0x16 | pin);
	FIELD12(&script, VMX_PREEMPTION_TIMER_VALUE, value);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_enter(&script);
	script.n += later;
	EXIT12(&script, reason, { VMCS_GUEST_RIP, 2 });
	return script;
}

static void the_timer_takes_its_time(void **state)
{
	const u64 value = 100000 >> rate(); /* about 100 events */
	struct script script = expires(PIN_PREEMPTION_TIMER, value, 110, EXIT_PREEMPTION_TIMER);

	(void)state;
	assert_only_l0(&script, "in time", NOTHING);
	script_free(&script);
	script = expires(PIN_PREEMPTION_TIMER, value, 0, EXIT_PREEMPTION_TIMER);
	assert_only_l0(&script, "at once", FINDING_L0_PREEMPTION_TIMER);
	assert_non_null(strstr(script_finding(&script, FINDING_L0_PREEMPTION_TIMER)->title,
			       "after 1000 ticks"));
	script_free(&script);
	script = expires(PIN_PREEMPTION_TIMER, 1, 0, EXIT_PREEMPTION_TIMER);
	assert_only_l0(&script, "a value of 1", NOTHING);
	script_free(&script);
	script = expires(PIN_PREEMPTION_TIMER, value, 0, EXIT_CPUID);
	assert_only_l0(&script, "another exit", NOTHING);
	script_free(&script);
}

static void a_timer_that_l1_does_not_use_does_not_expire(void **state)
{
	struct script script = expires(0, 0, 0, EXIT_PREEMPTION_TIMER);

	(void)state;
	assert_only_l0(&script, "off", FINDING_L0_PREEMPTION_TIMER);
	script_free(&script);
}

static void a_gap_may_have_taken_time(void **state)
{
	struct script script = script_ready();

	(void)state;
	FIELD12(&script, PIN_BASED_CONTROLS, 0x16 | PIN_PREEMPTION_TIMER);
	FIELD12(&script, VMX_PREEMPTION_TIMER_VALUE, 0xffffff);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_enter(&script);
	script_gap(&script);
	EXIT12(&script, EXIT_PREEMPTION_TIMER, { VMCS_GUEST_RIP, 2 });
	assert_only_l0(&script, "behind a gap", NOTHING);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_timer_takes_its_time),
		cmocka_unit_test(a_timer_that_l1_does_not_use_does_not_expire),
		cmocka_unit_test(a_gap_may_have_taken_time),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_timer", tests, NULL, NULL);
}
