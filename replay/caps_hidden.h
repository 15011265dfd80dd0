/*
 * replay/caps_hidden.h - what a processor has and L1 is not shown
 */
#ifndef REPLAY_CAPS_HIDDEN_H
#define REPLAY_CAPS_HIDDEN_H

#include "vmx/caps.h"

#define CAPS_HIDDEN_MAX (VMX_CONTROL_COUNT + VMX_CAPBIT_COUNT)

struct caps_hidden {
	const char *name; /* a row of controls.def or capbits.def */
	const char *title;
	u64 msrs; /* bit n: capability MSR 480h + n is where L1 can see that it is missing */
};

/*
 * What people call it: entry_load_efer and exit_load_efer are one capability, load_efer, and hidden
 * together.
 */
const char *caps_hidden_plain_name(const char *name);

/*
 * The control bits that may be 1, and the capability bits that are 1, of @real but not of @shown.
 * Only MSRs known in both count; numbers (such as the VMCS revision) are no capability and left
 * out. Returns how many.
 */
unsigned caps_hidden_list(const struct vmx_caps *real, const struct vmx_caps *shown,
			  struct caps_hidden hidden[CAPS_HIDDEN_MAX]);

#endif
