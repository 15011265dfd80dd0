#include "vmx/bits.h"

/* --- Parts ------------------------------------------------------------------------------------ */

#define LIST(NAME)
#define CHOICE(value, text)

static const struct vmx_part all_parts[] = {
#define KIND(NAME, title)
#define PART(high_bit, low_bit, STYLE, part_name, part_title) \
	{ .name = part_name,                                  \
	  .title = part_title,                                \
	  .high = high_bit,                                   \
	  .low = low_bit,                                     \
	  .style = VMX_STYLE_##STYLE },
#include "vmx/bits.def"
#undef PART
#undef KIND
};

/*
 * FIRST_<kind> is the index of the first part of a kind, and of the next kind's if it has none: a
 * KIND row takes a number and gives it back, a PART row keeps one. The latter are named by the line
 * in bits.def.
 */
#define JOIN(a, b)	   a##b
#define PART_ON_LINE(line) JOIN(PART_, line)
enum {
#define KIND(NAME, title) FIRST_##NAME, FIRST_##NAME##_BACK = FIRST_##NAME - 1,
#define PART(...)	  PART_ON_LINE(__LINE__),
#include "vmx/bits.def"
#undef PART
#undef KIND
};

static const struct {
	const char *title;
	u16 first;
} kinds[VMX_VALUE_KIND_COUNT] = {
#define KIND(NAME, kind_title) [VMX_VALUE_##NAME] = { kind_title, FIRST_##NAME },
#define PART(...)
#include "vmx/bits.def"
#undef PART
#undef KIND
};

#undef CHOICE
#undef LIST

/* In the order of controls.def, so that a word's parts stand together. */
static const struct vmx_part control_parts[VMX_CONTROL_COUNT] = {
#define CONTROL(WORD, NAME, control_name, control_bit, control_title) \
	[VMX_CONTROL_IX_##WORD##_##NAME] = { .name = #control_name,   \
					     .title = control_title,  \
					     .high = control_bit,     \
					     .low = control_bit,      \
					     .style = VMX_STYLE_FLAG },
#include "vmx/controls.def"
#undef CONTROL
};

static const struct vmx_part capbit_parts[VMX_CAPBIT_COUNT] = {
#define CAPBIT(MSR, NAME, capbit_name, high_bit, low_bit, capbit_title) \
	[VMX_CAPBIT_IX_##                                               \
		NAME] = { .name = #capbit_name,                         \
			  .title = capbit_title,                        \
			  .high = high_bit,                             \
			  .low = low_bit,                               \
			  .style = (high_bit) == (low_bit) ? VMX_STYLE_FLAG : VMX_STYLE_NUM },
#include "vmx/capbits.def"
#undef CAPBIT
};

#define CONTROL_WORD(WORD, ...)                                                       \
	_Static_assert(VMX_VALUE_WORD_##WORD == VMX_VALUE_WORD_PIN + VMX_WORD_##WORD, \
		       #WORD ": order of bits.def and control_words.def");
#include "vmx/control_words.def"
#undef CONTROL_WORD

static size_t word_parts(enum vmx_word word, const struct vmx_part **parts)
{
	size_t first = 0, end;

	while (first < VMX_CONTROL_COUNT && vmx_controls[first].word != word)
		first++;
	for (end = first; end < VMX_CONTROL_COUNT && vmx_controls[end].word == word;)
		end++;
	*parts = control_parts + first;
	return end - first;
}

static size_t cap_parts(enum vmx_cap cap, const struct vmx_part **parts)
{
	size_t first = 0, end;

	while (first < VMX_CAPBIT_COUNT && vmx_capbits[first].cap != cap)
		first++;
	for (end = first; end < VMX_CAPBIT_COUNT && vmx_capbits[end].cap == cap;)
		end++;
	*parts = capbit_parts + first;
	return end - first;
}

size_t vmx_parts(enum vmx_value_kind kind, const struct vmx_part **parts)
{
	*parts = NULL;
	if (kind >= VMX_VALUE_KIND_COUNT)
		return 0;
	if (kind >= VMX_VALUE_WORD_PIN && kind <= VMX_VALUE_WORD_ENTRY)
		return word_parts((enum vmx_word)(kind - VMX_VALUE_WORD_PIN), parts);
	switch (kind) {
	case VMX_VALUE_CAP_BASIC:
		return cap_parts(VMX_CAP_BASIC, parts);
	case VMX_VALUE_CAP_MISC:
		return cap_parts(VMX_CAP_MISC, parts);
	case VMX_VALUE_CAP_VMCS_ENUM:
		return cap_parts(VMX_CAP_VMCS_ENUM, parts);
	case VMX_VALUE_CAP_EPT_VPID_CAP:
		return cap_parts(VMX_CAP_EPT_VPID_CAP, parts);
	case VMX_VALUE_CAP_VMFUNC:
		return cap_parts(VMX_CAP_VMFUNC, parts);
	default:
		*parts = all_parts + kinds[kind].first;
		return (kind + 1 < VMX_VALUE_KIND_COUNT ? kinds[kind + 1].first
							: ARRAY_SIZE(all_parts)) -
		       kinds[kind].first;
	}
}

const char *vmx_kind_title(enum vmx_value_kind kind)
{
	return kind < VMX_VALUE_KIND_COUNT ? kinds[kind].title : "unknown";
}

/* --- Lists ------------------------------------------------------------------------------------ */

const char *vmx_choice_text(enum vmx_style style, u64 value)
{
	static const struct {
		u8 list;
		u8 value;
		const char *text;
	} choices[] = {
#define KIND(NAME, title)
#define PART(...)
/* A list's own row has no text and tells which list the rows after it belong to. */
#define LIST(NAME)		    { VMX_STYLE_##NAME, 0, NULL },
#define CHOICE(its_value, its_text) { 0, its_value, its_text },
#include "vmx/bits.def"
#undef CHOICE
#undef LIST
#undef PART
#undef KIND
	};
	bool inside = false;

	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		if (!choices[i].text)
			inside = choices[i].list == style;
		else if (inside && choices[i].value == value)
			return choices[i].text;
	}
	return NULL;
}

const char *vmx_exception_name(unsigned int vector)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts(VMX_VALUE_EXCEPTION_BITMAP, &parts);

	for (size_t i = 0; i < count; i++) {
		if (parts[i].low == vector)
			return parts[i].name[0] == '#' ? parts[i].name : NULL;
	}
	return NULL;
}

