#include "gdbstub/gdb_regs.h"

#include "replay/registers.h"
#include "vmx/bits.h"

#define REGISTER_NONE	  GDB_NONE

#define TYPE_INT	  .type = NULL, .kind = VMX_VALUE_HEX
#define TYPE_DATA	  .type = "data_ptr", .kind = VMX_VALUE_HEX
#define TYPE_CODE	  .type = "code_ptr", .kind = VMX_VALUE_HEX
#define TYPE_I387	  .type = "i387_ext", .kind = VMX_VALUE_HEX
#define TYPE_UINT128	  .type = "uint128", .kind = VMX_VALUE_HEX
#define TYPE_FLAGS_RFLAGS .type = NULL, .kind = VMX_VALUE_RFLAGS
#define TYPE_FLAGS_CR0	  .type = NULL, .kind = VMX_VALUE_CR0
#define TYPE_FLAGS_CR4	  .type = NULL, .kind = VMX_VALUE_CR4
#define TYPE_FLAGS_EFER	  .type = NULL, .kind = VMX_VALUE_EFER
#define TYPE_FLAGS_DR7	  .type = NULL, .kind = VMX_VALUE_DR7

static const struct gdb_reg_info regs[GDB_REG_VMCS] = {
#define REG(NAME, id, width, TYPE, FEATURE, SOURCE)    \
	[GDB_REG_##NAME] = { .name = #id,              \
			     .bits = width,            \
			     TYPE_##TYPE,              \
			     .feature = GDB_##FEATURE, \
			     .source = (u8)REGISTER_##SOURCE },
#include "gdbstub/regs.def"
#undef REG
};

_Static_assert(REGISTER_COUNT < GDB_NONE, "numbers fit beside GDB_NONE");

struct gdb_reg_info gdb_reg_info(unsigned number)
{
	const int index = (int)number - GDB_REG_VMCS;

	if (index < 0)
		return regs[number];
	return (struct gdb_reg_info){
		.name = vmcs_fields[index].name,
		.bits = (u8)vmcs_width_bits(vmcs_fields[index].width),
		.kind = (u8)vmx_field_kind(index),
		.feature = GDB_VMCS,
		.source = GDB_NONE,
	};
}
