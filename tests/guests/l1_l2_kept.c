/*
 * tests/guests/l1_l2_kept.c - what changes rarely, changed after many rounds in which it did not
 *
 * A level below that has stopped looking, because it saw nothing change, must see it all the same.
 */
#include "tests/guests/l1_l2.h"

#define ROUNDS			     80 /* more than anybody waits */
#define CR0_TS			     BIT(3)
#define CR0_ET			     BIT(4)
#define CR0_RESERVED		     (MASK(28, 19) | BIT(17) | MASK(15, 6))
#define CR4_TSD			     BIT(2)
#define CR4_DE			     BIT(3)
#define CR4_PGE			     BIT(7)
#define CR4_VMXE		     BIT(13)
#define DR7_RESET		     0x400ull
#define GDTR_LIMIT		     0xfff
#define PAT_OF_L1		     0x0007040600070400ull
#define QUALIFICATION(cr, type, gpr) ((cr) | (type) << 4 | (gpr) << 8)

struct __attribute__((packed)) table {
	u16 limit;
	u64 base;
};

static struct table table_of_gdtr(void)
{
	struct table table;

	__asm__ volatile("sgdt %0" : "=m"(table));
	return table;
}

static void load_gdtr(struct table table)
{
	__asm__ volatile("lgdt %0" : : "m"(table));
}

static u64 read_dr7(void)
{
	u64 dr7;

	__asm__ volatile("mov %%dr7, %0" : "=r"(dr7));
	return dr7;
}

static void write_dr7(u64 dr7)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"(dr7));
}

static void rest(void)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		l2_vmcall(true);
}

/* One exit of L2 that has nothing to complain of. */
static bool round(struct l2 *l2)
{
	if (!l2_expect_end(l2))
		return false;
	l2_skip();
	return true;
}

static bool rounds(struct l2 *l2)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		if (!round(l2))
			return false;
	return true;
}

/* --- registers of L2 -------------------------------------------------------------------------- */

static void code_cr_kept(void)
{
	const u64 cr0 = read_cr0(), cr4 = read_cr4();

	rest();
	write_cr4(cr4 ^ CR4_TSD);
	l2_vmcall(read_cr4() == (cr4 ^ CR4_TSD));
	rest();
	write_cr0(cr0 | CR0_TS);
	l2_vmcall(read_cr0() == (cr0 | CR0_TS));
	rest();
	__asm__ volatile("clts");
	l2_vmcall(read_cr0() == (cr0 & ~CR0_TS));
}

static void check_cr_kept(struct l2 *l2)
{
	const u64 cr0 = guest_vmcs_read(VMCS_GUEST_CR0), cr4 = guest_vmcs_read(VMCS_GUEST_CR4);

	if (!rounds(l2) || !l2_expect_end(l2))
		return;
	l2_expect_field(VMCS_GUEST_CR4, cr4 ^ CR4_TSD);
	l2_skip();
	if (!rounds(l2) || !l2_expect_end(l2))
		return;
	l2_check(guest_vmcs_read(VMCS_GUEST_CR0) & CR0_TS, "TS is clear");
	l2_skip();
	if (!rounds(l2) || !l2_expect_end(l2))
		return;
	l2_expect_field(VMCS_GUEST_CR0, cr0 & ~CR0_TS);
	l2_expect_field(VMCS_GUEST_CR4, cr4 ^ CR4_TSD);
}

static void code_cr_owned(void)
{
	const u64 cr0 = read_cr0(), cr4 = read_cr4();

	/* L1 owns TS, which reads as 1, and VMXE, which reads as 0. */
	rest();
	__asm__ volatile("mov %0, %%cr4" : : "b"(cr4 | CR4_VMXE));
	__asm__ volatile("clts");
	rest();
	l2_vmcall(cr0 & CR0_TS && !(cr4 & CR4_VMXE) && read_cr0() == cr0 && read_cr4() == cr4);
}

static void check_cr_owned(struct l2 *l2)
{
	guest_vmcs_write(VMCS_CR0_GUEST_HOST_MASK, CR0_TS);
	guest_vmcs_write(VMCS_CR0_READ_SHADOW, CR0_TS);
	guest_vmcs_write(VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE);
	guest_vmcs_write(VMCS_CR4_READ_SHADOW, 0);
	if (!rounds(l2) || !l2_expect(l2, EXIT_CR_ACCESS))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, QUALIFICATION(4, 0, 3));
	l2_skip();
	if (!l2_expect(l2, EXIT_CR_ACCESS))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, QUALIFICATION(0, 2, 0));
	l2_skip();
	if (rounds(l2))
		l2_expect_end(l2);
}

/* What L1 writes L2 sees, after however many rounds. */
static void code_cr_given(void)
{
	const u64 cr4 = read_cr4();

	rest();
	l2_vmcall(read_cr4() == (cr4 ^ CR4_DE));
	l2_vmcall(read_cr4() == (cr4 ^ CR4_DE ^ CR4_TSD));
}

static void check_cr_given(struct l2 *l2)
{
	const u64 cr4 = guest_vmcs_read(VMCS_GUEST_CR4);

	if (!rounds(l2))
		return;
	guest_vmcs_write(VMCS_GUEST_CR4, cr4 ^ CR4_DE);
	if (!round(l2))
		return;
	guest_vmcs_write(VMCS_CR4_GUEST_HOST_MASK, CR4_TSD);
	guest_vmcs_write(VMCS_CR4_READ_SHADOW, cr4 ^ CR4_TSD);
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_CR4, cr4 ^ CR4_DE);
}

