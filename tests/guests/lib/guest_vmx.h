/*
 * tests/guests/lib/guest_vmx.h - VMX operation, for guests that are hypervisors
 *
 * The functions here are for what a guest takes for granted: they fail the guest, saying why, when
 * the processor disagrees. A guest that wants to see a failure uses guest_insn.h.
 */
#ifndef TESTS_GUESTS_LIB_GUEST_VMX_H
#define TESTS_GUESTS_LIB_GUEST_VMX_H

#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/guest_insn.h"
#include "vmx/caps.h"

#define CR4_VMXE	     BIT(13)

#define FEATURE_CONTROL_LOCK BIT(0)
#define FEATURE_CONTROL_VMX  BIT(2)

/* The processor's capability MSRs; guest_vmx_init() reads those that exist. */
extern struct vmx_caps guest_caps;

/* Reads the capabilities, sets CR4.VMXE and makes IA32_FEATURE_CONTROL allow VMXON. */
void guest_vmx_init(void);

/* Whether all bits of @mask in @word may be 1. */
bool guest_control_allowed(enum vmx_word word, u64 mask);

/* The value for @word that has the bits of @wanted and those that must be 1. */
u64 guest_control(enum vmx_word word, u64 wanted);

/* A new page that begins with the revision identifier, for VMXON or a VMCS. */
void *guest_region(void);

/* Enters VMX operation, always with the same region; leaves it. */
void guest_vmx_on(void);
void guest_vmx_off(void);

/* VMCLEAR and VMPTRLD of @region. */
void guest_vmcs_load(const void *region);

/* Fields of the current VMCS. */
u64 guest_vmcs_read(u32 field);
void guest_vmcs_write(u32 field, u64 value);

/* The error of the last VMfailValid, or 0 when no VMCS is current. */
u32 guest_vmcs_error(void);

static inline u64 physical(const void *pointer)
{
	return (uintptr_t)pointer;
}

#endif
