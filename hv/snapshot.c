#include "hv/snapshot.h"

#include "hv/deep.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/snapshot_walk.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "vmx/tables.h"

#define CODE_SIZE 16 /* bytes of L2 from RIP on: the longest instruction has 15 */
#define CS_L	  BIT(13)
#define SS_B	  BIT(14)
#define MAX_LIST  128 /* entries of an MSR list */
#define LIST_ITEM 16  /* bytes of one */

/*
 * Registers of L1 that no event tells. The first ones are looked at at every event, for they change
 * with the task and the mode; the others where there is memory too.
 */
static const u16 state_fields[] = {
	VMCS_GUEST_CR0,
	VMCS_GUEST_CR4,
	VMCS_GUEST_IA32_EFER,
	VMCS_GUEST_CS_SELECTOR,
	VMCS_GUEST_CS_ACCESS_RIGHTS,
	VMCS_GUEST_SS_SELECTOR,
	VMCS_GUEST_SS_ACCESS_RIGHTS,
	VMCS_GUEST_FS_BASE,
	VMCS_GUEST_GS_BASE,
#define QUICK_STATES 9
	VMCS_GUEST_ES_SELECTOR,
	VMCS_GUEST_DS_SELECTOR,
	VMCS_GUEST_FS_SELECTOR,
	VMCS_GUEST_GS_SELECTOR,
	VMCS_GUEST_LDTR_SELECTOR,
	VMCS_GUEST_TR_SELECTOR,
	VMCS_GUEST_ES_BASE,
	VMCS_GUEST_CS_BASE,
	VMCS_GUEST_SS_BASE,
	VMCS_GUEST_DS_BASE,
	VMCS_GUEST_LDTR_BASE,
	VMCS_GUEST_TR_BASE,
	VMCS_GUEST_GDTR_BASE,
	VMCS_GUEST_IDTR_BASE,
	VMCS_GUEST_ES_LIMIT,
	VMCS_GUEST_CS_LIMIT,
	VMCS_GUEST_SS_LIMIT,
	VMCS_GUEST_DS_LIMIT,
	VMCS_GUEST_FS_LIMIT,
	VMCS_GUEST_GS_LIMIT,
	VMCS_GUEST_LDTR_LIMIT,
	VMCS_GUEST_TR_LIMIT,
	VMCS_GUEST_GDTR_LIMIT,
	VMCS_GUEST_IDTR_LIMIT,
	VMCS_GUEST_ES_ACCESS_RIGHTS,
	VMCS_GUEST_DS_ACCESS_RIGHTS,
	VMCS_GUEST_FS_ACCESS_RIGHTS,
	VMCS_GUEST_GS_ACCESS_RIGHTS,
	VMCS_GUEST_LDTR_ACCESS_RIGHTS,
	VMCS_GUEST_TR_ACCESS_RIGHTS,
	VMCS_GUEST_DR7,
	VMCS_GUEST_IA32_PAT,
	VMCS_GUEST_IA32_SYSENTER_CS,
	VMCS_GUEST_IA32_SYSENTER_ESP,
	VMCS_GUEST_IA32_SYSENTER_EIP,
#define PDPTE_STATES 4 /* the last; of PAE paging only */
	VMCS_GUEST_PDPTE0,
	VMCS_GUEST_PDPTE1,
	VMCS_GUEST_PDPTE2,
	VMCS_GUEST_PDPTE3,
};
_Static_assert(ARRAY_SIZE(state_fields) <= 64, "masks of them");

struct snapshot {
	u64 regs[REG_COUNT]; /* as the guest left them; then what handlers do to them */
	u64 state[ARRAY_SIZE(state_fields)];
	u64 told[ARRAY_SIZE(state_fields)]; /* on the tape */
	u64 told_mask;			    /* in block @told_block */
	u32 told_block;
	struct trace_item items[ARRAY_SIZE(state_fields)];
	struct tape_memory *memory;
	struct snapshot_ways ways;
};

