#include "base/hv_leaf.h"
#include "tests/hv/nested_play.h"

#define INFO_VALID BIT(31)

static void msr_accesses_go_to_l1_by_its_bitmap(void **state)
{
	static const struct {
		const char *name;
		u32 msr;
		bool write;
		unsigned byte, bit; /* of the bitmap, that is set */
		bool to_l1;
	} rows[] = {
		{ "read of low MSR", 0x10, false, 2, 0, true },
		{ "write bit does not matter to a read", 0x10, false, 2048 + 2, 0, false },
		{ "write of low MSR", 0x10, true, 2048 + 2, 0, true },
		{ "read of high MSR", 0xc0000082, false, 1024 + 0x10, 2, true },
		{ "write of high MSR", 0xc0000082, true, 3072 + 0x10, 2, true },
		{ "neighbour", 0xc0000083, true, 3072 + 0x10, 2, false },
		{ "last of the low ones", 0x1fff, false, 1023, 7, true },
		{ "hv's own", MSR_FEATURE_CONTROL, false, 0, 0, false },
		{ "between the ranges", 0x2000, false, 0, 0, true },
		{ "40000000h", 0x40000000, false, 0, 0, true },
		{ "80000010h", 0x80000010, false, 0, 0, true },
	};
	u8 *bitmap = stub_at(PLAY_PAGE);
	u64 value;

	(void)state;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(bitmap, 0, 4096);
		bitmap[rows[i].byte] = (u8)(1 << rows[i].bit);
		play_with(0, PRIMARY_MSR_BITMAPS);
		cpu->regs[REG_RCX] = rows[i].msr;
		stub_msr_set(0x1fff, 0);
		stub_exit(cpu, rows[i].write ? EXIT_WRMSR : EXIT_RDMSR, 0);
		assert_row(rows[i].name, cpu->nested.mode, rows[i].to_l1 ? NESTED_ROOT : NESTED_L2);
		if (!rows[i].to_l1) {
			/* L2 tries again, without an exit; what hv keeps it does itself. */
			assert_row(rows[i].name, vmread(VMCS_GUEST_RIP),
				   PLAY_L2_RIP + (rows[i].msr == MSR_FEATURE_CONTROL ? 3 : 0));
			stub_vmcs_set(VMCS_GUEST_RIP, PLAY_L2_RIP);
			stub_exit(cpu, EXIT_HLT, 0);
			assert_row(rows[i].name, last_event()->col[3], 1);
		} else if (rows[i].msr < 0x2000) {
			assert_true(event_item(last_event(), ITEM_MSR_BITMAP, &value));
			assert_row(rows[i].name, value, bitmap[rows[i].byte]);
		}
	}
}

static void msr_accesses_all_go_to_l1_without_a_bitmap(void **state)
{
	(void)state;
	cpu->regs[REG_RCX] = 0x10;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_true(l1_got(EXIT_RDMSR));
}

static void ports_go_to_l1_by_its_bitmaps(void **state)
{
	static const struct {
		const char *name;
		u32 port, size;
		unsigned byte, bit;
		bool to_l1;
	} rows[] = {
		{ "the port", 0x3f8, 1, 0x7f, 0, true },
		{ "another", 0x3f9, 1, 0x7f, 0, false },
		{ "last byte of 2", 0x3f7, 2, 0x7f, 0, true },
		{ "last byte of 4", 0x3f5, 4, 0x7f, 0, true },
		{ "not of 2", 0x3f5, 2, 0x7f, 0, false },
		{ "bitmap B", 0x8001, 1, 4096, 1, true },
		{ "from A into B", 0x7fff, 2, 4096, 0, true },
		{ "wraps", 0xffff, 2, 0, 7, true },
		{ "last", 0xffff, 1, 8191, 7, true },
	};
	u8 *bitmap = stub_at(PLAY_PAGE);

	(void)state;
	set12(VMCS_IO_BITMAP_A, PLAY_PAGE);
	set12(VMCS_IO_BITMAP_B, PLAY_PAGE + 0x1000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(bitmap, 0, 8192);
		bitmap[rows[i].byte] = (u8)(1 << rows[i].bit);
		play_with(0, PRIMARY_IO_BITMAPS);
		/* An IN into AL, AX or EAX. */
		stub_exit(cpu, EXIT_IO, (u64)rows[i].port << 16 | BIT(3) | (rows[i].size - 1));
		assert_row(rows[i].name, cpu->nested.mode, rows[i].to_l1 ? NESTED_ROOT : NESTED_L2);
		if (!rows[i].to_l1) {
			stub_vmcs_set(VMCS_GUEST_RIP, PLAY_L2_RIP);
			stub_exit(cpu, EXIT_HLT, 0);
		}
	}
}

