/*
 * tests/guests/lib/guest_cpus.h - the other processors of the machine
 *
 * They are numbered by their APIC IDs, 0 is the one that runs guest_main(). Each waits for work:
 * functions that may use everything but guest_print(), guest_check(), guest_try(), guest_pages()
 * and what calls these, which belong to processor 0.
 */
#ifndef TESTS_GUESTS_LIB_GUEST_CPUS_H
#define TESTS_GUESTS_LIB_GUEST_CPUS_H

#include "tests/guests/lib/guest.h"

#define GUEST_MAX_CPUS 8

/* What a processor had in its first instruction. */
struct guest_cpu_start {
	u64 cr0, cr3, cr4, efer, rflags;
	u32 edx, cs, eax, esp;
};

/* How many processors this machine has, by option cpus=N; 1 without it. */
unsigned guest_cpu_count(void);

/*
 * INIT, SIPI, SIPI. False: processor @id did not begin to wait for work. *@start, which may be
 * NULL, is filled.
 */
bool guest_cpu_start(unsigned id, struct guest_cpu_start *start);

/* The second half of that, for a processor that has had its INIT; with a single SIPI. */
bool guest_cpu_sipi(unsigned id, struct guest_cpu_start *start);

/* Let processor @id call fn(arg), and go on meanwhile. It has no other work. */
void guest_cpu_call(unsigned id, void (*fn)(void *arg), void *arg);

/* Wait until it has done that. False: it does not within a second or so. */
bool guest_cpu_done(unsigned id);

/* Both. Fails the guest when it does not come back. */
void guest_cpu_run(unsigned id, void (*fn)(void *arg), void *arg);

/* Which of them calls this. */
unsigned guest_cpu_id(void);

/* Interrupt commands to another processor. */
void guest_send_init(unsigned id);
void guest_send_sipi(unsigned id, u8 vector);
void guest_send_nmi(unsigned id);

/* At least @ticks of the TSC pass. */
void guest_wait(u64 ticks);

static inline void guest_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline u64 guest_load(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void guest_store(u64 *word, u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

#endif
