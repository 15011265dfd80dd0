/*
 * tests/guests/lib/guest_start.S - from the multiboot loader to guest_begin() in 64-bit mode
 *
 * The first 4 GiB are mapped to themselves with 2 MiB pages.
 */
#include "tests/guests/lib/guest_layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3 /* modules on page boundaries, tell the memory */

#define CR0_PE	 0x1
#define CR0_MP	 0x2
#define CR0_NE	 0x20
#define CR0_WP	 0x10000
#define CR0_PG	 0x80000000
#define CR4_PAE	 0x20
#define EFER	 0xc0000080
#define EFER_LME 0x100

#define PAGE_TABLE 0x7 /* present, writable, user */
#define PAGE_LARGE 0x87

	.section .multiboot, "a"
	.balign 4
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.text
	.code32
	.globl guest_entry
guest_entry:
	cli
	cld
	movl %eax, guest_boot_magic
	movl %ebx, guest_boot_info

	movl $guest_pdpt + PAGE_TABLE, guest_pml4
	movl $guest_page_dirs + PAGE_TABLE, %eax
	xorl %ecx, %ecx
1:	movl %eax, guest_pdpt(, %ecx, 8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jne 1b
	movl $PAGE_LARGE, %eax
	xorl %ecx, %ecx
2:	movl %eax, guest_page_dirs(, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $4 * 512, %ecx
	jne 2b

	movl $guest_pml4, %eax
	movl %eax, %cr3
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl $CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG, %eax
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

	/* The base of a TSS descriptor is spread over it, more than a relocation can do. */
	movq $guest_tss, %rax
	movw %ax, guest_gdt + GUEST_TR + 2
	shrq $16, %rax
	movb %al, guest_gdt + GUEST_TR + 4
	movb %ah, guest_gdt + GUEST_TR + 7
	movl $GUEST_TR, %eax
	ltr %ax

	movq $guest_stack_top, %rsp
	xorl %ebp, %ebp
	call guest_begin
4:	cli
	hlt
	jmp 4b

	.data
	.balign 8
	.globl guest_gdt
guest_gdt:
	.quad 0
	.quad 0
	.quad 0x00af9b000000ffff /* GUEST_CS */
	.quad 0x00cf93000000ffff /* GUEST_DS */
	.quad 0x00cf9b000000ffff /* GUEST_CS32 */
	.quad 0x00cff3000000ffff /* GUEST_USER_DS */
	.quad 0x00affb000000ffff /* GUEST_USER_CS */
	.quad 0x0000890000000000 | (GUEST_TSS_SIZE - 1), 0 /* GUEST_TR */
guest_gdt_end:
	.globl guest_gdt_pointer
guest_gdt_pointer:
	.word guest_gdt_end - guest_gdt - 1
	.quad guest_gdt

	.bss
	.balign 4096
	.globl guest_pml4
guest_pml4:
	.skip 4096
guest_pdpt:
	.skip 4096
guest_page_dirs:
	.skip 4 * 4096
	.skip 32768
guest_stack_top:
	.globl guest_tss
	.balign 128
guest_tss:
	.skip GUEST_TSS_SIZE
	.globl guest_boot_magic, guest_boot_info
guest_boot_magic:
	.skip 4
guest_boot_info:
	.skip 4
