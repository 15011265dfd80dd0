/*
 * tests/guests/lib/guest_cpu_entry.S - from the real mode of a SIPI to guest_cpu_begin()
 *
 * Copied to a page below 1 MiB. What the registers hold at first is kept at its end.
 */
#include "tests/guests/lib/guest_layout.h"

#define CR0_PE	 0x1
#define CR0_MP	 0x2
#define CR0_NE	 0x20
#define CR0_WP	 0x10000
#define CR0_PG	 0x80000000
#define CR4_PAE	 0x20
#define EFER	 0xc0000080
#define EFER_LME 0x100
#define AT(label) (label - guest_cpu_code)

	.text
	.code16
	.globl guest_cpu_code
guest_cpu_code:
	cli
	/* Nothing may be changed before it is kept. */
	movl %eax, %cs:AT(state_eax)
	movl %edx, %cs:AT(state_edx)
	movl %esp, %cs:AT(state_esp)
	movl %cr0, %eax
	movl %eax, %cs:AT(state_cr0)
	movl %cr3, %eax
	movl %eax, %cs:AT(state_cr3)
	movl %cr4, %eax
	movl %eax, %cs:AT(state_cr4)
	movw %cs, %ax
	movw %ax, %cs:AT(state_cs)
	movw %ax, %ds
	movw %ax, %ss
	movl $AT(stack_end), %esp
	pushfl
	popl %eax
	movl %eax, AT(state_rflags)
	movl $EFER, %ecx
	rdmsr
	movl %eax, AT(state_efer)

	/* The guest's GDT and page tables are above 16 MiB, where real mode does not get. */
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $guest_pml4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	lgdtl AT(gdt_pointer)
	movl $CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG, %eax
	movl %eax, %cr0
	ljmpl $GUEST_CS, $guest_cpu_long

gdt_pointer:
	.word 0x47
	.long guest_gdt
	.balign 8
	.fill 16
stack_end:
	/* struct start_words */
	.balign 8
	.globl guest_cpu_words
guest_cpu_words:
state_cr0:
	.quad 0
state_cr3:
	.quad 0
state_cr4:
	.quad 0
state_efer:
	.quad 0
state_rflags:
	.quad 0
state_edx:
	.long 0
state_cs:
	.long 0
state_eax:
	.long 0
state_esp:
	.long 0
start_stack:
	.quad 0
start_cpu:
	.quad 0
	.globl guest_cpu_code_end
guest_cpu_code_end:

	.code64
guest_cpu_long:
	/* DS still is the page. */
	xorl %ebx, %ebx
	movw %ds, %bx
	shll $4, %ebx
	movl $GUEST_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movq AT(start_stack)(%rbx), %rsp
	movq AT(start_cpu)(%rbx), %rdi
	pushq $0
	jmp guest_cpu_begin
