/*
 * tests/guests/kvm/kvm_cpuid.h - a processor of /dev/kvm with all that KVM can give it
 */
#ifndef TESTS_GUESTS_KVM_KVM_CPUID_H
#define TESTS_GUESTS_KVM_KVM_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define KVM_CPUID_ENTRIES 256

/* Nested VMX is among it. False, with errno, when KVM refuses or there is no memory. */
static inline bool kvm_cpuid_give_all(int kvm, int vcpu)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + KVM_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	bool set;

	if (!cpuid)
		return false;
	cpuid->nent = KVM_CPUID_ENTRIES;
	set = ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
	      ioctl(vcpu, KVM_SET_CPUID2, cpuid) == 0;
	free(cpuid);
	return set;
}

#endif
