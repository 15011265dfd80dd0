#include "tests/test.h"
#include "vmx/qual.h"

static void memory_operands_have_their_parts(void **state)
{
	/* ds:[rbx + r11 * 8], 64-bit addresses, second register rsi */
	const u32 info = 3 | 2 << 7 | 3 << 15 | 11 << 18 | 3u << 23 | 6u << 28;
	struct vmx_insn_info insn = vmx_insn_info_decode(EXIT_VMWRITE, info);

	(void)state;
	assert_false(insn.is_reg);
	assert_int_equal(insn.reg1, VMX_REG_NONE);
	assert_int_equal(insn.reg2, REG_RSI);
	assert_int_equal(insn.base, REG_RBX);
	assert_int_equal(insn.index, REG_R11);
	assert_int_equal(insn.scale, 8);
	assert_int_equal(insn.segment, SEG_DS);
	assert_int_equal(insn.address_size, 64);

	insn = vmx_insn_info_decode(EXIT_VMWRITE, info | BIT(22) | BIT(27));
	assert_int_equal(insn.base, VMX_REG_NONE);
	assert_int_equal(insn.index, VMX_REG_NONE);
	assert_int_equal(insn.scale, 1);
}

static void register_operands_hide_the_undefined_memory_parts(void **state)
{
	const struct vmx_insn_info insn =
		vmx_insn_info_decode(EXIT_VMREAD | 0x80000000u, 0xffffffff);

	(void)state;
	assert_true(insn.is_reg);
	assert_int_equal(insn.reg1, REG_R15);
	assert_int_equal(insn.reg2, REG_R15);
	assert_int_equal(insn.base, VMX_REG_NONE);
	assert_int_equal(insn.index, VMX_REG_NONE);
	assert_int_equal(insn.address_size, 0);
}

static void bit_10_matters_only_where_a_register_is_possible(void **state)
{
	static const struct {
		const char *name;
		u32 reason;
		bool is_reg;
	} rows[] = {
		{ "vmread", EXIT_VMREAD, true },    { "vmwrite", EXIT_VMWRITE, true },
		{ "ldtr_tr", EXIT_LDTR_TR, true },  { "vmxon", EXIT_VMXON, false },
		{ "vmclear", EXIT_VMCLEAR, false }, { "invept", EXIT_INVEPT, false },
		{ "invvpid", EXIT_INVVPID, false }, { "gdtr_idtr", EXIT_GDTR_IDTR, false },
		{ "cpuid", EXIT_CPUID, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, vmx_insn_info_decode(rows[i].reason, BIT(10)).is_reg,
			   rows[i].is_reg);
}

static void reasons_without_information_decode_to_nothing(void **state)
{
	(void)state;
	assert_int_equal(vmx_insn_info_decode(EXIT_CPUID, ~0u).parts, 0);
	assert_int_equal(vmx_insn_info_decode(35, ~0u).parts, 0);
	assert_int_equal(vmx_insn_info_decode(0xffff, ~0u).parts, 0);
}

static void operand_sizes_follow_the_format(void **state)
{
	(void)state;
	assert_int_equal(vmx_insn_info_decode(EXIT_RDRAND, 0).operand_size, 16);
	assert_int_equal(vmx_insn_info_decode(EXIT_RDRAND, 2 << 11).operand_size, 64);
	assert_int_equal(vmx_insn_info_decode(EXIT_RDSEED, 3 << 11).operand_size, 0);
	assert_int_equal(vmx_insn_info_decode(EXIT_GDTR_IDTR, 1 << 11).operand_size, 32);
	assert_int_equal(vmx_insn_info_decode(EXIT_VMREAD, 3 << 11).operand_size, 0);
}

static void qualifications_decode_to_structures(void **state)
{
	const struct vmx_cr_access cr = vmx_cr_access_decode(0xffffffff12345b18);
	const struct vmx_dr_access dr = vmx_dr_access_decode(0x917);
	const struct vmx_io io = vmx_io_decode(0x3f8003b);

	(void)state;
	assert_int_equal(cr.cr, 8);
	assert_int_equal(cr.type, VMX_MOV_FROM_CR);
	assert_int_equal(cr.reg, REG_R11);
	assert_false(cr.lmsw_memory);
	assert_int_equal(cr.lmsw_source, 0x1234);

	assert_int_equal(dr.dr, 7);
	assert_true(dr.from_dr);
	assert_int_equal(dr.reg, REG_R9);

	assert_int_equal(io.port, 0x3f8);
	assert_int_equal(io.size, 4);
	assert_true(io.in && io.string && io.rep);
	assert_false(io.immediate);
	assert_int_equal(vmx_io_decode(0).size, 1);
	assert_int_equal(vmx_io_decode(2).size, 0);
	assert_int_equal(vmx_event_type(0x80000b0e), VMX_EVENT_HARDWARE_EXCEPTION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_operands_have_their_parts),
		cmocka_unit_test(register_operands_hide_the_undefined_memory_parts),
		cmocka_unit_test(bit_10_matters_only_where_a_register_is_possible),
		cmocka_unit_test(reasons_without_information_decode_to_nothing),
		cmocka_unit_test(operand_sizes_follow_the_format),
		cmocka_unit_test(qualifications_decode_to_structures),
	};
	return cmocka_run_group_tests_name("vmx/qual", tests, NULL, NULL);
}
