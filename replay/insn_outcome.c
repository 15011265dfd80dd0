#include "replay/insn_outcome.h"

#include "replay/entry_outcome.h"

#define VECTOR_UD   6
#define VECTOR_GP   13

#define SHADOW_VMCS BIT(31)

struct insn {
	struct legal_walk walk;
	const struct insn_situation *at;
};

static void ud_if(struct legal_walk *walk, enum tri condition)
{
	legal_ends_if(walk, condition, legal_fault(VECTOR_UD));
}

static void gp_if(struct legal_walk *walk, enum tri condition)
{
	legal_ends_if(walk, condition, legal_fault(VECTOR_GP));
}

static void fail_if(struct insn *insn, enum tri condition, enum vmx_insn_error error)
{
	legal_vmfail_if(&insn->walk, condition, insn->at->current, error);
}

static void fail_invalid_if(struct insn *insn, enum tri condition)
{
	legal_ends_if(&insn->walk, condition,
		      (struct legal){ .kind = LEGAL_FAIL_INVALID, .check = LEGAL_NO_CHECK });
}

static void operand_fault_if(struct insn *insn, enum tri condition)
{
	legal_ends_if(&insn->walk, condition,
		      (struct legal){ .kind = LEGAL_OPERAND_FAULT, .check = LEGAL_NO_CHECK });
}

static struct word cap_of(const struct insn *insn, enum vmx_cap cap)
{
	const struct vmx_caps *const caps = insn->at->caps;

	return word_partly(caps->msr[cap], caps->known & BIT(cap) ? ~0ull : 0);
}

/* --- What they have in common ----------------------------------------------------------------- */

static enum tri cpl_above_0(struct word mode)
{
	return word_any(mode, MASK(MODE_CPL + 1, MODE_CPL));
}

/* Compatibility mode, virtual-8086 mode and real mode have none of these instructions. */
static enum tri has_no_vmx(struct word mode)
{
	const enum tri compatibility =
		tri_and(word_any(mode, BIT(MODE_LMA)), tri_not(word_any(mode, BIT(MODE_CS_L))));

	return tri_or(tri_or(tri_not(word_any(mode, BIT(MODE_PE))), word_any(mode, BIT(MODE_VM))),
		      compatibility);
}

void insn_prologue(struct legal_walk *walk, struct word mode)
{
	ud_if(walk, tri_not(word_any(mode, BIT(MODE_VMX_ROOT))));
	ud_if(walk, has_no_vmx(mode));
	gp_if(walk, cpl_above_0(mode));
}

/* An address of a VMXON or VMCS region: page-aligned, within the physical-address width. */
static enum tri is_region_address(const struct insn *insn)
{
	const struct word bits = cpu_vmx_address_bits(insn->at->caps, insn->at->cpu);

	return word_within(insn->at->operand, word_and(bits, ~MASK(11, 0)));
}

static enum tri is_revision(const struct insn *insn)
{
	const struct word basic = cap_of(insn, VMX_CAP_BASIC);

	return word_same(word_bits(insn->at->revision, 30, 0), word_bits(basic, 30, 0));
}

static enum tri supports(const struct insn *insn, enum vmx_word word, u64 mask)
{
	return word_all(cap_of(insn, (enum vmx_cap)vmx_control_words[word].cap), mask << 32);
}

/* --- Entering and leaving VMX operation ------------------------------------------------------- */

/* Bits of a control register that the fixed-bits MSRs do not allow. */
static enum tri is_unfit(const struct insn *insn, struct word cr, enum vmx_cap fixed0)
{
	const struct word must = cap_of(insn, fixed0);
	const struct word may = cap_of(insn, (enum vmx_cap)(fixed0 + 1));

	return tri_not(tri_and(word_within(must, cr), word_within(cr, may)));
}

static void vmxon(struct insn *insn)
{
	const struct insn_situation *const at = insn->at;
	const u64 lock = BIT(0), outside_smx = BIT(2);

	ud_if(&insn->walk, at->register_operand);
	ud_if(&insn->walk, tri_not(word_any(at->mode, BIT(MODE_VMXE))));
	ud_if(&insn->walk, has_no_vmx(at->mode));
	gp_if(&insn->walk, cpl_above_0(at->mode));
	fail_if(insn, word_any(at->mode, BIT(MODE_VMX_ROOT)), VMERR_VMXON_IN_ROOT);
	gp_if(&insn->walk, is_unfit(insn, at->cr0, VMX_CAP_CR0_FIXED0));
	gp_if(&insn->walk, is_unfit(insn, at->cr4, VMX_CAP_CR4_FIXED0));
	gp_if(&insn->walk, tri_not(word_all(at->feature_control, lock | outside_smx)));
	operand_fault_if(insn, at->operand_faults);
	fail_invalid_if(insn, tri_not(is_region_address(insn)));
	fail_invalid_if(insn, tri_not(is_revision(insn)));
	fail_invalid_if(insn, word_any(at->revision, SHADOW_VMCS));
}

