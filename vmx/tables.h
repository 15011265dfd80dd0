/*
 * vmx/tables.h - the architecture: enumerators, descriptions and lookups made from the .def files
 *
 * All descriptions and texts are static. Lookups answer NULL or -1 for what is in no table; none
 * asserts anything about its argument.
 */
#ifndef VMX_TABLES_H
#define VMX_TABLES_H

#include "base/base.h"
#include "vmx/regs.h"

/* --- VMCS fields (fields.def) ----------------------------------------------------------------- */

enum {
#define FIELD(NAME, name, encoding, ...) VMCS_##NAME = encoding,
#include "vmx/fields.def"
#undef FIELD
};

/* Dense and in the order of the encodings; stable within one version of fields.def only. */
enum vmcs_index {
#define FIELD(NAME, ...) VMCS_IX_##NAME,
#include "vmx/fields.def"
#undef FIELD
	VMCS_FIELD_COUNT
};

/* Bits, but for natural width, which is 64 bits on every processor vmxtape knows. */
enum vmcs_width {
	VMCS_WIDTH_NATURAL = 0,
	VMCS_WIDTH_16 = 16,
	VMCS_WIDTH_32 = 32,
	VMCS_WIDTH_64 = 64,
};

/* Bits 11:10 of an encoding. */
enum vmcs_kind {
	VMCS_KIND_CONTROL,
	VMCS_KIND_INFO,
	VMCS_KIND_GUEST,
	VMCS_KIND_HOST,
};

enum vmcs_access {
	VMCS_ACCESS_RW,
	VMCS_ACCESS_RO, /* VMWRITE needs IA32_VMX_MISC[29] */
};

/* Conditions for the existence of a field; caps.h evaluates them. */
enum vmcs_exists {
#define EXISTS(NAME, ...) VMCS_EXISTS_##NAME,
#include "vmx/exists.def"
#undef EXISTS
	VMCS_EXISTS_COUNT
};

struct vmcs_field {
	const char *name;
	const char *title;
	u64 mask;     /* the bits that it can hold: those of @width */
	u16 encoding; /* of the full access */
	u8 width;     /* enum vmcs_width */
	u8 kind;      /* enum vmcs_kind */
	u8 access;    /* enum vmcs_access */
	u8 exists;    /* enum vmcs_exists */
};

extern const struct vmcs_field vmcs_fields[VMCS_FIELD_COUNT];

/* 1 + enum vmcs_index, or 0; indexed by VMCS_ENCODING_SLOT(). */
#define VMCS_SLOT_COUNT 1024
extern const u8 vmcs_slots[VMCS_SLOT_COUNT];

/* SDM, "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
static inline bool vmcs_encoding_is_high(u64 encoding)
{
	return encoding & 1;
}

static inline enum vmcs_kind vmcs_encoding_kind(u64 encoding)
{
	return (enum vmcs_kind)BITS(encoding, 11, 10);
}

static inline enum vmcs_width vmcs_encoding_width(u64 encoding)
{
	static const u8 widths[] = {
		VMCS_WIDTH_16,
		VMCS_WIDTH_64,
		VMCS_WIDTH_32,
		VMCS_WIDTH_NATURAL,
	};

	return (enum vmcs_width)widths[BITS(encoding, 14, 13)];
}

/* Bits that a field of @width holds. */
static inline unsigned int vmcs_width_bits(unsigned int width)
{
	return width == VMCS_WIDTH_NATURAL ? 64 : width;
}

/* The bits that a field of @width can hold. */
static inline u64 vmcs_width_mask(unsigned int width)
{
	return ~0ull >> (64 - vmcs_width_bits(width));
}

/* Where the full encoding is in vmcs_slots: width, kind and six bits of the index. */
#define VMCS_ENCODING_SLOT(encoding) \
	(BITS(encoding, 14, 13) << 8 | BITS(encoding, 11, 10) << 6 | BITS(encoding, 6, 1))

