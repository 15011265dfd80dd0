/*
 * hv/bios_map.S - answers INT 15h in the place of the BIOS where it is asked for memory
 *
 * bios_map.c copies this to the start of a page below 1 MiB, which CS then points to, with struct
 * bios_map behind it. Runs in L1, in real mode; what else is asked goes on to the BIOS.
 */
#define SMAP	   0x534d4150
#define ENTRY_SIZE 20
#define CARRY	   1
#define FLAGS	   6 /* of the caller, from BP on, once BP is pushed */

/* Offsets in the page. */
#define AT(label) (label - bios_map_code)

	.section .rodata
	.code16
	.globl bios_map_code, bios_map_end
bios_map_code:
	cmpl	$0xe820, %eax
	je	e820
	cmpw	$0xe801, %ax
	je	e801
	cmpb	$0x88, %ah
	je	ah_88
	ljmpw	*%cs:AT(bios)

	/* EBX: number of the entry, ES:DI: where to */
e820:
	cmpl	$SMAP, %edx
	jne	1f
	cmpl	$ENTRY_SIZE, %ecx
	jb	1f
	movzwl	%cs:AT(count), %ecx
	cmpl	%ecx, %ebx
	jae	1f
	pushw	%ds
	pushw	%si
	pushw	%di
	pushw	%cs
	popw	%ds
	imulw	$ENTRY_SIZE, %bx, %si
	addw	$AT(entries), %si
	movw	$(ENTRY_SIZE / 2), %cx
	cld
	rep movsw
	popw	%di
	popw	%si
	popw	%ds
	incl	%ebx
	movzwl	%cs:AT(count), %ecx
	cmpl	%ecx, %ebx
	jb	2f
	xorl	%ebx, %ebx
2:	movl	$ENTRY_SIZE, %ecx
	movl	$SMAP, %eax
	jmp	succeed
1:	movb	$0x86, %ah
	pushw	%bp
	movw	%sp, %bp
	orb	$CARRY, FLAGS(%bp)
	popw	%bp
	iretw

e801:
	movw	%cs:AT(below_16m), %ax
	movw	%cs:AT(above_16m), %bx
	movw	%ax, %cx
	movw	%bx, %dx
	jmp	succeed

ah_88:
	movw	%cs:AT(below_16m), %ax
succeed:
	pushw	%bp
	movw	%sp, %bp
	andb	$~CARRY, FLAGS(%bp)
	popw	%bp
	iretw

	/* struct bios_map */
	.balign	4
bios_map_end:
	.set	bios, bios_map_end
	.set	below_16m, bios_map_end + 4
	.set	above_16m, bios_map_end + 6
	.set	count, bios_map_end + 8
	.set	entries, bios_map_end + 12
	.code64

	.section .note.GNU-stack, "", @progbits
