/*
 * hv/traps.S - exceptions and NMIs in hv itself, and the instructions that may fault
 *
 * trap_entry pushes a struct trap_frame and calls trap_handle(). Entries of .extable are pairs:
 * address of an instruction that may fault, address to go on at, with %eax = ST_FAULT.
 */
	.text
	.macro	trap vector
	.balign	16
	.if	(\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21)
	.else
	push	$0
	.endif
	push	$\vector
	jmp	trap_common
	.endm

	.globl trap_entries
	.balign	16
trap_entries:
	.set	i, 0
	.rept	32
	trap	i
	.set	i, i + 1
	.endr

trap_common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	cld
	mov	%rsp, %rdi
	call	trap_handle
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

	.macro	may_fault insn:vararg
10:	\insn
	.pushsection .extable, "a"
	.quad	10b, extable_fault
	.popsection
	.endm

extable_fault:
	ret

	/* enum status rdmsr_safe(u32 index, u64 *value) */
	.globl rdmsr_safe
rdmsr_safe:
	mov	%edi, %ecx
	may_fault rdmsr
	mov	%eax, (%rsi)
	mov	%edx, 4(%rsi)
	xor	%eax, %eax
	ret

	/* enum status wrmsr_safe(u32 index, u64 value), xsetbv_safe likewise */
	.globl wrmsr_safe
wrmsr_safe:
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
	may_fault wrmsr
	xor	%eax, %eax
	ret

	.globl xsetbv_safe
xsetbv_safe:
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
	may_fault xsetbv
	xor	%eax, %eax
	ret

	/* void unblock_nmis(void): an IRET that changes nothing */
	.globl unblock_nmis
unblock_nmis:
	mov	%rsp, %rax
	mov	%ss, %ecx
	mov	%cs, %edx
	lea	1f(%rip), %rsi
	push	%rcx
	push	%rax
	pushfq
	push	%rdx
	push	%rsi
	iretq
1:	ret

	.section .note.GNU-stack, "", @progbits