/* What is put before one event. */
struct subject {
	const struct trace_event *event;
	u8 level;
	bool memory;
	bool pages;
	struct snapshot_space space;
	u64 stack, code; /* linear addresses */
	struct ev_regs columns;
};

void snapshot_init(struct percpu *cpu)
{
	const size_t own = ALIGN_UP(sizeof(struct snapshot), PAGE_SIZE);
	u8 *const pages =
		mem_alloc_pages((own + ALIGN_UP(tape_memory_size(), PAGE_SIZE)) / PAGE_SIZE);

	cpu->snapshot = (struct snapshot *)pages;
	cpu->snapshot->memory = tape_memory_init(pages + own);
	cpu->more_to_do = cpu->emits_apart = true;
}

void snapshot_new_block(struct percpu *cpu)
{
	if (cpu->snapshot)
		tape_memory_new_block(cpu->snapshot->memory);
}

/* --- Registers -------------------------------------------------------------------------------- */

static u64 read_state(unsigned i)
{
	switch (state_fields[i]) {
	case VMCS_GUEST_CR0:
		return vmcs01_visible_cr0();
	case VMCS_GUEST_CR4:
		return vmcs01_visible_cr4();
	default:
		return vmread(state_fields[i]);
	}
}

static void read_states(struct snapshot *snapshot, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		snapshot->state[i] = read_state(i);
}

void snapshot_keep(struct percpu *cpu)
{
	struct snapshot *const snapshot = cpu->snapshot;

	if (!snapshot)
		return;
	memcpy(snapshot->regs, cpu->regs, sizeof(snapshot->regs));
	snapshot->regs[REG_RSP] = vmread(VMCS_GUEST_RSP);
	if (cpu->hw == &cpu->vmcs01)
		read_states(snapshot, 0, QUICK_STATES);
}

static bool l1_uses_pdptes(void)
{
	return vmread(VMCS_GUEST_CR0) & CR0_PG && vmread(VMCS_GUEST_CR4) & CR4_PAE &&
	       !(vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA);
}

/* Those of @count first registers of L1 that the open block has otherwise, or not. */
static u32 changed_states(struct snapshot *snapshot, unsigned count)
{
	u32 items = 0;

	if (snapshot->told_block != tape_memory_block(snapshot->memory)) {
		snapshot->told_block = tape_memory_block(snapshot->memory);
		snapshot->told_mask = 0;
	}
	for (unsigned i = 0; i < count; i++) {
		if (snapshot->told_mask >> i & 1 && snapshot->told[i] == snapshot->state[i])
			continue;
		snapshot->told[i] = snapshot->state[i];
		snapshot->told_mask |= BIT(i);
		snapshot->items[items++] = (struct trace_item){
			.id = trace_item_id(ITEM_STATE, state_fields[i]),
			.value = snapshot->state[i],
		};
	}
	return items;
}

static void emit_registers(struct percpu *cpu, struct subject *subject)
{
	struct snapshot *const snapshot = cpu->snapshot;
	const struct trace_event *const event = subject->event;
	unsigned states = 0;

	if (subject->level == 1)
		states = subject->memory
				 ? ARRAY_SIZE(state_fields) - (l1_uses_pdptes() ? 0 : PDPTE_STATES)
				 : QUICK_STATES;
	if (states > QUICK_STATES)
		read_states(snapshot, QUICK_STATES, states);
	_Static_assert(offsetof(struct ev_regs, r15) - offsetof(struct ev_regs, rax) ==
			       (REG_COUNT - 1) * sizeof(u64),
		       "the columns are in the order of enum vmx_reg");
	subject->columns.level = subject->level;
	subject->columns.known = REGS_ALL;
	memcpy(&subject->columns.rax, snapshot->regs, sizeof(snapshot->regs));
	rec_emit(cpu->rec, &(struct trace_event){
				   .kind = EV_REGS,
				   .level = subject->level,
				   .tsc = event->tsc,
				   .rip = event->rip,
				   .col = (const u64 *)&subject->columns,
				   .items = snapshot->items,
				   .item_count = changed_states(snapshot, states),
			   });
}

/* --- Memory ----------------------------------------------------------------------------------- */

