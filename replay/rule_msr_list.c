/*
 * replay/rule_msr_list.c - MSR lists longer than the processor promises to handle
 *
 * What it does with a longer one is undefined: one processor takes it, the next fails the entry or,
 * at an exit, shuts down.
 */
#include "replay/rule.h"
#include "vmx/tables.h"

#define LIST_UNIT 512

static const u8 counts[] = {
	VMCS_IX_VM_ENTRY_MSR_LOAD_COUNT,
	VMCS_IX_VM_EXIT_MSR_STORE_COUNT,
	VMCS_IX_VM_EXIT_MSR_LOAD_COUNT,
};

static void report(const struct rule_run *run, const struct model_region *region, u8 index,
		   u64 most)
{
	const struct model_place *const read = &run->model->cap_read[VMX_CAP_MISC];
	const unsigned long long misc = run->model->shown.msr[VMX_CAP_MISC];
	struct finding *const finding =
		finding_add(run->findings, FINDING_MSR_LIST_OVER_MAX, index);

	if (!finding)
		return;
	finding_title(finding, "%s is %llu, more than the recommended maximum of %llu",
		      vmcs_fields[index].name, (unsigned long long)region->value[index],
		      (unsigned long long)most);
	finding_evidence(finding, read);
	finding_evidence(finding, &region->writer[index]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "IA32_VMX_MISC = 0x%llx, bits 27:25 are %llu", misc,
		     BITS(misc, 27, 25));
	finding_explain(finding,
			"Behaviour is undefined: the entry may fail with exit reason 34, the "
			"processor may shut down at an exit, or all may go well.");
	finding_next(finding, "make the list shorter: %s%s",
		     model_place_is(read) ? "L1 read the limit at " : "L1 never read IA32_VMX_MISC",
		     model_place_is(read) ? rule_position(read) : "");
}

static void event(const struct rule_run *run, void *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const u64 most =
		LIST_UNIT * (CAP_GET(run->model->shown.msr[VMX_CAP_MISC], MSR_LIST_SIZE) + 1);
	u64 value;

	(void)state;
	if (!region || !(run->model->shown.known >> VMX_CAP_MISC & 1))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (model_field(region, counts[i], ~0ull, &value) && value > most)
			report(run, region, counts[i], most);
}

const struct rule rule_msr_list = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME),
	.event = event,
};
