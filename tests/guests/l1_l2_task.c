#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

/* SDM: "Task Switches" in VMX non-root operation, "Exit Qualification for Task Switches". */

#define CR0_32BIT	 (BIT(0) | BIT(4) | BIT(5) | BIT(31)) /* PE, ET, NE, PG */
#define CR4_PSE		 BIT(4)
#define RFLAGS_FIXED	 BIT(1)
#define RFLAGS_IF	 BIT(9)
#define RFLAGS_NT	 BIT(14)

#define RIGHTS_CODE32	 0xc09b
#define RIGHTS_DATA32	 0xc093
#define RIGHTS_BUSY_TSS	 0x8b
#define LIMIT_4G	 0xffffffff
#define TSS_LIMIT	 0x67

/* Selectors in L2's own GDT. */
#define SELECTOR_CODE	 0x08
#define SELECTOR_DATA	 0x10
#define SELECTOR_CURRENT 0x18
#define SELECTOR_TSS	 0x20
#define SELECTOR_GATE	 0x28 /* a task gate to SELECTOR_TSS */
#define SELECTOR_LINK	 0x30 /* the task that the current one was called from */

#define VECTOR_UD	 6
#define VECTOR_TASK	 0x30
#define EVENT_VALID	 BIT(31)
#define TYPE_EXCEPTION	 (3u << 8)
#define TYPE_SOFT	 (4u << 8)

enum source { BY_CALL, BY_IRET, BY_JMP, BY_GATE };

/* Every way to another task; each exits, and L1 goes on behind it. */
__asm__("	.pushsection .text\n"
	"	.code32\n"
	"l2_code_tasks:\n"
	"	ljmp $0x20, $0\n"
	"	lcall $0x20, $0\n"
	"	lcall $0x28, $0\n"
	"	int $0x30\n"
	"	ud2\n"
	"	pushfl\n"
	"	orl $0x4000, (%esp)\n"
	"	popfl\n"
	"	iret\n"
	"	nop\n"
	"	movl $1, %eax\n"
	"	vmcall\n"
	"	.code64\n"
	"	.popsection\n");
extern const u8 l2_code_tasks[];

static u64 gdt[7], idt[VECTOR_TASK + 1];
static u8 current_tss[TSS_LIMIT + 1], other_tss[TSS_LIMIT + 1];

static void code_task(void)
{
	l2_vmcall(false);
}

static u64 tss_descriptor(const void *tss, u64 type)
{
	const u64 base = (uintptr_t)tss;

	return TSS_LIMIT | BITS(base, 23, 0) << 16 | (type | 0x80) << 40 | BITS(base, 31, 24) << 56;
}

static void fill_tables(void)
{
	const u64 task_gate = (u64)SELECTOR_TSS << 16 | 0x85ull << 40;

	gdt[SELECTOR_CODE / 8] = 0x00cf9b000000ffff;
	gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	gdt[SELECTOR_CURRENT / 8] = tss_descriptor(current_tss, 11);
	gdt[SELECTOR_TSS / 8] = tss_descriptor(other_tss, 9);
	gdt[SELECTOR_GATE / 8] = task_gate;
	gdt[SELECTOR_LINK / 8] = tss_descriptor(other_tss, 11);
	idt[VECTOR_UD] = task_gate;
	idt[VECTOR_TASK] = task_gate;
	current_tss[0] = SELECTOR_LINK;
}

/* A page directory that maps 4 GiB to themselves with 4 MiB pages. */
static u64 make_tables(void)
{
	u32 *directory = guest_pages(1);

	for (u32 i = 0; i < 1024; i++)
		directory[i] = i << 22 | (u32)(PTE_PRESENT | PTE_WRITE | PTE_LARGE);
	return physical(directory);
}

static void write_segment(u32 selector_field, u16 selector, u64 base, u64 limit, u64 rights)
{
	const u32 offset = selector_field - VMCS_GUEST_ES_SELECTOR;

	guest_vmcs_write(selector_field, selector);
	guest_vmcs_write(VMCS_GUEST_ES_BASE + offset, base);
	guest_vmcs_write(VMCS_GUEST_ES_LIMIT + offset, limit);
	guest_vmcs_write(VMCS_GUEST_ES_ACCESS_RIGHTS + offset, rights);
}

