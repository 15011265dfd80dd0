#include "hv/nested/state.h"

#include "hv/exit.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/bitmaps02.h"
#include "hv/nested/ept02.h"
#include "hv/nested/l0_record.h"
#include "hv/nested/msrlist.h"
#include "hv/nested/nested.h"
#include "hv/nested/vmcs_shadow.h"

#define STAMP_COUNT_BITS 24
#define TELL_MOST	 24 /* fields that L1 wrote in memory, so that no exit takes for ever */

bool nested_address_ok(const struct nested *nested, u64 address, u64 align)
{
	return !(address & (align - 1)) && !(address >> nested->shown.maxphyaddr);
}

/* The slot that last had the VMCS12 at @pointer, active or not; or NULL. */
static struct nested_vmcs *slot_of(struct nested *nested, u64 pointer)
{
	for (unsigned i = 0; i < NESTED_SLOTS; i++)
		if (nested->slots[i].pointer == pointer)
			return &nested->slots[i];
	return NULL;
}

/* --- Regions ---------------------------------------------------------------------------------- */

/* L1 may change its region at any time, so it is read once, into memory of hv's. */
static void read_region(u64 pointer, struct vmcs12 *to)
{
	guest_read_gpa(pointer, to, sizeof(*to));
}

u32 nested_region_revision(u64 pointer)
{
	u32 revision;

	guest_read_gpa(pointer + offsetof(struct vmcs12, revision), &revision, sizeof(revision));
	return revision;
}

bool nested_region_launched(u64 pointer)
{
	u32 launched;

	guest_read_gpa(pointer + offsetof(struct vmcs12, launched), &launched, sizeof(launched));
	return launched;
}

/* A region as hv left it, or read it. */
struct left_region {
	const struct vmcs12 *content;
	u64 tsc; /* when that was so */
};

/* Which processor wrote a region, by its stamp; there may be no such processor. */
static unsigned writer_of(const struct vmcs12 *region)
{
	return region->stamp >> STAMP_COUNT_BITS;
}

/*
 * Copy what another processor left in the region at @pointer. That one may use the slot for another
 * VMCS meanwhile, but says so in it before anything else.
 */
static bool copy_from(struct percpu *other, u64 pointer, u32 stamp, struct vmcs12 *copy, u64 *tsc)
{
	const struct nested_vmcs *vmcs = slot_of(&other->nested, pointer);

	if (!vmcs)
		return false;
	memcpy(copy, &vmcs->written, sizeof(*copy));
	*tsc = vmcs->written_tsc;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return copy->stamp == stamp &&
	       __atomic_load_n(&vmcs->pointer, __ATOMIC_RELAXED) == pointer &&
	       !__atomic_load_n(&vmcs->active, __ATOMIC_RELAXED);
}

/*
 * What the region at @pointer, which holds @now, was when hv last knew: as this processor left it
 * in
 * @vmcs (NULL: it has no slot), or another one since. False: nothing is known of that.
 */
static bool find_left(struct percpu *cpu, const struct nested_vmcs *vmcs, u64 pointer,
		      const struct vmcs12 *now, struct left_region *left)
{
	struct percpu *writer = percpu_of(writer_of(now));

	if (writer && writer != cpu && now->stamp && (!vmcs || now->stamp != vmcs->written.stamp)) {
		left->content = cpu->nested.left;
		return copy_from(writer, pointer, now->stamp, cpu->nested.left, &left->tsc);
	}
	if (!vmcs)
		return false;
	left->content = &vmcs->written;
	left->tsc = vmcs->written_tsc;
	return true;
}

static void tell_memory_write(struct percpu *cpu, struct ev_vmcs12_write columns)
{
	*(struct ev_vmcs12_write *)exit_event(cpu, EV_VMCS12_WRITE, 1) = columns;
	exit_emit(cpu);
}

/* The first field from @ix on that differs, of those that exist; VMCS_FIELD_COUNT: none. */
static unsigned next_difference(const struct nested *nested, const struct vmcs12 *a,
				const struct vmcs12 *b, unsigned ix)
{
	while (ix < VMCS_FIELD_COUNT &&
	       (a->value[ix] == b->value[ix] || unlikely(!vmcs_set_has(&nested->exists, (int)ix))))
		ix++;
	return ix;
}

