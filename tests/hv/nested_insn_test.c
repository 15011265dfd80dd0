#include "tests/hv/nested_play.h"

#define RFLAGS_ALL_STATUS PLAY_RFLAGS_BITS
#define VECTOR_UD	  6
#define VECTOR_GP	  13

/* One expectation: outcome, and the error or vector where there is one. */
static void expect(const char *name, enum trace_outcome outcome, u64 error)
{
	const u64 flags = vmread(VMCS_GUEST_RFLAGS) & PLAY_RFLAGS_BITS;

	assert_row(name, insn()->outcome, outcome);
	assert_row(name, insn()->error, error);
	switch (outcome) {
	case OUTCOME_SUCCEED:
		assert_row(name, flags, 0);
		break;
	case OUTCOME_FAIL_INVALID:
		assert_row(name, flags, BIT(0));
		break;
	case OUTCOME_FAIL_VALID:
		assert_row(name, flags, BIT(6));
		assert_row(name, get12(VMCS_VM_INSTRUCTION_ERROR), error);
		break;
	case OUTCOME_FAULT:
		assert_row(name, flags, RFLAGS_ALL_STATUS);
		assert_true(stub_injects((unsigned)error));
		break;
	}
}

static const struct {
	const char *name;
	u32 reason;
	u64 info;
} all_insns[] = {
	{ "vmclear", EXIT_VMCLEAR, 0 },	  { "vmptrld", EXIT_VMPTRLD, 0 },
	{ "vmptrst", EXIT_VMPTRST, 0 },	  { "vmread", EXIT_VMREAD, 0 },
	{ "vmwrite", EXIT_VMWRITE, 0 },	  { "vmlaunch", EXIT_VMLAUNCH, 0 },
	{ "vmresume", EXIT_VMRESUME, 0 }, { "invept", EXIT_INVEPT, 0 },
	{ "invvpid", EXIT_INVVPID, 0 },	  { "vmxoff", EXIT_VMXOFF, 0 },
	{ "vmcall", EXIT_VMCALL, 0 },
};

static void vmx_instructions_are_undefined_outside_vmx_operation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all_insns); i++) {
		vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
		play(all_insns[i].reason, info_at_rax(REG_RCX), 0);
		expect(all_insns[i].name, OUTCOME_FAULT, VECTOR_UD);
		assert_row(all_insns[i].name, vmread(VMCS_GUEST_RIP), PLAY_CODE);
	}
}

static void vmx_instructions_fault_at_cpl_3(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
	for (size_t i = 0; i < ARRAY_SIZE(all_insns); i++) {
		vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
		play(all_insns[i].reason, info_at_rax(REG_RCX), 0);
		expect(all_insns[i].name, OUTCOME_FAULT, VECTOR_GP);
	}
}

/* Of the others the processor itself makes #UD there, before they exit. */
static void vmcall_in_compatibility_mode_is_undefined_before_cpl(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc0fb);
	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
	play(EXIT_VMCALL, info_at_rax(REG_RCX), 0);
	expect("vmcall", OUTCOME_FAULT, VECTOR_UD);
}

