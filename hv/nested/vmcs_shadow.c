#include "hv/nested/vmcs_shadow.h"

#include "hv/exit.h"
#include "hv/hv_options.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/processor.h"

#define REVISION_SHADOW BIT(31)
#define NO_LINK_POINTER (~0ull)

static const u16 written[] = {
#define WRITES(FIELD) VMCS_IX_##FIELD,
#include "hv/nested/shadow_writes.def"
#undef WRITES
};

/* --- Reaching the shadow VMCS ----------------------------------------------------------------- */

static void enter_shadow(struct nested *nested)
{
	if (!vmptrld(nested->shadow.vmcs.pa))
		panic("VMPTRLD of the shadow VMCS at 0x%lx failed", nested->shadow.vmcs.pa);
}

/* A shadow VMCS that is in use has its data in memory: VMCLEAR puts them there. */
static void leave_shadow(struct percpu *cpu)
{
	struct hwvmcs *const before = cpu->hw;

	if (!vmclear(cpu->nested.shadow.vmcs.pa))
		panic("VMCLEAR of the shadow VMCS at 0x%lx failed", cpu->nested.shadow.vmcs.pa);
	cpu->hw = NULL;
	if (before)
		hwvmcs_switch(cpu, before);
}

/* --- Start ------------------------------------------------------------------------------------ */

/* SDM, "VMREAD-Bitmap and VMWRITE-Bitmap Addresses": a bit for bits 14:0 of each encoding. */
static void let_pass(u8 *bitmap, int ix)
{
	const u32 encoding = vmcs_fields[ix].encoding;
	const u32 last = vmcs_fields[ix].width == VMCS_WIDTH_64 ? encoding | 1 : encoding;

	for (u32 bit = encoding; bit <= last; bit++)
		bitmap[bit / 8] &= (u8) ~(1u << bit % 8);
}

/* Fields of L1's that the shadow VMCS can have, some of which no VMWRITE may write. */
static void probe(struct nested *nested)
{
	struct vmcs_shadow *const shadow = &nested->shadow;

	enter_shadow(nested);
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		u64 value;

		if (ix != VMCS_IX_VM_INSTRUCTION_ERROR && vmcs_set_has(&nested->exists, ix) &&
		    vmwrite_try(vmcs_fields[ix].encoding, 0) &&
		    vmread_try(vmcs_fields[ix].encoding, &value)) {
			vmcs_set_add(&shadow->reads, ix);
			let_pass(shadow->read_bitmap, ix);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		if (vmcs_set_has(&shadow->reads, written[i])) {
			vmcs_set_add(&shadow->writes, written[i]);
			let_pass(shadow->write_bitmap, written[i]);
		}
}

void vmcs_shadow_init(struct percpu *cpu)
{
	struct vmcs_shadow *const shadow = &cpu->nested.shadow;
	u32 *region;

	if (options.capture != CAPTURE_THIN)
		return;
	if (!(processor_controls(VMX_WORD_SECONDARY, SECONDARY_VMCS_SHADOWING) &
	      SECONDARY_VMCS_SHADOWING)) {
		log_print("this processor lacks VMCS shadowing: capture=lean instead of thin");
		options.capture = CAPTURE_LEAN;
		return;
	}
	region = mem_alloc_pages(1);
	*region = (u32)CAP_GET(rdmsr(MSR_VMX_BASIC), REVISION) | (u32)REVISION_SHADOW;
	shadow->vmcs.pa = virt_to_phys(region);
	if (!vmclear(shadow->vmcs.pa))
		panic("VMCLEAR of the shadow VMCS at 0x%lx failed", shadow->vmcs.pa);
	shadow->read_bitmap = mem_alloc_pages(1);
	shadow->write_bitmap = mem_alloc_pages(1);
	memset(shadow->read_bitmap, 0xff, PAGE_SIZE);
	memset(shadow->write_bitmap, 0xff, PAGE_SIZE);
	probe(&cpu->nested);
	leave_shadow(cpu);
}

/* --- L1 ran ----------------------------------------------------------------------------------- */

static void tell(struct percpu *cpu, int ix, u64 old, u64 value)
{
	struct ev_vmcs12_write *const event = (void *)exit_event(cpu, EV_VMCS12_WRITE, 1);

	event->origin = ORIGIN_SHADOW;
	event->vmcs = cpu->nested.current_pointer;
	event->field = vmcs_fields[ix].encoding;
	event->old = old;
	event->value = value;
	event->since_tsc = cpu->nested.shadow.given_tsc;
	cpu->pending.event.rip = 0; /* where the VMWRITE was is not known */
	exit_emit(cpu);
}

void vmcs_shadow_take(struct percpu *cpu)
{
	struct vmcs_shadow *const shadow = &cpu->nested.shadow;
	struct nested_vmcs *const vmcs = shadow->of;
	struct pending_event insn;
	u64 value[ARRAY_SIZE(written)];

	if (!vmcs || !shadow->writable)
		return;
	enter_shadow(&cpu->nested);
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		if (vmcs_set_has(&shadow->writes, written[i]))
			value[i] = vmread(vmcs_fields[written[i]].encoding);
	leave_shadow(cpu);
	insn = cpu->pending;
	for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
		const u64 old = vmcs->field[written[i]];

		if (!vmcs_set_has(&shadow->writes, written[i]) || value[i] == old)
			continue;
		nested_field_set(vmcs, written[i], value[i]);
		vmcs_set_remove(&vmcs->unshadowed, written[i]);
		tell(cpu, written[i], old, value[i]);
	}
	cpu->pending = insn;
	shadow->given_tsc = cpu->exit.tsc;
}