/* --- Which kind ------------------------------------------------------------------------------- */

enum vmx_value_kind vmx_field_kind(int index)
{
	static const u8 field_kinds[VMCS_FIELD_COUNT] = {
#define FIELD_KIND(FIELD, KIND) [VMCS_IX_##FIELD] = VMX_VALUE_##KIND,
#include "vmx/fieldkinds.def"
#undef FIELD_KIND
	};

	_Static_assert(VMX_VALUE_HEX == 0, "fields without a row are numbers");
	if (index < 0 || index >= VMCS_FIELD_COUNT)
		return VMX_VALUE_HEX;
	return (enum vmx_value_kind)field_kinds[index];
}

enum vmx_value_kind vmx_msr_kind(u32 msr)
{
	switch (msr) {
	case MSR_EFER:
		return VMX_VALUE_EFER;
	case MSR_PAT:
		return VMX_VALUE_PAT;
	case MSR_DEBUGCTL:
		return VMX_VALUE_DEBUGCTL;
	case MSR_S_CET:
		return VMX_VALUE_S_CET;
	case MSR_SPEC_CTRL:
		return VMX_VALUE_SPEC_CTRL;
	case MSR_FEATURE_CONTROL:
		return VMX_VALUE_FEATURE_CONTROL;
	case MSR_VMX_BASIC:
		return VMX_VALUE_CAP_BASIC;
	case MSR_VMX_MISC:
		return VMX_VALUE_CAP_MISC;
	case MSR_VMX_VMCS_ENUM:
		return VMX_VALUE_CAP_VMCS_ENUM;
	case MSR_VMX_EPT_VPID_CAP:
		return VMX_VALUE_CAP_EPT_VPID_CAP;
	case MSR_VMX_VMFUNC:
		return VMX_VALUE_CAP_VMFUNC;
	default:
		return VMX_VALUE_HEX;
	}
}
