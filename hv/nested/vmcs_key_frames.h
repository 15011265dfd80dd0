/*
 * hv/nested/vmcs_key_frames.h - VMCS12s as a whole, for readers that do not know what came before
 */
#ifndef HV_NESTED_VMCS_KEY_FRAMES_H
#define HV_NESTED_VMCS_KEY_FRAMES_H

#include "base/base.h"

struct nested_vmcs;
struct percpu;
struct rec;

/* Emit the VMX state and the image of every active VMCS12: rec_ops.key_frames. */
void nested_key_frames(void *owner, struct rec *rec, u64 block);

/*
 * The event at hand, then all fields of @vmcs: hv had too many others in between to know what L1
 * has changed of it in memory, or that is too much to tell one by one.
 */
void nested_tell_forgotten(struct percpu *cpu, struct nested_vmcs *vmcs);

#endif