static const u16 named_pages[] = {
	VMCS_IX_MSR_BITMAP,	      VMCS_IX_IO_BITMAP_A,	 VMCS_IX_IO_BITMAP_B,
	VMCS_IX_VIRTUAL_APIC_ADDRESS, VMCS_IX_EPTP_LIST_ADDRESS,
};

static const struct {
	u16 address, count;
} named_lists[] = {
	{ VMCS_IX_VM_ENTRY_MSR_LOAD_ADDRESS, VMCS_IX_VM_ENTRY_MSR_LOAD_COUNT },
	{ VMCS_IX_VM_EXIT_MSR_STORE_ADDRESS, VMCS_IX_VM_EXIT_MSR_STORE_COUNT },
	{ VMCS_IX_VM_EXIT_MSR_LOAD_ADDRESS, VMCS_IX_VM_EXIT_MSR_LOAD_COUNT },
};

static void record_named(struct percpu *cpu, struct tape_memory *memory)
{
	const struct nested_vmcs *const vmcs = cpu->nested.current;
	u64 words[VMX_WORD_COUNT] = {
		[VMX_WORD_PIN] = F12(vmcs, PIN_BASED_CONTROLS),
		[VMX_WORD_PRIMARY] = F12(vmcs, PRIMARY_PROC_BASED_CONTROLS),
		[VMX_WORD_SECONDARY] = F12(vmcs, SECONDARY_PROC_BASED_CONTROLS),
	};

	vmx_words_settle(words);
	for (size_t i = 0; i < ARRAY_SIZE(named_pages); i++) {
		const unsigned ix = named_pages[i];

		if (vmcs_set_has(&cpu->nested.exists, (int)ix) && vmcs_field_used((int)ix, words))
			tape_memory_page(cpu, memory, vmcs->field[ix], vmcs_fields[ix].encoding);
	}
	for (size_t i = 0; i < ARRAY_SIZE(named_lists); i++)
		tape_memory_words(cpu, memory, vmcs->field[named_lists[i].address],
				  LIST_ITEM * MIN(vmcs->field[named_lists[i].count], MAX_LIST));
}

static void record_memory(struct percpu *cpu, struct subject *subject)
{
	struct tape_memory *const memory = cpu->snapshot->memory;
	struct snapshot_ways *const ways = &cpu->snapshot->ways;
	struct ev_regs *const columns = &subject->columns;
	const struct tape_memory_place place = { .tsc = subject->event->tsc,
						 .rip = subject->event->rip,
						 .level = subject->level };
	u64 gpa1;

	tape_memory_begin(memory, &place);
	columns->walked = 0;
	if (subject->pages)
		record_named(cpu, memory);
	/* L1's code is in the event, where it has any. */
	if (subject->level == 2
		    ? snapshot_record(cpu, memory, ways, &subject->space, subject->code, CODE_SIZE)
		    : snapshot_walk(cpu, memory, ways, &subject->space, subject->code, &gpa1))
		columns->walked |= WALKED_RIP;
	columns->stack =
		snapshot_record(cpu, memory, ways, &subject->space, subject->stack, SNAPSHOT_STACK);
	if (columns->stack)
		columns->walked |= WALKED_RSP;
	tape_memory_end(cpu, memory);
}

/* --- The event it is for ---------------------------------------------------------------------- */

/* SDM, "Logical and Linear Addresses": bases count outside of 64-bit mode only. */
static void set_addresses(struct subject *subject, u64 rsp, u64 cs_base, u64 cs_rights, u64 ss_base,
			  u64 ss_rights)
{
	const u64 rip = subject->event->rip;

	subject->stack = rsp;
	subject->code = rip;
	if (subject->space.efer & EFER_LMA && cs_rights & CS_L)
		return;
	subject->stack = (u32)(ss_base + (ss_rights & SS_B ? (u32)rsp : (u16)rsp));
	subject->code = (u32)(cs_base + rip);
}