static void vmxon_checks_in_the_order_of_the_manual(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
	vmwrite(VMCS_CR4_READ_SHADOW, 0x20);
	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
	cpu->feature_control = 0;
	play_pointer(EXIT_VMXON, 1);
	expect("CR4.VMXE=0", OUTCOME_FAULT, VECTOR_UD);

	vmwrite(VMCS_CR4_READ_SHADOW, 0x2020);
	play_pointer(EXIT_VMXON, 1);
	expect("CPL 3", OUTCOME_FAULT, VECTOR_GP);

	vmwrite(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc093);
	play_pointer(EXIT_VMXON, 1);
	expect("IA32_FEATURE_CONTROL unlocked", OUTCOME_FAULT, VECTOR_GP);
	cpu->feature_control = 1;
	play_pointer(EXIT_VMXON, 1);
	expect("VMX outside SMX disabled", OUTCOME_FAULT, VECTOR_GP);
	cpu->feature_control = 5;

	vmwrite(VMCS_CR0_READ_SHADOW, vmread(VMCS_CR0_READ_SHADOW) & ~CR0_NE);
	play_pointer(EXIT_VMXON, 1);
	expect("CR0.NE=0", OUTCOME_FAULT, VECTOR_GP);
	vmwrite(VMCS_CR0_READ_SHADOW, vmread(VMCS_CR0_READ_SHADOW) | CR0_NE);

	play_pointer(EXIT_VMXON, 1);
	expect("not aligned", OUTCOME_FAIL_INVALID, 0);
	play_pointer(EXIT_VMXON, BIT(STUB_PHYS_WIDTH));
	expect("beyond the physical width", OUTCOME_FAIL_INVALID, 0);
	play_pointer(EXIT_VMXON, PLAY_VMXON);
	expect("revision", OUTCOME_FAIL_INVALID, 0);
	play_revision(PLAY_VMXON, VMCS12_REVISION | BIT(31));
	play_pointer(EXIT_VMXON, PLAY_VMXON);
	expect("shadow bit", OUTCOME_FAIL_INVALID, 0);
	assert_int_equal(cpu->nested.mode, NESTED_OFF);

	play_revision(PLAY_VMXON, VMCS12_REVISION);
	play_pointer(EXIT_VMXON, PLAY_VMXON);
	expect("good", OUTCOME_SUCCEED, 0);
	assert_int_equal(cpu->nested.mode, NESTED_ROOT);
	assert_u64(cpu->nested.current_pointer, NESTED_NONE);
}

static void vmxon_in_root_operation_fails_without_reading_its_operand(void **state)
{
	(void)state;
	cpu->regs[REG_RAX] = 0xdead000000000000; /* not canonical */
	play(EXIT_VMXON, info_at_rax(0), 0);
	expect("vmxon", OUTCOME_FAIL_VALID, VMERR_VMXON_IN_ROOT);
}

static void vmxoff_leaves_vmx_operation(void **state)
{
	(void)state;
	play(EXIT_VMXOFF, 0, 0);
	expect("vmxoff", OUTCOME_SUCCEED, 0);
	assert_int_equal(cpu->nested.mode, NESTED_OFF);
	play(EXIT_VMXOFF, 0, 0);
	assert_int_equal(insn()->outcome, OUTCOME_FAULT);
}

/* The number that the last instruction took, of a kind whose columns end with ORDER_COLUMN. */
static u64 order_taken(size_t columns_size)
{
	return last_event()->col[columns_size / sizeof(u64) - 1];
}

static void what_hands_a_vmcs_over_takes_numbers_that_ascend(void **state)
{
	u64 order;

	(void)state;
	play_revision(PLAY_VMXON, VMCS12_REVISION);
	play_revision(PLAY_VMCS, VMCS12_REVISION);
	play_pointer(EXIT_VMXON, 1);
	assert_u64(order_taken(sizeof(struct ev_vmxon)), 0);
	play_pointer(EXIT_VMXON, PLAY_VMXON);
	order = order_taken(sizeof(struct ev_vmxon));
	assert_true(order > 0);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	assert_u64(order_taken(sizeof(struct ev_vmclear)), order + 1);
	play_pointer(EXIT_VMCLEAR, PLAY_VMXON);
	assert_u64(order_taken(sizeof(struct ev_vmclear)), 0);
	/* The revision is wrong, but it was read. */
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS2);
	expect("no revision", OUTCOME_FAIL_INVALID, 0);
	assert_u64(order_taken(sizeof(struct ev_vmptrld)), order + 2);
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_u64(order_taken(sizeof(struct ev_vmptrld)), order + 3);
	play(EXIT_VMXOFF, 0, 0);
	assert_u64(order_taken(sizeof(struct ev_vmxoff)), order + 4);
}

static void vmcall_in_root_operation_only_fails(void **state)
{
	(void)state;
	play(EXIT_VMCALL, 0, 0);
	expect("vmcall", OUTCOME_FAIL_VALID, VMERR_VMCALL_IN_ROOT);
}