/* No entry loads ET and the reserved bits, whoever owns them: exits save what the register has. */
static void code_cr0_not_loaded(void)
{
	const u64 cr0 = read_cr0();

	l2_vmcall(cr0 & CR0_ET && !(cr0 & CR0_RESERVED));
	rest();
	l2_vmcall(read_cr0() == cr0);
	l2_vmcall(true);
}

static void check_cr0_not_loaded(struct l2 *l2)
{
	const u64 cr0 = guest_vmcs_read(VMCS_GUEST_CR0);
	const u64 odd = (cr0 | CR0_RESERVED) & ~CR0_ET;

	guest_vmcs_write(VMCS_GUEST_CR0, odd);
	if (!round(l2))
		return;
	l2_expect_field(VMCS_GUEST_CR0, cr0);
	if (!rounds(l2))
		return;
	guest_vmcs_write(VMCS_GUEST_CR0, odd);
	if (!round(l2))
		return;
	l2_expect_field(VMCS_GUEST_CR0, cr0);
	guest_vmcs_write(VMCS_GUEST_CR0, odd);
	guest_vmcs_write(VMCS_CR0_GUEST_HOST_MASK, ~0ull);
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_CR0, cr0);
}

static void code_dr7_kept(void)
{
	rest();
	write_dr7(0x402);
	l2_vmcall(read_dr7() == 0x402);
	rest();
	l2_vmcall(read_dr7() == 0x402);
}

static void check_dr7_kept(struct l2 *l2)
{
	if (!rounds(l2) || !round(l2))
		return;
	l2_expect_field(VMCS_GUEST_DR7, 0x402);
	if (!rounds(l2) || !l2_expect_end(l2))
		return;
	l2_expect_field(VMCS_GUEST_DR7, 0x402);
	l2_check(read_dr7() == DR7_RESET, "L1's DR7 is %lx", read_dr7());
}

static void code_tables_kept(void)
{
	const struct table gdtr = table_of_gdtr();
	struct table other = gdtr;

	rest();
	other.limit = GDTR_LIMIT;
	load_gdtr(other);
	l2_vmcall(table_of_gdtr().limit == GDTR_LIMIT && table_of_gdtr().base == gdtr.base);
	rest();
	load_gdtr(gdtr);
	__asm__ volatile("lldt %w0" : : "r"(0));
	l2_vmcall(table_of_gdtr().limit == gdtr.limit);
}

static void check_tables_kept(struct l2 *l2)
{
	const u64 limit = guest_vmcs_read(VMCS_GUEST_GDTR_LIMIT);

	if (!rounds(l2) || !round(l2))
		return;
	l2_expect_field(VMCS_GUEST_GDTR_LIMIT, GDTR_LIMIT);
	if (!rounds(l2) || !l2_expect_end(l2))
		return;
	l2_expect_field(VMCS_GUEST_GDTR_LIMIT, limit);
}

/* --- state of L1 ------------------------------------------------------------------------------ */

static void code_l1_changes(void)
{
	rest();
	rest();
	/* L1's own, since its entry loads none. */
	l2_vmcall(read_dr7() == 0x401 && rdmsr(MSR_PAT) == PAT_OF_L1);
	rest();
	l2_vmcall(read_dr7() == DR7_RESET);
}

static bool is_as_loaded(u64 pat)
{
	return l2_check(read_cr0() == guest_vmcs_read(VMCS_HOST_CR0) &&
				read_cr4() == guest_vmcs_read(VMCS_HOST_CR4) &&
				read_dr7() == DR7_RESET && rdmsr(MSR_PAT) == pat &&
				table_of_gdtr().limit == 0xffff,
			"L1 has CR0 %lx, CR4 %lx, DR7 %lx, PAT %lx, a GDT limit of %x", read_cr0(),
			read_cr4(), read_dr7(), rdmsr(MSR_PAT), table_of_gdtr().limit);
}

static void check_l1_changes(struct l2 *l2)
{
	const u64 cr0 = read_cr0(), cr4 = read_cr4(), pat = rdmsr(MSR_PAT);
	struct table gdtr;

	if (!rounds(l2) || !is_as_loaded(pat))
		return;
	gdtr = table_of_gdtr();
	if (!rounds(l2))
		return;
	gdtr.limit = GDTR_LIMIT;
	load_gdtr(gdtr);
	write_cr4(cr4 ^ CR4_PGE);
	l2_check(read_cr4() == (cr4 ^ CR4_PGE), "CR4 of L1 is %lx", read_cr4());
	write_cr0(cr0 | CR0_TS);
	l2_check(read_cr0() == (cr0 | CR0_TS), "CR0 of L1 is %lx", read_cr0());
	write_dr7(0x401);
	l2_check(read_dr7() == 0x401, "DR7 of L1 is %lx", read_dr7());
	wrmsr(MSR_PAT, PAT_OF_L1);
	if (!round(l2))
		return;
	/* The exit loads no PAT. */
	is_as_loaded(PAT_OF_L1);
	wrmsr(MSR_PAT, pat);
	if (rounds(l2) && l2_expect_end(l2))
		is_as_loaded(pat);
}

const struct l2_case l1_l2_kept_cases[] = {
	L2_CASE(cr_kept),
	L2_CASE(cr_owned),
	L2_CASE(cr_given),
	L2_CASE(cr0_not_loaded),
	L2_CASE(dr7_kept, .options = { .entry = ENTRY_LOAD_DEBUG_CONTROLS,
				       .exit = EXIT_SAVE_DEBUG_CONTROLS }),
	L2_CASE(tables_kept),
	L2_CASE(l1_changes, .options.primary = PRIMARY_MSR_BITMAPS),
};
const size_t l1_l2_kept_count = ARRAY_SIZE(l1_l2_kept_cases);