/* --- Regions ---------------------------------------------------------------------------------- */

static void region_prologue(struct insn *insn)
{
	ud_if(&insn->walk, insn->at->register_operand);
	insn_prologue(&insn->walk, insn->at->mode);
	operand_fault_if(insn, insn->at->operand_faults);
}

static void vmclear(struct insn *insn)
{
	region_prologue(insn);
	fail_if(insn, tri_not(is_region_address(insn)), VMERR_VMCLEAR_ADDRESS);
	fail_if(insn, word_same(insn->at->operand, insn->at->vmxon), VMERR_VMCLEAR_VMXON_POINTER);
}

static void vmptrld(struct insn *insn)
{
	const enum tri shadow = word_any(insn->at->revision, SHADOW_VMCS);
	const enum tri shadowing = supports(insn, VMX_WORD_SECONDARY, SECONDARY_VMCS_SHADOWING);

	region_prologue(insn);
	fail_if(insn, tri_not(is_region_address(insn)), VMERR_VMPTRLD_ADDRESS);
	fail_if(insn, word_same(insn->at->operand, insn->at->vmxon), VMERR_VMPTRLD_VMXON_POINTER);
	fail_if(insn, tri_or(tri_not(is_revision(insn)), tri_and(shadow, tri_not(shadowing))),
		VMERR_VMPTRLD_REVISION);
}

/* --- Fields ----------------------------------------------------------------------------------- */

/* Whether the encoding names a field that exists; @field is its index, or -1. */
static enum tri is_supported(const struct insn *insn, int *field)
{
	const struct word encoding = insn->at->operand;

	*field = -1;
	if (!word_is_known(encoding))
		return TRI_MAYBE;
	*field = vmcs_field_index(encoding.value & ~1ull);
	if (*field < 0)
		return TRI_NO;
	if (vmcs_encoding_is_high(encoding.value) && vmcs_fields[*field].width != VMCS_WIDTH_64)
		return TRI_NO;
	if (!vmx_caps_field_known(insn->at->caps, *field))
		return TRI_MAYBE;
	return tri_of(vmx_caps_field_exists(insn->at->caps, *field));
}

static void vmread(struct insn *insn)
{
	int field;

	insn_prologue(&insn->walk, insn->at->mode);
	fail_invalid_if(insn, word_is(insn->at->current, ~0ull));
	fail_if(insn, tri_not(is_supported(insn, &field)), VMERR_UNSUPPORTED_FIELD);
	operand_fault_if(insn, insn->at->operand_faults);
}

static void vmwrite(struct insn *insn)
{
	const enum tri any_field = word_any(cap_of(insn, VMX_CAP_MISC), CAP_VMWRITE_ANY_FIELD);
	enum tri supported, read_only = TRI_MAYBE;
	int field;

	insn_prologue(&insn->walk, insn->at->mode);
	fail_invalid_if(insn, word_is(insn->at->current, ~0ull));
	operand_fault_if(insn, insn->at->operand_faults);
	supported = is_supported(insn, &field);
	if (field >= 0)
		read_only = tri_of(vmcs_fields[field].access == VMCS_ACCESS_RO);
	fail_if(insn, tri_not(supported), VMERR_UNSUPPORTED_FIELD);
	fail_if(insn, tri_and(read_only, tri_not(any_field)), VMERR_READ_ONLY_FIELD);
}

/* --- Translations ----------------------------------------------------------------------------- */

enum {
	INVEPT_SINGLE = 1,
	INVEPT_ALL = 2,
	INVVPID_ADDRESS = 0,
	INVVPID_SINGLE = 1,
	INVVPID_ALL = 2,
	INVVPID_RETAIN_GLOBALS = 3,
};

/* The bit of type @type if @reported, a bit of IA32_VMX_EPT_VPID_CAP. */
static struct word type_if(const struct insn *insn, unsigned int type, u64 reported)
{
	return word_if(word_any(cap_of(insn, VMX_CAP_EPT_VPID_CAP), reported), BIT(type));
}

