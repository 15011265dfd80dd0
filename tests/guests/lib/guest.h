/*
 * tests/guests/lib/guest.h - the machine under a guest hypervisor
 *
 * A guest is a multiboot kernel of one processor. The library brings it into 64-bit mode with the
 * first 4 GiB mapped to themselves, interrupts off, and calls guest_main(). When that returns, the
 * machine powers off. Text goes to the first serial line and nowhere else.
 */
#ifndef TESTS_GUESTS_LIB_GUEST_H
#define TESTS_GUESTS_LIB_GUEST_H

#include "base/base.h"
#include "tests/guests/lib/guest_layout.h"

#define PAGE_SIZE 4096

/* Each guest has one. */
void guest_main(void);

/* --- text ------------------------------------------------------------------------------------ */

/* As base/fmt.h; at most 255 characters a call. */
void guest_print(const char *format, ...) printf_like(1, 2);

/*
 * Counts a claim as passed when @holds, else as failed with a line that begins "FAIL: ". Returns
 * @holds. guest_check_end() prints "N passed, N failed".
 */
bool guest_check(bool holds, const char *format, ...) printf_like(2, 3);
void guest_check_end(void);

/*
 * Whether the processor departs from the SDM as the row @erratum of replay/errata.def says of
 * Bochs. On a recorder that would be a mistake; elsewhere it is told by a line "erratum", and by
 * whether.
 */
void guest_departs(const char *erratum, bool departs);

/* Claims from here on are about this case: a line "case " and the text, for who reads it. */
void guest_case(const char *format, ...) printf_like(1, 2);

/* --- the command line ------------------------------------------------------------------------ */

/* Copies VALUE of the last NAME=VALUE, cut to @size; false when there is none. */
bool guest_option(const char *name, char *value, size_t size);

/* The same for a decimal number; @otherwise when there is none. */
u64 guest_option_number(const char *name, u64 otherwise);

/* --- ends ------------------------------------------------------------------------------------ */

/* Bochs and vmxtape-hv end the machine on "Shutdown" at port 8900h. */
_Noreturn void guest_power_off(void);

/* Says "guest: " and the text, and powers off. */
_Noreturn void guest_fail(const char *format, ...) printf_like(1, 2);

/* --- what the loader gave -------------------------------------------------------------------- */

struct guest_module {
	u64 start, size;       /* physical */
	const char *arguments; /* GRUB 2 leaves the module's name out */
};

/* The @index-th multiboot module; false when there are fewer. */
bool guest_module(unsigned index, struct guest_module *module);

/* The first address above the memory that begins at 1 MiB. */
u64 guest_memory_end(void);

/* @count pages of zeros in a row. Fails the guest when they run out. */
void *guest_pages(size_t count);

/* Gives back all pages that were taken since guest_pages_mark() returned @mark. */
const void *guest_pages_mark(void);
void guest_pages_release(const void *mark);

/* --- the recorder below ---------------------------------------------------------------------- */

/* True when vmxtape-hv runs below. */
bool guest_is_recorded(void);

/* Leaves @text, cut to 32 characters, as a mark in the tape. Nothing happens without a recorder. */
void guest_mark(const char *text);

/* --- exceptions and interrupts --------------------------------------------------------------- */

/* What guest_vectors.S leaves on the stack. */
struct guest_trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

struct guest_fault {
	u8 vector;
	u32 error; /* 0 for vectors without one */
	u64 cr2;   /* for a page fault */
	u64 rip;   /* of the instruction that faulted */
	u64 rflags;
};

/*
 * Calls fn(arg). Returns true when it came back, or false with *@fault filled when an exception
 * ended it. May be nested. An exception outside of guest_try() fails the guest.
 */
bool guest_try(void (*fn)(void *arg), void *arg, struct guest_fault *fault);

/*
 * The same in ring 3. The function must not need ring 0, nor must what it calls. Not to be nested
 * in itself.
 */
bool guest_try_user(void (*fn)(void *arg), void *arg, struct guest_fault *fault);

/* The same for the instruction bytes at @code, in compatibility mode. */
bool guest_try_compat(const u8 *code, size_t size, struct guest_fault *fault);

/*
 * From here on vector @vector (2 for NMIs, 32 to 255) calls @handler; NULL counts only. The local
 * APIC's EOI is written after it, but for an NMI, when guest_apic_enable() was called.
 */
void guest_set_interrupt(u8 vector, void (*handler)(struct guest_trap_frame *frame));

/* How often @vector was taken. */
u64 guest_interrupt_count(u8 vector);

/* Masks the old interrupt controllers and turns on the local APIC. */
void guest_apic_enable(void);

/* One interrupt after @count ticks of the local APIC's timer. */
void guest_apic_timer(u8 vector, u32 count);

extern u64 guest_gdt[];
extern u64 guest_pml4[];
extern u8 guest_tss[];
extern u8 guest_trap_entries[];

#endif
