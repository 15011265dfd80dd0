/*
 * hv/ap_entry.S - from the real mode in which a SIPI starts a processor to ap_begin()
 *
 * ap_start.c copies [ap_trampoline, ap_trampoline_end) to a page below 1 MiB and fills in the words
 * at its end. While it is in use, that page is mapped to itself.
 */
#define AT(label) (label - ap_trampoline)

	.text
	.code16
	.globl ap_trampoline
ap_trampoline:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	AT(gdt_pointer)
	movl	$0x20, %eax		/* CR4.PAE */
	movl	%eax, %cr4
	movl	AT(cr3), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* IA32_EFER: LME, NXE, SCE */
	rdmsr
	orl	$0x901, %eax
	wrmsr
	movl	$0x80000033, %eax	/* CR0: PG, NE, ET, MP, PE */
	movl	%eax, %cr0
	ljmpl	*AT(far_pointer)

	.code64
long_mode:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movq	stack(%rip), %rsp
	movq	cpu(%rip), %rdi
	movabs	$ap_begin, %rax
	push	$0
	jmp	*%rax

	.balign 8
gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
	/* struct ap_words of ap_start.c */
	.globl ap_words
ap_words:
gdt_pointer:
	.short	gdt_pointer - gdt - 1
	.long	AT(gdt)			/* + the page */
far_pointer:
	.long	AT(long_mode)		/* + the page */
	.short	8
cr3:
	.long	0
stack:
	.quad	0
cpu:
	.quad	0
	.globl ap_trampoline_end
ap_trampoline_end:

	.section .note.GNU-stack, "", @progbits
