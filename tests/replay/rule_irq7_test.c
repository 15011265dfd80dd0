#include "tests/replay/script.h"

static void interrupt(struct script *script, u64 vector)
{
	const struct ev_l2_entry entry = { .vmcs = script->vmcs };
	const struct ev_l2_exit exit = {
		.reason = EXIT_EXTERNAL_INTERRUPT,
		.vmcs = script->vmcs,
	};
	const struct trace_item item = { VMCS_VM_EXIT_INTERRUPTION_INFO, BIT(31) | vector };

	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
	script_items(script, EV_L2_EXIT, &exit, sizeof(exit), &item, 1);
}

static void inject(struct script *script, u64 vector)
{
	const struct ev_l2_entry entry = { .vmcs = script->vmcs, .injected = BIT(31) | vector };

	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
}

static struct script play(void (*send)(struct script *, u64), u64 a, u64 b, unsigned times)
{
	struct script script = script_start();

	script_vmcs(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	for (unsigned i = 0; i < times; i++) {
		send(&script, a);
		send(&script, b);
	}
	script_end(&script);
	return script;
}

static void irq_7_behind_another_input_each_time_is_a_guess(void **state)
{
	struct script script = play(interrupt, 0x20, 0x27, 8);
	const struct finding *finding;

	(void)state;
	assert_found(&script, SPURIOUS_IRQ7, 1);
	finding = script_finding(&script, FINDING_SPURIOUS_IRQ7);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_int_equal(finding->confidence, CONFIDENCE_LOW);
	assert_string_equal(finding->title, "Vector 0x27 came 8 times right behind another one of "
					    "the same interrupt controller");
	script_free(&script);
	script = play(inject, 0x20, 0x27, 8);
	assert_found(&script, SPURIOUS_IRQ7, 1);
	script_free(&script);
}

static void other_vectors_or_few_of_them_are_devices(void **state)
{
	static const struct {
		u64 a, b;
		unsigned times;
	} rows[] = {
		{ 0x20, 0x27, 7 },
		{ 0x20, 0x26, 100 },
		{ 0x20, 0x2f, 100 }, /* another controller */
		{ 0x27, 0x27, 100 }, /* a device on IRQ 7 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = play(interrupt, rows[i].a, rows[i].b, rows[i].times);

		assert_found(&script, SPURIOUS_IRQ7, 0);
		script_free(&script);
	}
}

/* The information may be what it was before, but not behind a gap. */
static void an_exit_without_its_vector_says_nothing(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	for (unsigned i = 0; i < 100; i++) {
		script_gap(&script);
		script.vmcs = 0x2000;
		script_l2(&script, EXIT_EXTERNAL_INTERRUPT);
	}
	script_end(&script);
	assert_found(&script, SPURIOUS_IRQ7, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(irq_7_behind_another_input_each_time_is_a_guess),
		cmocka_unit_test(other_vectors_or_few_of_them_are_devices),
		cmocka_unit_test(an_exit_without_its_vector_says_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_irq7", tests, NULL, NULL);
}
