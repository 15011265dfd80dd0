#include "hv/exit.h"
#include "hv/inject.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY		MIB(64)
#define INFO_VALID	BIT(31)
#define INFO_ERROR_CODE BIT(11)
#define HARD_EXCEPTION	(3u << 8)
#define INFO_NMI	(INFO_VALID | 2u << 8 | 2)
#define BLOCKING_STI	BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_SMI	BIT(2)
#define BLOCKING_NMI	BIT(3)

static struct percpu *cpu;

static int boot(void **state)
{
	(void)state;
	cpu = stub_boot_nested(MEMORY, true, "");
	return 0;
}

static bool window_is_open(void)
{
	return vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING;
}

static void faults_are_hardware_exceptions_with_their_error_codes(void **state)
{
	static const struct {
		const char *name;
		enum exit_action (*inject)(struct percpu *cpu);
		u64 info;
	} rows[] = {
		{ "#UD", exit_inject_ud, INFO_VALID | HARD_EXCEPTION | 6 },
		{ "#SS", exit_inject_ss, INFO_VALID | HARD_EXCEPTION | INFO_ERROR_CODE | 12 },
		{ "#GP", exit_inject_gp, INFO_VALID | HARD_EXCEPTION | INFO_ERROR_CODE | 13 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmwrite(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, 0x1234);
		assert_row(rows[i].name, rows[i].inject(cpu), EXIT_RESUME);
		assert_row(rows[i].name, vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), rows[i].info);
		if (rows[i].info & INFO_ERROR_CODE)
			assert_row(rows[i].name, vmread(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE), 0);
	}
}

/* SDM "Checks on VM-Entry Control Fields": no error code is delivered without CR0.PE. */
static void faults_in_real_mode_have_no_error_code(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_CR0, CR0_NE);
	exit_inject_gp(cpu);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), INFO_VALID | HARD_EXCEPTION | 13);
	exit_inject_ss(cpu);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), INFO_VALID | HARD_EXCEPTION | 12);
}

static void page_faults_bring_their_address_in_cr2(void **state)
{
	(void)state;
	exit_inject_pf(cpu, 0xffff888000001234, 7);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO),
		   INFO_VALID | HARD_EXCEPTION | INFO_ERROR_CODE | 14);
	assert_u64(vmread(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE), 7);
	assert_u64(stub_cpu.cr2, 0xffff888000001234);
}

static void fault_stands_in_the_event_of_its_instruction(void **state)
{
	struct ev_insn *insn = (void *)exit_event(cpu, EV_VMREAD, 1);

	(void)state;
	exit_inject_pf(cpu, 0x5000, 2);
	assert_u64(insn->outcome, OUTCOME_FAULT);
	assert_u64(insn->error, 14);
	assert_u64(insn->fault_code, 2);
	assert_u64(insn->cr2, 0x5000);
}

static void nmi_is_injected_at_once_when_nothing_forbids_it(void **state)
{
	(void)state;
	cpu->nmi_pending = true;
	inject_nmi_when_possible(cpu);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), INFO_NMI);
	assert_false(cpu->nmi_pending);
	assert_false(window_is_open());
}

static void nmi_waits_for_its_window_while_something_forbids_it(void **state)
{
	static const struct {
		const char *name;
		u64 blocking, info;
		bool waits;
	} rows[] = {
		{ "nothing", 0, 0, false },
		{ "blocking by NMI", BLOCKING_NMI, 0, true },
		{ "blocking by STI", BLOCKING_STI, 0, true },
		{ "blocking by MOV SS", BLOCKING_MOV_SS, 0, true },
		{ "blocking by SMI", BLOCKING_SMI, 0, false },
		{ "another event first", 0, INFO_VALID | HARD_EXCEPTION | 6, true },
		{ "an event that is not valid", 0, HARD_EXCEPTION | 6, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, rows[i].blocking);
		vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, rows[i].info);
		cpu->nmi_pending = true;
		inject_nmi_when_possible(cpu);
		assert_row(rows[i].name, cpu->nmi_pending, rows[i].waits);
		assert_row(rows[i].name, window_is_open(), rows[i].waits);
		assert_row(rows[i].name, vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO),
			   rows[i].waits ? rows[i].info : INFO_NMI);
	}
}

/* As the processor does it: the exit takes the NMI off, hv gives it back in the same breath. */
static void nmi_that_exits_reaches_l1_with_the_next_entry(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, INFO_NMI);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), INFO_NMI);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1000);
	assert_false(cpu->nmi_pending);
	/* The next one would not come while this one blocks them. */
	assert_int_equal(stub_cpu.nmi_unblocks, 1);
}

static void nmi_that_had_to_wait_comes_with_the_window(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_NMI);
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, INFO_NMI);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_true(cpu->nmi_pending);
	assert_true(window_is_open());
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	stub_exit(cpu, EXIT_NMI_WINDOW, 0);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), INFO_NMI);
	assert_false(cpu->nmi_pending);
	assert_false(window_is_open());
}

/* As after an exit of L2 that told L1 of the NMI. */
static void window_that_no_nmi_waits_for_closes(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_NMI);
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, INFO_NMI);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_true(window_is_open());
	cpu->nmi_pending = false;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	stub_exit(cpu, EXIT_NMI_WINDOW, 0);
	assert_false(window_is_open());
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), 0);
}

static void exception_that_should_not_exit_stops_the_tape(void **state)
{
	(void)state;
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, INFO_VALID | HARD_EXCEPTION | 14);
	assert_true(stub_stops(stub_exit(cpu, EXIT_EXCEPTION_NMI, 0)));
	assert_true(stub_said("exception_nmi"));
}

static void pending_step_adds_to_what_is_pending(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 1);
	inject_pending_step();
	assert_u64(vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 1 | BIT(14));
}

static void no_step_is_pending_while_only_branches_end_one(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, BIT(1)); /* BTF */
	inject_pending_step();
	assert_u64(vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(faults_are_hardware_exceptions_with_their_error_codes, boot),
		cmocka_unit_test_setup(faults_in_real_mode_have_no_error_code, boot),
		cmocka_unit_test_setup(page_faults_bring_their_address_in_cr2, boot),
		cmocka_unit_test_setup(fault_stands_in_the_event_of_its_instruction, boot),
		cmocka_unit_test_setup(nmi_is_injected_at_once_when_nothing_forbids_it, boot),
		cmocka_unit_test_setup(nmi_waits_for_its_window_while_something_forbids_it, boot),
		cmocka_unit_test_setup(nmi_that_exits_reaches_l1_with_the_next_entry, boot),
		cmocka_unit_test_setup(nmi_that_had_to_wait_comes_with_the_window, boot),
		cmocka_unit_test_setup(window_that_no_nmi_waits_for_closes, boot),
		cmocka_unit_test_setup(exception_that_should_not_exit_stops_the_tape, boot),
		cmocka_unit_test_setup(pending_step_adds_to_what_is_pending, boot),
		cmocka_unit_test_setup(no_step_is_pending_while_only_branches_end_one, boot),
	};

	return cmocka_run_group_tests_name("hv/inject", tests, NULL, NULL);
}
