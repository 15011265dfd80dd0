#include "tests/hv/nested_play.h"

#define PORT_COM1   0x3f8
#define INFO_64	    (2ull << 7)
#define TABLES2	    0x280000 /* page tables of L2: gpa2, and where EPT12 puts them */
#define TABLES2_AT  0x380000
#define BUFFER2	    0x290000 /* a page of L2, likewise */
#define BUFFER2_AT  0x398000
#define LINEAR	    0x400000008ull
#define RFLAGS_RF   BIT(16)
#define PENDING_MTF (BIT(31) | 7 << 8)

enum { OUT = 0, IN = 1 << 3, STRING = 1 << 4, REPEATED = 1 << 5 };

static u64 *ept12_entry(u64 gpa2)
{
	return (u64 *)stub_at(PLAY_EPT12 + 0x4000) + (gpa2 >> 12 & 511);
}

/* L2 pages, with 4-level tables that only EPT12 finds, and a buffer at LINEAR. */
static int l2_pages(void **state)
{
	u64 *tables;

	play_good_ept_vmcs(state);
	tables = stub_at(TABLES2_AT);
	/* The second 2 MiB in 4 KiB pages, none of them there. */
	((u64 *)stub_at(PLAY_EPT12 + 0x2000))[1] = (PLAY_EPT12 + 0x4000) | 7;
	for (u64 i = 0; i < 4; i++)
		*ept12_entry(TABLES2 + i * 0x1000) = (TABLES2_AT + i * 0x1000) | 0x37;
	*ept12_entry(BUFFER2) = BUFFER2_AT | 0x37;
	tables[0] = (TABLES2 + 0x1000) | 7;
	tables[512 + 16] = (TABLES2 + 0x2000) | 7;
	tables[1024] = (TABLES2 + 0x3000) | 7;
	tables[1536] = BUFFER2 | 7;
	set12(VMCS_GUEST_CR3, TABLES2);
	set12(VMCS_GUEST_RFLAGS, 2);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	return 0;
}

static void l2_string(unsigned direction)
{
	stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, LINEAR);
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, INFO_64);
	stub_exit(cpu, EXIT_IO, (u64)PORT_COM1 << 16 | direction | STRING);
}

static void operands_of_l2_are_found_by_its_tables_and_ept12(void **state)
{
	const u64 *tables = stub_at(TABLES2_AT);

	(void)state;
	memcpy(stub_at(BUFFER2_AT + 8), "x", 1);
	l2_string(OUT);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_int_equal(stub_cpu.ports[stub_cpu.port_count - 1].value, 'x');
	assert_int_equal(tables[1536] & 0x60, 0x20);
	stub_port_set(PORT_COM1, 'y');
	l2_string(IN);
	assert_memory_equal(stub_at(BUFFER2_AT + 8), "y", 1);
	assert_int_equal(tables[1536] & 0x60, 0x60);
}

/* SDM, "Monitor Trap Flag": the exit behind the first iteration; the others are still to come. */
static void the_monitor_trap_flag_counts_iterations(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      get12(VMCS_PRIMARY_PROC_BASED_CONTROLS) | PRIMARY_MONITOR_TRAP_FLAG);
	play_enter(EXIT_VMRESUME);
	cpu->regs[REG_RCX] = 2;
	l2_string(OUT | REPEATED);
	assert_u64(cpu->regs[REG_RCX], 1);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_L2_RIP);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), PENDING_MTF);
}

