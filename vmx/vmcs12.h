/*
 * vmx/vmcs12.h - the VMCS that hv keeps for L1, and access by encoding
 *
 * struct vmcs12 is what stands in L1's VMCS region: the two words that the SDM defines, then ours.
 * Its revision identifier names the layout, so that a region written by another version of vmxtape
 * is refused by VMPTRLD as one of another processor would be.
 */
#ifndef VMX_VMCS12_H
#define VMX_VMCS12_H

#include "base/base.h"
#include "vmx/caps.h"
#include "vmx/tables.h"

/* "vxt" and a number that grows with each change of struct vmcs12 or of the rows of fields.def. */
#define VMCS12_REVISION 0x76787401u

/* Bit 31 of the first word of a region: it holds a shadow VMCS. */
#define VMCS12_SHADOW	BIT(31)

struct vmcs12 {
	u32 revision; /* bits 30:0; bit 31 is VMCS12_SHADOW; written by L1 only */
	u32 abort;    /* VMX-abort indicator */
	u32 launched; /* launch state: 0 clear, 1 launched */
	u32 stamp;    /* of what hv wrote last: which processor, and a count; 0: never */
	u64 value[VMCS_FIELD_COUNT]; /* by enum vmcs_index; bits above a field's width are 0 */
};

/* A set of VMCS fields. */
struct vmcs_set {
	u64 word[(VMCS_FIELD_COUNT + 63) / 64];
};

static inline bool vmcs_set_has(const struct vmcs_set *set, int index)
{
	const unsigned int bit = (unsigned int)index;

	return set->word[bit / 64] >> (bit % 64) & 1;
}

static inline void vmcs_set_add(struct vmcs_set *set, int index)
{
	set->word[index / 64] |= BIT(index % 64);
}

static inline void vmcs_set_remove(struct vmcs_set *set, int index)
{
	set->word[index / 64] &= ~BIT(index % 64);
}

static inline void vmcs_set_unite(struct vmcs_set *set, const struct vmcs_set *more)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->word); i++)
		set->word[i] |= more->word[i];
}

/* All fields but those of @set. */
static inline struct vmcs_set vmcs_set_others(const struct vmcs_set *set)
{
	const size_t last = ARRAY_SIZE(set->word) - 1;
	struct vmcs_set others;

	for (size_t i = 0; i <= last; i++)
		others.word[i] = ~set->word[i];
	others.word[last] &= MASK((VMCS_FIELD_COUNT - 1) % 64, 0);
	return others;
}

static inline struct vmcs_set vmcs_set_all(void)
{
	return vmcs_set_others(&(struct vmcs_set){ { 0 } });
}

/* Removes a field of @set and returns it; -1 when there is none. */
static inline int vmcs_set_take(struct vmcs_set *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->word); i++) {
		const u64 left = set->word[i];

		if (!left)
			continue;
		set->word[i] = left & (left - 1);
		return (int)(64 * i) + __builtin_ctzll(left);
	}
	return -1;
}

/* The fields that exist on a processor with @caps. */
void vmcs_set_from_caps(struct vmcs_set *set, const struct vmx_caps *caps);

/* The highest index (bits 9:1 of the encoding) in @set: what IA32_VMX_VMCS_ENUM[9:1] must say. */
unsigned int vmcs_set_highest_index(const struct vmcs_set *set);

/* The field that a full or high access names, or -1. */
static inline int vmcs_access_index(u64 encoding)
{
	const int index = vmcs_field_index(encoding & ~1ull);

	if (index >= 0 && vmcs_encoding_is_high(encoding) &&
	    vmcs_fields[index].width != VMCS_WIDTH_64)
		return -1;
	return index;
}

/*
 * The value that field @index, holding @old, has after VMWRITE of @value with @encoding, which
 * names it. Outside 64-bit mode (@long_mode) operands have 32 bits. SDM: "VMREAD, VMWRITE, and
 * Encodings of VMCS Fields".
 */
static inline u64 vmcs_write_result(int index, u64 old, u64 encoding, bool long_mode, u64 value)
{
	if (!long_mode)
		value = (u32)value;
	if (vmcs_encoding_is_high(encoding))
		return (u32)old | value << 32;
	return value & vmcs_fields[index].mask;
}

#endif
