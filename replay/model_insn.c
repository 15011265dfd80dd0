/*
 * replay/model_insn.c - what the SDM lets each VMX instruction end with
 *
 * Written from "VMX Instruction Reference"; the order of the checks is the order of its pseudocode.
 * What rests on something unknown, or on memory that the tape does not have, is left undecided.
 */
#include "replay/model_parts.h"

#define VECTOR_UD	       6
#define VECTOR_SS	       12
#define VECTOR_GP	       13
#define VECTOR_PF	       14
#define VECTOR_AC	       17

#define CPL		       MASK(MODE_CPL + 1, MODE_CPL) /* of the mode column */

#define FEATURE_CONTROL_LOCKED BIT(0)
#define FEATURE_CONTROL_VMXON  BIT(2)  /* outside SMX operation */
#define MAX_REGION_WIDTH_32    BIT(48) /* of IA32_VMX_BASIC */

struct judge {
	const struct model *model;
	const struct model_cpu *cpu;
	const struct trace_event *event;
	const struct ev_insn *insn;
	struct model_expectation *expected;
};

static bool mode(const struct judge *judge, enum trace_mode_bit bit)
{
	return judge->insn->mode >> bit & 1;
}

static void expect(struct judge *judge, enum trace_outcome outcome, unsigned error)
{
	struct model_expectation *const expected = judge->expected;

	expected->known = true;
	if (expected->count == MODEL_MAX_LEGAL)
		return;
	expected->legal[expected->count].outcome = (u8)outcome;
	expected->legal[expected->count++].error = (u8)error;
}

static void undecided(struct judge *judge)
{
	judge->expected->known = false;
}

/* VMfail(n): which of the two forms depends on whether there is a current VMCS. */
static void expect_fail(struct judge *judge, unsigned error)
{
	if (!judge->cpu->current_known)
		undecided(judge);
	else if (judge->cpu->current == MODEL_NO_POINTER)
		expect(judge, OUTCOME_FAIL_INVALID, 0);
	else
		expect(judge, OUTCOME_FAIL_VALID, error);
}

/*
 * What all instructions have in common. True when it decided, or left the instruction undecided.
 * SDM: "VMX Instruction Reference", the beginning of each instruction's pseudocode.
 */
static bool common(struct judge *judge)
{
	const bool vmxon = judge->event->kind == EV_VMXON;
	const bool long_mode = mode(judge, MODE_LMA);

	if (!mode(judge, MODE_PE) || mode(judge, MODE_VM) ||
	    (long_mode && !mode(judge, MODE_CS_L))) {
		expect(judge, OUTCOME_FAULT, VECTOR_UD);
		return true;
	}
	if (vmxon && !mode(judge, MODE_VMXE)) {
		expect(judge, OUTCOME_FAULT, VECTOR_UD);
		return true;
	}
	if (judge->cpu->in_vmx == MODEL_UNKNOWN) {
		undecided(judge);
		return true;
	}
	if (!vmxon && judge->cpu->in_vmx == MODEL_NO) {
		expect(judge, OUTCOME_FAULT, VECTOR_UD);
		return true;
	}
	/* INVEPT and INVVPID are undefined first where the processor has them not. */
	if (judge->event->kind == EV_INVEPT || judge->event->kind == EV_INVVPID)
		return false;
	if (judge->insn->mode & CPL) {
		expect(judge, OUTCOME_FAULT, VECTOR_GP);
		return true;
	}
	return false;
}

/* Whether a load or store of the operand faults is in page tables and segments: not on the tape. */
static bool operand_fault(struct judge *judge)
{
	const u64 vector = judge->insn->error;

	if (judge->insn->outcome != OUTCOME_FAULT || (vector != VECTOR_SS && vector != VECTOR_GP &&
						      vector != VECTOR_PF && vector != VECTOR_AC))
		return false;
	undecided(judge);
	return true;
}

static u64 region_mask(const struct judge *judge)
{
	const struct vmx_caps *const caps = &judge->model->shown;
	const unsigned width =
		caps->msr[VMX_CAP_BASIC] & MAX_REGION_WIDTH_32 ? 32 : caps->maxphyaddr;

	return width && width < 64 ? MASK(width - 1, 12) : 0;
}

static bool knows_cap(const struct judge *judge, enum vmx_cap cap)
{
	return judge->model->shown.known >> cap & 1;
}

