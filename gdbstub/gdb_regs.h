/*
 * gdbstub/gdb_regs.h - the registers that gdb sees: numbers, sizes, what they are made of
 *
 * Numbers are those of gdb's packets: first the rows of regs.def, then, from GDB_REG_VMCS on, the
 * fields of the current VMCS in the order of enum vmcs_index.
 */
#ifndef GDBSTUB_GDB_REGS_H
#define GDBSTUB_GDB_REGS_H

#include "base/base.h"
#include "vmx/tables.h"

enum gdb_reg {
#define REG(NAME, ...) GDB_REG_##NAME,
#include "gdbstub/regs.def"
#undef REG
	GDB_REG_VMCS,
	GDB_REG_COUNT = GDB_REG_VMCS + VMCS_FIELD_COUNT
};

/* The parts of a target description; a register is in one. */
enum gdb_feature { GDB_CORE, GDB_SSE, GDB_SEGMENTS, GDB_SYSTEM, GDB_TAPE, GDB_VMCS, GDB_FEATURES };

#define GDB_NONE 0xff

struct gdb_reg_info {
	const char *name;
	const char *type; /* gdb's name of its type; NULL: by the kind of value */
	u8 bits;
	u8 kind;    /* enum vmx_value_kind that gives the bits names; else VMX_VALUE_HEX */
	u8 feature; /* enum gdb_feature */
	u8 source;  /* enum register_name, GDB_NONE */
};

/* About register @number, which is below GDB_REG_COUNT. */
struct gdb_reg_info gdb_reg_info(unsigned number);

#endif
