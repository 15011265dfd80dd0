/*
 * tests/guests/l1_smp.h - what the parts of l1_smp share
 */
#ifndef TESTS_GUESTS_L1_SMP_H
#define TESTS_GUESTS_L1_SMP_H

#include "tests/guests/lib/guest_cpus.h"
#include "tests/guests/lib/guest_l2.h"

/* What a processor has for its VMX operation; made by processor 0. */
struct smp_cpu {
	void *vmxon_region;
	struct l2 l2;
	u64 exits;   /* of L2, counted */
	u64 counter; /* grows while it runs */
	u64 stop;    /* other than 0: what grows shall come to an end */
	u64 reason;  /* of the last exit */
	u64 qualification;
	u64 outcome; /* enum vmx_outcome of what did not have to succeed */
	u64 value;
};

extern struct smp_cpu smp_cpus[GUEST_MAX_CPUS];

/* In work for a processor: its own. */
struct smp_cpu *smp_this(void);

/* VMXON and VMXOFF of the processor that calls. */
void smp_vmx_on(void);
void smp_vmx_off(void);

/* Wait until @word is other than @old. False: it stays. */
bool smp_changes(const u64 *word, u64 old);

/* The parts. */
void smp_start(void);
void smp_signals(void);
/* One of the signals; option case=init_in_root takes no other part. */
void smp_init_in_root(void);
void smp_vmx(void);

#endif
