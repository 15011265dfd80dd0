#include "replay/caps_hidden.h"

#include <string.h>

const char *caps_hidden_plain_name(const char *name)
{
	return !strncmp(name, "entry_", 6)  ? name + 6
	       : !strncmp(name, "exit_", 5) ? name + 5
					    : name;
}

/* Where @control may be 1, as MSR @cap says it. */
static bool allows(const struct vmx_caps *caps, const struct vmx_control *control, unsigned cap)
{
	const bool split = vmx_control_words[control->word].layout == VMX_LAYOUT_SPLIT;

	return caps->msr[cap] >> (control->bit + (split ? 32 : 0)) & 1;
}

static u64 control_hidden_in(const struct vmx_caps *real, const struct vmx_caps *shown,
			     const struct vmx_control *control)
{
	const struct vmx_control_word *const word = &vmx_control_words[control->word];
	const u8 msrs[] = { word->cap, word->true_cap };
	u64 found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		if ((real->known & shown->known) >> msrs[i] & 1 && allows(real, control, msrs[i]) &&
		    !allows(shown, control, msrs[i]))
			found |= BIT(msrs[i]);
	return found;
}

unsigned caps_hidden_list(const struct vmx_caps *real, const struct vmx_caps *shown,
			  struct caps_hidden hidden[CAPS_HIDDEN_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < VMX_CONTROL_COUNT; i++) {
		const u64 msrs = control_hidden_in(real, shown, &vmx_controls[i]);

		if (msrs)
			hidden[count++] = (struct caps_hidden){ vmx_controls[i].name,
								vmx_controls[i].title, msrs };
	}
	for (unsigned i = 0; i < VMX_CAPBIT_COUNT; i++) {
		const struct vmx_capbit *const bit = &vmx_capbits[i];

		if (bit->high != bit->low || !((real->known & shown->known) >> bit->cap & 1) ||
		    !(real->msr[bit->cap] >> bit->low & 1) || shown->msr[bit->cap] >> bit->low & 1)
			continue;
		hidden[count++] = (struct caps_hidden){ bit->name, bit->title, BIT(bit->cap) };
	}
	return count;
}
