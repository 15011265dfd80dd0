/*
 * replay/rule_feature.c - CPUID promises L2 an instruction that is #UD there
 *
 * L1 answers a CPUID of L2; the secondary control that the instruction needs is 0, and #UD does not
 * even exit to L1, which could emulate it.
 */
#include "replay/rule.h"

#define VECTOR_UD 6

struct state {
	struct cpuid {
		struct model_place exit; /* for CPUID, whose answer comes with the next entry */
		u64 leaf, subleaf;
	} cpus[MODEL_MAX_CPUS];
};

static const struct ud_feature {
	const char *name;
	u32 leaf, subleaf;
	u8 reg, bit;
	u32 control;
} ud_features[] = {
#define UD_FEATURE(name, leaf, subleaf, REG, bit, CONTROL) \
	{ #name, leaf, subleaf, REG_##REG, bit, SECONDARY_##CONTROL },
#include "replay/ud_features.def"
#undef UD_FEATURE
};

/* A general register that the event shows. */
static bool find_reg(const struct trace_event *event, enum vmx_reg reg, u64 *value)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == ITEM_REG + reg) {
			*value = event->items[i].value;
			return true;
		}
	return false;
}

static void on_exit(const struct rule_run *run, struct cpuid *cpuid)
{
	const struct trace_event *const event = run->event;

	cpuid->exit.kind = 0;
	if (likely(((const struct ev_l2_exit *)event->col)->reason != EXIT_CPUID))
		return;
	if (find_reg(event, REG_RAX, &cpuid->leaf) && find_reg(event, REG_RCX, &cpuid->subleaf))
		cpuid->exit = run->place;
}

static void report(const struct rule_run *run, const struct cpuid *cpuid,
		   const struct model_region *region, const struct ud_feature *feature, u64 answer)
{
	const unsigned bit = (unsigned)__builtin_ctz(feature->control);
	const char *const control = vmx_control_at(VMX_WORD_SECONDARY, bit)->name;
	const struct vmx_caps *const caps = &run->model->shown;
	const int word = vmx_control_words[VMX_WORD_SECONDARY].field;
	struct finding *const finding =
		finding_add(run->findings, FINDING_FEATURE_UD, (u64)(feature - ud_features));

	if (!finding)
		return;
	finding_title(finding, "CPUID shows %s to L2, where it is #UD: secondary control %s is 0",
		      feature->name, control);
	finding_evidence(finding, &region->writer[word]);
	finding_evidence(finding, &cpuid->exit);
	finding_evidence(finding, &run->place);
	finding_note(finding, "CPUID leaf 0x%x, subleaf %u: %s = 0x%llx, whose bit %u is 1",
		     feature->leaf, feature->subleaf, vmx_reg_name(feature->reg),
		     (unsigned long long)answer, feature->bit);
	finding_note(finding, "%s = 0x%llx, whose bit %u is 0; bit %u of the exception bitmap is 0",
		     vmcs_fields[word].name, (unsigned long long)region->value[word], bit,
		     VECTOR_UD);
	finding_explain(finding, "L2 executes %s since CPUID has it, and gets #UD.", feature->name);
	if (vmx_caps_may_be_1(caps, VMX_WORD_SECONDARY) & feature->control)
		finding_next(finding, "set control %s, or clear the bit in the answer to CPUID",
			     control);
	else
		finding_next(finding,
			     "clear the bit in the answer to CPUID: the processor does not "
			     "allow control %s",
			     control);
}

static void on_entry(const struct rule_run *run, struct cpuid *cpuid)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	u64 bitmap;

	if (!region || !model_field(region, VMCS_IX_EXCEPTION_BITMAP, BIT(VECTOR_UD), &bitmap) ||
	    bitmap & BIT(VECTOR_UD))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ud_features); i++) {
		const struct ud_feature *const feature = &ud_features[i];
		u64 answer;

		if (feature->leaf == (u32)cpuid->leaf && feature->subleaf == (u32)cpuid->subleaf &&
		    find_reg(run->event, (enum vmx_reg)feature->reg, &answer) &&
		    answer >> feature->bit & 1 &&
		    model_control(region, VMX_WORD_SECONDARY, feature->control) == MODEL_NO)
			report(run, cpuid, region, feature, answer);
	}
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpuid *const cpuid = &state->cpus[run->event->cpu];

	if (run->event->kind == EV_L2_EXIT) {
		on_exit(run, cpuid);
		return;
	}
	if (unlikely(model_place_is(&cpuid->exit)) && run->event->kind == EV_L2_ENTRY)
		on_entry(run, cpuid);
	cpuid->exit.kind = 0;
}

const struct rule rule_feature = {
	.kinds = RULE_KIND(L2_EXIT) | RULE_KIND(L2_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
