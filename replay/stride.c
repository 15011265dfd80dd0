/*
 * replay/stride.c - a model over a slice of a tape
 */
#include "replay/stride.h"

#include <stdlib.h>

#include "replay/slice.h"

#define MAX_CLAIMS   256
#define MAX_ATTEMPTS 4

/* Which CPU of the slice has to do with a VMCS. */
struct claim {
	u64 pointer;
	unsigned cpu;
	u64 time; /* of the first event that does */
};

struct stride {
	struct slice *slice;
	struct model *model; /* that takes it */
	const struct stride_watch *watch;
	void *owner;
	struct claim claims[MAX_CLAIMS];
	unsigned claim_count;
	u64 time;		   /* of the event that claims */
	u64 obstacle;		   /* of the last claim, if it was refused */
	u16 lanes[MODEL_MAX_CPUS]; /* of the slice, by CPU */
	bool stopped;		   /* stride_was_stopped() */
	u64 place_at;		   /* the last number that was looked for ... */
	unsigned place_cpu;
	u64 place_n; /* ... and found */
};

/* --- what the slice shows --------------------------------------------------------------------- */

static void meet(void *owner, const struct trace_event *event)
{
	const struct stride *const stride = owner;

	if (stride->watch)
		stride->watch->at_site(stride->owner, event);
}

static void at_rip(void *owner, u64 rip)
{
	const struct stride *const stride = owner;

	if (stride->watch)
		stride->watch->at_rip(stride->owner, rip);
}

static void at_end(void *owner, unsigned cpu)
{
	const struct stride *const stride = owner;

	stride->watch->at_end(stride->owner, cpu);
}

static bool is_about_all(const struct trace_event *event)
{
	switch (event->kind) {
	case EV_VMXOFF:
	case EV_GAP:
	case EV_BOOT:
	case EV_CAPABILITY:
		return true;
	case EV_MSR_READ:
		return MSR_IS_VMX_CAP(((const struct ev_msr_read *)event->col)->msr);
	default:
		return false;
	}
}

static enum slice_answer take(void *owner, const struct trace_event *event)
{
	const struct stride *const stride = owner;

	if (is_about_all(event))
		return SLICE_REFUSE;
	if (model_takes(event->kind))
		return SLICE_KEEP;
	if (stride->watch)
		stride->watch->at_site(stride->owner, event);
	return SLICE_PASS;
}

/* --- whose VMCSs ------------------------------------------------------------------------------ */

/* False when another CPU has to do with it too: from the obstacle on. */
static bool claim(struct stride *stride, u64 pointer, unsigned cpu)
{
	const struct model_region *region;

	if (pointer == MODEL_NO_POINTER)
		return true;
	for (unsigned i = stride->claim_count; i--;) {
		const struct claim *const other = &stride->claims[i];

		if (other->pointer != pointer)
			continue;
		stride->obstacle = MAX(other->time, stride->time);
		return other->cpu == cpu;
	}
	region = model_region(stride->model, pointer);
	stride->obstacle = stride->time;
	if (stride->claim_count == MAX_CLAIMS ||
	    (region && region->holders & ~BIT(slice_cpu(stride->slice, cpu) % 64)))
		return false;
	stride->claims[stride->claim_count++] = (struct claim){ pointer, cpu, stride->time };
	return true;
}

/* What an event names that is a region whatever its address. */
static bool claim_named(struct stride *stride, u64 pointer, unsigned cpu)
{
	return pointer != MODEL_NO_POINTER && claim(stride, pointer, cpu);
}

static bool claim_event(struct stride *stride, const struct trace_event *event, unsigned cpu)
{
	switch (event->kind) {
	case EV_VMXON:
	case EV_VMCLEAR:
	case EV_VMPTRLD:
		if (!claim_named(stride, ((const struct ev_vmclear *)event->col)->pointer, cpu))
			return false;
		break;
	case EV_L2_ENTRY:
		return claim(stride, ((const struct ev_l2_entry *)event->col)->vmcs, cpu);
	case EV_L2_EXIT:
		return claim(stride, ((const struct ev_l2_exit *)event->col)->vmcs, cpu);
	case EV_VMCS12_WRITE:
		return claim_named(stride, ((const struct ev_vmcs12_write *)event->col)->vmcs, cpu);
	case EV_VMCS_IMAGE:
		return claim_named(stride, ((const struct ev_vmcs_image *)event->col)->vmcs, cpu);
	case EV_VMX_STATE:
		return claim(stride, ((const struct ev_vmx_state *)event->col)->vmcs, cpu);
	default:
		break;
	}
	return claim(stride, ((const struct ev_insn *)event->col)->vmcs, cpu);
}

_Static_assert(EV_COLUMN(vmxon, pointer) == EV_COLUMN(vmclear, pointer) &&
		       EV_COLUMN(vmptrld, pointer) == EV_COLUMN(vmclear, pointer),
	       "alike");

