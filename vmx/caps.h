/*
 * vmx/caps.h - what a processor, or the one that hv shows to L1, can do
 *
 * The VMX capability MSRs of one logical processor, questions about them, and a way to take
 * capabilities away without contradicting the rest.
 *
 * A tape may lack some of the MSRs: @known says which are known. An MSR that does not exist is
 * known and 0. Questions that rest on an unknown MSR say so where the answer matters.
 */
#ifndef VMX_CAPS_H
#define VMX_CAPS_H

#include "base/base.h"
#include "base/status.h"
#include "vmx/tables.h"

/* Facts of CPUID on which VMCS fields depend. */
enum vmx_cpu {
	VMX_CPU_FRED = 1, /* CPUID.7.1:EAX[17] */
	VMX_CPU_APX = 2,  /* CPUID.7.1:EDX[21] */
};

struct vmx_caps {
	u64 msr[VMX_CAP_COUNT]; /* by enum vmx_cap: index - 480h */
	u64 known;		/* bit n: msr[n] is known */
	u32 cpu;		/* enum vmx_cpu */
	u8 maxphyaddr;		/* physical-address width in bits; 0: unknown */
	u8 linear_width;	/* linear-address width in bits; 0: unknown */
	u16 unused;		/* 0: two are compared by their bytes */
};

/* One capability: all bits of @mask in one place. */
struct vmx_item {
	u8 kind;  /* enum vmx_item_kind */
	u8 where; /* enum vmx_word or enum vmx_cap */
	u64 mask;
};

enum vmx_item_kind {
	VMX_ITEM_ANY, /* always there */
	VMX_ITEM_CTL, /* the 1-setting of controls */
	VMX_ITEM_BIT, /* bits of a capability MSR */
	VMX_ITEM_CPU, /* enum vmx_cpu */
};

/* Initialisers of struct vmx_item for the columns of exists.def, needs.def and cpuid.def. */
#define VMX_ITEM_OF_CTL(WORD, NAME)                          \
	{                                                    \
		VMX_ITEM_CTL, VMX_WORD_##WORD, WORD##_##NAME \
	}
#define VMX_ITEM_OF_BIT(MSR, NAME)                      \
	{                                               \
		VMX_ITEM_BIT, VMX_CAP_##MSR, CAP_##NAME \
	}
#define VMX_ITEM_OF_CPU(NAME)                   \
	{                                       \
		VMX_ITEM_CPU, 0, VMX_CPU_##NAME \
	}
#define VMX_ITEM_OF_ANY            \
	{                          \
		VMX_ITEM_ANY, 0, 0 \
	}

enum vmx_verdict {
	VMX_ALLOWED,
	VMX_FORBIDDEN,
	VMX_UNKNOWN, /* rests on an unknown MSR */
};

/* Enters the value of MSR @msr and marks it known. False when it is no capability MSR. */
bool vmx_caps_set(struct vmx_caps *caps, u32 msr, u64 value);

/* Every bit of @item is there; false also when that is unknown. */
bool vmx_caps_has(const struct vmx_caps *caps, const struct vmx_item *item);

/*
 * The capability MSR that rules @word: the TRUE one where IA32_VMX_BASIC[55] is 1.
 * SDM: "Reserved Controls and Default Settings".
 */
enum vmx_cap vmx_caps_ruling(const struct vmx_caps *caps, enum vmx_word word);

/*
 * Bits that may be 1, and bits that must be 1, in @word. A word whose activating control cannot be
 * 1 may have no bit set.
 */
u64 vmx_caps_may_be_1(const struct vmx_caps *caps, enum vmx_word word);
u64 vmx_caps_must_be_1(const struct vmx_caps *caps, enum vmx_word word);

/*
 * Judges @value of an active @word.
 *
 * @missing  bits that must be 1 and are 0
 * @excess   bits that must be 0 and are 1
 *
 * Both are 0 unless the result is VMX_FORBIDDEN. Of a word that its activating control switches off
 * the caller has nothing to judge.
 */
enum vmx_verdict vmx_caps_control(const struct vmx_caps *caps, enum vmx_word word, u64 value,
				  u64 *missing, u64 *excess);

/* Whether field @index (enum vmcs_index) exists; false also when that is unknown. */
bool vmx_caps_field_exists(const struct vmx_caps *caps, int index);
/* Whether vmx_caps_field_exists() rests on known MSRs only. */
bool vmx_caps_field_known(const struct vmx_caps *caps, int index);

/*
 * Takes away what @name means, a row or group of controls.def or a row of capbits.def, in each MSR
 * that shows it, and with it whatever needs it.
 *
 * Returns ST_NOT_FOUND when there is no such name and ST_UNSUPPORTED, with nothing changed, when it
 * is a number, or a control that must be 1.
 */
enum status vmx_caps_mask(struct vmx_caps *caps, const char *name);

/*
 * Leaves of @caps what a processor with @other has as well, so that both can do what is left.
 * False, with @caps half done, where they count the VMX-preemption timer or lay out a VMCS
 * differently.
 */
bool vmx_caps_intersect(struct vmx_caps *caps, const struct vmx_caps *other);

/* Takes away everything whose requirement (needs.def, control_words.def) is missing. */
void vmx_caps_settle(struct vmx_caps *caps);

#endif
