/*
 * tests/guests/kvm/l2_image.S - what kvmtest's L2 runs
 *
 * Copied to L2_IMAGE. Starts at L2_CODE in real mode, goes to 64-bit mode with paging, and runs one
 * loop per kind of exit, with some work between the exits. Addresses are written as
 * AT(label), since the image does not run where it is linked.
 */
#include "tests/guests/kvm/l2_layout.h"

#define AT(label) (label - l2_image + L2_IMAGE)

#define CR0_PE	 0x1
#define CR0_NE	 0x20
#define CR0_WP	 0x10000
#define CR0_PG	 0x80000000
#define CR4_PAE	 0x20
#define EFER	 0xc0000080
#define EFER_LME 0x100

#define TABLE	   0x3  /* present, writable */
#define PAGE_2M	   0x83
#define CODE64	   0x8
#define DATA	   0x10
#define GATE	   0x8e00 /* interrupt gate, present */

	.section .l2, "a"
	.balign 4096
	.globl l2_image, l2_image_end
l2_image:
	.skip L2_IDT - L2_PARAMETERS

	/* The IDT: one gate. */
	.skip L2_VECTOR * 16
	.word AT(interrupt), CODE64, GATE, 0
	.quad 0
	.org L2_PML4 - L2_IMAGE
	.quad L2_PDPT + TABLE
	.org L2_PDPT - L2_IMAGE
	.quad L2_PD_LOW + TABLE
	.org L2_PDPT - L2_IMAGE + 8 * (L2_MMIO >> 30)
	.quad L2_PD_MMIO + TABLE
	.org L2_PD_LOW - L2_IMAGE
	.quad PAGE_2M
	.org L2_PD_MMIO - L2_IMAGE + 8 * ((L2_MMIO >> 21) & 511)
	.quad L2_MMIO + PAGE_2M
	.org L2_CODE - L2_IMAGE

	/* CS is L2_CODE / 16, all other bases are 0. Real mode first: a little work, then on. */
	.code16
real_mode:
	movw $1000, %cx
1:	addw %cx, %ax
	loop 1b
	lgdtl %cs:(gdt_pointer - real_mode)
	lidtl %cs:(idt_pointer - real_mode)
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $L2_PML4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	movl $EFER_LME, %eax
	xorl %edx, %edx
	wrmsr
	movl $(CR0_PE | CR0_NE | CR0_WP | CR0_PG), %eax
	movl %eax, %cr0
	ljmpl $CODE64, $AT(long_mode)

	.code64
long_mode:
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $L2_STACK + 0x1000, %esp
	movl $L2_PARAMETERS, %ebp
	movabsq $L2_PATTERN, %r15
	call cpuid_loop
	call io_loop
	call mmio_loop
	call hlt_loop
	call irq_loop
	movl $L2_PORT_END, %edx
	outb %al, %dx
2:	hlt
	jmp 2b

/* What a guest does between exits: reads and writes memory, calculates. Keeps all but flags. */
work:
	push %rax
	push %rcx
	push %rdx
	movq L2_WORK(%rbp), %rdx
	testq %rdx, %rdx
	jz 3f
1:	movl $L2_BUFFER, %ecx
2:	movq (%rcx), %rax
	imulq %r15, %rax
	addq %rdx, %rax
	movq %rax, (%rcx)
	addl $64, %ecx
	cmpl $L2_BUFFER + 0x1000, %ecx
	jne 2b
	decq %rdx
	jnz 1b
3:	pop %rdx
	pop %rcx
	pop %rax
	ret

/* Leaf 0: the vendor must be the one of the first time. */
cpuid_loop:
	xorl %r12d, %r12d
1:	cmpq L2_WANT_CPUID(%rbp), %r12
	je 4f
	xorl %eax, %eax
	xorl %ecx, %ecx
	cpuid
	addl %edx, %ebx
	addl %ecx, %ebx
	testq %r12, %r12
	jnz 2f
	movl %ebx, %r13d
