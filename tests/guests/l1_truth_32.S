/*
 * tests/guests/l1_truth_32.S - a VM entry of an L1 in protected mode with PAE paging
 *
 * unsigned truth_switch_32(void): from 64-bit mode and outside of VMX operation. VMLAUNCH of the VMCS
 * at truth_leg, which must be clear and whose host state is to be truth_exit_32, GUEST_CS32 and page
 * tables for protected mode. Comes back with 0 after a VM exit, 1 VMfailInvalid, 2 VMfailValid; the
 * VMCS is clear again.
 */
#include "tests/guests/lib/guest_layout.h"

/* struct truth_leg */
#define LEG_VMXON	 truth_leg
#define LEG_VMCS	 truth_leg + 8
#define LEG_CR3		 truth_leg + 16
#define LEG_POKE_ADDRESS truth_leg + 20
#define LEG_POKE_VALUE	 truth_leg + 24

#define CR0_PG	 0x80000000
#define EFER	 0xc0000080
#define EFER_LME 0x100

	.text
	.code64
	.globl truth_switch_32
truth_switch_32:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	movq %rsp, stack
	movq %cr3, %rax
	movl %eax, tables
	pushq $GUEST_CS32
	pushq $1f
	lretq

	.code32
1:	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl $EFER, %ecx
	rdmsr
	andl $~EFER_LME, %eax
	wrmsr
	movl LEG_CR3, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	/* The processor has loaded its PDPTEs. */
	movl LEG_POKE_ADDRESS, %ecx
	movl LEG_POKE_VALUE, %eax
	movl %eax, (%ecx)
	vmxon LEG_VMXON
	vmptrld LEG_VMCS
	vmlaunch
	movl $1, %eax
	movl $2, %ecx
	cmovzl %ecx, %eax
	jmp 2f

	.globl truth_exit_32
truth_exit_32:
	xorl %eax, %eax
2:	movl %eax, result
	vmclear LEG_VMCS
	vmxoff
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl $EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl tables, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	lgdt guest_gdt_pointer
	ljmp $GUEST_CS, $3f

	.code64
3:	movl $GUEST_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq stack, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	movl result, %eax
	ret

	.bss
	.balign 8
stack:
	.skip 8
tables:
	.skip 4
result:
	.skip 4
