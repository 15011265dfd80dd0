#include "replay/registers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/core_file.h"
#include "replay/memory_core.h"
#include "replay/memory_state.h"
#include "replay/registers_core.h"

#define CR0_NE	 BIT(5)
#define CR4_VMXE BIT(13)
#define EFER_LMA BIT(10)
#define RIGHTS_L BIT(13)
#define RIGHTS_D BIT(14)

const struct register_info *register_info(enum register_name reg)
{
#define VMCS_IX_NONE -1
	static const struct register_info rows[] = {
#define REGISTER(NAME, name, bits, field) { #name, bits, VMCS_IX_##field },
#include "replay/registers.def"
#undef REGISTER
	};

	return &rows[reg];
}

static void set_bits(struct registers *registers, enum register_name reg, u64 mask, u64 value)
{
	struct word *const word = &registers->reg[reg];

	word->value = (word->value & ~mask) | (value & mask);
	word->known |= mask;
}

static void set(struct registers *registers, enum register_name reg, u64 value)
{
	registers->reg[reg] = word_of(value);
}

static void forget_bits(struct registers *registers, enum register_name reg, u64 mask)
{
	registers->reg[reg].known &= ~mask;
	registers->reg[reg].value &= ~mask;
}

/* --- Both levels ------------------------------------------------------------------------------ */

/* General registers as a regs event told them. */
static void set_general(struct registers *registers, const struct nearby_regs *regs)
{
	u64 values[REG_COUNT];

	_Static_assert(offsetof(struct ev_regs, r15) - offsetof(struct ev_regs, rax) ==
			       sizeof(values) - sizeof(values[0]),
		       "the columns are in the order of enum vmx_reg");
	memcpy(values, (const u8 *)&regs->col + offsetof(struct ev_regs, rax), sizeof(values));
	registers->seen = regs->n;
	registers->stack = regs->col.stack;
	registers->walked = regs->col.walked;
	for (unsigned i = 0; i < REG_COUNT; i++)
		if (regs->col.known >> i & 1)
			set(registers, (enum register_name)i, values[i]);
}

/* And those that exits and entries show for themselves. */
static void set_shown(struct registers *registers, const struct nearby_event *event)
{
	for (u32 i = 0; i < event->item_count; i++) {
		const u32 reg = event->items[i].id - ITEM_REG;

		if (reg < REG_COUNT) {
			set(registers, (enum register_name)reg, event->items[i].value);
			registers->seen = event->n;
		}
	}
}

/* --- L1 --------------------------------------------------------------------------------------- */

static u64 mode_bit(u64 mode, unsigned bit, u64 mask)
{
	return mode >> bit & 1 ? mask : 0;
}

/* What an instruction of L1 tells itself. */
static void set_insn(struct registers *registers, const struct nearby_event *event)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;
	const u64 mode = insn->mode;

	set(registers, REGISTER_RIP, event->rip);
	set(registers, REGISTER_RFLAGS, insn->rflags);
	set(registers, REGISTER_CR3, insn->cr3);
	set_bits(registers, REGISTER_CR0, BIT(0) | BIT(31),
		 mode_bit(mode, MODE_PE, BIT(0)) | mode_bit(mode, MODE_PG, BIT(31)));
	set_bits(registers, REGISTER_CR4, BIT(13), mode_bit(mode, MODE_VMXE, BIT(13)));
	set_bits(registers, REGISTER_EFER, EFER_LMA, mode_bit(mode, MODE_LMA, EFER_LMA));
	set_bits(registers, REGISTER_CS_RIGHTS, RIGHTS_L | RIGHTS_D,
		 mode_bit(mode, MODE_CS_L, RIGHTS_L) | mode_bit(mode, MODE_CS_D, RIGHTS_D));
	set_bits(registers, REGISTER_SS_RIGHTS, MASK(6, 5),
		 BITS(mode, MODE_CPL + 1, MODE_CPL) << 5);
}

static void set_state(struct registers *registers, const struct word *state)
{
	for (unsigned i = 0; i < REGISTER_COUNT; i++) {
		const int field = register_info((enum register_name)i)->field;

		if (field >= 0)
			set_bits(registers, (enum register_name)i, state[field].known,
				 state[field].value);
	}
}

static void l1_registers(const struct nearby *nearby, unsigned who, struct registers *registers)
{
	const bool runs = who == 1;
	const struct nearby_event *const event = runs ? &nearby->next : &nearby->entry;
	const struct nearby_regs *const regs = runs ? &nearby->regs[0] : &nearby->entry_regs;

	registers->runs = runs;
	if (!event->there)
		return;
	if (regs->there && regs->n == event->n) {
		set_state(registers, runs ? nearby->state : nearby->entry_state);
		set_general(registers, regs);
	}
	set_insn(registers, event);
}

/* --- L2 --------------------------------------------------------------------------------------- */