/* CR0 and CR4 as VMXON wants them. SDM, "Restrictions on VMX Operation". */
static bool cr_allowed(const struct judge *judge, u64 value, enum vmx_cap fixed0)
{
	const u64 must_be_1 = judge->model->shown.msr[fixed0];
	const u64 may_be_1 = judge->model->shown.msr[fixed0 + 1];

	return (value & must_be_1) == must_be_1 && !(value & ~may_be_1);
}

static void judge_vmxon(struct judge *judge)
{
	const struct ev_vmxon *const vmxon = (const struct ev_vmxon *)judge->event->col;
	const u64 need = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMXON;
	u64 mask;

	if (judge->cpu->in_vmx == MODEL_YES) {
		expect_fail(judge, VMERR_VMXON_IN_ROOT);
		return;
	}
	if (!knows_cap(judge, VMX_CAP_CR0_FIXED0) || !knows_cap(judge, VMX_CAP_CR0_FIXED1) ||
	    !knows_cap(judge, VMX_CAP_CR4_FIXED0) || !knows_cap(judge, VMX_CAP_CR4_FIXED1)) {
		undecided(judge);
		return;
	}
	if (!cr_allowed(judge, vmxon->cr0, VMX_CAP_CR0_FIXED0) ||
	    !cr_allowed(judge, vmxon->cr4, VMX_CAP_CR4_FIXED0) ||
	    (vmxon->feature_control & need) != need) {
		expect(judge, OUTCOME_FAULT, VECTOR_GP);
		return;
	}
	if (operand_fault(judge))
		return;
	mask = region_mask(judge);
	if (!mask || !knows_cap(judge, VMX_CAP_BASIC))
		undecided(judge);
	else if (vmxon->pointer & ~mask)
		expect(judge, OUTCOME_FAIL_INVALID, 0);
	else if (vmxon->dword0 != CAP_GET(judge->model->shown.msr[VMX_CAP_BASIC], REVISION))
		expect(judge, OUTCOME_FAIL_INVALID, 0);
	else
		expect(judge, OUTCOME_SUCCEED, 0);
}

static void judge_vmxoff(struct judge *judge)
{
	expect(judge, OUTCOME_SUCCEED, 0);
}

/* The errors of an address and of the VMXON pointer; false when neither applies. */
static bool region_errors(struct judge *judge, u64 pointer, unsigned address_error,
			  unsigned vmxon_error)
{
	const u64 mask = region_mask(judge);

	if (operand_fault(judge))
		return true;
	if (!mask)
		undecided(judge);
	else if (pointer & ~mask)
		expect_fail(judge, address_error);
	else if (!judge->cpu->vmxon_known)
		undecided(judge);
	else if (pointer == judge->cpu->vmxon_pointer)
		expect_fail(judge, vmxon_error);
	else
		return false;
	return true;
}

static void judge_vmclear(struct judge *judge)
{
	const struct ev_vmclear *const vmclear = (const struct ev_vmclear *)judge->event->col;

	if (!region_errors(judge, vmclear->pointer, VMERR_VMCLEAR_ADDRESS,
			   VMERR_VMCLEAR_VMXON_POINTER))
		expect(judge, OUTCOME_SUCCEED, 0);
}

static void judge_vmptrld(struct judge *judge)
{
	const struct ev_vmptrld *const vmptrld = (const struct ev_vmptrld *)judge->event->col;
	const struct vmx_caps *const caps = &judge->model->shown;
	u32 revision, wanted;

	if (region_errors(judge, vmptrld->pointer, VMERR_VMPTRLD_ADDRESS,
			  VMERR_VMPTRLD_VMXON_POINTER))
		return;
	if (!knows_cap(judge, VMX_CAP_BASIC) || !knows_cap(judge, VMX_CAP_PROCBASED_CTLS2)) {
		undecided(judge);
		return;
	}
	revision = (u32)vmptrld->dword0;
	wanted = (u32)CAP_GET(caps->msr[VMX_CAP_BASIC], REVISION);
	/* Bit 31 marks a shadow VMCS, where there are any. */
	if (vmx_caps_may_be_1(caps, VMX_WORD_SECONDARY) & SECONDARY_VMCS_SHADOWING)
		revision &= ~(u32)BIT(31);
	if (revision != wanted)
		expect_fail(judge, VMERR_VMPTRLD_REVISION);
	else
		expect(judge, OUTCOME_SUCCEED, 0);
}

