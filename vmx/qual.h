/*
 * vmx/qual.h - exit qualifications, instruction information and events as structures
 *
 * Any number decodes: what the architecture does not define comes out as it stands, and nothing
 * here fails. Text for people is made by vmx_decode() of vmx/value_text.h, which this includes.
 */
#ifndef VMX_QUAL_H
#define VMX_QUAL_H

#include "base/base.h"
#include "vmx/bits.h"
#include "vmx/tables.h"
#include "vmx/value_text.h"

/* --- Event identification --------------------------------------------------------------------- */

/*
 * Format of the VM-entry and VM-exit interruption-information and IDT-vectoring information fields.
 * SDM: "VM-Entry Controls for Event Injection", "Information for VM Exits Due to Vectored Events".
 */
#define VMX_EVENT_VECTOR	 MASK(7, 0)
#define VMX_EVENT_TYPE		 MASK(10, 8)
#define VMX_EVENT_ERROR_CODE	 BIT(11)
#define VMX_EVENT_NMI_UNBLOCKING BIT(12) /* of the VM-exit field only */
#define VMX_EVENT_NESTED	 BIT(13)
#define VMX_EVENT_VALID		 BIT(31)

enum vmx_event_type {
	VMX_EVENT_EXTERNAL_INTERRUPT = 0,
	VMX_EVENT_NMI = 2,
	VMX_EVENT_HARDWARE_EXCEPTION = 3,
	VMX_EVENT_SOFTWARE_INTERRUPT = 4,
	VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
	VMX_EVENT_SOFTWARE_EXCEPTION = 6,
	VMX_EVENT_OTHER = 7,
};

static inline enum vmx_event_type vmx_event_type(u64 info)
{
	return (enum vmx_event_type)BITS(info, 10, 8);
}

/* --- Instruction information ------------------------------------------------------------------ */

enum vmx_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

#define VMX_REG_NONE 0xff

/* Which members of struct vmx_insn_info mean something: insn_formats.def. */
enum vmx_insn_part {
	VMX_INSN_MEM = 1 << 0,
	VMX_INSN_MAYREG = 1 << 1,
	VMX_INSN_ADDR = 1 << 2,
	VMX_INSN_REG1 = 1 << 3,
	VMX_INSN_REG2 = 1 << 4,
	VMX_INSN_SIZE1 = 1 << 5,
	VMX_INSN_SIZE2 = 1 << 6,
	VMX_INSN_WHICH = 1 << 7,
	VMX_INSN_XMM = 1 << 8,
};

/*
 * The operands of the instruction that caused a VM exit. The displacement of a memory operand is in
 * the exit qualification. Registers are enum vmx_reg.
 */
struct vmx_insn_info {
	u16 parts;	 /* enum vmx_insn_part; 0: undefined for this exit reason */
	bool is_reg;	 /* the operand that may be memory is register @reg1 */
	u8 reg1;	 /* VMX_REG_NONE: none */
	u8 reg2;	 /* VMX_REG_NONE: none */
	u8 base;	 /* VMX_REG_NONE: none */
	u8 index;	 /* VMX_REG_NONE: none */
	u8 scale;	 /* 1, 2, 4 or 8 */
	u8 segment;	 /* enum vmx_segment; 6 and 7 are not defined */
	u8 address_size; /* 16, 32 or 64 bits; 0: not defined */
	u8 operand_size; /* 16, 32 or 64 bits; 0: not told */
	u8 which;	 /* of the four instructions of the reason */
};

/* @reason may have upper bits of the exit-reason field set; they do not matter. */
struct vmx_insn_info vmx_insn_info_decode(u32 reason, u32 info);

/* "vmread", "lgdt" ...: what caused an exit for @reason, where the reason is an instruction. */
const char *vmx_insn_name(u32 reason, const struct vmx_insn_info *insn);

/* --- Exit qualifications ---------------------------------------------------------------------- */

enum vmx_cr_access_type {
	VMX_MOV_TO_CR,
	VMX_MOV_FROM_CR,
	VMX_CLTS,
	VMX_LMSW,
};

struct vmx_cr_access {
	u8 cr;
	u8 type; /* enum vmx_cr_access_type */
	u8 reg;	 /* enum vmx_reg, of the two MOVs */
	bool lmsw_memory;
	u16 lmsw_source;
};

/* Of an exit for control-register accesses. */
struct vmx_cr_access vmx_cr_access_decode(u64 qualification);

struct vmx_dr_access {
	u8 dr;
	bool from_dr;
	u8 reg; /* enum vmx_reg */
};

/* Of an exit for MOV DR. */
struct vmx_dr_access vmx_dr_access_decode(u64 qualification);

struct vmx_io {
	u16 port;
	u8 size; /* 1, 2 or 4; 0: not defined */
	bool in;
	bool string;
	bool rep;
	bool immediate;
};

/* Of an exit for an I/O instruction. */
struct vmx_io vmx_io_decode(u64 qualification);

/* Bits of the exit qualification of an EPT violation. SDM: "Basic VM-Exit Information". */
#define VMX_EPT_VIOLATION_READ		 BIT(0)
#define VMX_EPT_VIOLATION_WRITE		 BIT(1)
#define VMX_EPT_VIOLATION_FETCH		 BIT(2)
#define VMX_EPT_VIOLATION_LINEAR_VALID	 BIT(7)
#define VMX_EPT_VIOLATION_FINAL		 BIT(8)
#define VMX_EPT_VIOLATION_NMI_UNBLOCKING BIT(12)

#endif