/* The VMCS as the exit @event leaves it: its items are newer than the model. */
static bool exit_field(const struct nearby_event *event, u32 encoding, u64 *value)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == encoding) {
			*value = event->items[i].value;
			return true;
		}
	return false;
}

static struct word field_of(const struct model_region *region, const struct nearby_event *exit,
			    int index)
{
	u64 value;

	if (exit && exit_field(exit, vmcs_fields[index].encoding, &value))
		return word_of(value);
	return (struct word){ region->value[index], region->known[index] };
}

/* Registers that entries load and exits save where a control says so. */
static const struct {
	u8 reg;
	u64 load, save; /* VM-entry and VM-exit controls */
} optional[] = {
	{ REGISTER_EFER, ENTRY_LOAD_EFER, EXIT_SAVE_EFER },
	{ REGISTER_PAT, ENTRY_LOAD_PAT, EXIT_SAVE_PAT },
	{ REGISTER_DR7, ENTRY_LOAD_DEBUG_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS },
};

static void drop_optional(struct registers *registers, const struct model_region *region,
			  const struct nearby_event *exit)
{
	const struct word entry = field_of(region, exit, VMCS_IX_VM_ENTRY_CONTROLS);

	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		const enum register_name reg = (enum register_name)optional[i].reg;
		const enum model_truth held =
			exit ? model_control(region, VMX_WORD_EXIT, optional[i].save)
			     : model_control(region, VMX_WORD_ENTRY, optional[i].load);

		if (held != MODEL_YES)
			forget_bits(registers, reg, ~0ull);
	}
	if (entry.known & ENTRY_IA32E_MODE_GUEST)
		set_bits(registers, REGISTER_EFER, EFER_LMA,
			 entry.value & ENTRY_IA32E_MODE_GUEST ? EFER_LMA : 0);
}

/* SDM, "Saving Control Registers, Debug Registers, and MSRs": only with EPT and PAE paging. */
static void drop_pdptes(struct registers *registers, const struct model_region *region)
{
	const struct word *const cr4 = &registers->reg[REGISTER_CR4];
	const struct word *const efer = &registers->reg[REGISTER_EFER];
	const bool pae = cr4->value & BIT(5) && efer->known & EFER_LMA && !(efer->value & EFER_LMA);

	if (pae && model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT) == MODEL_YES)
		return;
	for (unsigned i = 0; i < 4; i++)
		forget_bits(registers, (enum register_name)(REGISTER_PDPTE0 + i), ~0ull);
}

static void set_vmcs(struct registers *registers, const struct model_region *region,
		     const struct nearby_event *exit)
{
	for (unsigned i = 0; i < REGISTER_COUNT; i++) {
		const int field = register_info((enum register_name)i)->field;

		if (field >= 0)
			registers->reg[i] = field_of(region, exit, field);
	}
	drop_optional(registers, region, exit);
	drop_pdptes(registers, region);
}

static void l2_registers(const struct nearby *nearby, const struct model *model, unsigned who,
			 struct registers *registers)
{
	const struct nearby_event *const next = &nearby->next;
	const struct model_region *const region = model_current(model, nearby->cpu);
	const bool leaves = next->there && next->kind == EV_L2_EXIT;

	registers->runs = who == 2;
	/* The entry gave it what the VMCS has; it has gone on since. */
	if (registers->runs && !next->there)
		return;
	if (leaves && nearby->regs[1].there && nearby->regs[1].n == next->n)
		set_general(registers, &nearby->regs[1]);
	else if (next->kind == EV_L2_ENTRY && nearby->entry_regs.there)
		set_general(registers, &nearby->entry_regs);
	else if (!registers->runs && nearby->exit_regs.there && region &&
		 nearby->exit.col[EV_COLUMN(l2_exit, vmcs)] == region->pointer)
		set_general(registers, &nearby->exit_regs);
	if (!registers->runs || next->kind == EV_L2_ENTRY)
		registers->stack = registers->walked = 0;
	forget_bits(registers, REGISTER_RSP, ~0ull);
	if (region)
		set_vmcs(registers, region, leaves ? next : NULL);
	if (registers->runs) {
		set_shown(registers, next);
		set(registers, REGISTER_RIP, next->rip);
	}
}

/*
 * The level that runs: that of the next event, and where none follows, the one whose turn it is
 * behind the last; 0: unknown.
 */
static unsigned who_runs(const struct nearby *nearby, const struct model *model)
{
	return nearby->next.there ? nearby->next.level : model->cpus[nearby->cpu].level;
}

/* No entry, and no VMX operation, is without these. SDM, "Restrictions on VMX Operation". */
static void set_forced(struct timeline *timeline, u16 cpu, unsigned level,
		       struct registers *registers)
{
	if (level != 2 && timeline_model(timeline)->cpus[cpu].in_vmx != MODEL_YES)
		return;
	set_bits(registers, REGISTER_CR0, CR0_NE, CR0_NE);
	set_bits(registers, REGISTER_CR4, CR4_VMXE, CR4_VMXE);
}

