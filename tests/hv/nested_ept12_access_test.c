#include "hv/nested/ept02.h"
#include "hv/nested/ept12_access.h"
#include "hv/ept.h"
#include "tests/hv/nested_play.h"

#define FLAGS	     (EPT_ACCESSED | EPT_DIRTY)
#define READ	     1ull /* bits of the exit qualification */
#define WRITE	     2ull
#define LINEAR_VALID BIT(7)
#define FINAL	     BIT(8)
#define PAGE2	     0x8000ull /* in the part of L2's memory that EPT12 maps in 4 KiB pages */
#define LARGE2	     MIB(4)    /* and in 2 MiB pages */

static u64 eptp;

static u64 *entry_at(unsigned level, u64 gpa2)
{
	return (u64 *)stub_at(PLAY_EPT12 + 0x1000 * (4 - level)) +
	       (gpa2 >> (12 + 9 * (level - 1)) & 511);
}

static int ad_tables(void **state)
{
	play_good_vmcs(state);
	eptp = play_ept12() | EPTP_ENABLE_AD;
	return 0;
}

/* L2 runs with them. */
static int ad_l2(void **state)
{
	play_good_ept_vmcs(state);
	eptp = play_ept12() | EPTP_ENABLE_AD;
	set12(VMCS_EPT_POINTER, eptp);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	return 0;
}

static void an_access_sets_flags_on_its_way(void **state)
{
	static const struct {
		const char *name;
		u64 gpa2, access;
		unsigned leaf;
		u64 flags;
	} rows[] = {
		{ "read", PAGE2, READ, 1, EPT_ACCESSED },
		{ "write", PAGE2, WRITE, 1, FLAGS },
		{ "fetch", PAGE2, 4, 1, EPT_ACCESSED },
		{ "write, large page", LARGE2, WRITE, 2, FLAGS },
	};
	struct ept12_walk walk;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ad_tables(state);
		ept12_access(&cpu->nested, eptp, rows[i].gpa2, rows[i].access, &walk);
		assert_row(rows[i].name, walk.result, EPT12_MAPPED);
		for (unsigned level = 4; level >= rows[i].leaf; level--) {
			const u64 entry = *entry_at(level, rows[i].gpa2);

			assert_row(rows[i].name, entry & FLAGS,
				   level == rows[i].leaf ? rows[i].flags : EPT_ACCESSED);
			assert_row(rows[i].name, walk.entry[level], entry);
		}
		/* Not writable until it is dirty. */
		assert_row(rows[i].name, walk.rights & EPT_WRITE,
			   rows[i].flags & EPT_DIRTY ? EPT_WRITE : 0);
	}
}

static void a_page_that_is_dirty_is_writable_after_a_read(void **state)
{
	struct ept12_walk walk;

	(void)state;
	*entry_at(1, PAGE2) |= EPT_DIRTY;
	ept12_access(&cpu->nested, eptp, PAGE2, READ, &walk);
	assert_u64(walk.rights, EPT_READ | EPT_WRITE | EPT_EXECUTE);
}

static void flags_are_software_s_where_the_eptp_says_so(void **state)
{
	struct ept12_walk walk;

	(void)state;
	ept12_access(&cpu->nested, eptp & ~EPTP_ENABLE_AD, PAGE2, WRITE, &walk);
	assert_u64(walk.rights, EPT_READ | EPT_WRITE | EPT_EXECUTE);
	for (unsigned level = 4; level >= 1; level--)
		assert_u64(*entry_at(level, PAGE2) & FLAGS, 0);
}

static void an_access_that_fails_sets_nothing(void **state)
{
	struct ept12_walk walk;

	(void)state;
	*entry_at(1, PAGE2) &= ~EPT_WRITE;
	ept12_access(&cpu->nested, eptp, PAGE2, WRITE, &walk);
	assert_int_equal(walk.result, EPT12_VIOLATION);
	*entry_at(1, PAGE2) = 0;
	ept12_access(&cpu->nested, eptp, PAGE2, READ, &walk);
	assert_int_equal(walk.result, EPT12_VIOLATION);
	for (unsigned level = 4; level >= 1; level--)
		assert_u64(*entry_at(level, PAGE2) & FLAGS, 0);
}

/* One entry for all levels: the flag that one level sets is there for the next. */
static void tables_that_are_their_own_are_walked(void **state)
{
	u64 *pml4 = entry_at(4, 0);
	struct ept12_walk walk;

	(void)state;
	pml4[0] = PLAY_EPT12 | 7;
	ept12_access(&cpu->nested, eptp, 0, WRITE, &walk);
	assert_int_equal(walk.result, EPT12_MAPPED);
	assert_u64(walk.gpa1, PLAY_EPT12);
	assert_u64(pml4[0] & FLAGS, FLAGS);
}

/* --- the log --------------------------------------------------------------------------------- */