2:	cmpl %r13d, %ebx
	je 3f
	incq L2_MISTAKES(%rbp)
3:	incq %r12
	movq %r12, L2_DONE_CPUID(%rbp)
	call work
	jmp 1b
4:	ret

/* RAX = the value of access R12, which is then the next one. */
	.macro pattern
	movq %r12, %rax
	imulq %r15, %rax
	incq %r12
	.endm

/* The same in RBX, and a mistake unless it is equal to the part of RAX in \reg. */
	.macro verify own, reg
	movq %r12, %rbx
	imulq %r15, %rbx
	incq %r12
	cmp \own, \reg
	je 1f
	incq L2_MISTAKES(%rbp)
1:
	.endm

io_loop:
	xorl %r12d, %r12d
	movl $L2_PORT, %edx
2:	cmpq L2_WANT_IO(%rbp), %r12
	je 3f
	pattern
	outb %al, %dx
	pattern
	outw %ax, %dx
	pattern
	outl %eax, %dx
	call work
	inb %dx, %al
	verify %bl, %al
	inw %dx, %ax
	verify %bx, %ax
	inl %dx, %eax
	verify %ebx, %eax
	movq %r12, L2_DONE_IO(%rbp)
	call work
	jmp 2b
3:	ret

mmio_loop:
	xorl %r12d, %r12d
	movl $L2_MMIO, %edx
2:	cmpq L2_WANT_MMIO(%rbp), %r12
	je 3f
	pattern
	movb %al, (%rdx)
	pattern
	movw %ax, 0x10(%rdx)
	pattern
	movl %eax, 0x20(%rdx)
	pattern
	movq %rax, 0x30(%rdx)
	call work
	movb 0x40(%rdx), %al
	verify %bl, %al
	movw 0x50(%rdx), %ax
	verify %bx, %ax
	movl 0x60(%rdx), %eax
	verify %ebx, %eax
	movq 0x70(%rdx), %rax
	verify %rbx, %rax
	movq %r12, L2_DONE_MMIO(%rbp)
	call work
	jmp 2b
3:	ret

/* HLT until the interrupt that kvmtest injects for it. */
hlt_loop:
	xorl %r12d, %r12d
1:	cmpq L2_WANT_HLT(%rbp), %r12
	je 3f
	movq L2_INTERRUPTS(%rbp), %rbx
	incq %rbx
	sti
	hlt
	cli
	cmpq %rbx, L2_INTERRUPTS(%rbp)
	je 2f
	incq L2_MISTAKES(%rbp)
2:	incq %r12
	movq %r12, L2_DONE_HLT(%rbp)
	call work
	jmp 1b
3:	ret

/* Asks for an interrupt while it cannot take one: it must come right behind STI's shadow. */
irq_loop:
	xorl %r12d, %r12d
	movl $L2_PORT_IRQ, %edx
1:	cmpq L2_WANT_IRQ(%rbp), %r12
	je 4f
	movq L2_INTERRUPTS(%rbp), %rbx
	outb %al, %dx
	call work
	cmpq %rbx, L2_INTERRUPTS(%rbp)
	jne 2f
	incq %rbx
	sti
	nop
	cli
	cmpq %rbx, L2_INTERRUPTS(%rbp)
	je 3f
2:	incq L2_MISTAKES(%rbp)
3:	incq %r12
	movq %r12, L2_DONE_IRQ(%rbp)
	call work
	jmp 1b
4:	ret

interrupt:
	incq L2_INTERRUPTS(%rbp)
	iretq

	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* CODE64 */
	.quad 0x00cf93000000ffff /* DATA */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long AT(gdt)
idt_pointer:
	.word (L2_VECTOR + 1) * 16 - 1
	.long L2_IDT
	.org L2_END - L2_IMAGE
l2_image_end:

	.section .note.GNU-stack, "", @progbits
