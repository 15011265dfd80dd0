/*
 * tests/guests/l1_fuzz_insn.c - random VMX instructions of L1, with operands of every form
 */
#include "tests/guests/l1_fuzz.h"

#define REG_RSP	 4
#define REG_RBP	 5
#define NO_REG	 16
#define MAX_CODE 32
#define RETURN	 0xc3
#define MANY	 80

struct fuzz_regs {
	u64 reg[16]; /* in encoding order; RSP is not loaded */
};

void fuzz_call(struct fuzz_regs *regs, const void *code);

/* Loads the registers, calls, and forgets what came out. */
__asm__(".text\n"
	"fuzz_call:\n"
	"push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
	"push %rsi\n"
	"mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
	"mov 40(%rdi), %rbp; mov 48(%rdi), %rsi\n"
	"mov 64(%rdi), %r8; mov 72(%rdi), %r9; mov 80(%rdi), %r10; mov 88(%rdi), %r11\n"
	"mov 96(%rdi), %r12; mov 104(%rdi), %r13; mov 112(%rdi), %r14; mov 120(%rdi), %r15\n"
	"mov 56(%rdi), %rdi\n"
	"call *(%rsp)\n"
	"pop %rsi\n"
	"cld\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
	"ret\n");

struct coder {
	u8 code[MAX_CODE];
	unsigned length;
	struct fuzz_regs regs;
};

enum form { NONE, POINTER, FIELD_TO, FIELD_FROM, INVALIDATE };

static const struct insn {
	u8 prefix; /* 0: none */
	u8 length;
	u8 opcode[3];
	u8 digit; /* of ModRM, for POINTER */
	enum form form;
	bool moves; /* it may change the current VMCS, or what that holds */
	u8 weight;
} insns[] = {
	{ 0, 3, { 0x0f, 0x01, 0xc1 }, 0, NONE, false, 2 },	    /* VMCALL */
	{ 0, 3, { 0x0f, 0x01, 0xc4 }, 0, NONE, true, 1 },	    /* VMXOFF */
	{ 0, 3, { 0x0f, 0x01, 0xd4 }, 0, NONE, false, 1 },	    /* VMFUNC */
	{ 0, 2, { 0x0f, 0x37 }, 0, NONE, false, 1 },		    /* GETSEC */
	{ 0xf3, 2, { 0x0f, 0xc7 }, 6, POINTER, true, 3 },	    /* VMXON */
	{ 0x66, 2, { 0x0f, 0xc7 }, 6, POINTER, true, 6 },	    /* VMCLEAR */
	{ 0, 2, { 0x0f, 0xc7 }, 6, POINTER, true, 6 },		    /* VMPTRLD */
	{ 0, 2, { 0x0f, 0xc7 }, 7, POINTER, false, 4 },		    /* VMPTRST */
	{ 0, 2, { 0x0f, 0x78 }, 0, FIELD_TO, false, 10 },	    /* VMREAD */
	{ 0, 2, { 0x0f, 0x79 }, 0, FIELD_FROM, true, 10 },	    /* VMWRITE */
	{ 0x66, 3, { 0x0f, 0x38, 0x80 }, 0, INVALIDATE, false, 4 }, /* INVEPT */
	{ 0x66, 3, { 0x0f, 0x38, 0x81 }, 0, INVALIDATE, false, 4 }, /* INVVPID */
	{ 0x66, 3, { 0x0f, 0x38, 0x82 }, 0, INVALIDATE, false, 1 }, /* INVPCID */
};

static void put(struct coder *c, u64 value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		c->code[c->length++] = (u8)(value >> 8 * i);
}

/* A register that is free to be chosen, and is not @other. */
static unsigned any_reg(unsigned other)
{
	unsigned reg;

	do
		reg = (unsigned)fuzz_below(16);
	while (reg == REG_RSP || reg == other);
	return reg;
}