static void judge_vmptrst(struct judge *judge)
{
	if (!operand_fault(judge))
		expect(judge, OUTCOME_SUCCEED, 0);
}

/*
 * VMREAD and VMWRITE. True when it decided: without a current VMCS, or for a field that does not
 * exist. Outside 64-bit mode the operand has 32 bits.
 */
static bool field_errors(struct judge *judge, u64 field)
{
	const int index = vmcs_access_index(field);
	const bool high = vmcs_encoding_is_high(field);
	const bool exists = index >= 0 && (!high || vmcs_fields[index].width == VMCS_WIDTH_64);

	if (!judge->cpu->current_known) {
		undecided(judge);
		return true;
	}
	if (judge->cpu->current == MODEL_NO_POINTER) {
		expect(judge, OUTCOME_FAIL_INVALID, 0);
		return true;
	}
	if (exists && !vmx_caps_field_known(&judge->model->shown, index)) {
		undecided(judge);
		return true;
	}
	if (exists && vmx_caps_field_exists(&judge->model->shown, index))
		return false;
	/* A newer processor may have fields that fields.def does not know. */
	if (index < 0 && judge->insn->outcome == OUTCOME_SUCCEED)
		undecided(judge);
	else
		expect(judge, OUTCOME_FAIL_VALID, VMERR_UNSUPPORTED_FIELD);
	return true;
}

static void judge_vmread(struct judge *judge)
{
	const struct ev_vmread *const vmread = (const struct ev_vmread *)judge->event->col;

	if (!field_errors(judge, vmread->field) && !operand_fault(judge))
		expect(judge, OUTCOME_SUCCEED, 0);
}

static void judge_vmwrite(struct judge *judge)
{
	const struct ev_vmwrite *const vmwrite = (const struct ev_vmwrite *)judge->event->col;
	const u64 misc = judge->model->shown.msr[VMX_CAP_MISC];

	/* Unlike VMREAD, it reads its memory operand first; but not without a current VMCS. */
	if (judge->cpu->current_known && judge->cpu->current != MODEL_NO_POINTER &&
	    operand_fault(judge))
		return;
	if (field_errors(judge, vmwrite->field))
		return;
	if (vmcs_fields[vmcs_access_index(vmwrite->field)].access == VMCS_ACCESS_RW)
		expect(judge, OUTCOME_SUCCEED, 0);
	else if (!knows_cap(judge, VMX_CAP_MISC))
		undecided(judge);
	else if (misc & CAP_VMWRITE_ANY_FIELD)
		expect(judge, OUTCOME_SUCCEED, 0);
	else
		expect(judge, OUTCOME_FAIL_VALID, VMERR_READ_ONLY_FIELD);
}

/* What an entry can end with whose basic checks pass: that is for the checks of the VMCS to say. */
static bool is_late(const struct ev_insn *insn)
{
	return insn->outcome == OUTCOME_SUCCEED ||
	       (insn->outcome == OUTCOME_FAIL_VALID &&
		(insn->error == VMERR_ENTRY_CONTROLS || insn->error == VMERR_ENTRY_HOST_STATE));
}

/* SDM, "Basic VM-Entry Checks". The checks of the VMCS itself are not made here. */
static void judge_entry(struct judge *judge)
{
	const bool launch = judge->event->kind == EV_VMLAUNCH;
	const struct model_region *const region = judge->cpu->region;

	if (!judge->cpu->current_known) {
		undecided(judge);
	} else if (judge->cpu->current == MODEL_NO_POINTER) {
		expect(judge, OUTCOME_FAIL_INVALID, 0);
	} else if (mode(judge, MODE_MOV_SS)) {
		expect(judge, OUTCOME_FAIL_VALID, VMERR_ENTRY_MOV_SS);
	} else if (region && region->launch == LAUNCH_LAUNCHED && launch) {
		expect(judge, OUTCOME_FAIL_VALID, VMERR_VMLAUNCH_NOT_CLEAR);
	} else if (region && region->launch == LAUNCH_CLEAR && !launch) {
		expect(judge, OUTCOME_FAIL_VALID, VMERR_VMRESUME_NOT_LAUNCHED);
	} else if (region && region->launch != LAUNCH_UNKNOWN && !is_late(judge->insn)) {
		expect(judge, OUTCOME_SUCCEED, 0);
		expect(judge, OUTCOME_FAIL_VALID, VMERR_ENTRY_CONTROLS);
		expect(judge, OUTCOME_FAIL_VALID, VMERR_ENTRY_HOST_STATE);
	} else {
		undecided(judge);
	}
}

