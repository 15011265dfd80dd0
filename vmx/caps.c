#include "vmx/caps.h"

#define CTL	  VMX_ITEM_OF_CTL
#define BIT_OF	  VMX_ITEM_OF_BIT
#define CPU(NAME) VMX_ITEM_OF_CPU(NAME)
#define ANY	  VMX_ITEM_OF_ANY

static const struct vmx_item exists[VMCS_EXISTS_COUNT][2] = {
#define EXISTS(NAME, FIRST, ...) [VMCS_EXISTS_##NAME] = { FIRST, __VA_ARGS__ },
#include "vmx/exists.def"
#undef EXISTS
};

static const struct {
	struct vmx_item what, required;
} needs[] = {
#define NEEDS(WHAT, ...) { WHAT, __VA_ARGS__ },
#include "vmx/needs.def"
#undef NEEDS
};

#undef ANY
#undef CPU
#undef BIT_OF
#undef CTL

static bool known(const struct vmx_caps *caps, enum vmx_cap cap)
{
	return caps->known & BIT(cap);
}

static bool has_true_msrs(const struct vmx_caps *caps)
{
	return caps->msr[VMX_CAP_BASIC] & CAP_TRUE_CTLS;
}

bool vmx_caps_set(struct vmx_caps *caps, u32 msr, u64 value)
{
	if (!MSR_IS_VMX_CAP(msr))
		return false;
	caps->msr[msr - MSR_VMX_BASIC] = value;
	caps->known |= BIT(msr - MSR_VMX_BASIC);
	return true;
}

enum vmx_cap vmx_caps_ruling(const struct vmx_caps *caps, enum vmx_word word)
{
	const struct vmx_control_word *row = &vmx_control_words[word];

	return (enum vmx_cap)(has_true_msrs(caps) ? row->true_cap : row->cap);
}

/* Whether the control that activates @word can be 1. */
static bool can_be_active(const struct vmx_caps *caps, enum vmx_word word)
{
	const struct vmx_control_word *row = &vmx_control_words[word];

	return !row->by_mask ||
	       (vmx_caps_may_be_1(caps, (enum vmx_word)row->by_word) & row->by_mask);
}

u64 vmx_caps_may_be_1(const struct vmx_caps *caps, enum vmx_word word)
{
	const u64 value = caps->msr[vmx_caps_ruling(caps, word)];

	if (!can_be_active(caps, word))
		return 0;
	return vmx_control_words[word].layout == VMX_LAYOUT_SPLIT ? value >> 32 : value;
}

u64 vmx_caps_must_be_1(const struct vmx_caps *caps, enum vmx_word word)
{
	if (vmx_control_words[word].layout != VMX_LAYOUT_SPLIT || !can_be_active(caps, word))
		return 0;
	return (u32)caps->msr[vmx_caps_ruling(caps, word)];
}

/* Whether all MSRs that say what @word may hold are known. */
static bool word_known(const struct vmx_caps *caps, enum vmx_word word)
{
	const struct vmx_control_word *row = &vmx_control_words[word];

	if (!known(caps, VMX_CAP_BASIC) || !known(caps, vmx_caps_ruling(caps, word)))
		return false;
	return !row->by_mask || word_known(caps, (enum vmx_word)row->by_word);
}

enum vmx_verdict vmx_caps_control(const struct vmx_caps *caps, enum vmx_word word, u64 value,
				  u64 *missing, u64 *excess)
{
	*missing = 0;
	*excess = 0;
	if (!word_known(caps, word))
		return VMX_UNKNOWN;
	*missing = vmx_caps_must_be_1(caps, word) & ~value;
	*excess = value & ~vmx_caps_may_be_1(caps, word);
	return *missing || *excess ? VMX_FORBIDDEN : VMX_ALLOWED;
}