/* L2 runs, with a log that goes on at @index. */
static void run_with_log(void **state, u64 address, u64 index)
{
	play_good_ept_vmcs(state);
	eptp = play_ept12() | EPTP_ENABLE_AD;
	set12(VMCS_EPT_POINTER, eptp);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT | SECONDARY_VPID | SECONDARY_PML);
	set12(VMCS_PML_ADDRESS, address);
	set12(VMCS_PML_INDEX, index);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	/* EPT02 is not what L1 wants to have logged. */
	assert_false(vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS) & SECONDARY_PML);
}

static void l2_touches(u64 gpa2, u64 qualification)
{
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, gpa2);
	stub_exit(cpu, EXIT_EPT_VIOLATION, qualification);
}

static void pages_that_become_dirty_are_logged_once(void **state)
{
	const u64 *log = stub_at(PLAY_PAGE);
	u64 value;

	run_with_log(state, PLAY_PAGE, 511);
	l2_touches(PAGE2 + 0x123, READ | LINEAR_VALID | FINAL);
	l2_touches(PAGE2 + 0x123, WRITE | LINEAR_VALID | FINAL);
	l2_touches(PAGE2 + 0x456, WRITE | LINEAR_VALID | FINAL);
	l2_touches(LARGE2 + 0x5678, WRITE | LINEAR_VALID | FINAL);
	assert_u64(log[511], PAGE2);
	assert_u64(log[510], LARGE2 + 0x5000);
	assert_u64(log[509], 0);
	assert_u64(get12(VMCS_PML_INDEX), 511);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_PML_INDEX), 509);
	assert_true(event_item(last_event(), VMCS_PML_INDEX, &value));
	assert_u64(value, 509);
}

static void a_full_log_exits_before_a_flag_is_set(void **state)
{
	static const struct {
		const char *name;
		u64 index, flags, access, qualification;
		bool exits;
	} rows[] = {
		{ "behind the last entry", 0xffff, 0, WRITE, 0, true },
		{ "512", 512, 0, WRITE, 0, true },
		{ "a read that is the first", 512, 0, READ, 0, true },
		{ "a read", 512, EPT_ACCESSED, READ, 0, false },
		{ "a write to what is dirty", 512, FLAGS, WRITE, 0, false },
		{ "IRET has unblocked NMIs", 512, 0, WRITE, BIT(12), true },
		{ "room for one", 0, 0, WRITE, 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_with_log(state, PLAY_PAGE, rows[i].index);
		for (unsigned level = 4; level >= 1; level--)
			*entry_at(level, PAGE2) |=
				level == 1 ? rows[i].flags : rows[i].flags & EPT_ACCESSED;
		l2_touches(PAGE2, rows[i].access | LINEAR_VALID | FINAL | rows[i].qualification);
		if (!rows[i].exits) {
			assert_row(rows[i].name, cpu->nested.mode, NESTED_L2);
			continue;
		}
		assert_row(rows[i].name, l1_got(EXIT_PML_FULL), true);
		assert_row(rows[i].name, get12(VMCS_EXIT_QUALIFICATION), rows[i].qualification);
		assert_row(rows[i].name, get12(VMCS_PML_INDEX), rows[i].index);
		assert_row(rows[i].name, *entry_at(1, PAGE2) & FLAGS, rows[i].flags);
	}
}

static void the_log_wraps_to_full(void **state)
{
	run_with_log(state, PLAY_PAGE, 0);
	l2_touches(PAGE2, WRITE | LINEAR_VALID | FINAL);
	assert_u64(*(u64 *)stub_at(PLAY_PAGE), PAGE2);
	l2_touches(PAGE2 + 0x1000, WRITE | LINEAR_VALID | FINAL);
	assert_true(l1_got(EXIT_PML_FULL));
	assert_u64(get12(VMCS_PML_INDEX), 0xffff);
}

static void a_log_in_hv_s_memory_is_not_written(void **state)
{
	const u64 address = PLAY_MEMORY - MIB(1);
	const u64 before = *(u64 *)stub_at(address + 8 * 511);

	run_with_log(state, address, 511);
	l2_touches(PAGE2, WRITE | LINEAR_VALID | FINAL);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(*(u64 *)stub_at(address + 8 * 511), before);
}

static void without_flags_nothing_is_logged(void **state)
{
	run_with_log(state, PLAY_PAGE, 511);
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_EPT_POINTER, eptp & ~EPTP_ENABLE_AD);
	play_enter(EXIT_VMRESUME);
	l2_touches(PAGE2, WRITE | LINEAR_VALID | FINAL);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_PML_INDEX), 511);
}

/* INS of L2 that hv executes. */
static void what_hv_writes_for_l2_is_logged(void **state)
{
	run_with_log(state, PLAY_PAGE, 511);
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) & ~CR0_PG);
	stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, PAGE2);
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, 2 << 7);
	stub_exit(cpu, EXIT_IO, 0x3f8ull << 16 | BIT(3) | BIT(4));
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(*((u64 *)stub_at(PLAY_PAGE) + 511), PAGE2);
	assert_u64(*entry_at(1, PAGE2) & FLAGS, FLAGS);
	/* And if the log is full the port is not read. */
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_PML_INDEX, 0xffff);
	*entry_at(1, PAGE2) &= ~FLAGS;
	play_enter(EXIT_VMRESUME);
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) & ~CR0_PG);
	stub_exit(cpu, EXIT_IO, 0x3f8ull << 16 | BIT(3) | BIT(4));
	assert_true(l1_got(EXIT_PML_FULL));
	assert_u64(*entry_at(1, PAGE2) & FLAGS, 0);
}