static void exits_of_l2_that_only_l1_can_want_are_l1s(void **state)
{
	static const u32 reasons[] = {
		EXIT_TRIPLE_FAULT, EXIT_INIT,	 EXIT_TASK_SWITCH, EXIT_CPUID,	EXIT_HLT,
		EXIT_INVD,	   EXIT_INVLPG,	 EXIT_RDTSC,	   EXIT_VMCALL, EXIT_VMCLEAR,
		EXIT_VMLAUNCH,	   EXIT_VMREAD,	 EXIT_VMXON,	   EXIT_VMXOFF, EXIT_CR_ACCESS,
		EXIT_DR_ACCESS,	   EXIT_MONITOR, EXIT_PAUSE,	   EXIT_INVEPT, EXIT_INVVPID,
		EXIT_WBINVD,	   EXIT_XSETBV,	 EXIT_APIC_ACCESS,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		stub_exit(cpu, reasons[i], 0);
		assert_row(vmx_exit_name(reasons[i]), l1_got(reasons[i]), true);
		play_enter(EXIT_VMRESUME);
	}
}

static bool tables_exit(void)
{
	return vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS) & SECONDARY_DESCRIPTOR_TABLE_EXITING;
}

static void lgdt_of_l2_is_l1s_where_it_asked(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_DESCRIPTOR_TABLE_EXITING);
	play_enter(EXIT_VMRESUME);
	assert_true(tables_exit());
	stub_exit(cpu, EXIT_GDTR_IDTR, 0);
	assert_true(l1_got(EXIT_GDTR_IDTR));
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_LDTR_TR, 0);
	assert_true(l1_got(EXIT_LDTR_TR));
}

static void lgdt_of_l2_is_let_through_and_seen_later_where_l1_did_not(void **state)
{
	(void)state;
	/* The first exit saves everything. */
	stub_exit(cpu, EXIT_HLT, 0);
	play_enter(EXIT_VMRESUME);
	assert_true(tables_exit());
	stub_vmcs_set(VMCS_GUEST_GDTR_BASE, 0x1000);
	stub_exit(cpu, EXIT_GDTR_IDTR, 0);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_L2_RIP);
	assert_false(tables_exit());
	stub_vmcs_set(VMCS_GUEST_GDTR_BASE, 0x2000);
	stub_vmcs_set(VMCS_GUEST_TR_SELECTOR, 0x28);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(last_event()->col[3], 1);
	assert_u64(get12(VMCS_GUEST_GDTR_BASE), 0x2000);
	assert_u64(get12(VMCS_GUEST_TR_SELECTOR), 0x28);

	/* For a while; after that they can't change by themselves, and are not looked at. */
	for (unsigned i = 0; i < 64; i++) {
		play_enter(EXIT_VMRESUME);
		assert_u64(tables_exit(), i == 63);
		stub_vmcs_set(VMCS_GUEST_IDTR_BASE, 0x3000 + i);
		stub_exit(cpu, EXIT_HLT, 0);
		assert_u64(get12(VMCS_GUEST_IDTR_BASE), 0x3000 + (i == 63 ? 62 : i));
	}
}

