#include "replay/disasm.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#define MAX_LENGTH 15 /* SDM: "Instruction Prefixes" and #GP of longer ones */

enum disasm_mode disasm_mode(u64 mode)
{
	if (mode & BIT(MODE_LMA) && mode & BIT(MODE_CS_L))
		return DISASM_64;
	return mode & BIT(MODE_CS_D) ? DISASM_32 : DISASM_16;
}

/* What stands before the opcode, as far as it decides which instruction it is. */
struct prefixes {
	bool operand_size; /* 66 */
	u8 repeat;	   /* F2 or F3, the last one; 0: none */
	u8 rex;
	size_t length;
};

static struct prefixes read_prefixes(const u8 *code, size_t count, enum disasm_mode mode)
{
	struct prefixes prefixes = { 0 };

	for (; prefixes.length < count; prefixes.length++) {
		const u8 byte = code[prefixes.length];

		if (byte == 0x66)
			prefixes.operand_size = true;
		else if (byte == 0xf2 || byte == 0xf3)
			prefixes.repeat = byte;
		else if (byte != 0x2e && byte != 0x36 && byte != 0x3e && byte != 0x26 &&
			 byte != 0x64 && byte != 0x65 && byte != 0x67 && byte != 0xf0)
			break;
	}
	if (mode == DISASM_64 && prefixes.length < count && (code[prefixes.length] & 0xf0) == 0x40)
		prefixes.rex = code[prefixes.length++];
	return prefixes;
}

/* --- what capstone 4.0.2 takes for something else --------------------------------------------- */

enum opcode_form {
	FORM_PLAIN,    /* 0F @opcode @modrm, the three bytes alone */
	FORM_MEMORY,   /* 0F @opcode /reg with a memory operand: only the name is wrong */
	FORM_REGISTER, /* 0F @opcode /reg with a register, which is all of its operands */
	FORM_NO_MODRM, /* 0F @opcode alone */
};

/* SDM: "Instruction Set Reference"; a name of NULL: undefined with that prefix. */
static const struct correction {
	u8 form;   /* enum opcode_form */
	u8 prefix; /* F3, F2, 66, 0: none. F2 and F3 win over 66 */
	u8 opcode; /* behind 0F */
	u8 modrm;  /* FORM_PLAIN: the byte; else /reg */
	const char *name;
} corrections[] = {
	{ FORM_REGISTER, 0xf3, 0xc7, 7, "rdpid" },
	{ FORM_REGISTER, 0xf3, 0xc7, 6, "senduipi" },
	{ FORM_MEMORY, 0xf3, 0xc7, 6, "vmxon" },
	{ FORM_MEMORY, 0xf2, 0xc7, 6, NULL },
	{ FORM_PLAIN, 0x66, 0x01, 0xcc, "tdcall" },
	{ FORM_PLAIN, 0x66, 0x01, 0xcd, "seamret" },
	{ FORM_PLAIN, 0x66, 0x01, 0xce, "seamops" },
	{ FORM_PLAIN, 0x66, 0x01, 0xcf, "seamcall" },
	{ FORM_PLAIN, 0, 0x01, 0xc0, "enclv" },
	{ FORM_PLAIN, 0, 0x01, 0xc5, "pconfig" },
	{ FORM_PLAIN, 0x66, 0x01, 0xc1, NULL }, /* VMCALL ... */
	{ FORM_PLAIN, 0xf2, 0x01, 0xc1, NULL },
	{ FORM_PLAIN, 0xf3, 0x01, 0xc1, NULL },
	{ FORM_NO_MODRM, 0xf3, 0x09, 0, "wbnoinvd" },
	{ FORM_NO_MODRM, 0xf3, 0x78, 0, NULL }, /* VMREAD ... */
	{ FORM_NO_MODRM, 0xf2, 0x78, 0, NULL },
	{ FORM_NO_MODRM, 0x66, 0x78, 0, NULL },
	{ FORM_NO_MODRM, 0xf3, 0x79, 0, NULL }, /* VMWRITE */
	{ FORM_NO_MODRM, 0xf2, 0x79, 0, NULL },
	{ FORM_NO_MODRM, 0x66, 0x79, 0, NULL },
};

static const struct correction *find_correction(const struct prefixes *prefixes, const u8 *opcode,
						size_t count)
{
	const u8 prefix = prefixes->repeat ? prefixes->repeat : prefixes->operand_size ? 0x66 : 0;

	if (count < 2 || opcode[0] != 0x0f)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(corrections); i++) {
		const struct correction *const row = &corrections[i];
		bool fits = row->prefix == prefix && row->opcode == opcode[1];

		if (row->form != FORM_NO_MODRM) {
			const u8 modrm = count > 2 ? opcode[2] : 0;
			const bool is_register = modrm >= 0xc0;

			fits &= count > 2;
			if (row->form == FORM_PLAIN)
				fits &= modrm == row->modrm;
			else
				fits &= (modrm >> 3 & 7) == row->modrm &&
					is_register == (row->form == FORM_REGISTER);
		}
		if (fits)
			return row;
	}
	return NULL;
}

static void put_register(const struct prefixes *prefixes, u8 modrm, enum disasm_mode mode, char *to,
			 const char *name)
{
	static const char *const wide[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};
	static const char *const narrow[] = {
		"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"
	};
	const unsigned number = (modrm & 7u) | (prefixes->rex & 1u) << 3;

	snprintf(to, DISASM_MAX, "%s %s", name,
		 mode == DISASM_64 ? wide[number] : narrow[number & 7]);
}

/* --- by capstone ------------------------------------------------------------------------------ */

static size_t by_capstone(const u8 *code, size_t count, enum disasm_mode mode, u64 address,
			  const char *name, char *to)
{
	const cs_mode modes = mode == DISASM_64	  ? CS_MODE_64
			      : mode == DISASM_32 ? CS_MODE_32
						  : CS_MODE_16;
	size_t length = 0;
	cs_insn *insn;
	csh handle;

	if (cs_open(CS_ARCH_X86, modes, &handle) != CS_ERR_OK)
		return 0;
	if (cs_disasm(handle, code, count, address, 1, &insn)) {
		length = insn->size;
		snprintf(to, DISASM_MAX, "%s%s%s", name ? name : insn->mnemonic,
			 *insn->op_str ? " " : "", insn->op_str);
		cs_free(insn, 1);
	}
	cs_close(&handle);
	return length;
}

static size_t bad(char *to)
{
	strcpy(to, "(bad)");
	return 0;
}

size_t disasm_text(const u8 *code, size_t count, enum disasm_mode mode, u64 address, char *to)
{
	const struct prefixes prefixes = read_prefixes(code, MIN(count, MAX_LENGTH), mode);
	const struct correction *const row = find_correction(
		&prefixes, code + prefixes.length, MIN(count, MAX_LENGTH) - prefixes.length);
	size_t length;

	if (!row) {
		length = by_capstone(code, MIN(count, MAX_LENGTH), mode, address, NULL, to);
		return length ? length : bad(to);
	}
	if (!row->name)
		return bad(to);
	switch (row->form) {
	case FORM_MEMORY:
		length = by_capstone(code, MIN(count, MAX_LENGTH), mode, address, row->name, to);
		return length ? length : bad(to);
	case FORM_REGISTER:
		put_register(&prefixes, code[prefixes.length + 2], mode, to, row->name);
		return prefixes.length + 3;
	case FORM_PLAIN:
		snprintf(to, DISASM_MAX, "%s", row->name);
		return prefixes.length + 3;
	default:
		snprintf(to, DISASM_MAX, "%s", row->name);
		return prefixes.length + 2;
	}
}
