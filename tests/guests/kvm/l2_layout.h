/*
 * tests/guests/kvm/l2_layout.h - the memory and the ports of kvmtest's L2
 *
 * Physical addresses of L2. Each name below L2_END is a page, and L2 touches no others: kvmtest
 * expects one EPT violation for each, so a page that is added must be counted in L2_PAGES.
 */
#ifndef TESTS_GUESTS_KVM_L2_LAYOUT_H
#define TESTS_GUESTS_KVM_L2_LAYOUT_H

#define L2_IMAGE      0x1000 /* the first page; the image is contiguous */
#define L2_PARAMETERS 0x1000 /* struct l2_parameters */
#define L2_IDT	      0x2000
#define L2_PML4	      0x3000
#define L2_PDPT	      0x4000
#define L2_PD_LOW     0x5000 /* maps the first 2 MiB */
#define L2_PD_MMIO    0x6000 /* maps L2_MMIO */
#define L2_STACK      0x7000
#define L2_CODE	      0x8000
#define L2_BUFFER     0x9000 /* for the work between exits */
#define L2_END	      0xa000

#define L2_PAGES      9

#define L2_MMIO	      0xd0000000 /* no memory there */

#define L2_PORT	      0x600 /* L2_PORT_KINDS accesses of each loop */
#define L2_PORT_IRQ   0x610 /* OUT asks for an interrupt */
#define L2_PORT_END   0x611 /* OUT ends the run */

#define L2_VECTOR     0x40

/* The value that travels in access number N of a loop, cut to the access's size. */
#define L2_PATTERN    0x9e3779b97f4a7c15

/* Accesses in one round of the loops. */
#define L2_IO_ROUND   6 /* OUT and IN of 1, 2, 4 bytes */
#define L2_MMIO_ROUND 8 /* write and read of 1, 2, 4, 8 bytes */

/* Offsets in the parameters, for assembly. */
#define L2_WANT_CPUID 0
#define L2_WANT_IO    8
#define L2_WANT_MMIO  16
#define L2_WANT_HLT   24
#define L2_WANT_IRQ   32
#define L2_WORK	      40
#define L2_DONE_CPUID 48
#define L2_DONE_IO    56
#define L2_DONE_MMIO  64
#define L2_DONE_HLT   72
#define L2_DONE_IRQ   80
#define L2_INTERRUPTS 88
#define L2_MISTAKES   96

#ifndef __ASSEMBLER__
#include <stdint.h>

/* kvmtest fills the first half, L2 counts in the second. */
struct l2_parameters {
	uint64_t want_cpuid, want_io, want_mmio, want_hlt, want_irq;
	uint64_t work; /* rounds over the buffer between two exits */
	uint64_t done_cpuid, done_io, done_mmio, done_hlt, done_irq;
	uint64_t interrupts; /* taken by the handler */
	uint64_t mistakes;   /* values that were not as expected */
};

extern const uint8_t l2_image[], l2_image_end[];
#endif

#endif