bool vmx_caps_has(const struct vmx_caps *caps, const struct vmx_item *item)
{
	u64 there = 0;

	switch (item->kind) {
	case VMX_ITEM_CTL:
		there = vmx_caps_may_be_1(caps, (enum vmx_word)item->where);
		break;
	case VMX_ITEM_BIT:
		there = caps->msr[item->where];
		break;
	case VMX_ITEM_CPU:
		there = caps->cpu;
		break;
	default:
		break;
	}
	return !(item->mask & ~there);
}

/* Whether the MSRs that vmx_caps_has() needs are known. */
static bool is_known(const struct vmx_caps *caps, const struct vmx_item *item)
{
	switch (item->kind) {
	case VMX_ITEM_CTL:
		return word_known(caps, (enum vmx_word)item->where);
	case VMX_ITEM_BIT:
		return known(caps, (enum vmx_cap)item->where);
	default:
		return true;
	}
}

bool vmx_caps_field_exists(const struct vmx_caps *caps, int index)
{
	const struct vmx_item *either = exists[vmcs_fields[index].exists];

	return vmx_caps_has(caps, &either[0]) || vmx_caps_has(caps, &either[1]);
}

bool vmx_caps_field_known(const struct vmx_caps *caps, int index)
{
	const struct vmx_item *either = exists[vmcs_fields[index].exists];
	const bool knows[2] = { is_known(caps, &either[0]), is_known(caps, &either[1]) };

	return (knows[0] && knows[1]) || (knows[0] && vmx_caps_has(caps, &either[0])) ||
	       (knows[1] && vmx_caps_has(caps, &either[1]));
}

/* --- Taking capabilities away ----------------------------------------------------------------- */

static void clear_controls(struct vmx_caps *caps, enum vmx_word word, u64 mask)
{
	const struct vmx_control_word *row = &vmx_control_words[word];

	if (row->layout == VMX_LAYOUT_SPLIT)
		mask <<= 32;
	caps->msr[row->cap] &= ~mask;
	caps->msr[row->true_cap] &= ~mask;
}

static void clear_item(struct vmx_caps *caps, const struct vmx_item *item)
{
	if (item->kind == VMX_ITEM_CTL)
		clear_controls(caps, (enum vmx_word)item->where, item->mask);
	else
		caps->msr[item->where] &= ~item->mask;
}

/* Any bit of @item, unlike vmx_caps_has() also of a word that cannot be active. */
static bool any_left(const struct vmx_caps *caps, const struct vmx_item *item)
{
	const struct vmx_control_word *row;

	if (item->kind != VMX_ITEM_CTL)
		return caps->msr[item->where] & item->mask;
	row = &vmx_control_words[item->where];
	return (caps->msr[row->cap] | caps->msr[row->true_cap]) &
	       (row->layout == VMX_LAYOUT_SPLIT ? item->mask << 32 : item->mask);
}

/* MSRs that do not exist because what announces them is missing read as 0 here. */
static void clear_absent_msrs(struct vmx_caps *caps)
{
	for (unsigned int word = 0; word < VMX_WORD_COUNT; word++) {
		const struct vmx_control_word *row = &vmx_control_words[word];

		if (!can_be_active(caps, (enum vmx_word)word))
			caps->msr[row->cap] = 0;
		if (!has_true_msrs(caps) && row->true_cap != row->cap)
			caps->msr[row->true_cap] = 0;
	}
}

void vmx_caps_settle(struct vmx_caps *caps)
{
	bool changed;

	do {
		changed = false;
		clear_absent_msrs(caps);
		for (unsigned int i = 0; i < ARRAY_SIZE(needs); i++) {
			if (vmx_caps_has(caps, &needs[i].required) ||
			    !any_left(caps, &needs[i].what))
				continue;
			clear_item(caps, &needs[i].what);
			changed = true;
		}
	} while (changed);
}

/* A control that some MSR requires to be 1: it cannot be taken away without contradiction. */
static bool must_be_1(const struct vmx_caps *caps, const struct vmx_control *control)
{
	const struct vmx_control_word *row = &vmx_control_words[control->word];

	if (row->layout != VMX_LAYOUT_SPLIT)
		return false;
	return (caps->msr[row->cap] | caps->msr[row->true_cap]) & BIT(control->bit);
}

