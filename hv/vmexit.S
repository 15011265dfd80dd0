/*
 * hv/vmexit.S - into the guest and out of it
 *
 * GS base points at this processor's struct percpu, which begins with the guest's general registers
 * in encoding order and, at PERCPU_SELF, its own address.
 */
#define PERCPU_SELF    128
#define PERCPU_ARRIVED 139

	.text
	/* HOST_RIP of every VMCS; RSP is the top of this processor's stack. */
	.globl vmexit_entry
vmexit_entry:
	mov	%rax, %gs:0
	mov	%rcx, %gs:8
	mov	%rdx, %gs:16
	mov	%rbx, %gs:24
	mov	%rbp, %gs:40
	mov	%rsi, %gs:48
	mov	%rdi, %gs:56
	mov	%r8, %gs:64
	mov	%r9, %gs:72
	mov	%r10, %gs:80
	mov	%r11, %gs:88
	mov	%r12, %gs:96
	mov	%r13, %gs:104
	mov	%r14, %gs:112
	mov	%r15, %gs:120
	mov	%gs:PERCPU_SELF, %rdi
	call	exit_dispatch

	/*
	 * %al: the current VMCS has been launched. MOV leaves the flags alone. From here to vmenter_end
	 * nothing is lost by going back, so that no NMI has to wait for the next exit.
	 */
	.globl vmenter
vmenter:
	cmpb	$0, %gs:PERCPU_ARRIVED
	jne	vmenter_again
	test	%al, %al
	mov	%gs:0, %rax
	mov	%gs:8, %rcx
	mov	%gs:16, %rdx
	mov	%gs:24, %rbx
	mov	%gs:40, %rbp
	mov	%gs:48, %rsi
	mov	%gs:56, %rdi
	mov	%gs:64, %r8
	mov	%gs:72, %r9
	mov	%gs:80, %r10
	mov	%gs:88, %r11
	mov	%gs:96, %r12
	mov	%gs:104, %r13
	mov	%gs:112, %r14
	mov	%gs:120, %r15
	jz	1f
	vmresume
	jmp	vmenter_end
1:	vmlaunch
	.globl vmenter_end
vmenter_end:
	/* Only a VMfail comes here; the guest's registers are still in struct percpu. */
	pushfq
	pop	%rsi
	mov	%gs:PERCPU_SELF, %rdi
	call	exit_entry_failed
	jmp	vmenter

	/* An NMI came after exit_dispatch() had looked. Also trap_handle() goes on here. */
	.globl vmenter_again
vmenter_again:
	mov	%gs:PERCPU_SELF, %rdi
	call	exit_attend
	jmp	vmenter

	/* _Noreturn void vm_run(void *stack_top): enter the current VMCS for the first time. */
	.globl vm_run
vm_run:
	mov	%rdi, %rsp
	xor	%eax, %eax
	jmp	vmenter

	.section .note.GNU-stack, "", @progbits