static void describe_l1(struct percpu *cpu, struct subject *subject)
{
	struct snapshot_space *const space = &subject->space;

	*space = (struct snapshot_space){
		.cr0 = vmread(VMCS_GUEST_CR0),
		.cr3 = vmread(VMCS_GUEST_CR3),
		.cr4 = vmread(VMCS_GUEST_CR4),
		.efer = vmread(VMCS_GUEST_IA32_EFER),
	};
	for (unsigned i = 0; i < 4 && l1_uses_pdptes(); i++)
		space->pdpte[i] = vmread(VMCS_GUEST_PDPTE0 + 2 * i);
	set_addresses(subject, cpu->snapshot->regs[REG_RSP], vmread(VMCS_GUEST_CS_BASE),
		      vmread(VMCS_GUEST_CS_ACCESS_RIGHTS), vmread(VMCS_GUEST_SS_BASE),
		      vmread(VMCS_GUEST_SS_ACCESS_RIGHTS));
}

/* L2 at its exit: VMCS12 has what it left. */
static void describe_l2(struct percpu *cpu, struct subject *subject)
{
	const struct nested_vmcs *const vmcs = cpu->nested.current;
	struct snapshot_space *const space = &subject->space;

	*space = (struct snapshot_space){
		.cr0 = F12(vmcs, GUEST_CR0),
		.cr3 = F12(vmcs, GUEST_CR3),
		.cr4 = F12(vmcs, GUEST_CR4),
		.efer = F12(vmcs, VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST ? EFER_LMA : 0,
		.ept12 = nested_uses_ept(vmcs),
		.eptp = F12(vmcs, EPT_POINTER),
	};
	if (space->ept12)
		memcpy(space->pdpte, &F12(vmcs, GUEST_PDPTE0), sizeof(space->pdpte));
	else
		guest_read_gpa(space->cr3 & MASK(31, 5), space->pdpte, sizeof(space->pdpte));
	cpu->snapshot->regs[REG_RSP] = F12(vmcs, GUEST_RSP);
	set_addresses(subject, F12(vmcs, GUEST_RSP), F12(vmcs, GUEST_CS_BASE),
		      F12(vmcs, GUEST_CS_ACCESS_RIGHTS), F12(vmcs, GUEST_SS_BASE),
		      F12(vmcs, GUEST_SS_ACCESS_RIGHTS));
}

static bool is_entry(const struct trace_event *event)
{
	return event->kind == EV_VMLAUNCH || event->kind == EV_VMRESUME;
}

/* Whether there is something to put before the event, and what. */
static bool choose(struct percpu *cpu, struct subject *subject)
{
	const struct trace_event *const event = subject->event;
	const struct ev_insn *const insn = (const void *)event->col;

	if (event->kind == EV_L2_EXIT) {
		const struct ev_l2_exit *const exit = (const void *)event->col;

		subject->level = 2;
		subject->memory = true;
		return !(exit->reason & EXIT_REASON_ENTRY_FAILURE);
	}
	if (event->kind < EV_VMXON || event->kind > EV_CR_WRITE || cpu->hw != &cpu->vmcs01)
		return false;
	subject->level = 1;
	subject->memory = is_entry(event) || insn->outcome != OUTCOME_SUCCEED;
	subject->pages = is_entry(event) && insn->outcome == OUTCOME_SUCCEED;
	return true;
}

void snapshot_take_now(struct percpu *cpu)
{
	struct subject subject = { .event = &cpu->pending.event };
	u32 block;

	if (cpu->pending.snapshot_taken || !choose(cpu, &subject))
		return;
	cpu->pending.snapshot_taken = true;
	deep_take(cpu);
	if (subject.level == 2)
		describe_l2(cpu, &subject);
	else if (subject.memory)
		describe_l1(cpu, &subject);
	/* A block that ends on the way holds what was said to be in this one, so say it again. */
	for (unsigned i = 0; i < 2 && subject.memory; i++) {
		block = tape_memory_block(cpu->snapshot->memory);
		record_memory(cpu, &subject);
		if (block == tape_memory_block(cpu->snapshot->memory))
			break;
	}
	emit_registers(cpu, &subject);
}
