/*
 * gdbstub/tape_state.c - registers and memory at the cursor of a timeline
 */
#include <stdio.h>
#include <string.h>

#include "gdbstub/gdb_regs.h"
#include "gdbstub/target_timeline.h"
#include "replay/disasm.h"
#include "replay/memory.h"

#define RIGHTS_L    BIT(13)
#define RIGHTS_D    BIT(14)
#define EFER_LMA    BIT(10)

/* Around RSP, what is taken to be stack. */
#define STACK_BELOW KIB(4)
#define STACK_ABOVE KIB(16)

#define MAX_BACK    65536 /* events to look through for the last address of a thread */

/* What is known about a thread. */
struct view {
	const struct model_region *region; /* the CPU's current VMCS, NULL */
	const struct trace_event *event;   /* that the thread is about to do, NULL: none */
	bool waits; /* the other level runs: the VMCS keeps this one's state */
};

static struct view view_of(struct gdb_tape *tape, struct gdb_thread thread)
{
	const struct model *const model = timeline_model(tape->timeline);
	const struct trace_event *const event = timeline_event(tape->timeline);
	const bool is_next = event && event->cpu == thread.cpu && gdb_tape_has_address(tape, event);
	const u8 level = is_next ? event->level : model->cpus[thread.cpu].level;

	return (struct view){
		.region = model_current(model, thread.cpu),
		.event = is_next && event->level == thread.level && !tape->between ? event : NULL,
		.waits = level && level != thread.level,
	};
}

static bool field(const struct view *view, int index, u64 *value)
{
	return view->region &&
	       model_field(view->region, index, vmcs_width_mask(vmcs_fields[index].width), value);
}

/* --- registers -------------------------------------------------------------------------------- */

static const struct registers *registers_of(struct gdb_tape *tape, struct gdb_thread thread)
{
	const u64 moves = timeline_moves(tape->timeline) + 1;

	if (tape->registers_moves != moves || tape->registers_thread.level != thread.level ||
	    tape->registers_thread.cpu != thread.cpu) {
		registers_at(tape->timeline, thread.cpu, thread.level, &tape->registers);
		tape->registers_moves = moves;
		tape->registers_thread = thread;
	}
	return &tape->registers;
}

static bool is_insn(const struct trace_event *event)
{
	return event->level == 1 && event->kind < EV_L2_ENTRY;
}

/* 64, 32 or 16: how the processor reads the code. SDM, "CS.L" of a code segment in IA-32e mode. */
static bool code_bits(struct gdb_tape *tape, struct gdb_thread thread, const struct view *view,
		      u64 *value)
{
	const struct registers *const registers = registers_of(tape, thread);
	const struct word *const rights = &registers->reg[REGISTER_CS_RIGHTS];
	const struct word *const efer = &registers->reg[REGISTER_EFER];

	if (view->event && is_insn(view->event)) {
		*value = disasm_mode(((const struct ev_insn *)view->event->col)->mode);
		return true;
	}
	if (!(rights->known & RIGHTS_D) || !(rights->known & RIGHTS_L) ||
	    (rights->value & RIGHTS_L && !(efer->known & EFER_LMA)))
		return false;
	*value = rights->value & RIGHTS_L && efer->value & EFER_LMA ? 64
		 : rights->value & RIGHTS_D			    ? 32
								    : 16;
	return true;
}

/*
 * Where the CPU goes on behind @event, as far as that tells: gdb cannot be without an address where
 * it stops, and at the end of a tape no event has one.
 */
static u64 address_behind(const struct trace_event *event)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;

	return is_insn(event) && insn->outcome != OUTCOME_FAULT ? event->rip + insn->length
								: event->rip;
}

/* The last address of the thread before the cursor. */
static bool last_address(struct gdb_tape *tape, struct gdb_thread thread, u64 *value)
{
	struct reader *const reader = timeline_reader(tape->timeline);
	const u64 end = timeline_tell(tape->timeline);
	const struct trace_event *event;
	bool found = false;

	for (u64 window = 256; !found && window <= MAX_BACK; window *= 16) {
		if (reader_seek(reader, end > window ? end - window : 0) != ST_OK)
			return false;
		while (reader_tell(reader) < end && reader_next(reader, &event) == ST_OK)
			if (event->cpu == thread.cpu && event->level == thread.level &&
			    gdb_tape_has_address(tape, event)) {
				*value = address_behind(event);
				found = true;
			}
	}
	return found;
}

/* Whether gdb stands at @thread: the next one, or L1, which it sees first, of that CPU. */
static bool is_stood_at(struct gdb_tape *tape, struct gdb_thread thread)
{
	const struct gdb_thread current = gdb_tape_current(tape);

	return current.cpu == thread.cpu && (current.level == thread.level || thread.level == 1);
}

/* About the place: the same for all threads. */
static bool place_register(struct gdb_tape *tape, unsigned number, u64 *value)
{
	const struct trace_event *const event = timeline_event(tape->timeline);

	if (number == GDB_REG_EVENT)
		*value = timeline_tell(tape->timeline);
	else if (event)
		*value = number == GDB_REG_EVENT_SEQ ? event->seq : event->tsc;
	return number == GDB_REG_EVENT || event;
}

