#include "tests/hv/nested_play.h"

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

/* The processor, which has no fault to find with the guest state, gets to hv's list. */
static void fail_by_list(void)
{
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VM_ENTRY_MSR_LOAD_COUNT), 1);
	stub_exit(cpu, EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE, 1);
	assert_true(l1_got(EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE));
}

static void msr_lists_load_in_order_and_stop_at_the_first_bad_one(void **state)
{
	static const struct {
		const char *name;
		struct msr_entry entry;
		bool ok;
	} rows[] = {
		{ "STAR", { MSR_STAR, 0, 5 }, true },
		{ "reserved bits", { MSR_STAR, 1, 5 }, false },
		{ "FS base", { MSR_FS_BASE, 0, 0 }, false },
		{ "GS base", { MSR_GS_BASE, 0, 0 }, false },
		{ "x2APIC", { 0x808, 0, 0 }, false },
		{ "SMM monitor", { MSR_SMM_MONITOR_CTL, 0, 0 }, false },
		{ "unknown", { 0x4000, 0, 0 }, false },
		{ "capability", { MSR_VMX_BASIC, 0, 0 }, false },
		{ "PAT", { MSR_PAT, 0, 0x0606060606060606 }, true },
		{ "bad PAT", { MSR_PAT, 0, 2 }, false },
		{ "EFER, same LME", { MSR_EFER, 0, 0xd01 }, true },
		{ "EFER, LME changes", { MSR_EFER, 0, 1 }, false },
		{ "EFER, reserved", { MSR_EFER, 0, 0xd03 }, false },
		{ "SYSENTER_EIP", { MSR_SYSENTER_EIP, 0, 0x1234 }, true },
		{ "SYSENTER_EIP, not canonical", { MSR_SYSENTER_EIP, 0, NOT_CANONICAL }, false },
	};
	struct msr_entry *list = stub_at(PLAY_PAGE);

	(void)state;
	add12(VMCS_VM_ENTRY_CONTROLS, ENTRY_LOAD_EFER);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		list[0] = (struct msr_entry){ MSR_LSTAR, 0, i };
		list[1] = rows[i].entry;
		cpu->nested.current->launched = false;
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, stub_msr(MSR_LSTAR), i);
		if (rows[i].ok) {
			assert_row(rows[i].name, cpu->nested.mode, NESTED_L2);
			stub_exit(cpu, EXIT_HLT, 0);
			continue;
		}
		fail_by_list();
		assert_row(rows[i].name, get12(VMCS_EXIT_QUALIFICATION), 2);
		assert_row(rows[i].name, cpu->nested.current->launched, 0);
	}
}

static void msrs_of_the_guest_state_are_loaded_into_vmcs02(void **state)
{
	struct msr_entry *list = stub_at(PLAY_PAGE);
	u64 value;

	(void)state;
	list[0] = (struct msr_entry){ MSR_SYSENTER_CS, 0, 0x77 };
	list[1] = (struct msr_entry){ MSR_PAT, 0, 0x0404040404040404 };
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(vmread(VMCS_GUEST_IA32_SYSENTER_CS), 0x77);
	assert_u64(vmread(VMCS_GUEST_IA32_PAT), 0x0404040404040404);
	assert_u64(stub_msr(MSR_SYSENTER_CS), 0);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_IA32_SYSENTER_CS), 0x77);
	assert_true(event_item(event_of(EV_L2_ENTRY), ITEM_MSR_LOAD + 2, &value));
	assert_u64(value, MSR_PAT);
	assert_true(event_item(event_of(EV_L2_ENTRY), ITEM_MSR_LOAD + 3, &value));
	assert_u64(value, 0x0404040404040404);
}

static void a_bad_guest_state_comes_before_a_bad_list(void **state)
{
	struct msr_entry *list = stub_at(PLAY_PAGE);

	(void)state;
	list[0] = (struct msr_entry){ MSR_LSTAR, 0, 5 };
	list[1] = (struct msr_entry){ MSR_SYSENTER_EIP, 0, 0x1234 };
	list[2] = (struct msr_entry){ MSR_GS_BASE, 0, 0 };
	stub_msr_set(MSR_LSTAR, 0x77);
	set12(VMCS_GUEST_IA32_SYSENTER_EIP, 0x4321);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 3);
	play_enter(EXIT_VMLAUNCH);
	/* The processor looks at the state that VMCS12 has. */
	assert_u64(vmread(VMCS_GUEST_IA32_SYSENTER_EIP), 0x4321);
	stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
	assert_true(l1_got(EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 0);
	assert_u64(stub_msr(MSR_LSTAR), 0x77);
	/* And the list is gone when L1 has none that is bad. */
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(vmread(VMCS_VM_ENTRY_MSR_LOAD_COUNT), 0);
	assert_u64(vmread(VMCS_GUEST_IA32_SYSENTER_EIP), 0x1234);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(stub_msr(MSR_LSTAR), 5);
}

