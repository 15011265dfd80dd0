#include "replay/moment.h"

#include <stdio.h>
#include <string.h>

#include "vmx/value_text.h"

#define HEAD	 50000	/* events at the start of a long tape */
#define DISTANCE 300000 /* before the event: some tens of key frames */

/* Takes the events from where the reader is up to @n. */
static enum status follow(struct reader *reader, struct model *model, u64 n)
{
	const struct trace_event *event;
	enum status status = ST_OK;
	u64 at;

	while ((at = reader_tell(reader)) < n && status == ST_OK &&
	       reader_next(reader, &event) == ST_OK)
		status = model_step(model, event, at);
	return status;
}

/* What is passed over is a gap for every CPU. */
static enum status skip(struct reader *reader, struct model *model, u64 to)
{
	const struct ev_gap gap = { .why = GAP_LOST_BLOCK };
	enum status status = ST_OK;

	for (unsigned cpu = 0; cpu < MODEL_MAX_CPUS && status == ST_OK; cpu++) {
		const struct trace_event event = {
			.kind = EV_GAP,
			.cpu = (u16)cpu,
			.col = (const u64 *)&gap,
		};

		if (model->cpus[cpu].seen)
			status = model_step(model, &event, to);
	}
	return status == ST_OK ? reader_seek(reader, to) : status;
}

/* Whether the state of the CPU of the event is all there. */
static bool is_complete(const struct moment *moment)
{
	const struct model_cpu *const cpu = &moment->model->cpus[moment->place.cpu];
	const struct vmx_caps *const caps = &moment->model->shown;

	if (!cpu->current_known || !cpu->vmxon_known)
		return false;
	for (int i = 0; cpu->region && i < VMCS_FIELD_COUNT; i++)
		if (vmx_caps_field_exists(caps, i) &&
		    cpu->region->known[i] != vmcs_width_mask(vmcs_fields[i].width))
			return false;
	return true;
}

static enum status try_from(struct reader *reader, u64 n, bool whole, struct moment *moment)
{
	enum status status;

	moment->model = model_new();
	if (!moment->model)
		return ST_NO_MEMORY;
	moment->whole = whole;
	status = reader_seek(reader, 0);
	if (status == ST_OK)
		status = follow(reader, moment->model, whole ? n : HEAD);
	if (status == ST_OK && !whole) {
		status = skip(reader, moment->model, n - DISTANCE);
		if (status == ST_OK)
			status = follow(reader, moment->model, n);
	}
	if (status != ST_OK)
		moment_close(moment);
	return status;
}

static void gather_cpuid(struct reader *reader, u16 cpu, struct cpu_facts *facts)
{
	const struct reader_boot *const boot = reader_boot(reader, cpu);

	for (unsigned i = 0; i < boot->cpuid_count; i++)
		cpu_facts_add(facts, (u32)boot->cpuids[i].leaf, (u32)boot->cpuids[i].subleaf,
			      boot->cpuids[i].shown_ab, boot->cpuids[i].shown_cd);
}

enum status moment_open(struct reader *reader, u64 n, bool whole, struct moment *moment)
{
	const struct trace_event *event;
	enum status status;

	*moment = (struct moment){ .n = n };
	if (n > reader_info(reader)->events)
		return ST_RANGE;
	if (reader_seek(reader, n) == ST_OK && reader_next(reader, &event) == ST_OK)
		moment->place = model_place_of(event, n);
	if (moment->place.cpu >= MODEL_MAX_CPUS)
		return ST_RANGE;
	if (n <= HEAD + DISTANCE)
		whole = true;
	status = try_from(reader, n, whole, moment);
	if (status == ST_OK && !whole && !is_complete(moment)) {
		moment_close(moment);
		status = try_from(reader, n, true, moment);
	}
	if (status == ST_OK)
		gather_cpuid(reader, moment->place.cpu, &moment->cpu);
	return status;
}

void moment_close(struct moment *moment)
{
	model_free(moment->model);
	moment->model = NULL;
}

enum model_truth moment_field_used(const struct model_region *region, int index)
{
	enum model_truth used = MODEL_YES;

	for (size_t i = 0; i < vmx_use_count; i++) {
		enum model_truth truth;

		if (vmx_uses[i].field != index)
			continue;
		truth = model_control(region, (enum vmx_word)vmx_uses[i].word, vmx_uses[i].mask);
		if (truth == MODEL_YES)
			return MODEL_YES;
		if (used != MODEL_UNKNOWN)
			used = truth;
	}
	return used;
}

const struct vmx_control *moment_field_unused_by(const struct model_region *region, int index)
{
	if (moment_field_used(region, index) != MODEL_NO)
		return NULL;
	for (size_t i = 0; i < vmx_use_count; i++)
		if (vmx_uses[i].field == index)
			return vmx_control_at((enum vmx_word)vmx_uses[i].word,
					      (unsigned)__builtin_ctzll(vmx_uses[i].mask));
	return NULL;
}

void moment_decode(const struct model_region *region, int index, u64 value, char *to, size_t size)
{
	const enum vmx_value_kind kind = vmx_field_kind(index);
	const int info = index == VMCS_IX_IDT_VECTORING_ERROR_CODE ? VMCS_IX_IDT_VECTORING_INFO
			 : index == VMCS_IX_VM_ENTRY_EXCEPTION_ERROR_CODE
				 ? VMCS_IX_VM_ENTRY_INTERRUPTION_INFO
				 : VMCS_IX_VM_EXIT_INTERRUPTION_INFO;
	const struct vmx_decode_context context = {
		.exit_reason = (u32)region->value[VMCS_IX_EXIT_REASON],
		.interruption_info = (u32)region->value[info],
		.qualification = region->value[VMCS_IX_EXIT_QUALIFICATION],
	};
	char number[32];

	vmx_decode(to, size, kind, value, &context);
	/* What only repeats the number says nothing. */
	snprintf(number, sizeof(number), "0x%llx", (unsigned long long)value);
	if (kind == VMX_VALUE_HEX || !strcmp(to, number) || !strcmp(to, "0"))
		*to = 0;
}
