#include "tests/guests/l1_insn.h"

#include "tests/guests/lib/guest_paging.h"

#define NO_VMCS	     ~0ull
#define CR0_NE	     BIT(5)
#define NO_FIELD     0x7ffe
#define VMXON_REGION insn_regions[0]
#define REGION	     insn_regions[1]
#define OTHER	     insn_regions[2]

static u64 beyond_memory(void)
{
	return BIT(cpuid(0x80000008, 0).eax & 0xff);
}

static void enter(void)
{
	insn_expect_pointer(OP_VMXON, VMXON_REGION, SUCCEEDS);
}

static void enter_with_current(void)
{
	enter();
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	insn_expect_pointer(OP_VMPTRLD, REGION, SUCCEEDS);
}

static void leave(void)
{
	insn_expect(OP_VMXOFF, NULL, 0, SUCCEEDS);
}

/* --- outside of VMX operation ---------------------------------------------------------------- */

void insn_outside(void)
{
	u64 operand[2] = { 0 };

	for (enum insn_op op = 0; op < OP_COUNT; op++)
		if (op != OP_VMXON)
			insn_expect(op, operand, 0, FAULTS(VECTOR_UD));
	write_cr4(read_cr4() & ~CR4_VMXE);
	insn_expect_pointer(OP_VMXON, VMXON_REGION, FAULTS(VECTOR_UD));
	write_cr4(read_cr4() | CR4_VMXE);
}

/* --- VMXON and what VMX operation forbids ---------------------------------------------------- */

static void do_clear_vmxe(void *unused)
{
	(void)unused;
	write_cr4(read_cr4() & ~CR4_VMXE);
}

static void do_clear_ne(void *unused)
{
	(void)unused;
	write_cr0(read_cr0() & ~CR0_NE);
}

static void do_write_capability(void *unused)
{
	(void)unused;
	wrmsr(MSR_VMX_BASIC, 0);
}

static void expect_gp(void (*fn)(void *), const char *what)
{
	struct guest_fault fault = { 0 };

	guest_check(!guest_try(fn, NULL, &fault) && fault.vector == VECTOR_GP && fault.error == 0,
		    "%s: no #GP(0)", what);
}

void insn_vmxon(void)
{
	u32 *region = guest_pages(1);
	const u32 revision = *(const u32 *)(uintptr_t)VMXON_REGION;

	insn_expect_pointer(OP_VMXON, VMXON_REGION + 8, FAILS_INVALID);
	insn_expect_pointer(OP_VMXON, beyond_memory(), FAILS_INVALID);
	*region = revision ^ 1;
	insn_expect_pointer(OP_VMXON, physical(region), FAILS_INVALID);
	*region = revision | (u32)BIT(31);
	insn_expect_pointer(OP_VMXON, physical(region), FAILS_INVALID);
	insn_expect(OP_VMXON, insn_unmapped, 0, FAULTS(VECTOR_PF));
	write_cr0(read_cr0() & ~CR0_NE);
	insn_expect(OP_VMXON, insn_unmapped, 0, FAULTS(VECTOR_GP));
	write_cr0(read_cr0() | CR0_NE);

	enter();
	guest_check(insn_current() == NO_VMCS, "VMCS %lx is current after VMXON", insn_current());
	/* The operand is not looked at. */
	insn_expect(OP_VMXON, insn_unmapped, 0, FAILS_INVALID);
	expect_gp(do_clear_vmxe, "clearing CR4.VMXE");
	expect_gp(do_clear_ne, "clearing CR0.NE");
	expect_gp(do_write_capability, "WRMSR of IA32_VMX_BASIC");
	insn_expect_pointer(OP_VMPTRLD, REGION, SUCCEEDS);
	insn_expect(OP_VMXON, insn_unmapped, 0, FAILS(VMERR_VMXON_IN_ROOT));
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	leave();
}

/* --- without a current VMCS ------------------------------------------------------------------ */

void insn_no_current(void)
{
	u64 operand[2] = { 0 };

	enter();
	insn_expect(OP_VMREAD, operand, VMCS_GUEST_RIP, FAILS_INVALID);
	insn_expect(OP_VMWRITE, operand, VMCS_GUEST_RIP, FAILS_INVALID);
	insn_expect(OP_VMREAD, operand, NO_FIELD, FAILS_INVALID);
	insn_expect(OP_VMREAD, insn_unmapped, VMCS_GUEST_RIP, FAILS_INVALID);
	insn_expect(OP_VMWRITE, insn_unmapped, VMCS_GUEST_RIP, FAILS_INVALID);
	insn_expect(OP_VMLAUNCH, NULL, 0, FAILS_INVALID);
	insn_expect(OP_VMRESUME, NULL, 0, FAILS_INVALID);
	insn_expect(OP_VMLAUNCH_MOV_SS, NULL, 0, FAILS_INVALID);
	insn_expect(OP_VMCALL, NULL, 0, FAILS_INVALID);
	insn_expect_pointer(OP_VMCLEAR, REGION + 8, FAILS_INVALID);
	insn_expect_pointer(OP_VMCLEAR, VMXON_REGION, FAILS_INVALID);
	insn_expect_pointer(OP_VMPTRLD, REGION + 8, FAILS_INVALID);
	insn_expect_pointer(OP_VMPTRLD, VMXON_REGION, FAILS_INVALID);
	leave();
}