enum status vmx_caps_mask(struct vmx_caps *caps, const char *name)
{
	const struct vmx_control *control;
	const struct vmx_capbit *capbit = vmx_capbit_find(name);

	if (!vmx_control_find(name, NULL) && !capbit)
		return ST_NOT_FOUND;
	if (capbit && capbit->high != capbit->low)
		return ST_UNSUPPORTED;
	for (control = NULL; (control = vmx_control_find(name, control));) {
		if (must_be_1(caps, control))
			return ST_UNSUPPORTED;
	}

	for (control = NULL; (control = vmx_control_find(name, control));)
		clear_controls(caps, (enum vmx_word)control->word, BIT(control->bit));
	if (capbit)
		caps->msr[capbit->cap] &= ~BIT(capbit->low);
	vmx_caps_settle(caps);
	return ST_OK;
}

/* --- Several processors ----------------------------------------------------------------------- */

/* What may be 1 on both, and what must be on either. */
static u64 intersect_split(u64 a, u64 b)
{
	return (a & b & MASK(63, 32)) | (u32)(a | b);
}

static u64 smaller(u64 a, u64 b, u64 mask)
{
	return MIN(a & mask, b & mask);
}

bool vmx_caps_intersect(struct vmx_caps *caps, const struct vmx_caps *other)
{
	const struct vmx_caps one = *caps;
	const u64 *a = one.msr, *b = other->msr;
	const u64 size = MASK(44, 32), numbers = CAP_CR3_TARGETS | CAP_PREEMPTION_TIMER_RATE;

	for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
		caps->msr[i] = a[i] & b[i];
	for (unsigned word = 0; word < VMX_WORD_COUNT; word++) {
		const struct vmx_control_word *row = &vmx_control_words[word];

		if (row->layout != VMX_LAYOUT_SPLIT)
			continue;
		caps->msr[row->cap] = intersect_split(a[row->cap], b[row->cap]);
		caps->msr[row->true_cap] = intersect_split(a[row->true_cap], b[row->true_cap]);
	}
	caps->msr[VMX_CAP_CR0_FIXED0] = a[VMX_CAP_CR0_FIXED0] | b[VMX_CAP_CR0_FIXED0];
	caps->msr[VMX_CAP_CR4_FIXED0] = a[VMX_CAP_CR4_FIXED0] | b[VMX_CAP_CR4_FIXED0];
	caps->msr[VMX_CAP_VMCS_ENUM] = MIN(a[VMX_CAP_VMCS_ENUM], b[VMX_CAP_VMCS_ENUM]);
	/* Each VMCS gets the revision of the processor that it is for. */
	caps->msr[VMX_CAP_BASIC] = (caps->msr[VMX_CAP_BASIC] & ~(size | CAP_REVISION)) |
				   (a[VMX_CAP_BASIC] & (size | CAP_REVISION));
	caps->msr[VMX_CAP_MISC] = (caps->msr[VMX_CAP_MISC] & ~numbers) |
				  (a[VMX_CAP_MISC] & CAP_PREEMPTION_TIMER_RATE) |
				  smaller(a[VMX_CAP_MISC], b[VMX_CAP_MISC], CAP_CR3_TARGETS);
	caps->cpu &= other->cpu;
	caps->maxphyaddr = MIN(caps->maxphyaddr, other->maxphyaddr);
	caps->linear_width = MIN(caps->linear_width, other->linear_width);
	return (a[VMX_CAP_MISC] & CAP_PREEMPTION_TIMER_RATE) ==
		       (b[VMX_CAP_MISC] & CAP_PREEMPTION_TIMER_RATE) &&
	       (a[VMX_CAP_BASIC] & size) == (b[VMX_CAP_BASIC] & size);
}
