#include "hv/guestmem.h"
#include "hv/mem.h"
#include "hv/nested/state.h"
#include "hv/percpu.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY	   MIB(64)
#define TABLES	   MIB(2)
#define CR0_PAGING (CR0_PE | CR0_PG | CR0_WP)
#define CR0_WP	   BIT(16)
#define CR4_PSE	   BIT(4)
#define CR4_LA57   BIT(12)
#define CR4_SMAP   BIT(21)
#define EFER_NXE   BIT(11)
#define RFLAGS_AC  BIT(18)
#define P	   BIT(0)
#define W	   BIT(1)
#define U	   BIT(2)
#define A	   BIT(5)
#define D	   BIT(6)
#define PS	   BIT(7)
#define NX	   BIT(63)

enum mode { NO_PAGING, BITS_32, PAE, LEVEL_4, LEVEL_5 };

static struct percpu *cpu;
static u64 next_table;

static void set_mode(enum mode mode)
{
	const bool lma = mode >= LEVEL_4;

	next_table = TABLES + 4096;
	memset(stub_at(TABLES), 0, MIB(1));
	vmwrite(VMCS_GUEST_CR0, mode == NO_PAGING ? CR0_PE : CR0_PAGING);
	vmwrite(VMCS_GUEST_CR3, TABLES);
	vmwrite(VMCS_GUEST_CR4, (mode >= PAE ? CR4_PAE : 0) | (mode == LEVEL_5 ? CR4_LA57 : 0));
	vmwrite(VMCS_GUEST_IA32_EFER, lma ? EFER_LME | EFER_LMA : 0);
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, lma ? 0xa09b : 0xc09b);
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc093);
	vmwrite(VMCS_GUEST_RFLAGS, 2);
}

static int boot(void **state)
{
	(void)state;
	cpu = stub_boot_l1(MEMORY, true);
	set_mode(LEVEL_4);
	return 0;
}

static unsigned levels_of(enum mode mode)
{
	static const unsigned levels[] = { 0, 2, 3, 4, 5 };

	return levels[mode];
}

static unsigned shift_of(enum mode mode, unsigned level)
{
	return 12 + (mode == BITS_32 ? 10 : 9) * (level - 1);
}

/* The PDPTEs of PAE paging are in registers, which the processor keeps in the VMCS. */
static bool in_vmcs(enum mode mode, unsigned level)
{
	return mode == PAE && level == 3;
}

static u64 entry_at(enum mode mode, u64 table, unsigned level, u64 linear)
{
	const unsigned index = linear >> shift_of(mode, level) & (mode == BITS_32 ? 1023 : 511);

	if (in_vmcs(mode, level))
		return VMCS_GUEST_PDPTE0 + 2 * (index & 3);
	return table + index * (mode == BITS_32 ? 4 : 8);
}

static u64 get(enum mode mode, unsigned level, u64 at)
{
	u64 entry = 0;

	if (in_vmcs(mode, level))
		return vmread((u32)at);
	memcpy(&entry, stub_at(at), mode == BITS_32 ? 4 : 8);
	return entry;
}

static void put(enum mode mode, unsigned level, u64 at, u64 entry)
{
	if (in_vmcs(mode, level))
		vmwrite((u32)at, entry);
	else
		memcpy(stub_at(at), &entry, mode == BITS_32 ? 4 : 8);
}

/* Map @linear at @level; @upper are the flags of the entries above. Returns where the leaf is. */
static u64 map(enum mode mode, u64 linear, u64 leaf, unsigned level, u64 upper)
{
	u64 table = TABLES, at;

	for (unsigned l = levels_of(mode); l > level; l--) {
		u64 entry;

		at = entry_at(mode, table, l, linear);
		entry = get(mode, l, at);
		if (!(entry & P)) {
			entry = next_table | (in_vmcs(mode, l) ? P : upper);
			next_table += 4096;
			put(mode, l, at, entry);
		}
		table = entry & MASK(51, 12);
	}
	at = entry_at(mode, table, level, linear);
	put(mode, level, at, leaf);
	return at;
}