/* --- VMCLEAR, VMPTRLD, VMPTRST --------------------------------------------------------------- */

/* Address 0 is memory like any other. */
static void expect_address_0(void)
{
	u32 *zero = NULL;

	__asm__("" : "+r"(zero)); /* hides from the compiler that it is NULL */
	*zero = *(const u32 *)(uintptr_t)REGION;
	insn_expect_pointer(OP_VMCLEAR, 0, SUCCEEDS);
	insn_expect_pointer(OP_VMPTRLD, 0, SUCCEEDS);
	guest_check(insn_current() == 0, "current VMCS %lx instead of 0", insn_current());
	guest_vmcs_write(VMCS_GUEST_RIP, 0x1234);
	guest_check(guest_vmcs_read(VMCS_GUEST_RIP) == 0x1234, "VMCS 0 forgets");
	insn_expect_pointer(OP_VMCLEAR, 0, SUCCEEDS);
	guest_check(insn_current() == NO_VMCS, "VMCS %lx is current after VMCLEAR", insn_current());
}

void insn_pointers(void)
{
	u32 *bad = guest_pages(1);

	enter_with_current();
	insn_expect_pointer(OP_VMCLEAR, OTHER + 8, FAILS(VMERR_VMCLEAR_ADDRESS));
	insn_expect_pointer(OP_VMCLEAR, beyond_memory(), FAILS(VMERR_VMCLEAR_ADDRESS));
	insn_expect_pointer(OP_VMCLEAR, VMXON_REGION, FAILS(VMERR_VMCLEAR_VMXON_POINTER));
	insn_expect(OP_VMCLEAR, insn_unmapped, 0, FAULTS(VECTOR_PF));
	insn_expect_pointer(OP_VMPTRLD, OTHER + 8, FAILS(VMERR_VMPTRLD_ADDRESS));
	insn_expect_pointer(OP_VMPTRLD, beyond_memory(), FAILS(VMERR_VMPTRLD_ADDRESS));
	insn_expect_pointer(OP_VMPTRLD, VMXON_REGION, FAILS(VMERR_VMPTRLD_VMXON_POINTER));
	insn_expect(OP_VMPTRLD, insn_unmapped, 0, FAULTS(VECTOR_PF));
	insn_expect(OP_VMPTRST, insn_unmapped, 0, FAULTS(VECTOR_PF));
	*bad = *(const u32 *)(uintptr_t)REGION ^ 1;
	insn_expect_pointer(OP_VMPTRLD, physical(bad), FAILS(VMERR_VMPTRLD_REVISION));
	if (!guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_VMCS_SHADOWING)) {
		*bad = *(const u32 *)(uintptr_t)REGION | (u32)BIT(31);
		insn_expect_pointer(OP_VMPTRLD, physical(bad), FAILS(VMERR_VMPTRLD_REVISION));
	}
	guest_check(insn_current() == REGION, "a failed VMPTRLD made %lx current", insn_current());
	/* VMCLEAR does not look at the revision, nor does it change it. */
	*bad = 0x12345;
	insn_expect_pointer(OP_VMCLEAR, physical(bad), SUCCEEDS);
	guest_check(*bad == 0x12345, "VMCLEAR changed the revision to %x", *bad);
	guest_check(insn_current() == REGION, "VMCLEAR of another made %lx current",
		    insn_current());
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	guest_check(insn_current() == NO_VMCS, "VMCS %lx is current after VMCLEAR", insn_current());
	expect_address_0();
	leave();
}

/* --- VMREAD, VMWRITE ------------------------------------------------------------------------- */