static u64 field_encoding(void)
{
	if (fuzz_one_in(8))
		return fuzz_one_in(2) ? fuzz_below(0x8000) : fuzz_value();
	return vmcs_fields[fuzz_below(VMCS_FIELD_COUNT)].encoding + fuzz_one_in(6);
}

/* Bochs stops when something else than an instruction, or eight bytes, touches these. */
static u64 device(void)
{
	static const u32 pages[] = { 0xfee00000, 0xfec00000, 0xfed00000 };

	return pages[fuzz_below(ARRAY_SIZE(pages))];
}

struct peek {
	u64 linear, value;
};

static void peek(void *argument)
{
	struct peek *const p = argument;

	p->value = *(volatile u64 *)(uintptr_t)p->linear;
}

/* Whether what happens to be at @linear names a page of L1's own: VMCLEAR writes to it. */
static bool leads_home(u64 linear)
{
	struct peek p = { .linear = linear };
	struct guest_fault fault;

	return guest_try(peek, &p, &fault) && !fuzz_is_harmless(p.value);
}

/* In memory that L1 can write, the operand names no page that L1 needs. */
static void fill_operand(u64 linear, enum form form)
{
	u64 *const at = (u64 *)(uintptr_t)linear;

	if (linear < fuzz_page(0) || linear >= fuzz_page(PAGE_WINDOWS) - 16)
		return;
	/* An EPTP that is in use, or a VPID. */
	if (form == INVALIDATE && fuzz_one_in(2)) {
		fuzz_poke(at, fuzz_one_in(2) ? fuzz_below(3) : fuzz_page(PAGE_EPT) | FUZZ_EPTP);
		fuzz_poke(at + 1, 0);
		return;
	}
	fuzz_poke(at, fuzz_one_in(16)  ? device()
		      : fuzz_one_in(3) ? fuzz_gpa()
				       : fuzz_page((unsigned)fuzz_below(PAGE_OTHER_REGION + 1)));
	fuzz_poke(at + 1, fuzz_one_in(4) ? fuzz_value() : 0);
}

/* The address as base, index and displacement, in one of the ways there are. */
static void put_memory(struct coder *c, unsigned prefix_at, unsigned reg, u64 linear)
{
	const unsigned mod = (unsigned)fuzz_below(3), base = any_reg(reg);
	const bool sib = (base & 7) == REG_RSP || fuzz_one_in(2);
	unsigned index = sib && fuzz_one_in(2) ? any_reg(reg) : NO_REG;
	const unsigned scale = (unsigned)fuzz_below(4);
	const bool no_base = mod == 0 && (base & 7) == REG_RBP;
	s64 displacement = 0;
	u8 *const rex = &c->code[prefix_at];

	if (index == base)
		index = NO_REG;
	if (mod == 1)
		displacement = (signed char)fuzz_below(256);
	else if (mod == 2 || no_base)
		displacement = (s32)fuzz_value();
	if (index != NO_REG)
		c->regs.reg[index] = fuzz_value();
	if (no_base && !sib)
		displacement = (s32)(linear - (uintptr_t)(c->code + c->length + 5));
	else if (no_base && index == NO_REG)
		displacement = (s32)linear;
	else if (no_base)
		c->regs.reg[index] = (linear - (u64)displacement) >> scale;
	else
		c->regs.reg[base] = linear - (u64)displacement -
				    (index == NO_REG ? 0 : c->regs.reg[index] << scale);
	*rex |= (u8)((reg >> 3) << 2 | base >> 3 | (index == NO_REG ? 0 : index >> 3 << 1));
	put(c, mod << 6 | (reg & 7) << 3 | (sib ? REG_RSP : base & 7), 1);
	if (sib)
		put(c, scale << 6 | (index == NO_REG ? REG_RSP : index & 7) << 3 | (base & 7), 1);
	put(c, (u64)displacement, mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0);
}