/* The bits of an encoding in VMCS_ENCODING_SLOT(); each other bit must be 0. */
#define VMCS_ENCODING_BITS (MASK(14, 13) | MASK(11, 10) | MASK(6, 1))

/* enum vmcs_index of a full-access encoding, or -1. Takes constant time. */
static inline int vmcs_field_index(u64 encoding)
{
	if (encoding & ~VMCS_ENCODING_BITS)
		return -1;
	return (int)vmcs_slots[VMCS_ENCODING_SLOT(encoding)] - 1;
}

/*
 * enum vmcs_index of the field that @text names, or -1: its name in any case, or its full encoding
 * as 0x4016 or 4016h.
 */
int vmcs_field_find(const char *text);

/* --- Exit reasons (exits.def) ----------------------------------------------------------------- */

/* Basic exit reasons: bits 15:0 of the exit-reason field. */
enum vmx_exit_reason {
#define EXIT(NAME, name, number, ...) EXIT_##NAME = number,
#include "vmx/exits.def"
#undef EXIT
	EXIT_REASON_COUNT /* above the highest; not all below it are defined */
};

/* The other bits of the exit-reason field. SDM, "Basic VM-Exit Information". */
#define EXIT_REASON_BASIC	      MASK(15, 0)
#define EXIT_REASON_BUSY_SHADOW_STACK BIT(25)
#define EXIT_REASON_BUS_LOCK_ASSERTED BIT(26)
#define EXIT_REASON_ENCLAVE	      BIT(27)
#define EXIT_REASON_PENDING_MTF	      BIT(28)
#define EXIT_REASON_FROM_ROOT	      BIT(29)
#define EXIT_REASON_ENTRY_FAILURE     BIT(31)

enum vmx_qual {
#define QUALIFICATION(NAME, KIND, title) VMX_QUAL_##NAME,
#include "vmx/qualifications.def"
#undef QUALIFICATION
	VMX_QUAL_COUNT
};

struct vmx_exit {
	const char *name;
	const char *title;
	u16 number;
	u16 regs;	  /* bit n: register n must be known at the exit */
	u16 results;	  /* bit n: register n is expected to change before the next entry */
	u8 qualification; /* enum vmx_qual */
};

/* NULL when @reason, taken without its upper bits, is not defined. */
const struct vmx_exit *vmx_exit_by_reason(u32 reason);
/* By its name; NULL when there is none. */
const struct vmx_exit *vmx_exit_find(const char *name);
/* The name, or "unknown". */
const char *vmx_exit_name(u32 reason);

/* --- VM-instruction errors (insn_errors.def) -------------------------------------------------- */

enum vmx_insn_error {
#define INSN_ERROR(NAME, number, text) VMERR_##NAME = number,
#include "vmx/insn_errors.def"
#undef INSN_ERROR
};

/* The SDM's text; NULL when @error is not defined. */
const char *vmx_insn_error_text(u32 error);

/* --- MSRs (msrs.def) -------------------------------------------------------------------------- */

enum {
#define MSR(NAME, name, index, title)	  MSR_##NAME = index,
#define VMX_MSR(NAME, name, index, title) MSR_VMX_##NAME = index,
#include "vmx/msrs.def"
#undef VMX_MSR
#undef MSR
};

/* The capability MSRs: index - 480h. */
enum vmx_cap {
#define MSR(NAME, name, index, title)
#define VMX_MSR(NAME, name, index, title) VMX_CAP_##NAME,
#include "vmx/msrs.def"
#undef VMX_MSR
#undef MSR
	VMX_CAP_COUNT
};

#define MSR_IS_VMX_CAP(msr) ((msr) >= MSR_VMX_BASIC && (msr) < MSR_VMX_BASIC + VMX_CAP_COUNT)

/* NULL when @msr is in no row. */
const char *vmx_msr_name(u32 msr);
const char *vmx_msr_title(u32 msr);

/* --- Control words and bits (control_words.def, controls.def) --------------------------------- */

