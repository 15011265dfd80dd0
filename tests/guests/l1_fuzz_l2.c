/*
 * tests/guests/l1_fuzz_l2.c - short random code for L2, of instructions that a hypervisor minds
 *
 * The same bytes run in every mode of L2. What they write lies in the arena: its EPT tables allow
 * no more.
 */
#include "tests/guests/l1_fuzz.h"

#define VMCALL	  0x01, 0xc1
#define MAX_BYTES 8

/* Instructions without operands, or with one at [EDI]. */
static const struct {
	u8 length;
	u8 bytes[MAX_BYTES];
} plain[] = {
	{ 2, { 0x0f, 0xa2 } },		   /* CPUID */
	{ 1, { 0xf4 } },		   /* HLT */
	{ 2, { 0xf3, 0x90 } },		   /* PAUSE */
	{ 3, { 0x0f, 0x01, 0xc8 } },	   /* MONITOR */
	{ 3, { 0x0f, 0x01, 0xc9 } },	   /* MWAIT */
	{ 2, { 0x0f, 0x31 } },		   /* RDTSC */
	{ 3, { 0x0f, 0x01, 0xf9 } },	   /* RDTSCP */
	{ 2, { 0x0f, 0x33 } },		   /* RDPMC */
	{ 2, { 0x0f, 0x08 } },		   /* INVD */
	{ 2, { 0x0f, 0x09 } },		   /* WBINVD */
	{ 3, { 0x0f, 0x01, 0x3f } },	   /* INVLPG */
	{ 2, { 0x0f, 0x06 } },		   /* CLTS */
	{ 3, { 0x0f, 0x01, 0xf0 } },	   /* LMSW AX */
	{ 3, { 0x0f, 0x01, 0x37 } },	   /* LMSW [EDI] */
	{ 3, { 0x0f, 0x01, 0xe0 } },	   /* SMSW */
	{ 3, { 0x0f, 0x22, 0xc0 } },	   /* MOV CR0, EAX */
	{ 3, { 0x0f, 0x20, 0xc0 } },	   /* MOV EAX, CR0 */
	{ 3, { 0x0f, 0x22, 0xd8 } },	   /* MOV CR3, EAX */
	{ 3, { 0x0f, 0x20, 0xd8 } },	   /* MOV EAX, CR3 */
	{ 3, { 0x0f, 0x22, 0xe1 } },	   /* MOV CR4, ECX */
	{ 4, { 0x44, 0x0f, 0x22, 0xc0 } }, /* MOV CR8, RAX */
	{ 3, { 0x0f, 0x23, 0xf8 } },	   /* MOV DR7, EAX */
	{ 3, { 0x0f, 0x21, 0xf0 } },	   /* MOV EAX, DR6 */
	{ 3, { 0x0f, VMCALL } },
	{ 3, { 0x0f, 0x01, 0xc2 } },		  /* VMLAUNCH */
	{ 3, { 0x0f, 0x01, 0xc3 } },		  /* VMRESUME */
	{ 3, { 0x0f, 0x01, 0xc4 } },		  /* VMXOFF */
	{ 3, { 0x0f, 0x01, 0xd4 } },		  /* VMFUNC */
	{ 5, { 0x31, 0xc0, 0x0f, 0x01, 0xd4 } },  /* XOR EAX, EAX; VMFUNC */
	{ 4, { 0xf3, 0x0f, 0xc7, 0x37 } },	  /* VMXON */
	{ 4, { 0x66, 0x0f, 0xc7, 0x37 } },	  /* VMCLEAR */
	{ 3, { 0x0f, 0xc7, 0x37 } },		  /* VMPTRLD */
	{ 3, { 0x0f, 0xc7, 0x3f } },		  /* VMPTRST */
	{ 3, { 0x0f, 0x78, 0xc8 } },		  /* VMREAD */
	{ 3, { 0x0f, 0x79, 0x0f } },		  /* VMWRITE from memory */
	{ 5, { 0x66, 0x0f, 0x38, 0x80, 0x0f } },  /* INVEPT */
	{ 5, { 0x66, 0x0f, 0x38, 0x81, 0x0f } },  /* INVVPID */
	{ 5, { 0x66, 0x0f, 0x38, 0x82, 0x0f } },  /* INVPCID */
	{ 2, { 0x0f, 0x0b } },			  /* UD2 */
	{ 1, { 0xcc } },			  /* INT3 */
	{ 1, { 0xf1 } },			  /* INT1 */
	{ 2, { 0xcd, 0x80 } },			  /* INT 80h */
	{ 2, { 0xf7, 0xf6 } },			  /* DIV ESI */
	{ 2, { 0x8b, 0x07 } },			  /* MOV EAX, [EDI] */
	{ 2, { 0x89, 0x07 } },			  /* MOV [EDI], EAX */
	{ 2, { 0x8e, 0xd0 } },			  /* MOV SS, EAX */
	{ 1, { 0xfb } },			  /* STI */
	{ 1, { 0xfa } },			  /* CLI */
	{ 6, { 0x68, 0x02, 0x03, 0, 0, 0x9d } },  /* POPF with TF and IF */
	{ 6, { 0x68, 0x02, 0x40, 0, 0, 0x9d } },  /* POPF with NT */
	{ 1, { 0xcf } },			  /* IRET */
	{ 3, { 0x0f, 0x01, 0x17 } },		  /* LGDT */
	{ 3, { 0x0f, 0x01, 0x1f } },		  /* LIDT */
	{ 3, { 0x0f, 0x01, 0x07 } },		  /* SGDT */
	{ 3, { 0x0f, 0x00, 0xd0 } },		  /* LLDT */
	{ 3, { 0x0f, 0x00, 0xd8 } },		  /* LTR */
	{ 3, { 0x0f, 0x00, 0xc8 } },		  /* STR */
	{ 3, { 0x0f, 0x01, 0xd1 } },		  /* XSETBV */
	{ 3, { 0x0f, 0xc7, 0xf0 } },		  /* RDRAND */
	{ 3, { 0x0f, 0xc7, 0xf8 } },		  /* RDSEED */
	{ 3, { 0x0f, 0xc7, 0x2f } },		  /* XSAVES */
	{ 2, { 0x0f, 0xaa } },			  /* RSM */
	{ 2, { 0x0f, 0x37 } },			  /* GETSEC */
	{ 3, { 0xf3, 0xa4, 0x90 } },		  /* REP MOVSB */
	{ 7, { 0xea, 0, 0, 0, 0, GUEST_TR, 0 } }, /* a far jump to a TSS, in 32-bit code */
};

