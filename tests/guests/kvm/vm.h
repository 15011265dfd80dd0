/*
 * tests/guests/kvm/vm.h - a virtual machine of one processor by /dev/kvm, with L2's image in it
 *
 * The interrupt controller is ours, so that HLT and the interrupt window come back to us.
 */
#ifndef TESTS_GUESTS_KVM_VM_H
#define TESTS_GUESTS_KVM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/guests/kvm/l2_layout.h"

struct kvm_run;

struct vm {
	int kvm, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	struct l2_parameters *parameters; /* in memory */

	/* What came back from KVM_RUN, by kind; vm_run() counts. */
	uint64_t io, mmio, hlt, irq_requests, irq_windows;
	uint64_t mistakes; /* of L2 or of KVM, as seen from here */
};

/* Fills @vm. Says on stdout what failed. */
bool vm_create(struct vm *vm);

/* Runs L2, whose parameters are set, until it ends. Says on stdout why it could not. */
bool vm_run(struct vm *vm);

#endif
