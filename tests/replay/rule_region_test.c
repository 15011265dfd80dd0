#include "tests/replay/script.h"

/* An event of another CPU than the script's. */
static void vmptrld_on_cpu(struct script *script, u16 cpu, u64 pointer)
{
	const struct ev_vmptrld vmptrld = {
		.mode = SCRIPT_MODE,
		.vmcs = NO_VMCS,
		.pointer = pointer,
		.dword0 = SCRIPT_REVISION,
	};
	u64 col[TRACE_MAX_COLUMNS] = { 0 };
	const struct trace_event event = {
		.kind = EV_VMPTRLD,
		.level = 1,
		.cpu = cpu,
		.seq = script->n,
		.rip = 0x7000,
		.col = col,
	};

	memcpy(col, &vmptrld, sizeof(vmptrld));
	assert_int_equal(check_event(script->check, &event, script->n++), ST_OK);
}

static void a_vmcs_that_moves_without_vmclear_is_found(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmcs(&script);
	vmptrld_on_cpu(&script, 1, 0x2000);
	script_end(&script);
	assert_found(&script, VMCS_ACTIVE_TWICE, 1);
	finding = script_finding(&script, FINDING_VMCS_ACTIVE_TWICE);
	assert_int_equal(finding->evidence_count, 2);
	assert_int_equal(finding->evidence[0].cpu, 0);
	assert_int_equal(finding->evidence[1].cpu, 1);
	script_free(&script);
}

static void a_vmcs_that_was_cleared_before_it_moved_is_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	script_vmclear(&script, 0x2000);
	vmptrld_on_cpu(&script, 1, 0x2000);
	script_end(&script);
	assert_found(&script, VMCS_ACTIVE_TWICE, 0);
	script_free(&script);
}

static u64 known_of_tsc_offset(const struct script *script)
{
	return model_region(check_model(script->check), 0x2000)->known[VMCS_IX_TSC_OFFSET];
}

static void nothing_is_known_of_a_vmcs_that_is_active_twice(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	script_vmwrite(&script, VMCS_TSC_OFFSET, 1);
	assert_u64(known_of_tsc_offset(&script), ~0ull);
	vmptrld_on_cpu(&script, 1, 0x2000);
	assert_u64(known_of_tsc_offset(&script), 0);
	script_vmwrite(&script, VMCS_TSC_OFFSET, 2);
	assert_u64(known_of_tsc_offset(&script), 0);
	script_free(&script);
}

static void where_a_vmcs_is_active_is_unknown_behind_a_gap(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	script_gap(&script);
	vmptrld_on_cpu(&script, 1, 0x2000);
	script_end(&script);
	assert_found(&script, VMCS_ACTIVE_TWICE, 0);
	script_free(&script);
}

static void memory_write(struct script *script, u64 origin)
{
	OTHER(script, VMCS12_WRITE, vmcs12_write, .origin = origin, .vmcs = 0x2000,
	      .field = VMCS_GUEST_RIP, .old = 1, .value = 2, .since_tsc = 100);
}

static void a_store_into_an_active_vmcs_is_found(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmcs(&script);
	memory_write(&script, ORIGIN_MEMORY);
	memory_write(&script, ORIGIN_MEMORY);
	script_end(&script);
	assert_found(&script, VMCS_PLAIN_ACCESS, 1);
	finding = script_finding(&script, FINDING_VMCS_PLAIN_ACCESS);
	assert_int_equal(finding->count, 2);
	assert_string_equal(finding->note, "where guest_rip (0x681e) was, 0x1 has become 0x2");
	script_free(&script);
}

static void the_processors_own_writes_and_inactive_regions_are_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	memory_write(&script, ORIGIN_ERROR);
	script_vmclear(&script, 0x2000);
	memory_write(&script, ORIGIN_MEMORY);
	script_vmptrld(&script, 0x2000);
	script_gap(&script);
	memory_write(&script, ORIGIN_MEMORY);
	script_end(&script);
	assert_found(&script, VMCS_PLAIN_ACCESS, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vmcs_that_moves_without_vmclear_is_found),
		cmocka_unit_test(a_vmcs_that_was_cleared_before_it_moved_is_fine),
		cmocka_unit_test(nothing_is_known_of_a_vmcs_that_is_active_twice),
		cmocka_unit_test(where_a_vmcs_is_active_is_unknown_behind_a_gap),
		cmocka_unit_test(a_store_into_an_active_vmcs_is_found),
		cmocka_unit_test(the_processors_own_writes_and_inactive_regions_are_fine),
	};

	return cmocka_run_group_tests_name("replay/rule_region", tests, NULL, NULL);
}
