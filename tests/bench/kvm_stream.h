/*
 * tests/bench/kvm_stream.h - a simulated dialogue of a KVM-like L1, for benchmarks without a tape
 *
 * Each exit of L2 is followed by what KVM does for its reason: about 16 VMREADs and 7 VMWRITEs from
 * some 65 instructions, a VMRESUME, the entry. Values come from a VMCS that the exits and VMWRITEs
 * change; addresses from small skewed sets; time from a base for each instruction plus jitter. The
 * same seed gives the same stream.
 */
#ifndef TESTS_BENCH_KVM_STREAM_H
#define TESTS_BENCH_KVM_STREAM_H

#include "trace/event.h"

struct kvm_stream {
	u64 random;
	u64 tsc;
	u64 vmcs[0x8000]; /* by encoding */
	u64 reg[16];
	u64 exits;
};

typedef void (*kvm_on_event)(void *owner, const struct trace_event *event);

void kvm_stream_start(struct kvm_stream *stream, u64 seed);

/* Make the events of one exit, from EV_L2_EXIT to EV_L2_ENTRY. */
void kvm_stream_exit(struct kvm_stream *stream, kvm_on_event on_event, void *owner);

/* Key frames of a block: EV_VMX_STATE and EV_VMCS_IMAGE of the one VMCS. */
void kvm_stream_key_frames(struct kvm_stream *stream, kvm_on_event on_event, void *owner);

#endif