#define RW (P | W)

static void addresses_translate_in_every_paging_mode(void **state)
{
	static const struct {
		const char *name;
		enum mode mode;
		u64 cr4, linear, leaf;
		unsigned level;
		u64 expected;
	} rows[] = {
		{ "no paging", NO_PAGING, 0, 0x123456, 0, 0, 0x123456 },
		{ "no paging has 32 bits", NO_PAGING, 0, 0x100123456, 0, 0, 0x123456 },
		{ "32-bit, 4 KiB", BITS_32, 0, 0xc0123abc, 0x777000 | RW, 1, 0x777abc },
		{ "32-bit, 4 MiB", BITS_32, CR4_PSE, 0xc0523abc, 0x1c00000 | RW | PS, 2,
		  0x1d23abc },
		{ "32-bit, 4 MiB above 4 GiB", BITS_32, CR4_PSE, 0xc0423abc,
		  0x1c00000 | 0x5 << 13 | RW | PS, 2, 0x501c23abc },
		{ "PAE, 4 KiB", PAE, 0, 0xc0123abc, 0x777000 | RW, 1, 0x777abc },
		{ "PAE, 2 MiB", PAE, 0, 0xffe23abc, 0x1c00000 | RW | PS, 2, 0x1c23abc },
		{ "4 levels, 4 KiB", LEVEL_4, 0, 0xffff888012345678, 0x777000 | RW, 1, 0x777678 },
		{ "4 levels, 2 MiB", LEVEL_4, 0, 0x7fff00345678, 0x1c00000 | RW | PS, 2,
		  0x1d45678 },
		{ "4 levels, 1 GiB", LEVEL_4, 0, 0x7f8042345678, GIB(5) | RW | PS, 3, 0x142345678 },
		{ "PAT bit of a large page", LEVEL_4, 0, 0x200fff, 0x1c00000 | BIT(12) | RW | PS, 2,
		  0x1c00fff },
		{ "ignored bits", LEVEL_4, 0, 0x200fff, MASK(62, 52) | 0x777000 | RW | 0xe00, 1,
		  0x777fff },
		{ "5 levels", LEVEL_5, 0, 0xff11000012345678, 0x777000 | RW, 1, 0x777678 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_fault fault = { 0 };
		u64 gpa1 = 0;

		set_mode(rows[i].mode);
		vmwrite(VMCS_GUEST_CR4, vmread(VMCS_GUEST_CR4) | rows[i].cr4);
		if (rows[i].level)
			map(rows[i].mode, rows[i].linear, rows[i].leaf, rows[i].level, RW);
		assert_row(rows[i].name,
			   guest_translate(cpu, rows[i].linear, GUEST_WRITE, &gpa1, &fault), ST_OK);
		assert_row(rows[i].name, gpa1, rows[i].expected);
	}
}

static void page_size_bit_without_pse_is_ignored(void **state)
{
	struct guest_fault fault;
	u64 gpa1;

	(void)state;
	set_mode(BITS_32);
	map(BITS_32, 0x400000, 0x777000 | RW, 1, RW | PS);
	assert_int_equal(guest_translate(cpu, 0x400123, GUEST_READ, &gpa1, &fault), ST_OK);
	assert_u64(gpa1, 0x777123);
}

#define OK (~0u)

/* SDM "Access Rights" and "Page-Fault Exceptions". */
static void rights_are_judged_and_the_error_code_says_why(void **state)
{
	static const struct {
		const char *name;
		u64 upper, leaf; /* flags of the entries */
		enum guest_access access;
		bool user;
		u64 cr0_off, cr4, efer, rflags;
		u32 code; /* or OK */
	} rows[] = {
		{ "not present", RW, 0, GUEST_READ, false, 0, 0, 0, 0, 0 },
		{ "not present, write", RW, W, GUEST_WRITE, false, 0, 0, 0, 0, 2 },
		{ "not present, user", RW | U, 0, GUEST_READ, true, 0, 0, 0, 0, 4 },
		{ "not present, fetch without NX", RW, 0, GUEST_FETCH, false, 0, 0, 0, 0, 0 },
		{ "not present, fetch with NX", RW, 0, GUEST_FETCH, false, 0, 0, EFER_NXE, 0, 16 },
		{ "not present above", 0, RW, GUEST_READ, false, 0, 0, 0, 0, 0 },
		{ "read-only, read", RW, P, GUEST_READ, false, 0, 0, 0, 0, OK },
		{ "read-only, write", RW, P, GUEST_WRITE, false, 0, 0, 0, 0, 3 },
		{ "read-only, write, WP off", RW, P, GUEST_WRITE, false, CR0_WP, 0, 0, 0, OK },
		{ "read-only, user write, WP off", RW | U, P | U, GUEST_WRITE, true, CR0_WP, 0, 0,
		  0, 7 },
		{ "read-only above, write", P, RW, GUEST_WRITE, false, 0, 0, 0, 0, 3 },
		{ "supervisor page, user", RW | U, RW, GUEST_READ, true, 0, 0, 0, 0, 5 },
		{ "supervisor above, user", RW, RW | U, GUEST_READ, true, 0, 0, 0, 0, 5 },
		{ "user page, user", RW | U, RW | U, GUEST_WRITE, true, 0, 0, 0, 0, OK },
		{ "user page, supervisor", RW | U, RW | U, GUEST_WRITE, false, 0, 0, 0, 0, OK },
		{ "user page, SMAP", RW | U, RW | U, GUEST_READ, false, 0, CR4_SMAP, 0, 0, 1 },
		{ "user page, SMAP with AC", RW | U, RW | U, GUEST_READ, false, 0, CR4_SMAP, 0,
		  RFLAGS_AC, OK },
		{ "user page, SMAP, user", RW | U, RW | U, GUEST_READ, true, 0, CR4_SMAP, 0, 0,
		  OK },
		{ "user page, SMEP", RW | U, RW | U, GUEST_FETCH, false, 0, CR4_SMEP, 0, 0, 17 },
		{ "user page, SMEP, read", RW | U, RW | U, GUEST_READ, false, 0, CR4_SMEP, 0, 0,
		  OK },
		{ "supervisor page, SMEP", RW, RW, GUEST_FETCH, false, 0, CR4_SMEP, 0, 0, OK },
		{ "NX, fetch", RW, RW | NX, GUEST_FETCH, false, 0, 0, EFER_NXE, 0, 17 },
		{ "NX above, fetch", RW | NX, RW, GUEST_FETCH, false, 0, 0, EFER_NXE, 0, 17 },
		{ "NX, read", RW, RW | NX, GUEST_READ, false, 0, 0, EFER_NXE, 0, OK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 linear = 0xffffffff80201234;
		struct guest_fault fault = { 0 };
		enum status status;
		u64 gpa1;

		set_mode(LEVEL_4);
		vmwrite(VMCS_GUEST_CR0, CR0_PAGING & ~rows[i].cr0_off);
		vmwrite(VMCS_GUEST_CR4, CR4_PAE | rows[i].cr4);
		vmwrite(VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA | rows[i].efer);
		vmwrite(VMCS_GUEST_RFLAGS, 2 | rows[i].rflags);
		vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, rows[i].user ? 0xc0f3 : 0xc093);
		map(LEVEL_4, linear, 0x777000 | rows[i].leaf, 1, rows[i].upper);
		status = guest_translate(cpu, linear, rows[i].access, &gpa1, &fault);
		assert_row(rows[i].name, status, rows[i].code == OK ? ST_OK : ST_FAULT);
		if (rows[i].code == OK)
			continue;
		assert_row(rows[i].name, fault.vector, 14);
		assert_row(rows[i].name, fault.code, rows[i].code);
		assert_row(rows[i].name, fault.address, linear);
	}
}

static void addresses_that_are_not_canonical_are_a_gp(void **state)
{
	static const struct {
		const char *name;
		enum mode mode;
		u64 linear;
		bool canonical;
	} rows[] = {
		{ "last of the lower half", LEVEL_4, 0x7fffffffffff, true },
		{ "first beyond", LEVEL_4, 0x800000000000, false },
		{ "last before the upper half", LEVEL_4, 0xffff7fffffffffff, false },
		{ "first of the upper half", LEVEL_4, 0xffff800000000000, true },
		{ "5 levels have more", LEVEL_5, 0x800000000000, true },
		{ "5 levels end too", LEVEL_5, 0x100000000000000, false },
		{ "PAE knows no such thing", PAE, 0x800000000000, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_fault fault;
		u64 gpa1;

		set_mode(rows[i].mode);
		assert_row(rows[i].name,
			   guest_translate(cpu, rows[i].linear, GUEST_READ, &gpa1, &fault),
			   ST_FAULT);
		assert_row(rows[i].name, fault.vector, rows[i].canonical ? 14 : 13);
		assert_row(rows[i].name, fault.code, 0);
	}
}

static void accesses_set_the_flags_that_an_access_of_l1_sets(void **state)
{
	static const enum mode modes[] = { BITS_32, PAE, LEVEL_4, LEVEL_5 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		const enum mode mode = modes[i];
		const u64 linear = 0x40201000;
		u64 table = TABLES, leaf;
		struct guest_fault fault;
		u64 gpa1;

		set_mode(mode);
		leaf = map(mode, linear, 0x777000 | RW, 1, RW);
		assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_OK);
		assert_u64(get(mode, 1, leaf), 0x777000 | RW | A);
		assert_int_equal(guest_translate(cpu, linear, GUEST_WRITE, &gpa1, &fault), ST_OK);
		assert_u64(get(mode, 1, leaf), 0x777000 | RW | A | D);
		/* Above the leaf: accessed, never dirty; and nothing where PDPTEs are registers. */
		for (unsigned level = levels_of(mode); level > 1; level--) {
			const u64 entry = get(mode, level, entry_at(mode, table, level, linear));

			assert_u64(entry & (A | D), in_vmcs(mode, level) ? 0 : A);
			table = entry & MASK(51, 12);
		}
	}
}

static void faulting_accesses_set_no_flags_in_the_leaf(void **state)
{
	struct guest_fault fault;
	u64 gpa1, leaf;

	(void)state;
	leaf = map(LEVEL_4, 0x1000, 0x777000 | P, 1, RW);
	assert_int_equal(guest_translate(cpu, 0x1000, GUEST_WRITE, &gpa1, &fault), ST_FAULT);
	assert_u64(get(LEVEL_4, 1, leaf), 0x777000 | P);
}

/* So that hv, which sets flags in an entry, does not put back what another processor changed. */
static void words_that_changed_are_not_replaced(void **state)
{
	static const size_t sizes[] = { 4, 8 };
	u64 now;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const u64 all = sizes[i] == 8 ? ~0ull : 0xffffffff;

		now = 0x1122334455667788;
		guest_write_gpa(0x3000, &now, sizeof(now));
		assert_false(guest_swap_gpa(0x3000, (now ^ 1) & all, 5, sizes[i]));
		guest_read_gpa(0x3000, &now, sizeof(now));
		assert_u64(now, 0x1122334455667788);
		assert_true(guest_swap_gpa(0x3000, now & all, 5, sizes[i]));
		guest_read_gpa(0x3000, &now, sizeof(now));
		assert_u64(now, (0x1122334455667788 & ~all) | 5);
	}
	assert_true(guest_swap_gpa(MEMORY, 1, 2, 8));
}

