/*
 * hv/boot.S - multiboot2 header, and from the loader's 32-bit mode to long mode
 *
 * Builds page tables for the first 4 GiB: at 0, at DIRECT_MAP, and the first 1 GiB at
 * HV_VIRTUAL_BASE, then calls hv_main(magic, address of the boot information).
 */
#define MB2_MAGIC      0xe85250d6
#define MB2_LENGTH     (header_end - header_start)

	.section .boot.header, "ax"
	.balign 8
header_start:
	.long MB2_MAGIC, 0, MB2_LENGTH, -(MB2_MAGIC + MB2_LENGTH)
	/* Modules start on page boundaries. */
	.balign 8
	.short 6, 0
	.long 8
	.balign 8
	.short 0, 0
	.long 8
header_end:

	.section .boot, "awx"
	.code32
	.globl boot_entry
boot_entry:
	cli
	cld
	movl	%eax, %esi
	movl	%ebx, %edi
	movl	$boot_stack_end, %esp

	/* Four page directories map 4 GiB in pages of 2 MiB. */
	movl	$0x83, %eax
	xorl	%edx, %edx
	movl	$boot_pd, %ebx
	movl	$2048, %ecx
1:	movl	%eax, (%ebx)
	movl	%edx, 4(%ebx)
	addl	$0x200000, %eax
	adcl	$0, %edx
	addl	$8, %ebx
	loop	1b

	movl	$boot_pd + 3, %eax
	movl	$boot_pdpt, %ebx
	movl	$4, %ecx
1:	movl	%eax, (%ebx)
	addl	$4096, %eax
	addl	$8, %ebx
	loop	1b
	movl	$boot_pd + 3, boot_pdpt_high + 510 * 8
	movl	$boot_pdpt + 3, boot_pml4
	movl	$boot_pdpt + 3, boot_pml4 + 256 * 8
	movl	$boot_pdpt_high + 3, boot_pml4 + 511 * 8

	movl	$0x20, %eax		/* CR4.PAE */
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* IA32_EFER: LME, NXE, SCE */
	rdmsr
	orl	$0x901, %eax
	wrmsr
	movl	$0x80000033, %eax	/* CR0: PG, NE, ET, MP, PE */
	movl	%eax, %cr0
	lgdt	boot_gdt_pointer
	ljmp	$8, $boot_long

	.code64
boot_long:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movabs	$boot_high, %rax
	jmp	*%rax

	.balign 8
boot_gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
	.short	. - boot_gdt - 1
	.long	boot_gdt

	.balign 4096
boot_pml4:	.fill 4096
boot_pdpt:	.fill 4096
boot_pdpt_high:	.fill 4096
boot_pd:	.fill 4 * 4096
	.fill	4096
boot_stack_end:

	.text
boot_high:
	movabs	$boot_stack_top, %rsp
	movl	%edi, %eax
	movl	%esi, %edi
	movl	%eax, %esi
	call	hv_main
	ud2

	.bss
	.balign 16
	.fill	32768
	.globl boot_stack_top
boot_stack_top:
	.section .note.GNU-stack, "", @progbits