static u8 *code_end;

static void put(u64 value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*code_end++ = (u8)(value >> 8 * i);
}

static void put_msr_access(void)
{
	static const u32 written[] = {
		MSR_SYSENTER_CS, MSR_SYSENTER_ESP,    0xc0000080, 0xc0000081, 0xc0000102,
		MSR_VMX_BASIC,	 MSR_FEATURE_CONTROL, 0x200,	  0x2000,     0x40000000
	};
	const bool write = fuzz_one_in(3);

	put(0xb9, 1); /* MOV ECX, imm32 */
	put(write	     ? written[fuzz_below(ARRAY_SIZE(written))]
	    : fuzz_one_in(3) ? MSR_VMX_BASIC + fuzz_below(20)
			     : fuzz_value(),
	    4);
	put(write ? 0x300f : 0x320f, 2);
}

static void put_port_access(void)
{
	static const u16 ports[] = { 0x80, 0xe9, 0x3fb, 0x1230 };
	static const u8 opcodes[] = { 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f };
	const u8 opcode = opcodes[fuzz_below(ARRAY_SIZE(opcodes))];

	put(0xba, 1); /* MOV EDX, imm32 */
	put(ports[fuzz_below(ARRAY_SIZE(ports))], 4);
	if (opcode == 0xee || opcode == 0xef) {
		put(0xb8, 1); /* MOV EAX, imm32 */
		put(3, 4);
	}
	if (fuzz_one_in(2)) {
		/* Seldom so many rounds that L2 does nothing else. */
		if (!fuzz_one_in(16)) {
			put(0xb9, 1); /* MOV ECX, imm32 */
			put(fuzz_below(64), 4);
		}
		put(0xf3, 1);
	}
	put(opcode, 1);
}

/* VMCALL; JMP to it */
static void put_last(void)
{
	put(0xc1010f, 3);
	put(0xfbeb, 2);
}

void fuzz_l2_code(struct l2_regs *regs)
{
	code_end = (u8 *)fuzz_at(PAGE_CODE) + FUZZ_HANDLER;
	put_last();
	code_end = (u8 *)fuzz_at(PAGE_CODE) + FUZZ_CODE;
	for (unsigned count = 1 + (unsigned)fuzz_below(4); count; count--) {
		const unsigned i = (unsigned)fuzz_below(ARRAY_SIZE(plain) + 8);

		if (i >= ARRAY_SIZE(plain) + 4)
			put_msr_access();
		else if (i >= ARRAY_SIZE(plain))
			put_port_access();
		else
			for (unsigned b = 0; b < plain[i].length; b++)
				put(plain[i].bytes[b], 1);
	}
	put_last();
	regs->rax = fuzz_one_in(4) ? fuzz_below(64) : fuzz_value();
	regs->rcx = fuzz_one_in(2) ? fuzz_below(8) : fuzz_value();
	regs->rdx = fuzz_value();
	regs->rbx = fuzz_value();
	regs->rbp = fuzz_value();
	regs->rsi = fuzz_page(PAGE_SCRATCH) + fuzz_below(PAGE_SIZE);
	regs->rdi =
		fuzz_one_in(4) ? fuzz_gpa() : fuzz_page(PAGE_SCRATCH) + fuzz_below(3 * PAGE_SIZE);
}
