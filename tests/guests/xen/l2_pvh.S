/*
 * tests/guests/xen/l2_pvh.S - what Xen's guest runs, a PVH kernel
 *
 * Starts in 32-bit mode without paging. One loop per kind of exit; then it says how many it made of
 * each, on the port that Xen prints guests' lines from, and shuts down.
 */
#define XEN_NOTE_PHYS32_ENTRY 18
#define XEN_CPUID_PAGES	      0x40000002 /* EBX: the MSR that makes a hypercall page */
#define HYPERCALL(number)     (hypercalls + 32 * (number))
#define HYPERCALL_VERSION     17
#define HYPERCALL_SCHED	      29
#define SCHED_SHUTDOWN	      2

#define PORT_XEN      0xe9
#define APIC	      0xfee00000
#define APIC_EOI      (APIC + 0xb0)
#define APIC_SPURIOUS (APIC + 0xf0)
#define APIC_TIMER    (APIC + 0x320)
#define APIC_INITIAL  (APIC + 0x380)
#define APIC_ENABLE   0x1ff
#define MSR_APIC_BASE 0x1b
#define TIMER_VECTOR  0x40
#define TIMER_COUNT   20000

#define CPUIDS	    1000
#define VMCALLS	    300
#define HALTS	    50
#define APIC_BASES  100

#define TEXT_(x) #x
#define TEXT(x)	 TEXT_(x)

	.section .note.Xen, "a", @note
	.long 4, 4, XEN_NOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	cli
	cld
	movl $stack_end, %esp
	lgdt gdt_pointer
	lidt idt_pointer
	ljmp $8, $1f
1:	movw $16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss

	movl $XEN_CPUID_PAGES, %eax
	cpuid
	movl %ebx, %ecx
	movl $hypercalls, %eax
	xorl %edx, %edx
	wrmsr

	movl $(CPUIDS - 1), %esi
1:	movl $1, %eax
	cpuid
	decl %esi
	jnz 1b

	movl $(VMCALLS - 1), %esi
1:	xorl %ebx, %ebx
	xorl %ecx, %ecx
	call HYPERCALL(HYPERCALL_VERSION)
	decl %esi
	jnz 1b

	movl $APIC_BASES, %esi
1:	movl $MSR_APIC_BASE, %ecx
	rdmsr
	decl %esi
	jnz 1b

	movl $APIC_ENABLE, APIC_SPURIOUS
	movl $TIMER_VECTOR, APIC_TIMER
	movl $HALTS, %esi
1:	movl $TIMER_COUNT, APIC_INITIAL
	sti
	hlt
	cli
	decl %esi
	jnz 1b
	cmpl $HALTS, interrupts
	jne 2f

	movl $text, %esi
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, $PORT_XEN
	jmp 1b

2:	movl $SCHED_SHUTDOWN, %ebx
	movl $shutdown_reason, %ecx
	call HYPERCALL(HYPERCALL_SCHED)
	ud2

interrupt:
	incl interrupts
	movl $0, APIC_EOI
	iret

	/* CPUID: one asks for the MSR. VMCALL: one shuts down. */
text:
	.ascii "xentest: exit 10 " TEXT(CPUIDS) "\n"
	.ascii "xentest: exit 18 " TEXT(VMCALLS) "\n"
	.ascii "xentest: exit 12 " TEXT(HALTS) "\n"
	.ascii "xentest: exit 31 " TEXT(APIC_BASES) "\n"
	.asciz "xentest: l2 passed\n"

	.balign 8
gdt:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long gdt
idt_pointer:
	.word 8 * (TIMER_VECTOR + 1) - 1
	.long idt
shutdown_reason:
	.long 0
interrupts:
	.long 0
	.balign 8
idt:
	.skip 8 * TIMER_VECTOR
	/* The linker cannot split an address into the two halves of a gate: the code is below 64 KiB
	 * from 1 MiB on. */
	.word interrupt - start, 8, 0x8e00, 0x10
	.balign 4096
hypercalls:
	.skip 4096
	.skip 4096
stack_end:
