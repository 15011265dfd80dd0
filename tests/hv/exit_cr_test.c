#include "hv/exit.h"
#include "hv/mem.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY	  MIB(64)
#define VECTOR_GP 13
#define CR0_WP	  BIT(16)
#define CR0_ET	  BIT(4)
#define CR0_MP	  BIT(1)
#define CR0_EM	  BIT(2)
#define CR0_TS	  BIT(3)
#define CR4_LA57  BIT(12)
#define LONG_CR0  (CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define CS_64	  0xa09b
#define CS_32	  0xc09b

enum { FROM_RAX = REG_RAX << 8, MOV_TO = 0 << 4, CLTS = 2 << 4, LMSW = 3 << 4 };

static struct percpu *cpu;

/* L1 as seen by itself: what it had in CR0, CR4 and EFER. */
static void l1_has(u64 cr0, u64 cr4, u64 efer, u64 cs)
{
	vmwrite(VMCS_GUEST_CR0, cr0 | CR0_NE);
	vmwrite(VMCS_CR0_READ_SHADOW, cr0);
	vmwrite(VMCS_GUEST_CR4, cr4 | CR4_VMXE);
	vmwrite(VMCS_CR4_READ_SHADOW, cr4);
	vmwrite(VMCS_GUEST_IA32_EFER, efer);
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, cs);
	vmwrite(VMCS_GUEST_RIP, 0x1000);
}

static int boot(void **state)
{
	(void)state;
	cpu = stub_boot_nested(MEMORY, true, "");
	l1_has(LONG_CR0, CR4_PAE | CR4_PGE, EFER_LME | EFER_LMA, CS_64);
	return 0;
}

/* Whether L1 got a #GP; else the instruction must be done. */
static bool faulted(void)
{
	const bool gp = stub_injects(VECTOR_GP);

	assert_u64(vmread(VMCS_GUEST_RIP), gp ? 0x1000 : 0x1003);
	return gp;
}

static bool mov_to_cr4(u64 value)
{
	cpu->regs[REG_RAX] = value;
	stub_exit(cpu, EXIT_CR_ACCESS, MOV_TO | FROM_RAX | 4);
	return !faulted();
}

static bool mov_to_cr0(u64 value)
{
	cpu->regs[REG_RAX] = value;
	stub_exit(cpu, EXIT_CR_ACCESS, MOV_TO | FROM_RAX | 0);
	return !faulted();
}

static void vmxe_is_l1_s_to_see_and_always_set_below(void **state)
{
	const u64 cr4 = CR4_PAE | CR4_PGE;
	const struct ev_cr_write *event = (const void *)cpu->pending.columns;

	(void)state;
	assert_true(mov_to_cr4(cr4 | CR4_VMXE));
	assert_u64(vmcs01_visible_cr4(), cr4 | CR4_VMXE);
	assert_u64(vmread(VMCS_GUEST_CR4), cr4 | CR4_VMXE);
	assert_u64(event->cr, 4);
	assert_u64(event->old, cr4);
	assert_u64(event->value, cr4 | CR4_VMXE);
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	assert_true(mov_to_cr4(cr4));
	assert_u64(vmcs01_visible_cr4(), cr4);
	assert_u64(vmread(VMCS_GUEST_CR4), cr4 | CR4_VMXE);
}

/* VMware toggles VMXE around every timer tick: this must cost no translations. */
static void vmxe_alone_flushes_nothing(void **state)
{
	const unsigned before = stub_cpu.invalidation_count;

	(void)state;
	assert_true(mov_to_cr4(CR4_PAE | CR4_PGE | CR4_VMXE));
	assert_int_equal(stub_cpu.invalidation_count, before);
}

