/*
 * tests/guests/lib/guest_switch.S - in and out of L2
 *
 * int guest_switch(struct l2_regs *regs, unsigned how): 0 after a VM exit, 1 VMfailInvalid,
 * 2 VMfailValid. Bit 0 of how: VMRESUME; bit 1: right behind a MOV SS.
 */
#define VMCS_HOST_RSP 0x6c14

#define RAX	 0
#define RCX	 8
#define RDX	 16
#define RBX	 24
#define RBP	 32
#define RSI	 40
#define RDI	 48
#define R8	 56
#define R9	 64
#define R10	 72
#define R11	 80
#define R12	 88
#define R13	 96
#define R14	 104
#define R15	 112
#define HOST_RSP 120

/* With what debuggers need to unwind the stack. */
.macro save reg
	push %\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
.endm

.macro restore reg
	pop %\reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore \reg
.endm

	.text
	.code64
	.cfi_sections .debug_frame
	.globl guest_switch
guest_switch:
	.cfi_startproc
	save rbp
	save rbx
	save r12
	save r13
	save r14
	save r15
	push %rdi
	.cfi_adjust_cfa_offset 8
	cmpq %rsp, HOST_RSP(%rdi)
	je 1f
	movl $VMCS_HOST_RSP, %eax
	vmwrite %rsp, %rax
	jbe 1f /* no current VMCS: the entry will say so */
	movq %rsp, HOST_RSP(%rdi)
	/* CF and ZF stay as they are until the entry. */
1:	shrl $1, %esi
	movq RAX(%rdi), %rax
	movq RCX(%rdi), %rcx
	movq RDX(%rdi), %rdx
	movq RBX(%rdi), %rbx
	movq RBP(%rdi), %rbp
	movq RSI(%rdi), %rsi
	movq R8(%rdi), %r8
	movq R9(%rdi), %r9
	movq R10(%rdi), %r10
	movq R11(%rdi), %r11
	movq R12(%rdi), %r12
	movq R13(%rdi), %r13
	movq R14(%rdi), %r14
	movq R15(%rdi), %r15
	movq RDI(%rdi), %rdi
	jz 1f
	movw %ss, selector
	jc 2f
	movw selector, %ss
	vmlaunch
	jmp 3f
2:	movw selector, %ss
	vmresume
	jmp 3f
1:	jc 2f
	vmlaunch
	jmp 3f
2:	vmresume
3:	movl $1, %eax
	movl $2, %ecx
	cmovzl %ecx, %eax
	.cfi_remember_state
	pop %rdi
	.cfi_adjust_cfa_offset -8
	jmp 4f

	.globl guest_switch_exit
guest_switch_exit:
	.cfi_restore_state
	push %rdi
	.cfi_adjust_cfa_offset 8
	movq 8(%rsp), %rdi
	movq %rax, RAX(%rdi)
	movq %rcx, RCX(%rdi)
	movq %rdx, RDX(%rdi)
	movq %rbx, RBX(%rdi)
	movq %rbp, RBP(%rdi)
	movq %rsi, RSI(%rdi)
	movq %r8, R8(%rdi)
	movq %r9, R9(%rdi)
	movq %r10, R10(%rdi)
	movq %r11, R11(%rdi)
	movq %r12, R12(%rdi)
	movq %r13, R13(%rdi)
	movq %r14, R14(%rdi)
	movq %r15, R15(%rdi)
	pop RDI(%rdi)
	.cfi_adjust_cfa_offset -8
	pop %rdi
	.cfi_adjust_cfa_offset -8
	xorl %eax, %eax
4:	restore r15
	restore r14
	restore r13
	restore r12
	restore rbx
	restore rbp
	ret
	.cfi_endproc

	.bss
selector:
	.skip 2