static void pointer_instructions_refuse_what_they_must(void **state)
{
	static const struct {
		const char *name;
		u32 reason;
		u64 pointer;
		enum vmx_insn_error error;
	} rows[] = {
		{ "vmclear align", EXIT_VMCLEAR, PLAY_VMCS + 8, VMERR_VMCLEAR_ADDRESS },
		{ "vmclear width", EXIT_VMCLEAR, BIT(STUB_PHYS_WIDTH), VMERR_VMCLEAR_ADDRESS },
		{ "vmclear vmxon", EXIT_VMCLEAR, PLAY_VMXON, VMERR_VMCLEAR_VMXON_POINTER },
		{ "vmptrld align", EXIT_VMPTRLD, PLAY_VMCS + 8, VMERR_VMPTRLD_ADDRESS },
		{ "vmptrld width", EXIT_VMPTRLD, BIT(STUB_PHYS_WIDTH), VMERR_VMPTRLD_ADDRESS },
		{ "vmptrld vmxon", EXIT_VMPTRLD, PLAY_VMXON, VMERR_VMPTRLD_VMXON_POINTER },
		{ "vmptrld revision", EXIT_VMPTRLD, PLAY_PAGE, VMERR_VMPTRLD_REVISION },
		{ "vmptrld nothing", EXIT_VMPTRLD, GIB(8), VMERR_VMPTRLD_REVISION },
		{ "vmptrld hv", EXIT_VMPTRLD, PLAY_MEMORY - MIB(1), VMERR_VMPTRLD_REVISION },
	};

	(void)state;
	play_revision(PLAY_MEMORY - MIB(1), VMCS12_REVISION);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		play_pointer(rows[i].reason, rows[i].pointer);
		expect(rows[i].name, OUTCOME_FAIL_VALID, rows[i].error);
		assert_row(rows[i].name, cpu->nested.current_pointer, PLAY_VMCS);
	}
}

static void vmclear_of_the_current_vmcs_leaves_none(void **state)
{
	u64 stored = 0;

	(void)state;
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	expect("vmclear", OUTCOME_SUCCEED, 0);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS + 8);
	expect("without a current VMCS", OUTCOME_FAIL_INVALID, 0);

	cpu->regs[REG_RAX] = PLAY_OPERAND;
	play(EXIT_VMPTRST, info_at_rax(0), 0);
	expect("vmptrst", OUTCOME_SUCCEED, 0);
	memcpy(&stored, stub_at(PLAY_OPERAND), sizeof(stored));
	assert_u64(stored, ~0ull);
}

static void vmread_and_vmwrite_without_a_vmcs_fail_invalid(void **state)
{
	(void)state;
	play_vmread(0xffff);
	expect("vmread", OUTCOME_FAIL_INVALID, 0);
	play_vmwrite(0xffff, 0);
	expect("vmwrite", OUTCOME_FAIL_INVALID, 0);
}