/* What INVEPT and INVVPID share; true when it decided. The type comes before the descriptor. */
static bool inv_errors(struct judge *judge, u64 exists, unsigned types_bit, u64 types)
{
	const struct ev_invept *const inv = (const struct ev_invept *)judge->event->col;
	const u64 caps = judge->model->shown.msr[VMX_CAP_EPT_VPID_CAP];

	if (!knows_cap(judge, VMX_CAP_EPT_VPID_CAP)) {
		undecided(judge);
	} else if (!(caps & exists)) {
		expect(judge, OUTCOME_FAULT, VECTOR_UD);
	} else if (judge->insn->mode & CPL) {
		expect(judge, OUTCOME_FAULT, VECTOR_GP);
	} else if (inv->type > 3 || !(types >> inv->type & 1) ||
		   !(caps >> (types_bit + inv->type) & 1)) {
		expect_fail(judge, VMERR_INV_OPERAND);
	} else {
		return operand_fault(judge);
	}
	return true;
}

/* SDM, INVEPT. Whether an EPTP is good is for the checks of VM entries to say. */
static void judge_invept(struct judge *judge)
{
	const struct ev_invept *const invept = (const struct ev_invept *)judge->event->col;

	if (inv_errors(judge, CAP_INVEPT, 24, BIT(1) | BIT(2)))
		return;
	if (invept->type == 2)
		expect(judge, OUTCOME_SUCCEED, 0);
	else
		undecided(judge);
}

/* SDM, INVVPID. */
static void judge_invvpid(struct judge *judge)
{
	const struct ev_invvpid *const invvpid = (const struct ev_invvpid *)judge->event->col;
	const unsigned width = judge->model->shown.linear_width;
	const u64 upper = width ? invvpid->descriptor_high >> (width - 1) : 0;

	if (inv_errors(judge, CAP_INVVPID, 40, BIT(0) | BIT(1) | BIT(2) | BIT(3)))
		return;
	if (invvpid->descriptor_low >> 16 || (invvpid->type != 2 && !invvpid->descriptor_low))
		expect_fail(judge, VMERR_INV_OPERAND);
	else if (invvpid->type == 0 && !width)
		undecided(judge);
	else if (invvpid->type == 0 && upper && upper != ~0ull >> (width - 1))
		expect_fail(judge, VMERR_INV_OPERAND);
	else
		expect(judge, OUTCOME_SUCCEED, 0);
}

/* Outside SMM and without the dual-monitor treatment, which no tape can show. */
static void judge_vmcall(struct judge *judge)
{
	expect_fail(judge, VMERR_VMCALL_IN_ROOT);
}

static void judge_vmfunc(struct judge *judge)
{
	expect(judge, OUTCOME_FAULT, VECTOR_UD);
}

static void (*const judges[])(struct judge *judge) = {
	[EV_VMXON] = judge_vmxon,     [EV_VMXOFF] = judge_vmxoff,   [EV_VMCLEAR] = judge_vmclear,
	[EV_VMPTRLD] = judge_vmptrld, [EV_VMPTRST] = judge_vmptrst, [EV_VMREAD] = judge_vmread,
	[EV_VMWRITE] = judge_vmwrite, [EV_VMLAUNCH] = judge_entry,  [EV_VMRESUME] = judge_entry,
	[EV_INVEPT] = judge_invept,   [EV_INVVPID] = judge_invvpid, [EV_VMCALL] = judge_vmcall,
	[EV_VMFUNC] = judge_vmfunc,
};

void model_expect(const struct model *model, const struct trace_event *event,
		  struct model_expectation *expected)
{
	struct judge judge = {
		.model = model,
		.cpu = &model->cpus[event->cpu],
		.event = event,
		.insn = model_insn(event),
		.expected = expected,
	};

	*expected = (struct model_expectation){ 0 };
	/* VMFUNC is undefined in root operation whatever the mode. */
	if (event->kind != EV_VMFUNC && common(&judge))
		return;
	judges[event->kind](&judge);
}