static void entries_judge_the_log(void **state)
{
	play_good_ept_vmcs(state);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT | SECONDARY_VPID | SECONDARY_PML);
	set12(VMCS_PML_ADDRESS, PLAY_PAGE + 8);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	set12(VMCS_PML_ADDRESS, BIT(STUB_PHYS_WIDTH));
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	set12(VMCS_PML_ADDRESS, PLAY_PAGE);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_PML);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT | SECONDARY_PML);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

/* --- EPT02 ----------------------------------------------------------------------------------- */

static u64 leaf02(u64 gpa2)
{
	unsigned level;
	u64 entry;

	return ept02_find(&cpu->nested, eptp, gpa2, &level, &entry) ? entry : 0;
}

static void ept02_shows_hv_the_first_write(void **state)
{
	(void)state;
	assert_true(vmread(VMCS_EPT_POINTER) & EPTP_ENABLE_AD);
	l2_touches(PAGE2, READ | LINEAR_VALID | FINAL);
	assert_u64(leaf02(PAGE2) & 7, EPT_READ | EPT_EXECUTE);
	assert_u64(*entry_at(1, PAGE2) & FLAGS, EPT_ACCESSED);
	l2_touches(PAGE2, WRITE | LINEAR_VALID | FINAL);
	assert_u64(leaf02(PAGE2) & 7, 7);
	assert_u64(*entry_at(1, PAGE2) & FLAGS, FLAGS);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

/* Whatever of it the processor reports, as Bochs only the write. */
static void walks_of_l2_s_tables_are_writes(void **state)
{
	(void)state;
	l2_touches(PAGE2, READ | LINEAR_VALID);
	assert_u64(*entry_at(1, PAGE2) & FLAGS, FLAGS);
	/* A load of PDPTEs has no linear address. */
	l2_touches(PAGE2 + 0x1000, READ);
	assert_u64(*entry_at(1, PAGE2 + 0x1000) & FLAGS, EPT_ACCESSED);
	*entry_at(1, PAGE2) &= ~EPT_WRITE;
	l2_touches(PAGE2, WRITE | LINEAR_VALID);
	assert_true(l1_got(EXIT_EPT_VIOLATION));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION),
		   READ | WRITE | LINEAR_VALID | (EPT_READ | EPT_EXECUTE) << 3);
}

static void trees_with_and_without_flags_are_two(void **state)
{
	struct ept12_walk walk;
	u64 with, without;

	(void)state;
	with = ept02_pointer(&cpu->nested, eptp);
	without = ept02_pointer(&cpu->nested, eptp & ~EPTP_ENABLE_AD);
	assert_true((with ^ without) & MASK(51, 12));
	assert_u64((with ^ without) & MASK(11, 0), EPTP_ENABLE_AD);
	ept12_access(&cpu->nested, eptp, PAGE2, WRITE, &walk);
	ept02_map(cpu, eptp, PAGE2, &walk);
	assert_true(leaf02(PAGE2));
	/* INVEPT names both by the address of the tables. */
	ept02_invalidate(&cpu->nested, eptp & ~EPTP_ENABLE_AD);
	assert_false(leaf02(PAGE2));
}

static void flags_that_are_hidden_fail_entries(void **state)
{
	play_masked = "-ept_ad";
	play_good_ept_vmcs(state);
	play_masked = "";
	set12(VMCS_EPT_POINTER, play_ept12() | EPTP_ENABLE_AD);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_access_sets_flags_on_its_way),
		IN(ad_tables, a_page_that_is_dirty_is_writable_after_a_read),
		IN(ad_tables, flags_are_software_s_where_the_eptp_says_so),
		IN(ad_tables, an_access_that_fails_sets_nothing),
		IN(ad_tables, tables_that_are_their_own_are_walked),
		cmocka_unit_test(pages_that_become_dirty_are_logged_once),
		cmocka_unit_test(a_full_log_exits_before_a_flag_is_set),
		cmocka_unit_test(the_log_wraps_to_full),
		cmocka_unit_test(a_log_in_hv_s_memory_is_not_written),
		cmocka_unit_test(without_flags_nothing_is_logged),
		cmocka_unit_test(what_hv_writes_for_l2_is_logged),
		cmocka_unit_test(entries_judge_the_log),
		IN(ad_l2, ept02_shows_hv_the_first_write),
		IN(ad_l2, walks_of_l2_s_tables_are_writes),
		IN(ad_tables, trees_with_and_without_flags_are_two),
		cmocka_unit_test(flags_that_are_hidden_fail_entries),
	};

	return cmocka_run_group_tests_name("hv/nested_ept12_access", tests, NULL, NULL);
}
