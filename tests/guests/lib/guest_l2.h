/*
 * tests/guests/lib/guest_l2.h - a guest of the guest
 *
 * An L2 runs a C function of the same image in 64-bit mode at CPL 0, on a stack of its own, with
 * L1's descriptor tables and, unless told otherwise, L1's page tables. It must leave by an exit:
 * the function must not return.
 */
#ifndef TESTS_GUESTS_LIB_GUEST_L2_H
#define TESTS_GUESTS_LIB_GUEST_L2_H

#include "tests/guests/lib/guest_vmx.h"

/* What the VMCS does not hold; guest_switch.S knows the order. */
struct l2_regs {
	u64 rax, rcx, rdx, rbx, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 host_rsp; /* the last value written to HOST_RSP */
};

struct l2 {
	struct l2_regs regs; /* loaded at the entry, stored at the exit */
	void *region;
	bool launched;
	bool behind_mov_ss; /* enter while MOV SS blocks events */
};

/* What an L2 has beyond the least: control bits that must be allowed, EPT when eptp is not 0. */
struct l2_options {
	u64 pin, primary, secondary, exit, entry;
	u64 eptp;
	u64 cr3;  /* 0: L1's */
	u16 vpid; /* 0: none */
};

/*
 * Makes a VMCS with every field that a VM entry looks at, current and clear. In VMX operation. An
 * @l2 that was made before keeps its region and its stack.
 */
void l2_create(struct l2 *l2, void (*code)(void), const struct l2_options *options);

/*
 * The two halves of l2_create(), for guests that treat VMCSs badly between them: the region and the
 * stack, nothing else; and all fields of the current VMCS, which should be @l2's.
 */
void l2_allocate(struct l2 *l2);
void l2_fill(struct l2 *l2, void (*code)(void), const struct l2_options *options);

/*
 * One VM entry: VMLAUNCH at first, then VMRESUME. VMX_SUCCEED once there was an exit, which
 * includes entries that fail with an exit reason; else what the instruction reported.
 */
enum vmx_outcome l2_enter(struct l2 *l2);

/* VMRESUME of an L2 that was launched, and nothing else: for figures. False: it failed. */
bool l2_resume(struct l2 *l2);

/* l2_enter() that must not VMfail. Returns the whole exit-reason field. */
u32 l2_run(struct l2 *l2);

/* Moves RIP past the instruction that caused the exit, whose length the VMCS must hold. */
void l2_skip(void);

/* From L2: the exit that ends an L2's work; RAX is @value. Comes back when L1 skips it. */
void l2_vmcall(u64 value);

#endif