static void bits_that_change_paging_flush_l1_s_translations(void **state)
{
	static const struct {
		const char *name;
		u64 cr4;
		bool flushes;
	} rows[] = {
		{ "PSE", CR4_PAE | CR4_PGE | BIT(4), true },
		{ "PGE off", CR4_PAE, true },
		{ "SMEP", CR4_PAE | CR4_PGE | CR4_SMEP, true },
		{ "OSXSAVE", CR4_PAE | CR4_PGE | CR4_OSXSAVE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned before;

		boot(NULL);
		before = stub_cpu.invalidation_count;
		assert_row(rows[i].name, mov_to_cr4(rows[i].cr4 | CR4_VMXE), true);
		assert_row(rows[i].name, stub_cpu.invalidation_count - before, rows[i].flushes);
		if (rows[i].flushes)
			assert_row(rows[i].name, stub_cpu.invalidations[before].low, VPID_L1);
	}
}

/* SDM "MOV-Move to/from Control Registers" and "Restrictions on VMX Operation". */
static void rules_of_mov_to_cr4_hold(void **state)
{
	static const struct {
		const char *name;
		u64 efer, cr3, old, new;
		enum nested_mode mode;
		bool legal;
	} rows[] = {
		{ "nothing changes", EFER_LMA, 0, CR4_PAE, CR4_PAE, NESTED_OFF, true },
		{ "reserved bit 15", EFER_LMA, 0, CR4_PAE, CR4_PAE | BIT(15), NESTED_OFF, false },
		{ "reserved bit 40", EFER_LMA, 0, CR4_PAE, CR4_PAE | BIT(40), NESTED_OFF, false },
		{ "PAE off in long mode", EFER_LMA, 0, CR4_PAE, 0, NESTED_OFF, false },
		{ "PAE off without", 0, 0, CR4_PAE, 0, NESTED_OFF, true },
		{ "PCIDE on", EFER_LMA, 0x1000, CR4_PAE, CR4_PAE | CR4_PCIDE, NESTED_OFF, true },
		{ "PCIDE on without long mode", 0, 0x1000, 0, CR4_PCIDE, NESTED_OFF, false },
		{ "PCIDE on with a PCID in CR3", EFER_LMA, 0x1001, CR4_PAE, CR4_PAE | CR4_PCIDE,
		  NESTED_OFF, false },
		{ "PCIDE stays with a PCID in CR3", EFER_LMA, 0x1001, CR4_PAE | CR4_PCIDE,
		  CR4_PAE | CR4_PCIDE | CR4_PGE, NESTED_OFF, true },
		{ "VMXE off in VMX operation", EFER_LMA, 0, CR4_PAE | CR4_VMXE, CR4_PAE,
		  NESTED_ROOT, false },
		{ "VMXE stays in VMX operation", EFER_LMA, 0, CR4_PAE | CR4_VMXE,
		  CR4_PAE | CR4_VMXE | CR4_PGE, NESTED_ROOT, true },
		{ "LA57 in long mode", EFER_LMA, 0, CR4_PAE, CR4_PAE | CR4_LA57, NESTED_OFF,
		  false },
		{ "LA57 without long mode", 0, 0, 0, CR4_LA57, NESTED_OFF, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(NULL);
		stub_msr_set(MSR_VMX_CR4_FIXED1, stub_msr(MSR_VMX_CR4_FIXED1) | CR4_LA57);
		l1_has(rows[i].efer ? LONG_CR0 : CR0_PE | CR0_NE, rows[i].old, rows[i].efer,
		       rows[i].efer ? CS_64 : CS_32);
		vmwrite(VMCS_GUEST_CR3, rows[i].cr3);
		cpu->nested.mode = rows[i].mode;
		assert_row(rows[i].name, mov_to_cr4(rows[i].new), rows[i].legal);
		assert_row(rows[i].name, vmcs01_visible_cr4(),
			   rows[i].legal ? rows[i].new : rows[i].old);
	}
}

static void operands_have_32_bits_outside_64_bit_code(void **state)
{
	(void)state;
	l1_has(CR0_PE | CR0_ET | CR0_NE, 0, 0, CS_32);
	assert_true(mov_to_cr4(0x5555555500000000 | CR4_VMXE));
	assert_u64(vmcs01_visible_cr4(), CR4_VMXE);
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	assert_true(mov_to_cr0(0x5555555500000000 | CR0_PE | CR0_ET));
	assert_u64(vmcs01_visible_cr0(), CR0_PE | CR0_ET);
}

static void operands_come_from_the_register_named(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RSP, CR4_PAE | CR4_VMXE);
	cpu->regs[REG_RSP] = ~0ull;
	stub_exit(cpu, EXIT_CR_ACCESS, MOV_TO | REG_RSP << 8 | 4);
	assert_false(faulted());
	assert_u64(vmcs01_visible_cr4(), CR4_PAE | CR4_VMXE);
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	cpu->regs[REG_R15] = CR4_PAE;
	stub_exit(cpu, EXIT_CR_ACCESS, MOV_TO | REG_R15 << 8 | 4);
	assert_false(faulted());
	assert_u64(vmcs01_visible_cr4(), CR4_PAE);
}

static void pae_loads_the_pdptes_or_faults(void **state)
{
	const u64 cr3 = 0x3020; /* 32-byte aligned, as PAE allows */
	const u64 good[4] = { 0x5001, 0x6001, 0, 0xfffffffffffff000 };
	const u64 reserved[] = { BIT(1), BIT(5), BIT(STUB_PHYS_WIDTH), BIT(63) };
	u64 pdptes[4];

	(void)state;
	memcpy(pdptes, good, sizeof(pdptes));
	l1_has(CR0_PE | CR0_NE | CR0_PG, 0, 0, CS_32);
	vmwrite(VMCS_GUEST_CR3, cr3);
	memcpy(stub_at(cr3), pdptes, sizeof(pdptes));
	assert_true(mov_to_cr4(CR4_PAE | CR4_VMXE));
	for (u32 i = 0; i < 4; i++)
		assert_u64(vmread(VMCS_GUEST_PDPTE0 + 2 * i), pdptes[i]);

	/* What a processor refuses at VM entry must not come to it. */
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		l1_has(CR0_PE | CR0_NE | CR0_PG, 0, 0, CS_32);
		pdptes[1] = good[1] | reserved[i];
		memcpy(stub_at(cr3), pdptes, sizeof(pdptes));
		assert_false(mov_to_cr4(CR4_PAE | CR4_VMXE));
		assert_u64(vmcs01_visible_cr4(), 0);
	}
}