/* Whether what the CPUs of the slice do is about different VMCSs. */
static bool are_apart(struct stride *stride)
{
	const struct model *const model = stride->model;

	stride->claim_count = 0;
	for (unsigned i = 0; i < slice_cpus(stride->slice); i++) {
		const u16 number = slice_cpu(stride->slice, i);
		const struct model_region *current;
		struct slice_step step;
		size_t at = 0;

		stride->obstacle = 0;
		if (number >= MODEL_MAX_CPUS)
			return false;
		stride->lanes[number] = (u16)i;
		current = model_current(model, number);
		stride->time = 0;
		while (slice_next(stride->slice, i, &at, &step)) {
			if (current && !claim(stride, current->pointer, i))
				return false;
			current = NULL;
			stride->time = slice_time(stride->slice, i, step.at);
			if (step.event ? !claim_event(stride, step.event, i)
				       : !claim(stride, step.digest->vmcs, i))
				return false;
		}
	}
	stride->obstacle = 0;
	/* A region is given up by when it was used last, of all CPUs. */
	return model->region_count + stride->claim_count <= MODEL_MAX_REGIONS;
}

/* --- the model -------------------------------------------------------------------------------- */

static enum status apply(struct stride *stride)
{
	enum status status = ST_OK;
	struct slice_step step;

	for (unsigned i = 0; i < slice_cpus(stride->slice); i++) {
		size_t at = 0;

		while (status == ST_OK && slice_next(stride->slice, i, &at, &step)) {
			if (step.event) {
				status = stride->watch ? stride->watch->at_event(stride->owner,
										 step.event)
						       : ST_OK;
				if (status == ST_OK)
					status = model_step(stride->model, step.event, step.at);
				continue;
			}
			status = stride->watch ? stride->watch->at_digest(stride->owner,
									  step.digest, step.fields)
					       : ST_OK;
			if (status == ST_OK)
				status = model_step_digest(stride->model, step.digest, step.fields);
		}
	}
	return status;
}

/* Numbers of the slice become those of the tape. */
static void number(struct stride *stride, unsigned cpu, u64 *n)
{
	if (!(*n & SLICE_AT))
		return;
	/* What happened at once is often found together. */
	if (stride->place_at != *n || stride->place_cpu != cpu) {
		stride->place_at = *n;
		stride->place_cpu = cpu;
		stride->place_n = slice_number(stride->slice, cpu, *n);
	}
	*n = stride->place_n;
}

static void number_place(struct stride *stride, struct model_place *place)
{
	if (model_place_is(place))
		number(stride, stride->lanes[place->cpu], &place->n);
}

static void number_region(struct stride *stride, struct model_region *region, unsigned cpu)
{
	number_place(stride, &region->launch_place);
	number_place(stride, &region->active_place);
	number_place(stride, &region->clear_place);
	for (int i = 0; i < VMCS_FIELD_COUNT; i++)
		number_place(stride, &region->writer[i]);
	number(stride, cpu, &region->used);
}

static void number_slice(struct stride *stride)
{
	struct model *const model = stride->model;

	stride->place_at = 0;
	for (unsigned i = 0; i < stride->claim_count; i++) {
		struct model_region *const region = model_region(model, stride->claims[i].pointer);

		if (region && region->used & SLICE_AT)
			number_region(stride, region, stride->claims[i].cpu);
	}
	for (unsigned i = 0; i < slice_cpus(stride->slice); i++) {
		struct model_cpu *const cpu = &model->cpus[slice_cpu(stride->slice, i)];

		number_place(stride, &cpu->vmxon_place);
		number_place(stride, &cpu->vmxoff_place);
	}
}

/* --- strides ---------------------------------------------------------------------------------- */

struct stride *stride_new(struct reader *reader, const struct stride_watch *watch, void *owner)
{
	static const struct slice_ops watched = { meet, at_rip, take, at_end, false };
	static const struct slice_ops unwatched = { meet, at_rip, take, NULL, true };
	struct stride *const stride = calloc(1, sizeof(*stride));

	if (!stride)
		return NULL;
	stride->watch = watch;
	stride->owner = owner;
	stride->slice = slice_new(reader, watch ? &watched : &unwatched, stride);
	if (stride->slice)
		return stride;
	free(stride);
	return NULL;
}

void stride_free(struct stride *stride)
{
	if (!stride)
		return;
	slice_free(stride->slice);
	free(stride);
}

/* A slice that the CPUs are apart in, where something is in the way, until there. */
static enum status take_slice(struct stride *stride, struct slice_size size)
{
	enum status status;

	for (unsigned i = 0; i < MAX_ATTEMPTS; i++) {
		u64 obstacle;

		stride->stopped = i;
		status = slice_take(stride->slice, &size);
		if (status == ST_OK && are_apart(stride))
			return ST_OK;
		if (status == ST_OK) {
			slice_undo(stride->slice);
			obstacle = stride->obstacle -
				   MIN(stride->obstacle, slice_shifted(stride->slice));
		} else {
			obstacle = slice_obstacle(stride->slice);
		}
		if (!obstacle || (size.before && obstacle >= size.before))
			break;
		size.before = obstacle;
	}
	return ST_UNSUPPORTED;
}

enum status stride_take(struct stride *stride, struct model *model, const struct slice_size *size)
{
	enum status status;

	stride->model = model;
	status = take_slice(stride, *size);
	if (status != ST_OK)
		return status;
	status = apply(stride);
	number_slice(stride);
	return status;
}

bool stride_was_stopped(const struct stride *stride)
{
	return stride->stopped;
}

unsigned stride_cuts(const struct stride *stride, struct slice_cut *cuts, unsigned most)
{
	return slice_cuts(stride->slice, cuts, most);
}

u64 stride_highest_tsc(const struct stride *stride)
{
	return slice_highest_tsc(stride->slice);
}
