#include "tests/guests/l1_insn.h"

#include "tests/guests/lib/guest_paging.h"

#define RFLAGS_ARITHMETIC 0x8d5ul /* CF, PF, AF, ZF, SF, OF */
#define RFLAGS_CF	  0x1ul
#define RFLAGS_ZF	  0x40ul

struct execution {
	enum insn_op op;
	void *operand;
	u64 reg;
	u64 rflags; /* afterwards */
};

u8 insn_unmapped[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
u64 insn_regions[4];

static const char *const names[OP_COUNT] = {
	[OP_VMXON] = "VMXON",
	[OP_VMXOFF] = "VMXOFF",
	[OP_VMCLEAR] = "VMCLEAR",
	[OP_VMPTRLD] = "VMPTRLD",
	[OP_VMPTRST] = "VMPTRST",
	[OP_VMREAD] = "VMREAD",
	[OP_VMWRITE] = "VMWRITE",
	[OP_VMLAUNCH] = "VMLAUNCH",
	[OP_VMRESUME] = "VMRESUME",
	[OP_INVEPT] = "INVEPT",
	[OP_INVVPID] = "INVVPID",
	[OP_VMCALL] = "VMCALL",
	[OP_VMLAUNCH_MOV_SS] = "VMLAUNCH behind MOV SS",
};

/* All arithmetic flags set, the instruction, flags to %0; %1 is the address of the operand. */
#define EXECUTE(insn)                                                     \
	__asm__ volatile("pushfq; orq $0x8d5, (%%rsp); popfq\n" insn "\n" \
			 "pushfq; popq %0"                                \
			 : "=&r"(e->rflags)                               \
			 : "r"(e->operand), "r"(e->reg)                   \
			 : "memory", "cc")

static void execute(void *arg)
{
	struct execution *e = arg;

	switch (e->op) {
	case OP_VMXON:
		EXECUTE("vmxon (%1)");
		break;
	case OP_VMXOFF:
		EXECUTE("vmxoff");
		break;
	case OP_VMCLEAR:
		EXECUTE("vmclear (%1)");
		break;
	case OP_VMPTRLD:
		EXECUTE("vmptrld (%1)");
		break;
	case OP_VMPTRST:
		EXECUTE("vmptrst (%1)");
		break;
	case OP_VMREAD:
		EXECUTE("vmread %2, (%1)");
		break;
	case OP_VMWRITE:
		EXECUTE("vmwrite (%1), %2");
		break;
	case OP_VMLAUNCH:
		EXECUTE("vmlaunch");
		break;
	case OP_VMRESUME:
		EXECUTE("vmresume");
		break;
	case OP_INVEPT:
		EXECUTE("invept (%1), %2");
		break;
	case OP_INVVPID:
		EXECUTE("invvpid (%1), %2");
		break;
	case OP_VMCALL:
		EXECUTE("vmcall");
		break;
	case OP_VMLAUNCH_MOV_SS:
		EXECUTE("mov %%ss, %0; mov %0, %%ss; vmlaunch");
		break;
	case OP_COUNT:
		break;
	}
}

u64 insn_current(void)
{
	u64 pointer = 0;

	if (vmptrst(&pointer) != VMX_SUCCEED)
		guest_fail("VMPTRST failed");
	return pointer;
}

static void check_fault(const struct execution *e, const struct guest_fault *fault, u32 vector)
{
	guest_check(fault->vector == vector, "%s: exception %u instead of %u", names[e->op],
		    fault->vector, vector);
	if (vector == VECTOR_PF)
		guest_check(fault->cr2 == (uintptr_t)e->operand, "%s: #PF at %lx", names[e->op],
			    fault->cr2);
	if (vector == VECTOR_GP)
		guest_check(fault->error == 0, "%s: #GP(%x)", names[e->op], fault->error);
	guest_check((fault->rflags & RFLAGS_ARITHMETIC) == RFLAGS_ARITHMETIC,
		    "%s: the fault changed flags (%lx)", names[e->op], fault->rflags);
}

static void check_flags(const struct execution *e, struct insn_result expected)
{
	static const u64 flags[] = {
		[RESULT_SUCCEED] = 0,
		[RESULT_INVALID] = RFLAGS_CF,
		[RESULT_VALID] = RFLAGS_ZF,
	};

	guest_check((e->rflags & RFLAGS_ARITHMETIC) == flags[expected.kind],
		    "%s %lx: flags %lx instead of %lx", names[e->op], e->reg,
		    e->rflags & RFLAGS_ARITHMETIC, flags[expected.kind]);
	if (expected.kind == RESULT_VALID)
		guest_check(guest_vmcs_error() == expected.number, "%s %lx: error %u instead of %u",
			    names[e->op], e->reg, guest_vmcs_error(), expected.number);
}

void insn_expect(enum insn_op op, void *operand, u64 reg, struct insn_result expected)
{
	struct execution e = { .op = op, .operand = operand, .reg = reg };
	struct guest_fault fault;

	if (guest_try(execute, &e, &fault)) {
		if (guest_check(expected.kind != RESULT_FAULT, "%s %lx: no exception, flags %lx",
				names[op], reg, e.rflags))
			check_flags(&e, expected);
	} else if (guest_check(expected.kind == RESULT_FAULT, "%s %lx: exception %u, error %x",
			       names[op], reg, fault.vector, fault.error)) {
		check_fault(&e, &fault, expected.number);
	}
}

void insn_expect_pointer(enum insn_op op, u64 pointer, struct insn_result expected)
{
	insn_expect(op, &pointer, 0, expected);
}

void insn_expect_in_ring_3(enum insn_op op, u8 vector)
{
	static u64 operand[2];
	static struct execution e;
	struct guest_fault fault;

	e = (struct execution){ .op = op, .operand = operand, .reg = VMCS_GUEST_RIP };
	if (guest_check(!guest_try_user(execute, &e, &fault), "%s in ring 3: no exception",
			names[op]))
		check_fault(&e, &fault, vector);
}

void insn_unmap_page(void)
{
	u64 *entry;

	write_cr3(guest_page_tables());
	entry = guest_table_entry(read_cr3(), (uintptr_t)insn_unmapped);
	*entry &= ~PTE_PRESENT;
	__asm__ volatile("invlpg (%0)" : : "r"(insn_unmapped) : "memory");
}