static void a_list_does_not_put_a_bad_guest_state_right(void **state)
{
	static const struct {
		const char *name;
		u64 bad;
		u32 field, msr;
		u64 good;
	} rows[] = {
		{ "SYSENTER_ESP", BIT(50), VMCS_GUEST_IA32_SYSENTER_ESP, MSR_SYSENTER_ESP, 0x10 },
		{ "SYSENTER_EIP", BIT(50), VMCS_GUEST_IA32_SYSENTER_EIP, MSR_SYSENTER_EIP, 0x10 },
		{ "PAT", 2, VMCS_GUEST_IA32_PAT, MSR_PAT, 0 },
		{ "EFER.LMA", 0x100, VMCS_GUEST_IA32_EFER, MSR_EFER, 0x500 },
		{ "EFER.LME", 0x400, VMCS_GUEST_IA32_EFER, MSR_EFER, 0x500 },
		{ "EFER, reserved", 0x502, VMCS_GUEST_IA32_EFER, MSR_EFER, 0x500 },
	};
	struct msr_entry *const list = stub_at(PLAY_PAGE);

	(void)state;
	set12(VMCS_VM_ENTRY_CONTROLS,
	      get12(VMCS_VM_ENTRY_CONTROLS) | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	set12(VMCS_GUEST_IA32_EFER, 0x500);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 old = get12(rows[i].field);

		list[0] = (struct msr_entry){ rows[i].msr, 0, rows[i].good };
		set12(rows[i].field, rows[i].bad);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, vmread(rows[i].field), rows[i].bad);
		stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
		set12(rows[i].field, old);
	}
}

static void lists_longer_than_shown_fail_behind_the_maximum(void **state)
{
	struct msr_entry *list = stub_at(PLAY_PAGE);
	u64 value;

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		list[i] = (struct msr_entry){ MSR_STAR, 0, i };
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 600);
	play_enter(EXIT_VMLAUNCH);
	fail_by_list();
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 513);
	/* A part of the list is on the tape, and what became of it. */
	assert_true(event_item(last_event(), ITEM_MSR_LOAD + 99, &value));
	assert_true(event_item(last_event(), VMCS_EXIT_QUALIFICATION, &value));
	assert_u64(value, 513);
}