void insn_fields(void)
{
	const bool any = guest_caps.msr[VMX_CAP_MISC] & CAP_VMWRITE_ANY_FIELD;
	const struct insn_result read_only = any ? SUCCEEDS : FAILS(VMERR_READ_ONLY_FIELD);
	u64 value = 0xfedcba9876543210;

	enter_with_current();
	insn_expect(OP_VMWRITE, &value, VMCS_GUEST_RIP, SUCCEEDS);
	value = 0;
	insn_expect(OP_VMREAD, &value, VMCS_GUEST_RIP, SUCCEEDS);
	guest_check(value == 0xfedcba9876543210, "VMREAD gives %lx", value);
	insn_expect(OP_VMREAD, &value, VMCS_GUEST_CS_SELECTOR, SUCCEEDS);
	guest_check(value >> 16 == 0, "a 16-bit field reads as %lx", value);
	insn_expect(OP_VMREAD, &value, NO_FIELD, FAILS(VMERR_UNSUPPORTED_FIELD));
	insn_expect(OP_VMWRITE, &value, NO_FIELD, FAILS(VMERR_UNSUPPORTED_FIELD));
	insn_expect(OP_VMREAD, &value, VMCS_GUEST_RIP | BIT(32), FAILS(VMERR_UNSUPPORTED_FIELD));
	insn_expect(OP_VMREAD, &value, VMCS_GUEST_RIP | 1, FAILS(VMERR_UNSUPPORTED_FIELD));
	insn_expect(OP_VMWRITE, &value, VMCS_EXIT_REASON, read_only);
	/* VMREAD names the field first, VMWRITE reads its source first. */
	insn_expect(OP_VMREAD, insn_unmapped, NO_FIELD, FAILS(VMERR_UNSUPPORTED_FIELD));
	insn_expect(OP_VMREAD, insn_unmapped, VMCS_GUEST_RIP, FAULTS(VECTOR_PF));
	insn_expect(OP_VMWRITE, insn_unmapped, NO_FIELD, FAULTS(VECTOR_PF));
	insn_expect(OP_VMWRITE, insn_unmapped, VMCS_GUEST_RIP, FAULTS(VECTOR_PF));
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	leave();
}

/* --- VMLAUNCH, VMRESUME, VMCALL -------------------------------------------------------------- */

void insn_entries(void)
{
	enter_with_current();
	insn_expect(OP_VMRESUME, NULL, 0, FAILS(VMERR_VMRESUME_NOT_LAUNCHED));
	insn_expect(OP_VMLAUNCH_MOV_SS, NULL, 0, FAILS(VMERR_ENTRY_MOV_SS));
	if (guest_is_recorded()) /* Bochs 2.7 stops: "VMCALL: not implemented yet" */
		insn_expect(OP_VMCALL, NULL, 0, FAILS(VMERR_VMCALL_IN_ROOT));
	guest_vmcs_write(VMCS_PIN_BASED_CONTROLS, 0);
	insn_expect(OP_VMLAUNCH, NULL, 0, FAILS(VMERR_ENTRY_CONTROLS));
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	leave();
}

/* --- INVEPT, INVVPID ------------------------------------------------------------------------- */

static void expect_invept(u64 type, u64 eptp, struct insn_result expected)
{
	u64 descriptor[2] = { eptp, 0 };

	insn_expect(OP_INVEPT, descriptor, type, expected);
}

static void expect_invvpid(u64 type, u64 vpid, u64 address, struct insn_result expected)
{
	u64 descriptor[2] = { vpid, address };

	insn_expect(OP_INVVPID, descriptor, type, expected);
}

static void expect_invepts(void)
{
	const struct insn_result fails = FAILS(VMERR_INV_OPERAND);

	expect_invept(INVEPT_ALL, 0, SUCCEEDS);
	expect_invept(INVEPT_ALL, ~0ull, SUCCEEDS);
	expect_invept(INVEPT_SINGLE, EPTP_WB | EPTP_LEVEL_4, SUCCEEDS);
	expect_invept(INVEPT_SINGLE, 0, fails);
	expect_invept(INVEPT_SINGLE, 7 | EPTP_LEVEL_4, fails);
	expect_invept(INVEPT_SINGLE, EPTP_WB, fails);
	expect_invept(INVEPT_SINGLE, EPTP_WB | EPTP_LEVEL_4 | beyond_memory(), fails);
	expect_invept(0, 0, fails);
	expect_invept(3, 0, fails);
	if (guest_is_recorded()) /* Bochs 2.7 looks at 32 bits of the type */
		expect_invept(INVEPT_ALL | BIT(32), 0, fails);
	insn_expect(OP_INVEPT, insn_unmapped, INVEPT_ALL, FAULTS(VECTOR_PF));
}

