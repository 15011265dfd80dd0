#include "hv/nested/vmcs_key_frames.h"

#include "hv/exit.h"
#include "hv/insn.h"
#include "hv/nested/msrlist.h"
#include "hv/percpu.h"
#include "recorder/emit.h"

/*
 * With all fields, in one block, of VMCSs that are not current: each takes 20,000 instructions
 * where nothing is as it was, and an exit with long MSR lists takes 110,000 without. Others that
 * changed have their turn in the next blocks.
 */
#define MAX_IMAGES  3
#define LATE_IMAGES 1 /* in an exit that has taken LATE ticks, or will: its lists are long */
#define LATE	    20000

/* Of a VMCS in the state of now, or, with @since, as it was in block @since - 1. */
static void emit_image(struct percpu *cpu, struct rec *rec, const struct nested_vmcs *vmcs,
		       u64 since)
{
	struct nested *nested = &cpu->nested;
	struct ev_vmcs_image columns = {
		.vmcs = vmcs->pointer,
		.launched = vmcs->launched,
		.current = vmcs == nested->current,
		.since_block = since,
	};
	struct trace_event event = {
		.kind = EV_VMCS_IMAGE,
		.tsc = cpu->exit.tsc,
		.col = (const u64 *)&columns,
		.items = nested->image_items,
	};

	for (unsigned ix = 0; !since && ix < VMCS_FIELD_COUNT; ix++) {
		if (!vmcs_set_has(&nested->exists, (int)ix))
			continue;
		nested->image_items[event.item_count++] = (struct trace_item){
			.id = vmcs_fields[ix].encoding,
			.value = vmcs->field[ix],
		};
	}
	rec_emit(rec, &event);
}

/* Into block @block. */
static void emit_fields(struct percpu *cpu, struct rec *rec, struct nested_vmcs *vmcs, u64 block)
{
	vmcs->imaged = true;
	vmcs->image_block = block;
	emit_image(cpu, rec, vmcs, 0);
}

_Static_assert(VMCS_FIELD_COUNT <= TRACE_MAX_ITEMS, "an image is one event");

void nested_tell_forgotten(struct percpu *cpu, struct nested_vmcs *vmcs)
{
	vmcs->forgotten = false;
	exit_emit(cpu);
	emit_image(cpu, cpu->rec, vmcs, 0);
}

/* What the events told so far: an entry that waits is not told yet. */
static u8 level_told(const struct nested *nested)
{
	return nested->mode == NESTED_L2 && !nested->entry.waits ? 2 : 1;
}

void nested_key_frames(void *owner, struct rec *rec, u64 block)
{
	struct percpu *cpu = owner;
	struct nested *nested = &cpu->nested;
	const bool late = rdtsc() - cpu->exit.tsc > LATE ||
			  (nested->current && msr_lists_are_long(nested->current));
	unsigned images = late ? LATE_IMAGES : MAX_IMAGES;
	struct ev_vmx_state state;
	struct trace_event event = {
		.kind = EV_VMX_STATE,
		.tsc = cpu->exit.tsc,
		.col = (const u64 *)&state,
	};

	if (!nested->slots)
		return;
	state = (struct ev_vmx_state){
		.in_vmx = nested->mode != NESTED_OFF,
		.vmxon_pointer = nested->vmxon_pointer,
		.vmcs = nested->current_pointer,
		.level = level_told(nested),
	};
	rec_emit(rec, &event);
	for (unsigned i = 0, turn = nested->image_turn; i < NESTED_SLOTS; i++) {
		const unsigned slot = (turn + i) % NESTED_SLOTS;
		struct nested_vmcs *vmcs = &nested->slots[slot];

		if (vmcs->pointer == NESTED_NONE || !vmcs->active)
			continue;
		if (vmcs->imaged && rec_image_holds(rec, vmcs->image_block)) {
			emit_image(cpu, rec, vmcs, vmcs->image_block + 1);
		} else if (vmcs == nested->current) {
			emit_fields(cpu, rec, vmcs, block);
		} else if (images) {
			if (!--images)
				nested->image_turn = slot + 1;
			emit_fields(cpu, rec, vmcs, block);
		}
	}
}