void vmcs_shadow_forget(struct nested *nested)
{
	nested->shadow.of = NULL;
}

/* --- L1 will run ------------------------------------------------------------------------------ */

static void set_controls(struct nested *nested, bool on)
{
	const u64 controls = vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS);
	struct vmcs_shadow *const shadow = &nested->shadow;

	shadow->in_use = on;
	vmwrite(VMCS_SECONDARY_PROC_BASED_CONTROLS,
		on ? controls | SECONDARY_VMCS_SHADOWING : controls & ~SECONDARY_VMCS_SHADOWING);
	vmwrite(VMCS_VMCS_LINK_POINTER, on ? shadow->vmcs.pa : NO_LINK_POINTER);
	if (!on)
		return;
	vmwrite(VMCS_VMREAD_BITMAP_ADDRESS, virt_to_phys(shadow->read_bitmap));
	/* While L1 sets a VMCS up, it is worth to know who writes what. */
	shadow->writable = shadow->of->launched;
	vmwrite(VMCS_VMWRITE_BITMAP_ADDRESS,
		virt_to_phys(shadow->writable ? shadow->write_bitmap : nested->dummy));
}

static bool has_any(const struct vmcs_set *set)
{
	return nested_sets_meet(set, set);
}

static void fill(struct percpu *cpu, struct nested_vmcs *vmcs)
{
	int ix;

	for (size_t i = 0; i < NESTED_SET_WORDS; i++)
		vmcs->unshadowed.word[i] &= cpu->nested.shadow.reads.word[i];
	if (!has_any(&vmcs->unshadowed))
		return;
	enter_shadow(&cpu->nested);
	while ((ix = vmcs_set_take(&vmcs->unshadowed)) >= 0)
		vmwrite(vmcs_fields[ix].encoding, vmcs->field[ix]);
	leave_shadow(cpu);
}

void vmcs_shadow_give(struct percpu *cpu)
{
	struct nested *const nested = &cpu->nested;
	struct vmcs_shadow *const shadow = &nested->shadow;
	struct nested_vmcs *const vmcs = nested->current;

	if (!vmcs) {
		shadow->of = NULL;
		if (shadow->in_use)
			set_controls(nested, false);
		return;
	}
	if (shadow->of != vmcs) {
		vmcs->unshadowed = shadow->reads;
		shadow->of = vmcs;
		shadow->given_tsc = cpu->exit.tsc;
	}
	fill(cpu, vmcs);
	if (!shadow->in_use || shadow->writable != vmcs->launched)
		set_controls(nested, true);
}