static void the_cpuid_leaf_of_hv_is_hvs_at_every_level(void **state)
{
	(void)state;
	cpu->regs[REG_RAX] = HV_LEAF;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

/* SDM, "Monitor Trap Flag": hv executed the instruction, so it has to make the exit behind it. */
static void the_monitor_trap_flag_counts_what_hv_executes(void **state)
{
	const u64 mtf = INFO_VALID | 7 << 8;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		set12(VMCS_MSR_BITMAP, PLAY_PAGE);
		play_with(0, PRIMARY_MSR_BITMAPS | (i ? PRIMARY_MONITOR_TRAP_FLAG : 0));
		assert_u64(!!(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MONITOR_TRAP_FLAG),
			   i);
		cpu->regs[REG_RCX] = MSR_FEATURE_CONTROL;
		stub_exit(cpu, EXIT_RDMSR, 0);
		assert_int_equal(cpu->nested.mode, NESTED_L2);
		assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), i ? mtf : 0);
		stub_exit(cpu, EXIT_MONITOR_TRAP_FLAG, 0);
		assert_true(l1_got(EXIT_MONITOR_TRAP_FLAG));
	}
}

/* A fault that hv finds is delivered, and the exit follows that. */
static void the_monitor_trap_flag_waits_for_a_fault(void **state)
{
	(void)state;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	play_with(0, PRIMARY_MSR_BITMAPS | PRIMARY_MONITOR_TRAP_FLAG);
	cpu->regs[REG_RCX] = MSR_VMX_BASIC;
	stub_exit(cpu, EXIT_WRMSR, 0);
	assert_true(stub_injects(13));
}

static void what_ept02_lacks_is_filled_and_what_ept12_lacks_is_l1s(void **state)
{
	u64 *pt = stub_at(PLAY_EPT12 + 0x3000);
	u64 value;

	(void)state;
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x5123);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 1 | BIT(7) | BIT(8));
	assert_int_equal(cpu->nested.mode, NESTED_L2);

	pt[6] &= ~7ull;
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x6123);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 1 | BIT(7) | BIT(8) | BIT(9));
	assert_true(l1_got(EXIT_EPT_VIOLATION));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 1 | BIT(7) | BIT(8));
	assert_u64(get12(VMCS_GUEST_PHYSICAL_ADDRESS), 0x6123);
	assert_u64(last_event()->col[3], 1);
	assert_true(event_item(last_event(), ITEM_EPT12 + 1, &value));
	assert_u64(value, pt[6]);
	assert_true(event_item(last_event(), ITEM_EPT12_GPA + 1, &value));
	assert_u64(value, PLAY_EPT12 + 0x3000 + 8 * 6);
	assert_true(event_item(last_event(), ITEM_EPT12 + 4, &value));

	pt[6] = 6ull << 12 | 0x35; /* no write */
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 2);
	assert_true(l1_got(EXIT_EPT_VIOLATION));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 2 | 5 << 3);

	pt[6] = 6ull << 12 | 0x32; /* write without read */
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 2);
	assert_true(l1_got(EXIT_EPT_MISCONFIGURATION));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), 0);
	assert_u64(get12(VMCS_EXIT_REASON), EXIT_EPT_MISCONFIGURATION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs, msr_accesses_go_to_l1_by_its_bitmap),
		IN(play_l2, msr_accesses_all_go_to_l1_without_a_bitmap),
		IN(play_good_vmcs, ports_go_to_l1_by_its_bitmaps),
		IN(play_l2, exits_of_l2_that_only_l1_can_want_are_l1s),
		IN(play_l2, lgdt_of_l2_is_l1s_where_it_asked),
		IN(play_l2, lgdt_of_l2_is_let_through_and_seen_later_where_l1_did_not),
		IN(play_l2, the_cpuid_leaf_of_hv_is_hvs_at_every_level),
		IN(play_good_vmcs, the_monitor_trap_flag_counts_what_hv_executes),
		IN(play_good_vmcs, the_monitor_trap_flag_waits_for_a_fault),
		IN(play_l2_with_ept, what_ept02_lacks_is_filled_and_what_ept12_lacks_is_l1s),
	};

	return cmocka_run_group_tests_name("hv/nested/l2_exit", tests, NULL, NULL);
}