/* The level that runs, from a machine: of the tape there only remains what hv keeps from L1. */
static void machine_registers(struct timeline *timeline, u16 cpu, u8 level, const char *text,
			      struct registers *registers)
{
	const struct registers of_tape = *registers;

	memset(registers, 0, sizeof(*registers));
	registers->seen = timeline_tell(timeline);
	for (unsigned i = 0; i < REGISTER_COUNT; i++) {
		const u64 mask = registers_hidden_bits((enum register_name)i);

		set_bits(registers, (enum register_name)i, of_tape.reg[i].known & mask,
			 of_tape.reg[i].value);
	}
	registers_from_text(text, level, registers->seen, registers);
	set_forced(timeline, cpu, level, registers);
}

/* What @machine tells of @cpu, and of which level; NULL: nothing. */
static const char *text_of_machine(const struct memory_machine *machine, u16 cpu, u8 *level)
{
	if (machine->cpu != cpu)
		return machine->others ? machine->others(machine->owner, cpu, level) : NULL;
	*level = machine->level;
	return machine->registers(machine->owner);
}

/*
 * What @note tells of processor @cpu, of those that have a line before theirs, or of the first one.
 */
static char *part_of_note(const char *note, bool is_first, u16 cpu)
{
	char head[40];
	const char *start = note, *end;

	if (!is_first) {
		snprintf(head, sizeof(head), "\n" MEMORY_CORE_CPU "%u\n", cpu);
		start = strstr(note, head);
		if (!start)
			return NULL;
		start += strlen(head) - 1;
	}
	end = strstr(start, "\n" MEMORY_CORE_CPU);
	return end ? strndup(start, (size_t)(end - start)) : strdup(start);
}

/* @who: the level that runs on @cpu. */
static void core_registers(struct timeline *timeline, const struct core_file *core, u16 cpu,
			   unsigned level, unsigned who, struct registers *registers)
{
	const struct trace_event *const event = timeline_event(timeline);
	const bool is_first = event && event->cpu == cpu;
	char *text;

	if (!event || level != (is_first ? event->level : who))
		return;
	text = part_of_note(core_file_note(core), is_first, cpu);
	if (!text)
		return;
	registers_from_text(text, level, timeline_tell(timeline), registers);
	set_forced(timeline, cpu, level, registers);
	free(text);
}

void registers_at(struct timeline *timeline, u16 cpu, unsigned level, struct registers *registers)
{
	const struct memory_machine *const machine = memory_state_machine(timeline);
	const struct core_file *const core = machine ? NULL : memory_state_core(timeline);
	const struct nearby *const nearby = memory_state_nearby(timeline, cpu);
	const struct model *const model = timeline_model(timeline);
	const char *text;
	unsigned who;
	u8 runs;

	memset(registers, 0, sizeof(*registers));
	registers->seen = MEMORY_NEVER;
	if (!nearby || cpu >= MODEL_MAX_CPUS)
		return;
	who = who_runs(nearby, model);
	if (who && level == 1)
		l1_registers(nearby, who, registers);
	else if (who)
		l2_registers(nearby, model, who, registers);
	text = machine ? text_of_machine(machine, cpu, &runs) : NULL;
	if (text && runs == level)
		machine_registers(timeline, cpu, runs, text, registers);
	else if (core)
		core_registers(timeline, core, cpu, level, who, registers);
	if (text)
		registers->runs = runs == level;
	if (machine || core)
		registers->stack = ~0ull;
}

/* SDM, "Logical and Linear Addresses". */
bool register_linear(const struct registers *registers, enum register_name reg, u64 *linear,
		     enum register_name *missing)
{
	const enum register_name segment =
		reg == REGISTER_RIP ? REGISTER_CS_BASE : REGISTER_SS_BASE;
	const struct word *const efer = &registers->reg[REGISTER_EFER];
	const struct word *const cs = &registers->reg[REGISTER_CS_RIGHTS];
	const struct word *const ss = &registers->reg[REGISTER_SS_RIGHTS];
	u64 base;

	*missing = reg;
	if (!register_known(registers, reg, linear))
		return false;
	*missing = REGISTER_EFER;
	if (!(efer->known & EFER_LMA))
		return false;
	*missing = REGISTER_CS_RIGHTS;
	if (efer->value & EFER_LMA && !(cs->known & RIGHTS_L))
		return false;
	if (efer->value & EFER_LMA && cs->value & RIGHTS_L)
		return true;
	*missing = segment;
	if (!register_known(registers, segment, &base))
		return false;
	*missing = REGISTER_SS_RIGHTS;
	if (reg == REGISTER_RSP && !(ss->known & RIGHTS_D))
		return false;
	if (reg == REGISTER_RSP && !(ss->value & RIGHTS_D))
		*linear = (u16)*linear;
	*linear = (u32)(base + *linear);
	return true;
}