bool gdb_tape_read_register(void *target, struct gdb_thread thread, unsigned number, u64 *value)
{
	struct gdb_tape *const tape = target;
	const struct view view = view_of(tape, thread);
	const struct gdb_reg_info reg = gdb_reg_info(number);

	if (number >= GDB_REG_VMCS)
		return field(&view, (int)number - GDB_REG_VMCS, value);
	if (number >= GDB_REG_EVENT)
		return place_register(tape, number, value);
	if (number == GDB_REG_CODE_BITS)
		return code_bits(tape, thread, &view, value);
	if (reg.source == GDB_NONE)
		return false;
	if (number == GDB_REG_RIP && view.event) {
		*value = view.event->rip;
		return true;
	}
	/* Behind the last event of a CPU neither level is known to run, or to wait. */
	if ((registers_of(tape, thread)->runs || view.waits) &&
	    register_known(registers_of(tape, thread), (enum register_name)reg.source, value))
		return true;
	return number == GDB_REG_RIP && is_stood_at(tape, thread) &&
	       last_address(tape, thread, value);
}

/* Fields that L1's processor does not have would only be in the way. */
bool gdb_tape_has_register(void *target, unsigned number)
{
	struct gdb_tape *const tape = target;
	const struct vmx_caps *const shown = &timeline_model(tape->timeline)->shown;
	const int index = (int)number - GDB_REG_VMCS;

	return index < 0 || !vmx_caps_field_known(shown, index) ||
	       vmx_caps_field_exists(shown, index);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* The current VMCS as memory: GDB_VMCS_WINDOW. */
static size_t read_window(const struct view *view, u64 offset, u8 *to, size_t size)
{
	size_t done = 0;

	while (done < size && offset < GDB_VMCS_WINDOW_SIZE) {
		const size_t part = MIN(8 - offset % 8, size - done);
		const int index = vmcs_field_index(offset / 8);
		u64 value;

		if (index < 0 || !field(view, index, &value))
			break;
		memcpy(to + done, (const u8 *)&value + offset % 8, part);
		done += part;
		offset += part;
	}
	return done;
}

/* The bytes of the instruction that is next. */
static size_t read_code(const struct view *view, u64 address, u8 *to, size_t size)
{
	const struct trace_event *const event = view->event;
	u64 offset;

	if (!event || !event->code)
		return 0;
	offset = address - event->rip;
	if (offset >= event->code_count)
		return 0;
	size = MIN(size, event->code_count - offset);
	memcpy(to, event->code + offset, size);
	return size;
}

/*
 * The stack changes between any two events: what the tape saw of it before would make backtraces of
 * frames that are long gone. How many of @size bytes at @address are not such.
 */
static size_t fresh_bytes(struct gdb_tape *tape, struct gdb_thread thread, u64 address, size_t size)
{
	const struct registers *const registers = registers_of(tape, thread);
	u64 rsp;

	if (tape->old_stack || tape->phys != GDB_PHYS_OFF || registers->stack == ~0ull ||
	    !register_known(registers, REGISTER_RSP, &rsp) ||
	    address + STACK_BELOW - rsp >= STACK_BELOW + STACK_ABOVE)
		return size;
	if (address < rsp || address - rsp >= registers->stack)
		return 0;
	return MIN(size, registers->stack - (address - rsp));
}

enum memory_space gdb_tape_space(const struct gdb_tape *tape, struct gdb_thread thread)
{
	if (tape->phys != GDB_PHYS_OFF)
		return tape->phys == GDB_PHYS_L1 ? MEMORY_L1_PHYSICAL : MEMORY_L2_PHYSICAL;
	return thread.level == 1 ? MEMORY_L1_LINEAR : MEMORY_L2_LINEAR;
}

size_t gdb_tape_read_memory(void *target, struct gdb_thread thread, u64 address, u8 *to,
			    size_t size)
{
	struct gdb_tape *const tape = target;
	const struct view view = view_of(tape, thread);
	size_t known;

	if (address - GDB_VMCS_WINDOW < GDB_VMCS_WINDOW_SIZE)
		return read_window(&view, address - GDB_VMCS_WINDOW, to, size);
	known = memory_read(tape->timeline, thread.cpu, gdb_tape_space(tape, thread), address, to,
			    fresh_bytes(tape, thread, address, size));
	/* The instruction is there also when what translates its address is not. */
	return !known && tape->phys == GDB_PHYS_OFF ? read_code(&view, address, to, size) : known;
}

/* --- names ------------------------------------------------------------------------------------ */

void gdb_tape_name(void *target, struct gdb_thread thread, char *to)
{
	(void)target;
	snprintf(to, GDB_MAX_NAME, "CPU %u L%u", thread.cpu, thread.level);
}

void gdb_tape_about(void *target, struct gdb_thread thread, char *to)
{
	struct gdb_tape *const tape = target;
	const struct model *const model = timeline_model(tape->timeline);
	const struct model_cpu *const cpu = &model->cpus[thread.cpu];
	const struct view view = view_of(tape, thread);
	char vmcs[64] = "";

	if (cpu->current_known && cpu->current != MODEL_NO_POINTER)
		snprintf(vmcs, sizeof(vmcs), "VMCS 0x%llx", (unsigned long long)cpu->current);
	else if (cpu->current_known)
		snprintf(vmcs, sizeof(vmcs), "no current VMCS");
	else
		snprintf(vmcs, sizeof(vmcs), "VMCS unknown");
	snprintf(to, GDB_MAX_NAME, "%s, %s", vmcs,
		 view.event   ? "next on the tape"
		 : view.waits ? "the other level runs"
			      : "runs");
}
