#include "vmx/qual.h"

/* --- Structures ------------------------------------------------------------------------------- */

static u16 insn_parts(u32 reason)
{
	static const u16 parts[EXIT_REASON_COUNT] = {
#define MEM			 VMX_INSN_MEM
#define MAYREG			 VMX_INSN_MAYREG
#define ADDR			 VMX_INSN_ADDR
#define REG1			 VMX_INSN_REG1
#define REG2			 VMX_INSN_REG2
#define SIZE1			 VMX_INSN_SIZE1
#define SIZE2			 VMX_INSN_SIZE2
#define WHICH			 VMX_INSN_WHICH
#define XMM			 VMX_INSN_XMM
#define INSN_FORMAT(EXIT, PARTS) [EXIT_##EXIT] = PARTS,
#include "vmx/insn_formats.def"
#undef INSN_FORMAT
#undef XMM
#undef WHICH
#undef SIZE2
#undef SIZE1
#undef REG2
#undef REG1
#undef ADDR
#undef MAYREG
#undef MEM
	};

	return reason < EXIT_REASON_COUNT ? parts[reason] : 0;
}

struct vmx_insn_info vmx_insn_info_decode(u32 reason, u32 info)
{
	static const u8 sizes[] = { 16, 32, 64, 0, 0, 0, 0, 0 };
	struct vmx_insn_info insn = {
		.parts = insn_parts(reason & (u32)EXIT_REASON_BASIC),
		.reg1 = VMX_REG_NONE,
		.reg2 = VMX_REG_NONE,
		.base = VMX_REG_NONE,
		.index = VMX_REG_NONE,
		.scale = 1,
	};

	insn.is_reg = (insn.parts & VMX_INSN_MAYREG) && (info & BIT(10));
	if (insn.is_reg || (insn.parts & VMX_INSN_REG1))
		insn.reg1 = (u8)BITS(info, 6, 3);
	if (insn.parts & VMX_INSN_REG2)
		insn.reg2 = (u8)BITS(info, 31, 28);
	if (insn.parts & VMX_INSN_WHICH)
		insn.which = (u8)BITS(info, 29, 28);
	if (insn.parts & VMX_INSN_SIZE1)
		insn.operand_size = sizes[BITS(info, 11, 11)];
	if (insn.parts & VMX_INSN_SIZE2)
		insn.operand_size = sizes[BITS(info, 12, 11)];
	if (insn.is_reg || !(insn.parts & (VMX_INSN_MEM | VMX_INSN_ADDR)))
		return insn;

	insn.address_size = sizes[BITS(info, 9, 7)];
	insn.segment = (u8)BITS(info, 17, 15);
	if (insn.parts & VMX_INSN_ADDR)
		return insn;
	if (!(info & BIT(27)))
		insn.base = (u8)BITS(info, 26, 23);
	if (!(info & BIT(22))) {
		insn.index = (u8)BITS(info, 21, 18);
		insn.scale = (u8)(1 << BITS(info, 1, 0));
	}
	return insn;
}

const char *vmx_insn_name(u32 reason, const struct vmx_insn_info *insn)
{
	static const char *const tables[] = { "sgdt", "sidt", "lgdt", "lidt" };
	static const char *const locals[] = { "sldt", "str", "lldt", "ltr" };

	switch (reason & EXIT_REASON_BASIC) {
	case EXIT_GDTR_IDTR:
		return tables[insn->which];
	case EXIT_LDTR_TR:
		return locals[insn->which];
	default:
		return vmx_exit_name(reason);
	}
}

struct vmx_cr_access vmx_cr_access_decode(u64 qualification)
{
	return (struct vmx_cr_access){
		.cr = (u8)BITS(qualification, 3, 0),
		.type = (u8)BITS(qualification, 5, 4),
		.reg = (u8)BITS(qualification, 11, 8),
		.lmsw_memory = qualification & BIT(6),
		.lmsw_source = (u16)BITS(qualification, 31, 16),
	};
}

struct vmx_dr_access vmx_dr_access_decode(u64 qualification)
{
	return (struct vmx_dr_access){
		.dr = (u8)BITS(qualification, 2, 0),
		.from_dr = qualification & BIT(4),
		.reg = (u8)BITS(qualification, 11, 8),
	};
}

struct vmx_io vmx_io_decode(u64 qualification)
{
	static const u8 sizes[] = { 1, 2, 0, 4, 0, 0, 0, 0 };

	return (struct vmx_io){
		.port = (u16)BITS(qualification, 31, 16),
		.size = sizes[BITS(qualification, 2, 0)],
		.in = qualification & BIT(3),
		.string = qualification & BIT(4),
		.rep = qualification & BIT(5),
		.immediate = qualification & BIT(6),
	};
}