/* Masks: PRIMARY_HLT_EXITING, ENTRY_LOAD_EFER ... */
enum {
#define CONTROL(WORD, NAME, name, bit, title) WORD##_##NAME = 1u << (bit),
#include "vmx/controls.def"
#undef CONTROL
};

enum vmx_word {
#define CONTROL_WORD(WORD, ...) VMX_WORD_##WORD,
#include "vmx/control_words.def"
#undef CONTROL_WORD
	VMX_WORD_COUNT
};

enum vmx_word_layout {
	VMX_LAYOUT_SPLIT,    /* 31:0 must be 1, 63:32 may be 1; the word has 32 bits */
	VMX_LAYOUT_ALLOWED1, /* 63:0 may be 1; the word has 64 bits */
};

struct vmx_control_word {
	const char *title;
	u32 default1; /* bits that the non-TRUE capability MSR always requires to be 1 */
	u64 by_mask;  /* the control in @by_word that activates this word; 0: always active */
	u8 field;     /* enum vmcs_index */
	u8 cap;	      /* enum vmx_cap */
	u8 true_cap;  /* enum vmx_cap; the same as @cap where there is no TRUE MSR */
	u8 layout;    /* enum vmx_word_layout */
	u8 by_word;   /* enum vmx_word */
};

extern const struct vmx_control_word vmx_control_words[VMX_WORD_COUNT];

struct vmx_control {
	const char *name;
	const char *title;
	u8 word; /* enum vmx_word */
	u8 bit;
};

enum {
#define CONTROL(WORD, NAME, ...) VMX_CONTROL_IX_##WORD##_##NAME,
#include "vmx/controls.def"
#undef CONTROL
	VMX_CONTROL_COUNT
};

extern const struct vmx_control vmx_controls[VMX_CONTROL_COUNT];

/*
 * The first control after @after (NULL: the first of all) that @name means, or NULL: the one of
 * that name, and those of that name behind "entry_" or "exit_".
 */
const struct vmx_control *vmx_control_find(const char *name, const struct vmx_control *after);
/* The row of a bit of a word, or NULL. */
const struct vmx_control *vmx_control_at(enum vmx_word word, unsigned int bit);
/* The word that field @index holds, or -1. */
int vmx_word_of_field(int index);

/* Field @field is used while all bits of @mask (one control) are 1 in @word (uses.def). */
struct vmx_use {
	u64 mask;
	u8 field; /* enum vmcs_index */
	u8 word;  /* enum vmx_word */
};

extern const struct vmx_use vmx_uses[];
extern const size_t vmx_use_count;

/*
 * Clears, among the control words of one VMCS (by enum vmx_word), those that their activating
 * control switches off: what they hold counts as 0.
 */
void vmx_words_settle(u64 words[VMX_WORD_COUNT]);

/* Whether @words, settled, make the processor look at field @index. */
bool vmcs_field_used(int index, const u64 words[VMX_WORD_COUNT]);

/* --- Other capability bits (capbits.def) ------------------------------------------------------ */

/* Masks in their MSR: CAP_EPT_2M, CAP_TRUE_CTLS ... */
enum {
#define CAPBIT(MSR, NAME, name, high, low, title) CAP_##NAME = MASK(high, low),
#include "vmx/capbits.def"
#undef CAPBIT
};

enum {
#define CAPBIT(MSR, NAME, ...) VMX_CAPBIT_IX_##NAME,
#include "vmx/capbits.def"
#undef CAPBIT
	VMX_CAPBIT_COUNT
};

struct vmx_capbit {
	const char *name;
	const char *title;
	u8 cap; /* enum vmx_cap */
	u8 high;
	u8 low;
};

extern const struct vmx_capbit vmx_capbits[VMX_CAPBIT_COUNT];

/* By its name; NULL when there is none. */
const struct vmx_capbit *vmx_capbit_find(const char *name);

/* The number in the bits of @CAP_NAME of @value. */
#define CAP_GET(value, NAME) \
	(((u64)(value) & (u64)CAP_##NAME) / ((u64)CAP_##NAME & -(u64)CAP_##NAME))

#endif