/* Field @ix, which @now has otherwise than @left; and that an active VMCS does not take it. */
static void tell_difference(struct percpu *cpu, const struct nested_vmcs *vmcs,
			    struct ev_vmcs12_write write, unsigned ix)
{
	write.field = vmcs_fields[ix].encoding;
	tell_memory_write(cpu, write);
	if (!vmcs || !vmcs->active || write.value == vmcs->field[ix])
		return;
	write.origin = ORIGIN_WRITE_BACK;
	write.old = write.value;
	write.value = vmcs->field[ix];
	tell_memory_write(cpu, write);
}

/*
 * Tell the fields in which @now differs from what hv left at @pointer, before the instruction that
 * is at hand; TELL_MOST of them. Of an active VMCS, what L1 wrote there is lost. False: there are
 * more in a VMCS that is not active, or hv has forgotten what it left.
 */
static bool tell_memory_writes(struct percpu *cpu, const struct nested_vmcs *vmcs, u64 pointer,
			       const struct vmcs12 *now)
{
	struct nested *const nested = &cpu->nested;
	struct left_region left;
	struct pending_event insn;
	unsigned ix;

	if (cpu->events_off)
		return true;
	/* What was written there changes nothing. */
	if (vmcs && vmcs->active && !nested->tell_left)
		return true;
	if (!find_left(cpu, vmcs, pointer, now, &left))
		return !now->stamp;
	ix = next_difference(nested, now, left.content, 0);
	if (ix == VMCS_FIELD_COUNT)
		return true;
	insn = cpu->pending;
	for (; ix < VMCS_FIELD_COUNT && nested->tell_left; nested->tell_left--) {
		const struct ev_vmcs12_write write = {
			.origin = ORIGIN_MEMORY,
			.vmcs = pointer,
			.old = left.content->value[ix],
			.value = now->value[ix],
			.since_tsc = left.tsc,
		};

		tell_difference(cpu, vmcs, write, ix);
		ix = next_difference(nested, now, left.content, ix + 1);
	}
	cpu->pending = insn;
	return ix == VMCS_FIELD_COUNT || (vmcs && vmcs->active);
}

/* --- Slots ------------------------------------------------------------------------------------ */

struct nested_vmcs *nested_vmcs_find(struct nested *nested, u64 pointer)
{
	struct nested_vmcs *vmcs = slot_of(nested, pointer);

	return vmcs && vmcs->active ? vmcs : NULL;
}

/* Never 0. */
static u32 next_stamp(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;

	nested->stamps = nested->stamps % MASK(STAMP_COUNT_BITS - 1, 0) + 1;
	return cpu->id << STAMP_COUNT_BITS | nested->stamps;
}

/*
 * Write an active VMCS12 to its region, all but bytes 0-7: the revision is L1's, and the
 * VMX-abort indicator is written by aborts only.
 */
static void write_back(struct percpu *cpu, struct nested_vmcs *vmcs)
{
	struct vmcs12 *now = cpu->nested.region;

	read_region(vmcs->pointer, now);
	tell_memory_writes(cpu, vmcs, vmcs->pointer, now);
	vmcs->written.launched = vmcs->launched;
	vmcs->written.stamp = next_stamp(cpu);
	if (!hv_fault(VMCLEAR_LOSES_WRITES))
		memcpy(vmcs->written.value, vmcs->field, sizeof(vmcs->field));
	guest_write_gpa(vmcs->pointer + offsetof(struct vmcs12, launched), &vmcs->written.launched,
			sizeof(vmcs->written) - offsetof(struct vmcs12, launched));
	vmcs->written_tsc = rdtsc();
	__atomic_store_n(&vmcs->active, false, __ATOMIC_RELEASE);
	cpu->nested.active_slots--;
}

/* A free slot, else the one unused for longest, an inactive one before an active one. */
static struct nested_vmcs *take_slot(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	struct nested_vmcs *best = NULL;

	for (unsigned i = 0; i < NESTED_SLOTS; i++) {
		struct nested_vmcs *vmcs = &nested->slots[i];

		if (vmcs->pointer == NESTED_NONE)
			return vmcs;
		if (vmcs == nested->current)
			continue;
		if (!best || vmcs->active < best->active ||
		    (vmcs->active == best->active && vmcs->used < best->used))
			best = vmcs;
	}
	if (best->active)
		write_back(cpu, best);
	return best;
}