/* No entry loads them: they are hv's as well, and what they were before L1's write. */
static void cache_disable_follows_l1_s_writes_that_exit(void **state)
{
	(void)state;
	stub_cpu.cr0 |= CR0_CD | CR0_NW;
	l1_has(LONG_CR0 | CR0_CD | CR0_NW, CR4_PAE, EFER_LME | EFER_LMA, CS_64);
	assert_true(mov_to_cr0(LONG_CR0 & ~CR0_NE));
	assert_u64(stub_cpu.cr0 & (CR0_CD | CR0_NW), 0);
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	assert_true(mov_to_cr0(LONG_CR0 | CR0_CD));
	assert_u64(stub_cpu.cr0 & (CR0_CD | CR0_NW), CR0_CD);
}

/* SDM "MOV-Move to/from Control Registers"; NE is what makes L1 exit. */
static void rules_of_mov_to_cr0_hold(void **state)
{
	static const struct {
		const char *name;
		u64 efer, cr4, cs, old, new;
		enum nested_mode mode;
		bool legal;
	} rows[] = {
		{ "NE off", EFER_LME | EFER_LMA, CR4_PAE, CS_64, LONG_CR0, LONG_CR0 & ~CR0_NE,
		  NESTED_OFF, true },
		{ "PG without PE", 0, 0, CS_32, CR0_PE | CR0_ET, CR0_PG | CR0_ET, NESTED_OFF,
		  false },
		{ "NW without CD", 0, 0, CS_32, CR0_PE | CR0_ET, CR0_PE | CR0_ET | CR0_NW,
		  NESTED_OFF, false },
		{ "NW with CD", 0, 0, CS_32, CR0_PE | CR0_ET, CR0_PE | CR0_ET | CR0_NW | CR0_CD,
		  NESTED_OFF, true },
		{ "upper half", EFER_LME | EFER_LMA, CR4_PAE, CS_64, LONG_CR0, LONG_CR0 | BIT(32),
		  NESTED_OFF, false },
		{ "PG off in 64-bit code", EFER_LME | EFER_LMA, CR4_PAE, CS_64, LONG_CR0,
		  LONG_CR0 & ~CR0_PG, NESTED_OFF, false },
		{ "PG off in compatibility mode", EFER_LME | EFER_LMA, CR4_PAE, CS_32, LONG_CR0,
		  LONG_CR0 & ~CR0_PG, NESTED_OFF, true },
		{ "PG off with PCIDs", EFER_LME | EFER_LMA, CR4_PAE | CR4_PCIDE, CS_32, LONG_CR0,
		  LONG_CR0 & ~CR0_PG, NESTED_OFF, false },
		{ "long mode without PAE", EFER_LME, 0, CS_32, CR0_PE | CR0_ET,
		  CR0_PE | CR0_ET | CR0_PG, NESTED_OFF, false },
		{ "long mode", EFER_LME, CR4_PAE, CS_32, CR0_PE | CR0_ET, CR0_PE | CR0_ET | CR0_PG,
		  NESTED_OFF, true },
		{ "long mode from 64-bit code", EFER_LME, CR4_PAE, CS_64, CR0_PE | CR0_ET,
		  CR0_PE | CR0_ET | CR0_PG, NESTED_OFF, false },
		{ "NE off in VMX operation", EFER_LME | EFER_LMA, CR4_PAE, CS_64, LONG_CR0,
		  LONG_CR0 & ~CR0_NE, NESTED_ROOT, false },
		{ "PG off in VMX operation", EFER_LME | EFER_LMA, CR4_PAE, CS_32, LONG_CR0,
		  LONG_CR0 & ~CR0_PG, NESTED_ROOT, false },
		{ "WP off in VMX operation", EFER_LME | EFER_LMA, CR4_PAE, CS_64, LONG_CR0,
		  LONG_CR0 & ~CR0_WP, NESTED_ROOT, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(NULL);
		l1_has(rows[i].old, rows[i].cr4, rows[i].efer, rows[i].cs);
		cpu->nested.mode = rows[i].mode;
		if (rows[i].mode == NESTED_ROOT)
			vmcs01_begin_vmx(rows[i].old);
		assert_row(rows[i].name, mov_to_cr0(rows[i].new), rows[i].legal);
		assert_row(rows[i].name, vmcs01_visible_cr0(),
			   rows[i].legal ? rows[i].new : rows[i].old);
		assert_row(rows[i].name, vmread(VMCS_GUEST_CR0) & CR0_NE, CR0_NE);
	}
}

static void reserved_bits_of_cr0_are_dropped_and_et_is_fixed(void **state)
{
	(void)state;
	assert_true(mov_to_cr0((LONG_CR0 & ~CR0_ET & ~CR0_NE) | BIT(7) | BIT(28)));
	assert_u64(vmcs01_visible_cr0(), LONG_CR0 & ~CR0_NE);
}

static void paging_switches_long_mode_with_it(void **state)
{
	(void)state;
	l1_has(CR0_PE | CR0_ET | CR0_NE, CR4_PAE, EFER_LME, CS_32);
	assert_true(mov_to_cr0(CR0_PE | CR0_ET | CR0_PG));
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), EFER_LME | EFER_LMA);
	assert_true(vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	assert_true(mov_to_cr0(CR0_PE | CR0_ET));
	assert_u64(vmread(VMCS_GUEST_IA32_EFER), EFER_LME);
	assert_false(vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
}

static void lmsw_writes_four_bits_and_keeps_pe(void **state)
{
	static const struct {
		const char *name;
		u64 old, source, expected;
	} rows[] = {
		{ "sets all four", CR0_ET, 0xf, CR0_ET | CR0_PE | CR0_MP | CR0_EM | CR0_TS },
		{ "clears three", CR0_ET | CR0_PE | CR0_MP | CR0_EM | CR0_TS, 0, CR0_ET | CR0_PE },
		{ "leaves the others", CR0_ET | CR0_WP | CR0_CD, CR0_PE,
		  CR0_ET | CR0_WP | CR0_CD | CR0_PE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		l1_has(rows[i].old, 0, 0, CS_32);
		stub_exit(cpu, EXIT_CR_ACCESS, LMSW | rows[i].source << 16);
		assert_false(faulted());
		assert_row(rows[i].name, vmcs01_visible_cr0(), rows[i].expected);
	}
}

static void accesses_that_hv_did_not_ask_for_stop_the_tape(void **state)
{
	static const u64 rows[] = { CLTS, MOV_TO | 3, MOV_TO | 8, 1 << 4 | 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(NULL);
		assert_true(stub_stops(stub_exit(cpu, EXIT_CR_ACCESS, rows[i])));
		assert_true(stub_said("not supported"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(vmxe_is_l1_s_to_see_and_always_set_below, boot),
		cmocka_unit_test_setup(vmxe_alone_flushes_nothing, boot),
		cmocka_unit_test_setup(bits_that_change_paging_flush_l1_s_translations, boot),
		cmocka_unit_test_setup(rules_of_mov_to_cr4_hold, boot),
		cmocka_unit_test_setup(operands_have_32_bits_outside_64_bit_code, boot),
		cmocka_unit_test_setup(operands_come_from_the_register_named, boot),
		cmocka_unit_test_setup(pae_loads_the_pdptes_or_faults, boot),
		cmocka_unit_test_setup(cache_disable_follows_l1_s_writes_that_exit, boot),
		cmocka_unit_test_setup(rules_of_mov_to_cr0_hold, boot),
		cmocka_unit_test_setup(reserved_bits_of_cr0_are_dropped_and_et_is_fixed, boot),
		cmocka_unit_test_setup(paging_switches_long_mode_with_it, boot),
		cmocka_unit_test_setup(lmsw_writes_four_bits_and_keeps_pe, boot),
		cmocka_unit_test_setup(accesses_that_hv_did_not_ask_for_stop_the_tape, boot),
	};

	return cmocka_run_group_tests_name("hv/exit_cr", tests, NULL, NULL);
}
