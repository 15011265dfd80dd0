/*
 * vmx/tables.c - the .def files as arrays, the lookups in them, and what the compiler can prove
 */
#include "vmx/tables.h"

/* --- What a row of fields.def must satisfy ---------------------------------------------------- */

#define W16		  16
#define W32		  32
#define W64		  64
#define NW		  0

/* Bits 14:13 for a WIDTH, the inverse of vmcs_encoding_width(). */
#define WIDTH_CODE(width) ((width) == W16 ? 0 : (width) == W64 ? 1 : (width) == W32 ? 2 : 3)

#define FIELD(NAME, name, encoding, WIDTH, KIND, ACCESS, EXISTS, title)                     \
	_Static_assert(!((encoding) & ~VMCS_ENCODING_BITS), #NAME ": not a full encoding"); \
	_Static_assert(BITS(encoding, 14, 13) == WIDTH_CODE(WIDTH), #NAME ": width");       \
	_Static_assert(BITS(encoding, 11, 10) == VMCS_KIND_##KIND, #NAME ": kind");         \
	_Static_assert((VMCS_KIND_##KIND == VMCS_KIND_INFO) ==                              \
			       (VMCS_ACCESS_##ACCESS == VMCS_ACCESS_RO),                    \
		       #NAME ": exit information, and only that, is read-only");
#include "vmx/fields.def"
#undef FIELD

_Static_assert(VMCS_FIELD_COUNT < 256, "vmcs_slots holds 1 + index in a byte");

const struct vmcs_field vmcs_fields[VMCS_FIELD_COUNT] = {
#define FIELD(NAME, field_name, field_encoding, WIDTH, KIND, ACCESS, EXISTS, field_title) \
	[VMCS_IX_##NAME] = { .name = #field_name,                                         \
			     .title = field_title,                                        \
			     .mask = ~0ull >> (64 - (WIDTH ? WIDTH : 64)),                \
			     .encoding = field_encoding,                                  \
			     .width = WIDTH,                                              \
			     .kind = VMCS_KIND_##KIND,                                    \
			     .access = VMCS_ACCESS_##ACCESS,                              \
			     .exists = VMCS_EXISTS_##EXISTS },
#include "vmx/fields.def"
#undef FIELD
};

/* Two rows of one encoding would initialise one element twice, which stops the build. */
const u8 vmcs_slots[VMCS_SLOT_COUNT] = {
#define FIELD(NAME, name, encoding, ...) [VMCS_ENCODING_SLOT(encoding)] = 1 + VMCS_IX_##NAME,
#include "vmx/fields.def"
#undef FIELD
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *text, const char *name)
{
	while (*text && lower(*text) == *name) {
		text++;
		name++;
	}
	return !*text && !*name;
}

/* 0x4016 or 4016h; -1 for anything else. */
static s64 parse_encoding(const char *text)
{
	const bool prefixed = text[0] == '0' && lower(text[1]) == 'x';
	unsigned int digits = 0;
	s64 value = 0;

	if (prefixed)
		text += 2;
	for (;; text++, digits++) {
		const char c = lower(*text);

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else
			break;
		if (digits == 8)
			return -1;
	}
	if (!digits)
		return -1;
	if (!prefixed && lower(*text++) != 'h')
		return -1;
	return *text ? -1 : value;
}

int vmcs_field_find(const char *text)
{
	const s64 encoding = parse_encoding(text);

	if (encoding >= 0)
		return vmcs_field_index((u64)encoding);
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		if (same_name(text, vmcs_fields[ix].name))
			return ix;
	}
	return -1;
}

/* --- Exit reasons ----------------------------------------------------------------------------- */

#define R(NAME) (1u << REG_##NAME)
#define NONE	REGS_NONE
#define ALL	REGS_ALL
static const struct vmx_exit exits[EXIT_REASON_COUNT] = {
#define EXIT(NAME, exit_name, exit_number, QUALIFICATION, REGS, RESULTS, exit_title) \
	[exit_number] = { .name = #exit_name,                                        \
			  .title = exit_title,                                       \
			  .number = exit_number,                                     \
			  .regs = REGS,                                              \
			  .results = RESULTS,                                        \
			  .qualification = VMX_QUAL_##QUALIFICATION },
#include "vmx/exits.def"
#undef EXIT
};
#undef ALL
#undef NONE
#undef R

const struct vmx_exit *vmx_exit_by_reason(u32 reason)
{
	const u32 basic = reason & (u32)EXIT_REASON_BASIC;

	return basic < EXIT_REASON_COUNT && exits[basic].name ? &exits[basic] : NULL;
}

const struct vmx_exit *vmx_exit_find(const char *name)
{
	for (u32 reason = 0; reason < EXIT_REASON_COUNT; reason++) {
		if (exits[reason].name && same_name(name, exits[reason].name))
			return &exits[reason];
	}
	return NULL;
}

const char *vmx_exit_name(u32 reason)
{
	const struct vmx_exit *exit = vmx_exit_by_reason(reason);

	return exit ? exit->name : "unknown";
}

/* --- VM-instruction errors, MSRs, registers --------------------------------------------------- */

const char *vmx_insn_error_text(u32 error)
{
	switch (error) {
#define INSN_ERROR(NAME, number, text) \
	case number:                   \
		return text;
#include "vmx/insn_errors.def"
#undef INSN_ERROR
	default:
		return NULL;
	}
}

const char *vmx_msr_name(u32 msr)
{
	switch (msr) {
#define MSR(NAME, name, index, title) \
	case index:                   \
		return #name;
#define VMX_MSR MSR
#include "vmx/msrs.def"
#undef VMX_MSR
#undef MSR
	default:
		return NULL;
	}
}

const char *vmx_msr_title(u32 msr)
{
	switch (msr) {
#define MSR(NAME, name, index, title) \
	case index:                   \
		return title;
#define VMX_MSR MSR
#include "vmx/msrs.def"
#undef VMX_MSR
#undef MSR
	default:
		return NULL;
	}
}

#define MSR(NAME, name, index, title)
#define VMX_MSR(NAME, name, index, title) \
	_Static_assert((index) == MSR_VMX_BASIC + VMX_CAP_##NAME, #NAME ": not consecutive");
#include "vmx/msrs.def"
#undef VMX_MSR
#undef MSR

const char *vmx_reg_name(unsigned int reg)
{
	static const char *const names[REG_COUNT] = {
#define REG(NAME, name) [REG_##NAME] = #name,
		VMX_REGS(REG)
#undef REG
	};

	return reg < REG_COUNT ? names[reg] : "?";
}

/* --- Controls and capability bits ------------------------------------------------------------- */

const struct vmx_control_word vmx_control_words[VMX_WORD_COUNT] = {
#define CONTROL_WORD(WORD, FIELD, CAP, TRUE_CAP, LAYOUT, DEFAULT1, BY_WORD, BY_MASK, word_title) \
	[VMX_WORD_##WORD] = { .title = word_title,                                               \
			      .default1 = DEFAULT1,                                              \
			      .by_mask = BY_MASK,                                                \
			      .field = VMCS_IX_##FIELD,                                          \
			      .cap = VMX_CAP_##CAP,                                              \
			      .true_cap = VMX_CAP_##TRUE_CAP,                                    \
			      .layout = VMX_LAYOUT_##LAYOUT,                                     \
			      .by_word = VMX_WORD_##BY_WORD },
#include "vmx/control_words.def"
#undef CONTROL_WORD
};

const struct vmx_control vmx_controls[VMX_CONTROL_COUNT] = {
#define CONTROL(WORD, NAME, control_name, control_bit, control_title) \
	[VMX_CONTROL_IX_##WORD##_##NAME] = { .name = #control_name,   \
					     .title = control_title,  \
					     .word = VMX_WORD_##WORD, \
					     .bit = control_bit },
#include "vmx/controls.def"
#undef CONTROL
};

/* @name without the leading word that tells the VM-entry controls from the VM-exit controls. */
static const char *short_name(const char *name)
{
	if (!strncmp(name, "entry_", 6))
		return name + 6;
	if (!strncmp(name, "exit_", 5))
		return name + 5;
	return name;
}

const struct vmx_control *vmx_control_find(const char *name, const struct vmx_control *after)
{
	for (unsigned int i = after ? (unsigned int)(after - vmx_controls) + 1 : 0;
	     i < VMX_CONTROL_COUNT; i++) {
		if (same_name(name, vmx_controls[i].name) ||
		    same_name(name, short_name(vmx_controls[i].name)))
			return &vmx_controls[i];
	}
	return NULL;
}

const struct vmx_control *vmx_control_at(enum vmx_word word, unsigned int bit)
{
	for (unsigned int i = 0; i < VMX_CONTROL_COUNT; i++) {
		if (vmx_controls[i].word == word && vmx_controls[i].bit == bit)
			return &vmx_controls[i];
	}
	return NULL;
}

int vmx_word_of_field(int index)
{
	for (int word = 0; word < VMX_WORD_COUNT; word++) {
		if (vmx_control_words[word].field == index)
			return word;
	}
	return -1;
}

const struct vmx_use vmx_uses[] = {
#define USES(FIELD, WORD, NAME) { WORD##_##NAME, VMCS_IX_##FIELD, VMX_WORD_##WORD },
#include "vmx/uses.def"
#undef USES
};

const size_t vmx_use_count = ARRAY_SIZE(vmx_uses);

void vmx_words_settle(u64 words[VMX_WORD_COUNT])
{
	for (unsigned int word = 0; word < VMX_WORD_COUNT; word++) {
		const struct vmx_control_word *row = &vmx_control_words[word];

		if (row->by_mask && !(words[row->by_word] & row->by_mask))
			words[word] = 0;
	}
}

bool vmcs_field_used(int index, const u64 words[VMX_WORD_COUNT])
{
	bool has_rows = false;

	for (size_t i = 0; i < ARRAY_SIZE(vmx_uses); i++) {
		if (vmx_uses[i].field != index)
			continue;
		if (words[vmx_uses[i].word] & vmx_uses[i].mask)
			return true;
		has_rows = true;
	}
	return !has_rows;
}

const struct vmx_capbit vmx_capbits[VMX_CAPBIT_COUNT] = {
#define CAPBIT(MSR, NAME, capbit_name, high_bit, low_bit, capbit_title) \
	[VMX_CAPBIT_IX_##NAME] = { .name = #capbit_name,                \
				   .title = capbit_title,               \
				   .cap = VMX_CAP_##MSR,                \
				   .high = high_bit,                    \
				   .low = low_bit },
#include "vmx/capbits.def"
#undef CAPBIT
};

const struct vmx_capbit *vmx_capbit_find(const char *name)
{
	for (unsigned int i = 0; i < VMX_CAPBIT_COUNT; i++) {
		if (same_name(name, vmx_capbits[i].name))
			return &vmx_capbits[i];
	}
	return NULL;
}