struct nested_vmcs *nested_vmcs_load(struct percpu *cpu, u64 pointer)
{
	struct nested *nested = &cpu->nested;
	struct nested_vmcs *vmcs =
		pointer == nested->current_pointer ? nested->current : slot_of(nested, pointer);
	struct vmcs12 *now = nested->region;

	if (vmcs && vmcs->active) {
		vmcs->used = ++nested->clock;
		return vmcs;
	}
	nested->tell_left = TELL_MOST;
	if (!vmcs) {
		vmcs = take_slot(cpu);
		read_region(pointer, now);
		vmcs->forgotten = !tell_memory_writes(cpu, NULL, pointer, now);
	} else {
		read_region(pointer, now);
		vmcs->forgotten = !tell_memory_writes(cpu, vmcs, pointer, now);
	}
	nested->active_slots++;
	__atomic_store_n(&vmcs->active, true, __ATOMIC_RELAXED);
	__atomic_store_n(&vmcs->pointer, pointer, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vmcs->launched = now->launched;
	vmcs->told = false;
	vmcs->imaged = false;
	vmcs->results = 0;
	vmcs->used = ++nested->clock;
	vmcs->dirty = nested->exists;
	vmcs->written = *now;
	vmcs->written_tsc = rdtsc();
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		vmcs->field[ix] = now->value[ix] & vmcs_fields[ix].mask;
	return vmcs;
}

void nested_vmcs_clear(struct percpu *cpu, u64 pointer)
{
	struct nested_vmcs *vmcs = slot_of(&cpu->nested, pointer);
	const u32 clear = 0;

	cpu->nested.tell_left = TELL_MOST;
	if (vmcs && vmcs->active) {
		vmcs->launched = false;
		write_back(cpu, vmcs);
		return;
	}
	guest_write_gpa(pointer + offsetof(struct vmcs12, launched), &clear, sizeof(clear));
}

void nested_vmcs_release_all(struct percpu *cpu)
{
	if (likely(!cpu->nested.active_slots))
		return;
	cpu->nested.tell_left = TELL_MOST;
	for (unsigned i = 0; cpu->nested.active_slots && i < NESTED_SLOTS; i++) {
		struct nested_vmcs *vmcs = &cpu->nested.slots[i];

		if (vmcs->pointer != NESTED_NONE && vmcs->active)
			write_back(cpu, vmcs);
	}
}

static size_t pages_for(size_t size)
{
	return (size + PAGE_SIZE - 1) / PAGE_SIZE;
}

void nested_init(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	const size_t items = TRACE_MAX_ITEMS * sizeof(struct trace_item);

	nested->mode = NESTED_OFF;
	nested->vmxon_pointer = NESTED_NONE;
	nested->current_pointer = NESTED_NONE;
	nested->slots = mem_alloc_pages(pages_for(NESTED_SLOTS * sizeof(*nested->slots)));
	for (unsigned i = 0; i < NESTED_SLOTS; i++)
		nested->slots[i].pointer = NESTED_NONE;
	nested->region = mem_alloc_pages(pages_for(sizeof(*nested->region)));
	nested->left = mem_alloc_pages(pages_for(sizeof(*nested->left)));
	nested->items = mem_alloc_pages(pages_for(items));
	nested->image_items = mem_alloc_pages(pages_for(items));
	nested->entry.items = mem_alloc_pages(pages_for(items));
	bitmaps02_init(nested);
	nested->dummy = mem_alloc_pages(1);
	memset(nested->dummy, 0xff, PAGE_SIZE);
	nested->msr_undo = mem_alloc_pages(pages_for(sizeof(*nested->msr_undo)));
	hwvmcs_init(&nested->spare_vmcs02);
	ept02_init(nested);
	l0_record_init(nested);
	vmcs_shadow_init(cpu);
	if (l0_record_is_on(nested) || vmcs_shadow_is_on(nested))
		cpu->more_to_do = true;
}