static void enter_32bit(void)
{
	static const u32 data[] = { VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_SS_SELECTOR,
				    VMCS_GUEST_DS_SELECTOR, VMCS_GUEST_FS_SELECTOR,
				    VMCS_GUEST_GS_SELECTOR };

	fill_tables();
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		write_segment(data[i], SELECTOR_DATA, 0, LIMIT_4G, RIGHTS_DATA32);
	write_segment(VMCS_GUEST_CS_SELECTOR, SELECTOR_CODE, 0, LIMIT_4G, RIGHTS_CODE32);
	write_segment(VMCS_GUEST_TR_SELECTOR, SELECTOR_CURRENT, (uintptr_t)current_tss, TSS_LIMIT,
		      RIGHTS_BUSY_TSS);
	guest_vmcs_write(VMCS_GUEST_GDTR_BASE, (uintptr_t)gdt);
	guest_vmcs_write(VMCS_GUEST_GDTR_LIMIT, sizeof(gdt) - 1);
	guest_vmcs_write(VMCS_GUEST_IDTR_BASE, (uintptr_t)idt);
	guest_vmcs_write(VMCS_GUEST_IDTR_LIMIT, sizeof(idt) - 1);
	guest_vmcs_write(VMCS_GUEST_CR0, CR0_32BIT);
	guest_vmcs_write(VMCS_GUEST_CR3, make_tables());
	guest_vmcs_write(VMCS_GUEST_CR4, CR4_PSE | CR4_VMXE);
	guest_vmcs_write(VMCS_GUEST_IA32_EFER, 0);
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_vmcs_read(VMCS_VM_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST);
	guest_vmcs_write(VMCS_GUEST_RIP, physical(l2_code_tasks));
}

/* The exit comes before anything of the new task; @original is the event on its way, if any. */
static bool expect_switch(struct l2 *l2, enum source source, u16 selector, u64 original)
{
	if (!l2_expect(l2, EXIT_TASK_SWITCH))
		return false;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, (u64)source << 30 | selector);
	l2_check((guest_vmcs_read(VMCS_IDT_VECTORING_INFO) & MASK(31, 0)) == original ||
			 (!original && !(guest_vmcs_read(VMCS_IDT_VECTORING_INFO) & EVENT_VALID)),
		 "IDT-vectoring information is %lx", guest_vmcs_read(VMCS_IDT_VECTORING_INFO));
	l2_expect_field(VMCS_GUEST_TR_SELECTOR, SELECTOR_CURRENT);
	l2_expect_field(VMCS_GUEST_CS_SELECTOR, SELECTOR_CODE);
	return true;
}

static void step(u64 *rip, u64 length)
{
	l2_expect_field(VMCS_GUEST_RIP, *rip);
	*rip += length;
	guest_vmcs_write(VMCS_GUEST_RIP, *rip);
}

static void check_task(struct l2 *l2)
{
	static const struct {
		enum source source;
		u16 selector;
		u64 length, original;
	} rows[] = {
		{ BY_JMP, SELECTOR_TSS, 7, 0 },
		{ BY_CALL, SELECTOR_TSS, 7, 0 },
		{ BY_CALL, SELECTOR_TSS, 7, 0 }, /* by a gate, and yet not "task gate in IDT" */
		{ BY_GATE, SELECTOR_TSS, 2, EVENT_VALID | TYPE_SOFT | VECTOR_TASK },
		{ BY_GATE, SELECTOR_TSS, 2, EVENT_VALID | TYPE_EXCEPTION | VECTOR_UD },
	};
	u64 rip = physical(l2_code_tasks);

	enter_32bit();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!expect_switch(l2, rows[i].source, rows[i].selector, rows[i].original))
			return;
		/* Of exceptions it is not defined. */
		if ((rows[i].original & TYPE_EXCEPTION) != TYPE_EXCEPTION)
			l2_expect_field(VMCS_VM_EXIT_INSTRUCTION_LENGTH, rows[i].length);
		step(&rip, rows[i].length);
	}
	if (!expect_switch(l2, BY_IRET, SELECTOR_LINK, 0))
		return;
	l2_expect_field(VMCS_VM_EXIT_INSTRUCTION_LENGTH, 1);
	l2_check(guest_vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_NT, "NT is clear");
	l2_skip();
	/* What L1 injects goes through the gate as well. */
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_VALID | VECTOR_TASK);
	if (!expect_switch(l2, BY_GATE, SELECTOR_TSS, EVENT_VALID | VECTOR_TASK))
		return;
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	l2_expect_end(l2);
}

const struct l2_case l1_l2_task_cases[] = {
	L2_CASE(task, .options = { .exit = EXIT_LOAD_EFER, .entry = ENTRY_LOAD_EFER }),
};
const size_t l1_l2_task_count = ARRAY_SIZE(l1_l2_task_cases);