static void expect_invvpids(void)
{
	const struct insn_result fails = FAILS(VMERR_INV_OPERAND);

	expect_invvpid(INVVPID_ADDRESS, 1, 0x1000, SUCCEEDS);
	expect_invvpid(INVVPID_SINGLE, 1, 0, SUCCEEDS);
	expect_invvpid(INVVPID_ALL, 0, 0, SUCCEEDS);
	expect_invvpid(INVVPID_KEEP_GLOBALS, 1, 0, SUCCEEDS);
	expect_invvpid(INVVPID_ADDRESS, 0, 0x1000, fails);
	expect_invvpid(INVVPID_ADDRESS, 1, BIT(63), fails);
	expect_invvpid(INVVPID_SINGLE, 0, 0, fails);
	expect_invvpid(INVVPID_KEEP_GLOBALS, 0, 0, fails);
	expect_invvpid(INVVPID_ALL, BIT(16), 0, fails);
	expect_invvpid(4, 1, 0, fails);
	insn_expect(OP_INVVPID, insn_unmapped, INVVPID_ALL, FAULTS(VECTOR_PF));
}

void insn_invalidate(void)
{
	enter_with_current();
	if (guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_EPT))
		expect_invepts();
	if (guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_VPID))
		expect_invvpids();
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	leave();
}

/* --- ring 3 and compatibility mode ----------------------------------------------------------- */

static void expect_compat_ud(const u8 *code, size_t size)
{
	struct guest_fault fault = { 0 };

	guest_check(!guest_try_compat(code, size, &fault) && fault.vector == VECTOR_UD,
		    "%x %x %x in compatibility mode: exception %u", code[0], code[1], code[2],
		    fault.vector);
}

void insn_modes(void)
{
	static const u8 xor_eax[] = { 0x31, 0xc0 };
	static const u8 vmxoff_code[] = { 0x0f, 0x01, 0xc4 };
	static const u8 vmcall_code[] = { 0x0f, 0x01, 0xc1 };
	static const u8 vmread_code[] = { 0x0f, 0x78, 0xc8 };		   /* VMREAD EAX, ECX */
	static const u8 vmclear_code[] = { 0x66, 0x0f, 0xc7, 0x34, 0x24 }; /* VMCLEAR [ESP] */
	struct guest_fault fault;

	for (enum insn_op op = 0; op < OP_VMLAUNCH_MOV_SS; op++)
		insn_expect_in_ring_3(op, op == OP_VMXON ? VECTOR_GP : VECTOR_UD);
	enter_with_current();
	for (enum insn_op op = 0; op < OP_VMLAUNCH_MOV_SS; op++)
		insn_expect_in_ring_3(op, VECTOR_GP);
	guest_check(guest_try_compat(xor_eax, sizeof(xor_eax), &fault),
		    "compatibility mode does not work: exception %u", fault.vector);
	expect_compat_ud(vmxoff_code, sizeof(vmxoff_code));
	expect_compat_ud(vmcall_code, sizeof(vmcall_code));
	expect_compat_ud(vmread_code, sizeof(vmread_code));
	expect_compat_ud(vmclear_code, sizeof(vmclear_code));
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	leave();
}

/* --- what a VMCS keeps ----------------------------------------------------------------------- */

static void fill(u64 region, u64 value)
{
	insn_expect_pointer(OP_VMPTRLD, region, SUCCEEDS);
	guest_vmcs_write(VMCS_VPID, value & 0xffff);
	guest_vmcs_write(VMCS_TSC_OFFSET, value);
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, value & 0xffffffff);
	guest_vmcs_write(VMCS_HOST_RIP, value);
}

static void expect_filled(u64 region, u64 value)
{
	insn_expect_pointer(OP_VMPTRLD, region, SUCCEEDS);
	guest_check(guest_vmcs_read(VMCS_VPID) == (value & 0xffff) &&
			    guest_vmcs_read(VMCS_TSC_OFFSET) == value &&
			    guest_vmcs_read(VMCS_EXCEPTION_BITMAP) == (value & 0xffffffff) &&
			    guest_vmcs_read(VMCS_HOST_RIP) == value,
		    "VMCS %lx forgot what was written", region);
}

void insn_contents(void)
{
	const u64 a = 0x1111111111111111, b = 0x2222222222222222;

	enter();
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	insn_expect_pointer(OP_VMCLEAR, OTHER, SUCCEEDS);
	fill(REGION, a);
	fill(OTHER, b);
	expect_filled(REGION, a);
	expect_filled(OTHER, b);
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	guest_check(insn_current() == OTHER, "VMCLEAR of another made %lx current", insn_current());
	expect_filled(REGION, a);
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	insn_expect_pointer(OP_VMCLEAR, OTHER, SUCCEEDS);
	leave();
	enter();
	guest_check(insn_current() == NO_VMCS, "VMCS %lx is current after VMXON", insn_current());
	expect_filled(REGION, a);
	expect_filled(OTHER, b);
	insn_expect_pointer(OP_VMCLEAR, REGION, SUCCEEDS);
	insn_expect_pointer(OP_VMCLEAR, OTHER, SUCCEEDS);
	leave();
}
