/*
 * tests/guests/lib/guest_vectors.S - the 256 entries of the IDT, and leaving a function by force
 */
#include "tests/guests/lib/guest_layout.h"

	.text
	.code64

/* Each entry takes 16 bytes, so that entry N is guest_trap_entries + 16 * N. */
	.balign 16
	.globl guest_trap_entries
guest_trap_entries:
	vector = 0
	.rept 256
	.balign 16
	.if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
	push $0
	.endif
	push $vector
	jmp trap_common
	vector = vector + 1
	.endr

trap_common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	call guest_trap
	movq %rbx, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	addq $16, %rsp
	iretq

/*
 * bool guest_call(void (*fn)(void *), void *arg, u64 *resume): calls fn(arg) and returns false. When
 * guest_unwind(*resume) runs before fn() returned, guest_call() returns true at once.
 */
	.globl guest_call
guest_call:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq
	movq %rsp, (%rdx)
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
	xorl %eax, %eax
	jmp 1f

	.globl guest_unwind
guest_unwind:
	/* From ring 3 these come back as null selectors, which compatibility mode would mind. */
	movl $GUEST_DS, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movq %rdi, %rsp
	movl $1, %eax
1:	popfq
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

/* void guest_enter_user(void (*fn)(void *), void *arg): never comes back by itself. */
	.globl guest_enter_user
guest_enter_user:
	movq %rdi, %rax
	movq %rsi, %rdi
	push $GUEST_USER_DS
	push $user_stack_top
	push $0x2
	push $GUEST_USER_CS
	push $1f
	iretq
1:	call *%rax
	int $GUEST_USER_RETURN

/* void guest_enter_compat(const void *code): a far call to 32-bit code, which returns by RETF. */
	.globl guest_enter_compat
guest_enter_compat:
	movl %edi, compat_target
	lcall *compat_target
	ret

	.data
compat_target:
	.long 0
	.word GUEST_CS32

	.bss
	.balign 16
	.skip 4096
user_stack_top:
