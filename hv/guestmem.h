/*
 * hv/guestmem.h - L1's memory, and L2's through it
 *
 * EPT01 is the identity, so that gpa1 is the physical address. No range here is trusted: what is
 * not L1's (hv's own pages, nothing at all, beyond the physical-address width) is never touched.
 */
#ifndef HV_GUESTMEM_H
#define HV_GUESTMEM_H

#include "base/base.h"
#include "base/status.h"

struct percpu;

enum guest_access { GUEST_READ, GUEST_WRITE, GUEST_FETCH };

#define GUEST_FAULT_EPT12 0xff

/* What a guest-linear access ran into. */
struct guest_fault {
	u8 vector; /* 14 #PF, 13 #GP, 12 #SS; GUEST_FAULT_EPT12: L2 exits, by the EPT12 of L1 */
	u32 code;  /* error code; of an exit, the bits of its qualification that tell the access */
	u64 address; /* CR2 of a #PF; the linear address that led to the exit */
	u64 gpa2;    /* of the access that exits */
};

#define GUEST_WALK_LEVELS 5

/* The state of the guest that its paging depends on. */
struct guest_paging {
	u64 cr0, cr3, cr4, efer;
	bool user;	   /* CPL 3 */
	bool smap_applies; /* RFLAGS.AC is clear */
};

/* A walk of L1's page tables that succeeded: what it read and where, and what it came to. */
struct walk_memory {
	u64 key; /* linear address of the page, and what its low bits are in guestmem.c; 0: no walk
		  */
	u64 gpa_page;
	u8 *ram; /* where hv sees the page; NULL: it is not RAM of L1's */
	u64 cr0, cr3, cr4, efer;
	const volatile u64 *entry[GUEST_WALK_LEVELS]; /* of fewer levels: @value itself */
	u64 value[GUEST_WALK_LEVELS];		      /* with the flags that the walk set */
};

/* hv's own address for @size bytes at @gpa1; NULL unless all of them are RAM of L1's. */
void *guest_ram(u64 gpa1, size_t size);

/*
 * Copy by gpa1. What is not RAM reads as all ones and drops writes, like an address that nothing
 * answers; ST_RANGE tells that this happened for some byte.
 */
enum status guest_read_gpa(u64 gpa1, void *to, size_t size);
enum status guest_write_gpa(u64 gpa1, const void *from, size_t size);

/*
 * Replace the aligned @size bytes (4 or 8) at @gpa1 with @value if they are @old, as one access.
 * False: they are not. What is not RAM drops it, and that is true.
 */
bool guest_swap_gpa(u64 gpa1, u64 old, u64 value, size_t size);

/*
 * gpa1 of a linear address of the guest whose VMCS is current, by its paging of this moment at its
 * CPL, which is checked and sets accessed and dirty flags like an access of its own; L2's by EPT12
 * as well, where L1 uses that. ST_FAULT fills @fault.
 */
enum status guest_translate(struct percpu *cpu, u64 linear, enum guest_access access, u64 *gpa1,
			    struct guest_fault *fault);

/*
 * The same for L1 in the state @paging, where such an access was made before and comes to the same
 * end: the tables are what they were. Returns where hv sees that byte; the rest of its page is
 * behind it. NULL: ask guest_translate().
 */
void *guest_recall(struct percpu *cpu, const struct guest_paging *paging, u64 linear,
		   enum guest_access access, u64 *gpa1);

/* Copies of at most 4 KiB by such linear addresses, all or nothing; ST_FAULT fills @fault. */
enum status guest_read(struct percpu *cpu, u64 linear, void *to, size_t size,
		       struct guest_fault *fault);
enum status guest_write(struct percpu *cpu, u64 linear, const void *from, size_t size,
			struct guest_fault *fault);

/*
 * Up to @size instruction bytes at @rip of the guest whose VMCS is current; touches no accessed
 * flags, and returns how many could be read.
 */
unsigned guest_peek_code(struct percpu *cpu, unsigned level, u64 rip, u8 *to, unsigned size);

#endif