static void put_prefixes(struct coder *c, const struct insn *insn)
{
	if (fuzz_one_in(12))
		put(c, 0x64 + fuzz_below(2), 1); /* FS, GS */
	if (fuzz_one_in(24))
		put(c, 0x67, 1);
	if (fuzz_one_in(64)) /* what it must not have, or need not */
		put(c, ((const u8[]){ 0xf0, 0x66, 0xf2, 0xf3 })[fuzz_below(4)], 1);
	if (insn->prefix)
		put(c, insn->prefix, 1);
}

static const struct insn *any_insn(void)
{
	unsigned sum = 0, at;

	for (unsigned i = 0; i < ARRAY_SIZE(insns); i++)
		sum += insns[i].weight;
	at = (unsigned)fuzz_below(sum);
	for (unsigned i = 0;; i++) {
		if (at < insns[i].weight)
			return &insns[i];
		at -= insns[i].weight;
	}
}

static void put_insn(struct coder *c, const struct insn *insn)
{
	u64 linear = fuzz_linear();
	unsigned reg = insn->digit, prefix_at;

	if (insn->form == POINTER && (leads_home(linear) || leads_home((u32)linear)))
		linear = fuzz_page(PAGE_SCRATCH);

	for (unsigned i = 0; i < ARRAY_SIZE(c->regs.reg); i++)
		c->regs.reg[i] = fuzz_value();
	put_prefixes(c, insn);
	prefix_at = c->length;
	put(c, 0x40 | (fuzz_one_in(4) ? 8 : 0), 1);
	for (unsigned i = 0; i < insn->length; i++)
		put(c, insn->opcode[i], 1);
	if (insn->form == NONE)
		return;
	if (insn->form != POINTER) {
		reg = any_reg(NO_REG);
		c->regs.reg[reg] = insn->form == INVALIDATE ? fuzz_below(5) : field_encoding();
	}
	if (fuzz_one_in(insn->form == FIELD_TO || insn->form == FIELD_FROM ? 2 : 40)) {
		const unsigned other = any_reg(reg);

		c->code[prefix_at] |= (u8)((reg >> 3) << 2 | other >> 3);
		put(c, 0xc0 | (reg & 7) << 3 | (other & 7), 1);
		return;
	}
	fill_operand(linear, insn->form);
	put_memory(c, prefix_at, reg, linear);
}

static void call(void *argument)
{
	struct coder *const c = argument;

	fuzz_call(&c->regs, c->code);
}

/* With [EDI] where there is a ModRM. */
static void call_compat(const struct insn *insn)
{
	struct coder c = { .length = 0 };
	struct guest_fault fault;

	if (insn->prefix)
		put(&c, insn->prefix, 1);
	for (unsigned i = 0; i < insn->length; i++)
		put(&c, insn->opcode[i], 1);
	if (insn->form != NONE)
		put(&c, (u64)insn->digit << 3 | 7, 1);
	guest_try_compat(c.code, c.length, &fault);
}

/* More VMCSs than a hypervisor may want to remember. */
static void load_many(void *argument)
{
	static u32 regions[MANY][PAGE_SIZE / sizeof(u32)] __attribute__((aligned(PAGE_SIZE)));

	(void)argument;
	for (unsigned i = 0; i < MANY; i++) {
		regions[i][0] = (u32)CAP_GET(guest_caps.msr[VMX_CAP_BASIC], REVISION);
		vmptrld(physical(regions[i]));
	}
}

bool fuzz_vmx_insn(void)
{
	static struct coder c;
	const struct insn *const insn = any_insn();
	struct guest_fault fault;

	if (fuzz_one_in(256)) {
		guest_try(load_many, NULL, &fault);
		return true;
	}
	c.length = 0;
	put_insn(&c, insn);
	put(&c, RETURN, 1);
	switch (fuzz_below(32)) {
	case 0:
		guest_try_user(call, &c, &fault);
		break;
	case 1:
		call_compat(insn);
		break;
	default:
		guest_try(call, &c, &fault);
		break;
	}
	return insn->moves;
}