static void copies_cross_pages_that_are_not_neighbours(void **state)
{
	u8 out[4096], in[4096];
	struct guest_fault fault;

	(void)state;
	map(LEVEL_4, 0x10000, 0x777000 | RW, 1, RW);
	map(LEVEL_4, 0x11000, 0x333000 | RW, 1, RW);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7);
	assert_int_equal(guest_write(cpu, 0x10800, out, sizeof(out), &fault), ST_OK);
	assert_memory_equal(stub_at(0x777800), out, 0x800);
	assert_memory_equal(stub_at(0x333000), out + 0x800, 0x800);
	assert_int_equal(guest_read(cpu, 0x10800, in, sizeof(in), &fault), ST_OK);
	assert_memory_equal(in, out, sizeof(in));
}

static void copies_that_fault_on_the_second_page_change_nothing(void **state)
{
	const u8 out[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	const u8 zero[16] = { 0 };
	struct guest_fault fault;

	(void)state;
	map(LEVEL_4, 0x10000, 0x777000 | RW, 1, RW);
	map(LEVEL_4, 0x11000, 0x333000 | P, 1, RW);
	assert_int_equal(guest_write(cpu, 0x10ff8, out, sizeof(out), &fault), ST_FAULT);
	assert_u64(fault.address, 0x11000);
	assert_int_equal(fault.code, 3);
	assert_memory_equal(stub_at(0x777ff8), zero, 8);
	assert_memory_equal(stub_at(0x333000), zero, 8);
}

static void only_ram_of_l1_s_is_ram(void **state)
{
	static const struct {
		const char *name;
		u64 gpa1;
		size_t size;
		bool expected;
	} rows[] = {
		{ "low memory", 0x1000, 4096, true },
		{ "video memory", 0xa0000, 4096, false },
		{ "below hv", MEMORY - STUB_HV_SIZE - 4096, 4096, true },
		{ "hv", MEMORY - STUB_HV_SIZE, 4096, false },
		{ "half hv", MEMORY - STUB_HV_SIZE - 4, 8, false },
		{ "behind memory", MEMORY, 1, false },
		{ "local APIC", 0xfee00000, 4, false },
		{ "last byte of all", ~0ull, 1, false },
		{ "wraps", ~0ull - 3, 8, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, !!guest_ram(rows[i].gpa1, rows[i].size), rows[i].expected);
}

static void what_is_not_ram_reads_as_ones_and_drops_writes(void **state)
{
	const u64 hv = MEMORY - MIB(1);
	const u32 before = 0x12345678, out = 0xdeadbeef;
	u32 value = 0;

	(void)state;
	memcpy(stub_at(hv), &before, sizeof(before));
	assert_int_equal(guest_read_gpa(hv, &value, sizeof(value)), ST_RANGE);
	assert_u64(value, 0xffffffff);
	assert_int_equal(guest_write_gpa(hv, &out, sizeof(out)), ST_RANGE);
	assert_memory_equal(stub_at(hv), &before, sizeof(before));
}

/*
 * Page tables inside hv's range read as ones: present entries with all rights, that lead nowhere.
 */
static void page_tables_in_hv_s_range_show_nothing_of_hv(void **state)
{
	const u64 hv = MEMORY - MIB(1);
	struct guest_fault fault;
	u8 byte = 0;
	u64 gpa1;

	(void)state;
	memset(stub_at(hv), 0, 4096);
	vmwrite(VMCS_GUEST_CR3, hv);
	if (guest_translate(cpu, 0x1000, GUEST_WRITE, &gpa1, &fault) == ST_OK)
		assert_null(guest_ram(gpa1, 1));
	guest_write(cpu, 0x1000, &byte, 1, &fault);
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(((u8 *)stub_at(hv))[i], 0);
}

static void peeking_at_code_stops_where_it_can_not_be_read(void **state)
{
	u8 code[16];
	u64 leaf;

	(void)state;
	leaf = map(LEVEL_4, 0x10000, 0x777000 | P, 1, RW);
	memcpy(stub_at(0x777ffc), "\x0f\x01\xc2\x90", 4);
	assert_int_equal(guest_peek_code(cpu, 1, 0x10ffc, code, 16), 4);
	assert_memory_equal(code, "\x0f\x01\xc2\x90", 4);
	assert_int_equal(guest_peek_code(cpu, 1, 0x20000, code, 16), 0);
	/* A look leaves no trace in L1's tables. */
	assert_u64(get(LEVEL_4, 1, leaf), 0x777000 | P);
}

/* Where L2 has run before an entry is recorded. */
static void peeking_at_l1_s_code_does_not_go_through_ept12(void **state)
{
	struct nested_vmcs *const vmcs = calloc(1, sizeof(*vmcs));
	u8 code[4];

	(void)state;
	F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) = PRIMARY_SECONDARY_CONTROLS;
	F12(vmcs, SECONDARY_PROC_BASED_CONTROLS) = SECONDARY_EPT;
	map(LEVEL_4, 0x10000, 0x777000 | P, 1, RW);
	memcpy(stub_at(0x777000), "\x0f\x01\xc3\x90", 4);
	cpu->nested.mode = NESTED_L2;
	cpu->nested.current = vmcs;
	assert_true(nested_uses_ept(vmcs));
	assert_int_equal(guest_peek_code(cpu, 1, 0x10000, code, 4), 4);
	assert_memory_equal(code, "\x0f\x01\xc3\x90", 4);
	free(vmcs);
}

static void peeking_outside_64_bit_code_adds_the_base_of_cs(void **state)
{
	u8 code[4];

	(void)state;
	set_mode(NO_PAGING);
	vmwrite(VMCS_GUEST_CS_BASE, 0x20000);
	memcpy(stub_at(0x20100), "\xf4\xeb\xfd\x90", 4);
	assert_int_equal(guest_peek_code(cpu, 1, 0x100, code, 4), 4);
	assert_memory_equal(code, "\xf4\xeb\xfd\x90", 4);
}

/* hv keeps its walks; L1 tells it of no change. */
static void a_walk_that_was_made_before_sees_every_change(void **state)
{
	const u64 linear = 0x7000345678, other = 0x300000;
	struct guest_fault fault;
	u64 at, gpa1 = 0;

	(void)state;
	at = map(LEVEL_4, linear, 0x400000 | RW, 1, RW);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_OK);
		assert_u64(gpa1, 0x400678);
	}
	/* Another address in the page is found by the same walk, with its own offset. */
	assert_int_equal(guest_translate(cpu, linear + 8, GUEST_READ, &gpa1, &fault), ST_OK);
	assert_u64(gpa1, 0x400680);
	/* A write has not been tried yet, and sets a flag. */
	assert_false(get(LEVEL_4, 1, at) & D);
	assert_int_equal(guest_translate(cpu, linear, GUEST_WRITE, &gpa1, &fault), ST_OK);
	assert_true(get(LEVEL_4, 1, at) & D);
	/* L1 clears it, and the next write sets it again. */
	put(LEVEL_4, 1, at, get(LEVEL_4, 1, at) & ~D);
	assert_int_equal(guest_translate(cpu, linear, GUEST_WRITE, &gpa1, &fault), ST_OK);
	assert_true(get(LEVEL_4, 1, at) & D);
	/* The leaf moves, goes, and may not be used by everybody. */
	put(LEVEL_4, 1, at, 0x500000 | RW);
	assert_int_equal(guest_translate(cpu, linear, GUEST_WRITE, &gpa1, &fault), ST_OK);
	assert_u64(gpa1, 0x500678);
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
	assert_int_equal(guest_translate(cpu, linear, GUEST_WRITE, &gpa1, &fault), ST_FAULT);
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc093);
	put(LEVEL_4, 1, at, P);
	assert_int_equal(guest_translate(cpu, linear, GUEST_WRITE, &gpa1, &fault), ST_FAULT);
	assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_OK);
	assert_u64(gpa1, 0x678);
	/* So does a table on the way, and CR3. */
	memcpy(stub_at(other), stub_at(TABLES), 4096);
	memset(stub_at(TABLES), 0, 4096);
	assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_FAULT);
	vmwrite(VMCS_GUEST_CR3, other);
	assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_OK);
	vmwrite(VMCS_GUEST_CR3, TABLES);
	assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_FAULT);
	/* A page of the same slot does not stand in for it. */
	vmwrite(VMCS_GUEST_CR3, other);
	assert_int_equal(guest_translate(cpu, linear + 8 * 4096, GUEST_READ, &gpa1, &fault),
			 ST_FAULT);
}