static void invept(struct insn *insn)
{
	const struct insn_situation *const at = insn->at;
	const struct word types = word_or_word(type_if(insn, INVEPT_SINGLE, CAP_INVEPT_SINGLE),
					       type_if(insn, INVEPT_ALL, CAP_INVEPT_ALL));
	const enum tri exists = word_any(cap_of(insn, VMX_CAP_EPT_VPID_CAP), CAP_INVEPT);

	ud_if(&insn->walk,
	      tri_not(tri_and(exists, supports(insn, VMX_WORD_SECONDARY, SECONDARY_EPT))));
	ud_if(&insn->walk, at->register_operand);
	insn_prologue(&insn->walk, at->mode);
	fail_if(insn, tri_not(word_in(at->operand, types)), VMERR_INV_OPERAND);
	operand_fault_if(insn, at->operand_faults);
	fail_if(insn,
		tri_and(word_is(at->operand, INVEPT_SINGLE),
			tri_not(check_eptp(at->caps, at->cpu, at->descriptor[0]))),
		VMERR_INV_OPERAND);
}

static void invvpid(struct insn *insn)
{
	const struct insn_situation *const at = insn->at;
	const struct word low = at->descriptor[0], vpid = word_bits(low, 15, 0);
	const enum tri exists = word_any(cap_of(insn, VMX_CAP_EPT_VPID_CAP), CAP_INVVPID);
	struct word types = type_if(insn, INVVPID_ADDRESS, CAP_INVVPID_ADDRESS);

	types = word_or_word(types, type_if(insn, INVVPID_SINGLE, CAP_INVVPID_SINGLE));
	types = word_or_word(types, type_if(insn, INVVPID_ALL, CAP_INVVPID_ALL));
	types = word_or_word(types,
			     type_if(insn, INVVPID_RETAIN_GLOBALS, CAP_INVVPID_RETAIN_GLOBALS));
	ud_if(&insn->walk,
	      tri_not(tri_and(exists, supports(insn, VMX_WORD_SECONDARY, SECONDARY_VPID))));
	ud_if(&insn->walk, at->register_operand);
	insn_prologue(&insn->walk, at->mode);
	fail_if(insn, tri_not(word_in(at->operand, types)), VMERR_INV_OPERAND);
	operand_fault_if(insn, at->operand_faults);
	fail_if(insn, word_any(low, MASK(63, 16)), VMERR_INV_OPERAND);
	fail_if(insn, tri_and(tri_not(word_is(at->operand, INVVPID_ALL)), word_is(vpid, 0)),
		VMERR_INV_OPERAND);
	fail_if(insn,
		tri_and(word_is(at->operand, INVVPID_ADDRESS),
			tri_not(cpu_upper_bits_same(at->caps, at->descriptor[1], -1))),
		VMERR_INV_OPERAND);
}

/* --- The rest --------------------------------------------------------------------------------- */

static void vmptrst(struct insn *insn)
{
	region_prologue(insn);
}

static void vmxoff(struct insn *insn)
{
	insn_prologue(&insn->walk, insn->at->mode);
}

/* Outside SMM, without the dual-monitor treatment, there is nobody to be called. */
static void vmcall(struct insn *insn)
{
	insn_prologue(&insn->walk, insn->at->mode);
	fail_if(insn, TRI_YES, VMERR_VMCALL_IN_ROOT);
}

static void vmfunc(struct insn *insn)
{
	ud_if(&insn->walk, TRI_YES);
}

static void (*const instructions[])(struct insn *insn) = {
	[EV_VMXON] = vmxon,	[EV_VMXOFF] = vmxoff,	[EV_VMCLEAR] = vmclear,
	[EV_VMPTRLD] = vmptrld, [EV_VMPTRST] = vmptrst, [EV_VMREAD] = vmread,
	[EV_VMWRITE] = vmwrite, [EV_INVEPT] = invept,	[EV_INVVPID] = invvpid,
	[EV_VMCALL] = vmcall,	[EV_VMFUNC] = vmfunc,
};

void insn_outcome(const struct insn_situation *situation, struct legal_set *set)
{
	struct insn insn = { .walk = { .set = set, .reached = TRI_YES }, .at = situation };

	set->count = 0;
	set->more = set->machine_check = false;
	if (situation->kind == EV_VMLAUNCH || situation->kind == EV_VMRESUME) {
		entry_outcome(situation->entry, set);
		return;
	}
	if (situation->kind < ARRAY_SIZE(instructions) && instructions[situation->kind])
		instructions[situation->kind](&insn);
	legal_ends_if(&insn.walk, TRI_YES, legal_succeed());
}