static void what_ept12_forbids_exits_to_l1_before_the_port_is_touched(void **state)
{
	static const struct {
		const char *name;
		unsigned direction;
		u64 page, entry; /* of EPT12 */
		u32 reason;
		u64 qualification, gpa2;
	} rows[] = {
		{ "page is not there", OUT, BUFFER2, 0, EXIT_EPT_VIOLATION, 0x181, BUFFER2 + 8 },
		{ "page is not writable", IN, BUFFER2, BUFFER2_AT | 0x35, EXIT_EPT_VIOLATION, 0x1aa,
		  BUFFER2 + 8 },
		{ "page is misconfigured", OUT, BUFFER2, BUFFER2_AT | 0x32,
		  EXIT_EPT_MISCONFIGURATION, 0, BUFFER2 + 8 },
		{ "table is not there", OUT, TABLES2 + 0x3000, 0, EXIT_EPT_VIOLATION, 0x81,
		  TABLES2 + 0x3000 },
		{ "flags of a table can't be set", OUT, TABLES2 + 0x3000,
		  (TABLES2_AT + 0x3000) | 0x35, EXIT_EPT_VIOLATION, 0xaa, TABLES2 + 0x3000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		l2_pages(state);
		*ept12_entry(rows[i].page) = rows[i].entry;
		l2_string(rows[i].direction);
		assert_row(rows[i].name, l1_got(rows[i].reason), true);
		assert_row(rows[i].name, get12(VMCS_EXIT_QUALIFICATION), rows[i].qualification);
		assert_row(rows[i].name, get12(VMCS_GUEST_PHYSICAL_ADDRESS), rows[i].gpa2);
		assert_row(rows[i].name, get12(VMCS_GUEST_RIP), PLAY_L2_RIP);
		assert_row(rows[i].name, get12(VMCS_GUEST_RFLAGS), 2 | RFLAGS_RF);
		if (rows[i].reason == EXIT_EPT_VIOLATION)
			assert_row(rows[i].name, get12(VMCS_GUEST_LINEAR_ADDRESS), LINEAR);
		assert_row(rows[i].name, stub_port_ins(PORT_COM1) + stub_port_outs(PORT_COM1), 0);
	}
}

static void page_faults_of_l2_go_to_whom_l1_says(void **state)
{
	static const struct {
		const char *name;
		u64 bitmap, mask, match;
		bool to_l1;
	} rows[] = {
		{ "to L2", 0, 0, 0, false },
		{ "to L1", BIT(14), 0, 0, true },
		{ "writes to L1", BIT(14), 2, 2, true },
		{ "reads to L1", BIT(14), 2, 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		l2_pages(state);
		stub_exit(cpu, EXIT_HLT, 0);
		set12(VMCS_EXCEPTION_BITMAP, rows[i].bitmap);
		set12(VMCS_PAGE_FAULT_ERROR_CODE_MASK, rows[i].mask);
		set12(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, rows[i].match);
		play_enter(EXIT_VMRESUME);
		((u64 *)stub_at(TABLES2_AT))[1536] = 0;
		stub_cpu.cr2 = 0x1234;
		l2_string(IN);
		if (rows[i].to_l1) {
			assert_row(rows[i].name, l1_got(EXIT_EXCEPTION_NMI), true);
			assert_row(rows[i].name, get12(VMCS_VM_EXIT_INTERRUPTION_INFO), 0x80000b0e);
			assert_row(rows[i].name, get12(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE), 2);
			assert_row(rows[i].name, get12(VMCS_EXIT_QUALIFICATION), LINEAR);
			assert_row(rows[i].name, get12(VMCS_GUEST_RFLAGS), 2 | RFLAGS_RF);
			/* SDM, "Saving Non-Register State": such an exit does not load CR2. */
			assert_row(rows[i].name, stub_cpu.cr2, 0x1234);
			assert_row(rows[i].name, last_event()->col[3], 0);
		} else {
			assert_row(rows[i].name, stub_injects(14), true);
			assert_row(rows[i].name, stub_cpu.cr2, LINEAR);
		}
	}
}

static void general_protection_of_l2_goes_to_l1_where_it_is_wanted(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_EXCEPTION_BITMAP, BIT(13));
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      get12(VMCS_PRIMARY_PROC_BASED_CONTROLS) | PRIMARY_MSR_BITMAPS);
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	play_enter(EXIT_VMRESUME);
	/* A capability MSR that is not shown, which L1's bitmap leaves to L2 and hv keeps. */
	cpu->regs[REG_RCX] = MSR_VMX_BASIC;
	stub_exit(cpu, EXIT_WRMSR, 0);
	assert_true(l1_got(EXIT_EXCEPTION_NMI));
	assert_u64(get12(VMCS_VM_EXIT_INTERRUPTION_INFO), 0x80000b0d);
	assert_u64(get12(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE), 0);
	assert_non_null(event_of(EV_MSR_WRITE));
}

int main(void)
{
#define IN_STATE(state, name) cmocka_unit_test_setup(name, state)
	const struct CMUnitTest tests[] = {
		IN_STATE(l2_pages, operands_of_l2_are_found_by_its_tables_and_ept12),
		IN_STATE(l2_pages, the_monitor_trap_flag_counts_iterations),
		IN_STATE(l2_pages, what_ept12_forbids_exits_to_l1_before_the_port_is_touched),
		IN_STATE(l2_pages, page_faults_of_l2_go_to_whom_l1_says),
		IN_STATE(l2_pages, general_protection_of_l2_goes_to_l1_where_it_is_wanted),
	};

	return cmocka_run_group_tests_name("hv/nested_string", tests, NULL, NULL);
}
