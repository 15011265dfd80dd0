/*
 * tests/guests/kvm/kvm_load.h - what a boot loader leaves in the memory of a virtual machine
 *
 * A guest of ours alone, as GRUB loads a multiboot kernel; or hv with that guest as its L1, by
 * multiboot2.
 */
#ifndef TESTS_GUESTS_KVM_KVM_LOAD_H
#define TESTS_GUESTS_KVM_KVM_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the first processor begins, in protected mode without paging. */
struct kvm_entry {
	uint32_t rip, eax, ebx;
};

/*
 * Both fill @entry and say on stdout why they fail. @memory is that of the machine, @size bytes
 * from 0, of which the guest is told @told; @words is its command line.
 */
bool kvm_load_guest(uint8_t *memory, size_t size, size_t told, const char *guest, const char *words,
		    struct kvm_entry *entry);
bool kvm_load_hv(uint8_t *memory, size_t size, size_t told, const char *guest, const char *words,
		 struct kvm_entry *entry);

#endif