/* What guest_recall() says of @linear while L1 is as the VMCS has it. */
static void *recalled(u64 linear, enum guest_access access, u64 *gpa1)
{
	const struct guest_paging paging = {
		.cr0 = vmread(VMCS_GUEST_CR0),
		.cr3 = vmread(VMCS_GUEST_CR3),
		.cr4 = vmread(VMCS_GUEST_CR4),
		.efer = vmread(VMCS_GUEST_IA32_EFER),
		.smap_applies = true,
	};

	return guest_recall(cpu, &paging, linear, access, gpa1);
}

static void a_byte_of_ram_is_recalled_while_its_walk_holds(void **state)
{
	const u64 linear = 0x7000345678, hole = STUB_MEMORY - 4096;
	struct guest_fault fault;
	u64 at, gpa1 = 0;

	(void)state;
	at = map(LEVEL_4, linear, 0x400000 | RW, 1, RW);
	assert_null(recalled(linear, GUEST_READ, &gpa1));
	assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_OK);
	assert_ptr_equal(recalled(linear + 8, GUEST_READ, &gpa1), stub_at(0x400680));
	assert_u64(gpa1, 0x400680);
	assert_null(recalled(linear, GUEST_WRITE, &gpa1));
	assert_null(recalled(linear + 4096, GUEST_READ, &gpa1));
	vmwrite(VMCS_GUEST_CR3, TABLES + 4096);
	assert_null(recalled(linear, GUEST_READ, &gpa1));
	vmwrite(VMCS_GUEST_CR3, TABLES);
	put(LEVEL_4, 1, at, 0x500000 | RW);
	assert_null(recalled(linear, GUEST_READ, &gpa1));
	/* What is not RAM has no place where hv could see it. */
	put(LEVEL_4, 1, at, hole | RW);
	assert_int_equal(guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault), ST_OK);
	assert_null(recalled(linear, GUEST_READ, &gpa1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(addresses_translate_in_every_paging_mode, boot),
		cmocka_unit_test_setup(page_size_bit_without_pse_is_ignored, boot),
		cmocka_unit_test_setup(rights_are_judged_and_the_error_code_says_why, boot),
		cmocka_unit_test_setup(addresses_that_are_not_canonical_are_a_gp, boot),
		cmocka_unit_test_setup(accesses_set_the_flags_that_an_access_of_l1_sets, boot),
		cmocka_unit_test_setup(faulting_accesses_set_no_flags_in_the_leaf, boot),
		cmocka_unit_test_setup(words_that_changed_are_not_replaced, boot),
		cmocka_unit_test_setup(copies_cross_pages_that_are_not_neighbours, boot),
		cmocka_unit_test_setup(copies_that_fault_on_the_second_page_change_nothing, boot),
		cmocka_unit_test_setup(only_ram_of_l1_s_is_ram, boot),
		cmocka_unit_test_setup(what_is_not_ram_reads_as_ones_and_drops_writes, boot),
		cmocka_unit_test_setup(page_tables_in_hv_s_range_show_nothing_of_hv, boot),
		cmocka_unit_test_setup(peeking_at_code_stops_where_it_can_not_be_read, boot),
		cmocka_unit_test_setup(peeking_at_l1_s_code_does_not_go_through_ept12, boot),
		cmocka_unit_test_setup(peeking_outside_64_bit_code_adds_the_base_of_cs, boot),
		cmocka_unit_test_setup(a_walk_that_was_made_before_sees_every_change, boot),
		cmocka_unit_test_setup(a_byte_of_ram_is_recalled_while_its_walk_holds, boot),
	};

	return cmocka_run_group_tests_name("hv/guestmem", tests, NULL, NULL);
}