/* SDM, "VM Entries": MSRs are loaded only after guest state was found to be good. */
static void bad_state_is_not_hidden_by_a_list_that_replaces_it(void **state)
{
	static const struct {
		const char *name;
		u32 field, msr;
		u64 bad;
	} rows[] = {
		{ "SYSENTER_ESP", VMCS_GUEST_IA32_SYSENTER_ESP, MSR_SYSENTER_ESP, BIT(59) },
		{ "SYSENTER_EIP", VMCS_GUEST_IA32_SYSENTER_EIP, MSR_SYSENTER_EIP, BIT(59) },
		{ "PAT", VMCS_GUEST_IA32_PAT, MSR_PAT, 2 },
		{ "EFER", VMCS_GUEST_IA32_EFER, MSR_EFER, 0x502 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 *list;

		play_good_vmcs(state);
		list = stub_at(PLAY_PAGE);
		list[0] = rows[i].msr;
		list[1] = rows[i].msr == MSR_EFER ? 0x500 : 0;
		set12(VMCS_VM_ENTRY_CONTROLS,
		      get12(VMCS_VM_ENTRY_CONTROLS) | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
		set12(rows[i].field, rows[i].bad);
		set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
		set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
		play_enter(EXIT_VMLAUNCH);
		assert_row(rows[i].name, vmread(rows[i].field), rows[i].bad);
	}
}

static void a_bad_guest_state_leaves_the_msrs_of_the_list_alone(void **state)
{
	struct {
		u32 index, reserved;
		u64 value;
	} *list = stub_at(PLAY_PAGE);
	u64 value;

	(void)state;
	list[0].index = MSR_LSTAR;
	list[0].value = 1;
	list[1].index = MSR_LSTAR;
	list[1].value = 2;
	stub_msr_set(MSR_LSTAR, 0x77);
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(stub_msr(MSR_LSTAR), 2);
	stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
	assert_true(l1_got(EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE));
	assert_u64(stub_msr(MSR_LSTAR), 0x77);
	/* What the entry consulted, and a qualification that did not change, are recorded. */
	assert_true(event_item(last_event(), ITEM_MSR_LOAD + 3, &value));
	assert_u64(value, 2);
	assert_true(event_item(last_event(), VMCS_EXIT_QUALIFICATION, &value));
	assert_u64(value, 0);
	/* One that succeeds keeps them. */
	play_enter(EXIT_VMLAUNCH);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(stub_msr(MSR_LSTAR), 2);
}

static void an_entry_that_writes_the_tsc_takes_no_longer(void **state)
{
	struct {
		u32 index, reserved;
		u64 value;
	} *list = stub_at(PLAY_PAGE);

	(void)state;
	list[0].index = MSR_TSC;
	set12(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
	stub_cpu.tsc = MIB(64);
	stub_cpu.tsc_step = 10;
	play_enter(EXIT_VMLAUNCH);
	assert_in_range(stub_cpu.tsc, 1, MIB(1));
	assert_in_range(cpu->time.exits[0][EXIT_VMLAUNCH].longest, 10, 1000);
	assert_in_range(cpu->nested.entry.hv_ticks, 0, 1000);
}

static void msr_lists_are_processed_at_exits(void **state)
{
	struct {
		u32 index, reserved;
		u64 value;
	} *store = stub_at(PLAY_PAGE), *load = stub_at(PLAY_PAGE + 0x1000);
	u64 value;

	(void)state;
	store[0].index = MSR_LSTAR;
	store[1].index = MSR_GS_BASE;
	load[0].index = MSR_LSTAR;
	load[0].value = 0x2222;
	load[1].index = MSR_SYSENTER_CS;
	load[1].value = 0x33;
	set12(VMCS_VM_EXIT_MSR_STORE_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_EXIT_MSR_STORE_COUNT, 2);
	set12(VMCS_VM_EXIT_MSR_LOAD_ADDRESS, PLAY_PAGE + 0x1000);
	set12(VMCS_VM_EXIT_MSR_LOAD_COUNT, 2);
	play_enter(EXIT_VMLAUNCH);
	stub_msr_set(MSR_LSTAR, 0x1111);
	stub_vmcs_set(VMCS_GUEST_GS_BASE, 0x9999);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(store[0].value, 0x1111);
	assert_u64(store[1].value, 0x9999);
	assert_u64(stub_msr(MSR_LSTAR), 0x2222);
	assert_u64(vmread(VMCS_GUEST_IA32_SYSENTER_CS), 0x33);
	assert_true(event_item(last_event(), ITEM_MSR_STORE + 1, &value));
	assert_u64(value, 0x1111);
	assert_true(event_item(last_event(), ITEM_MSR_HOST + 1, &value));
	assert_u64(value, 0x2222);
}

static void bad_msr_lists_at_exits_abort(void **state)
{
	u32 *list = stub_at(PLAY_PAGE);

	(void)state;
	list[0] = 0x4000; /* no such MSR */
	set12(VMCS_VM_EXIT_MSR_STORE_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_EXIT_MSR_STORE_COUNT, 1);
	play_enter(EXIT_VMLAUNCH);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(((struct vmcs12 *)stub_at(PLAY_VMCS))->abort, 1);
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), 2);

	set12(VMCS_VM_EXIT_MSR_STORE_COUNT, 0);
	set12(VMCS_VM_EXIT_MSR_LOAD_ADDRESS, PLAY_PAGE);
	set12(VMCS_VM_EXIT_MSR_LOAD_COUNT, 1);
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(((struct vmcs12 *)stub_at(PLAY_VMCS))->abort, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs, a_bad_guest_state_comes_before_a_bad_list),
		IN(play_good_vmcs, a_list_does_not_put_a_bad_guest_state_right),
		IN(play_good_vmcs, msr_lists_load_in_order_and_stop_at_the_first_bad_one),
		IN(play_good_vmcs, msrs_of_the_guest_state_are_loaded_into_vmcs02),
		IN(play_good_vmcs, lists_longer_than_shown_fail_behind_the_maximum),
		IN(play_good_vmcs, bad_state_is_not_hidden_by_a_list_that_replaces_it),
		IN(play_good_vmcs, a_bad_guest_state_leaves_the_msrs_of_the_list_alone),
		IN(play_good_vmcs, an_entry_that_writes_the_tsc_takes_no_longer),
		IN(play_good_vmcs, msr_lists_are_processed_at_exits),
		IN(play_good_vmcs, bad_msr_lists_at_exits_abort),
	};

	return cmocka_run_group_tests_name("hv/nested/msrlist", tests, NULL, NULL);
}