static void fields_that_do_not_exist_give_error_12(void **state)
{
	static const struct {
		const char *name;
		u64 encoding;
	} rows[] = {
		{ "no such field", 0x6c20 },
		{ "bit 12", VMCS_GUEST_RIP | BIT(12) },
		{ "bit 15", VMCS_GUEST_RIP | BIT(15) },
		{ "bit 32", VMCS_GUEST_RIP | BIT(32) },
		{ "high half of 32 bits", VMCS_PIN_BASED_CONTROLS + 1 },
		{ "high half of natural width", VMCS_GUEST_RIP + 1 },
		{ "of VMCS shadowing, not shown", VMCS_VMREAD_BITMAP_ADDRESS },
		{ "of SPP, not shown", VMCS_SPP_TABLE_POINTER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		play_vmread(rows[i].encoding);
		expect(rows[i].name, OUTCOME_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
		play_vmwrite(rows[i].encoding, 1);
		expect(rows[i].name, OUTCOME_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
	}
}

static void read_only_fields_can_be_written_only_where_misc_says_so(void **state)
{
	(void)state;
	play_vmwrite(VMCS_EXIT_REASON, 0x30);
	expect("shown", OUTCOME_SUCCEED, 0);
	cpu->nested.shown.msr[VMX_CAP_MISC] &= ~(u64)CAP_VMWRITE_ANY_FIELD;
	play_vmwrite(VMCS_EXIT_REASON, 0x31);
	expect("not shown", OUTCOME_FAIL_VALID, VMERR_READ_ONLY_FIELD);
	assert_u64(get12(VMCS_EXIT_REASON), 0x30);
	play_vmwrite(VMCS_EXIT_REASON + 1, 0x31);
	expect("12 before 13", OUTCOME_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
}

static void fields_keep_their_width(void **state)
{
	static const struct {
		const char *name;
		u64 encoding, written, full;
	} rows[] = {
		{ "16 bits", VMCS_GUEST_CS_SELECTOR, 0x1122334455667788, 0x7788 },
		{ "32 bits", VMCS_EXCEPTION_BITMAP, 0x1122334455667788, 0x55667788 },
		{ "64 bits", VMCS_TSC_OFFSET, 0x1122334455667788, 0x1122334455667788 },
		{ "high half", VMCS_TSC_OFFSET + 1, 0xaabbccdd, 0xaabbccdd55667788 },
		{ "natural", VMCS_GUEST_RIP, 0x1122334455667788, 0x1122334455667788 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		play_vmwrite(rows[i].encoding, rows[i].written);
		expect(rows[i].name, OUTCOME_SUCCEED, 0);
		play_vmread(rows[i].encoding & ~1ull);
		expect(rows[i].name, OUTCOME_SUCCEED, 0);
		assert_row(rows[i].name, cpu->regs[REG_RAX], rows[i].full);
	}
	play_vmread(VMCS_TSC_OFFSET + 1);
	assert_u64(cpu->regs[REG_RAX], 0xaabbccdd);
}

static void protected_mode_operands_have_32_bits(void **state)
{
	(void)state;
	play_legacy_mode();
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	play_vmwrite(BIT(32) | VMCS_TSC_OFFSET, 0x1122334455667788);
	expect("vmwrite", OUTCOME_SUCCEED, 0);
	assert_u64(get12(VMCS_TSC_OFFSET), 0x55667788);
	play_vmwrite(VMCS_TSC_OFFSET + 1, 0x99aabbccddeeff00);
	assert_u64(get12(VMCS_TSC_OFFSET), 0xddeeff0055667788);
	play_vmread(VMCS_TSC_OFFSET);
	assert_u64(cpu->regs[REG_RAX], 0x55667788);
}

static void vmread_finds_the_field_before_its_destination_faults(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
	cpu->regs[REG_RAX] = GIB(5); /* not mapped by L1 */
	cpu->regs[REG_RCX] = 0x6c20;
	play(EXIT_VMREAD, info_at_rax(REG_RCX), 0);
	expect("field", OUTCOME_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);

	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
	cpu->regs[REG_RCX] = VMCS_GUEST_RIP;
	play(EXIT_VMREAD, info_at_rax(REG_RCX), 0);
	expect("destination", OUTCOME_FAULT, 14);
	assert_u64(insn()->fault_code, 2);
	assert_u64(insn()->cr2, GIB(5));
	assert_u64(stub_cpu.cr2, GIB(5));
}

static void vmwrite_reads_its_source_before_it_looks_at_the_field(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
	cpu->regs[REG_RAX] = GIB(5);
	cpu->regs[REG_RCX] = 0x6c20;
	play(EXIT_VMWRITE, info_at_rax(REG_RCX), 0);
	expect("source", OUTCOME_FAULT, 14);
	assert_u64(insn()->fault_code, 0);
}

static void invalidations_judge_their_operands(void **state)
{
	const u64 eptp = PLAY_EPT12 | 3 << 3 | 6;
	const struct {
		const char *name;
		u32 reason;
		u64 type, low, high;
		u32 error; /* 0: success */
	} rows[] = {
		{ "invept type 0", EXIT_INVEPT, 0, eptp, 0, VMERR_INV_OPERAND },
		{ "invept type 3", EXIT_INVEPT, 3, eptp, 0, VMERR_INV_OPERAND },
		{ "invept 64-bit type", EXIT_INVEPT, BIT(32) | 1, eptp, 0, VMERR_INV_OPERAND },
		{ "invept single", EXIT_INVEPT, 1, eptp, 0, 0 },
		{ "invept single, reserved", EXIT_INVEPT, 1, eptp | BIT(8), 0, VMERR_INV_OPERAND },
		{ "invept single, bit 7 not shown", EXIT_INVEPT, 1, eptp | BIT(7), 0,
		  VMERR_INV_OPERAND },
		{ "invept all", EXIT_INVEPT, 2, BIT(8), 0, 0 },
		{ "invvpid type 4", EXIT_INVVPID, 4, 1, 0, VMERR_INV_OPERAND },
		{ "invvpid address", EXIT_INVVPID, 0, 1, 0x1000, 0 },
		{ "invvpid not canonical", EXIT_INVVPID, 0, 1, BIT(60), VMERR_INV_OPERAND },
		{ "invvpid single", EXIT_INVVPID, 1, 1, BIT(60), 0 },
		{ "invvpid single, VPID 0", EXIT_INVVPID, 1, 0, 0, VMERR_INV_OPERAND },
		{ "invvpid all", EXIT_INVVPID, 2, 0, 0, 0 },
		{ "invvpid all, reserved", EXIT_INVVPID, 2, BIT(16), 0, VMERR_INV_OPERAND },
		{ "invvpid retaining, VPID 0", EXIT_INVVPID, 3, 0, 0, VMERR_INV_OPERAND },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		play_invalidate(rows[i].reason, rows[i].type, rows[i].low, rows[i].high);
		expect(rows[i].name, rows[i].error ? OUTCOME_FAIL_VALID : OUTCOME_SUCCEED,
		       rows[i].error);
		assert_row(rows[i].name, order_taken(sizeof(struct ev_invept)) != 0,
			   !rows[i].error);
	}
}

static void a_bad_invalidation_type_wins_over_the_descriptor(void **state)
{
	(void)state;
	cpu->regs[REG_RAX] = GIB(5);
	cpu->regs[REG_RCX] = 7;
	play(EXIT_INVEPT, info_at_rax(REG_RCX), 0);
	expect("invept", OUTCOME_FAIL_VALID, VMERR_INV_OPERAND);
	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
	cpu->regs[REG_RCX] = 2;
	play(EXIT_INVEPT, info_at_rax(REG_RCX), 0);
	expect("descriptor", OUTCOME_FAULT, 14);
}

static void invept_is_undefined_where_it_is_not_shown(void **state)
{
	(void)state;
	play_boot_with("-invept,-invvpid");
	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS | RFLAGS_ALL_STATUS);
	play_invalidate(EXIT_INVEPT, 2, 0, 0);
	expect("invept", OUTCOME_FAULT, VECTOR_UD);
	play_invalidate(EXIT_INVVPID, 2, 0, 0);
	expect("invvpid", OUTCOME_FAULT, VECTOR_UD);
}

static void instructions_move_rip_and_end_the_shadow_of_sti(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RIP, PLAY_CODE);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 1);
	play_vmread(VMCS_GUEST_RIP);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_CODE + 3);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
	assert_u64(last_event()->rip, PLAY_CODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_boot, vmx_instructions_are_undefined_outside_vmx_operation),
		IN(play_vmptrld, vmx_instructions_fault_at_cpl_3),
		IN(play_vmptrld, vmcall_in_compatibility_mode_is_undefined_before_cpl),
		IN(play_boot, vmxon_checks_in_the_order_of_the_manual),
		IN(play_vmptrld, vmxon_in_root_operation_fails_without_reading_its_operand),
		IN(play_vmptrld, vmxoff_leaves_vmx_operation),
		IN(play_vmptrld, vmcall_in_root_operation_only_fails),
		IN(play_boot, what_hands_a_vmcs_over_takes_numbers_that_ascend),
		IN(play_vmptrld, pointer_instructions_refuse_what_they_must),
		IN(play_vmptrld, vmclear_of_the_current_vmcs_leaves_none),
		IN(play_vmxon, vmread_and_vmwrite_without_a_vmcs_fail_invalid),
		IN(play_vmptrld, fields_that_do_not_exist_give_error_12),
		IN(play_vmptrld, read_only_fields_can_be_written_only_where_misc_says_so),
		IN(play_vmptrld, fields_keep_their_width),
		IN(play_vmptrld, protected_mode_operands_have_32_bits),
		IN(play_vmptrld, vmread_finds_the_field_before_its_destination_faults),
		IN(play_vmptrld, vmwrite_reads_its_source_before_it_looks_at_the_field),
		IN(play_vmptrld, invalidations_judge_their_operands),
		IN(play_vmptrld, a_bad_invalidation_type_wins_over_the_descriptor),
		IN(play_boot, invept_is_undefined_where_it_is_not_shown),
		IN(play_vmptrld, instructions_move_rip_and_end_the_shadow_of_sti),
	};

	return cmocka_run_group_tests_name("hv/nested: instructions", tests, NULL, NULL);
}
