/*
 * hv/nested/state.h - VMX as L1 has it: where each processor stands, and the VMCS12s it holds
 */
#ifndef HV_NESTED_STATE_H
#define HV_NESTED_STATE_H

#include "base/base.h"

enum nested_mode {
	NESTED_OFF,  /* L1 is not in VMX operation */
	NESTED_ROOT, /* L1 runs in VMX root operation */
	NESTED_L2,   /* L2 runs */
};

struct nested {
	enum nested_mode mode;
	u64 vmxon_pointer;   /* all ones when mode is NESTED_OFF */
	u64 current_pointer; /* current-VMCS pointer of L1, all ones when there is none */
};

#endif
