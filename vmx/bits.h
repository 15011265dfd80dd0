/*
 * vmx/bits.h - values as named bits
 *
 * A value has a kind; a kind has parts; a part is a run of bits with a name and a way to print
 * (bits.def). vmx_decode() of vmx/value_text.h prints whole values, this is for those who want the
 * parts.
 */
#ifndef VMX_BITS_H
#define VMX_BITS_H

#include "base/base.h"
#include "vmx/tables.h"

enum vmx_value_kind {
#define KIND(NAME, title) VMX_VALUE_##NAME,
#define PART(...)
#define LIST(NAME)
#define CHOICE(value, text)
#include "vmx/bits.def"
#undef CHOICE
#undef LIST
#undef PART
#undef KIND
	VMX_VALUE_KIND_COUNT
};

enum vmx_style {
	VMX_STYLE_FLAG,
	VMX_STYLE_NUM,
	VMX_STYLE_HEX,
	VMX_STYLE_LESS1,
	VMX_STYLE_PLACE,
	VMX_STYLE_REG,
/* An enumerated part: vmx_choice_text() has the text of its value. */
#define KIND(NAME, title)
#define PART(...)
#define LIST(NAME) VMX_STYLE_##NAME,
#define CHOICE(value, text)
#include "vmx/bits.def"
#undef CHOICE
#undef LIST
#undef PART
#undef KIND
	VMX_STYLE_COUNT
};

struct vmx_part {
	const char *name;  /* without spaces; empty where there is nothing to call it */
	const char *title; /* a sentence for people */
	u8 high;
	u8 low;
	u8 style; /* enum vmx_style */
};

/* What @kind is called; "unknown" for one that is none. */
const char *vmx_kind_title(enum vmx_value_kind kind);

/*
 * The parts of @kind, lowest bit first: returns how many, and where in @parts. None for kinds that
 * code prints.
 */
size_t vmx_parts(enum vmx_value_kind kind, const struct vmx_part **parts);

static inline u64 vmx_part_mask(const struct vmx_part *part)
{
	return MASK(part->high, part->low);
}

/* The number in the bits of @part of @value. */
static inline u64 vmx_part_get(const struct vmx_part *part, u64 value)
{
	return BITS(value, part->high, part->low);
}

/* The text of @value in the list that @style is; NULL when the list has it not. */
const char *vmx_choice_text(enum vmx_style style, u64 value);

/* "#PF" for 14; NULL for a vector that is no exception. */
const char *vmx_exception_name(unsigned int vector);

/* The kind of value that VMCS field @index holds (fieldkinds.def). */
enum vmx_value_kind vmx_field_kind(int index);
/* The kind of value that an MSR holds; VMX_VALUE_HEX when there is no better one. */
enum vmx_value_kind vmx_msr_kind(u32 msr);

#endif
