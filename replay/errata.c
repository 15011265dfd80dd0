#include "replay/errata.h"

#include <strings.h>

#include "replay/entry_outcome.h"

#define WHAT_LAX(NAME)		 CHECK_##NAME
#define WHAT_LAX_NULL_SS(NAME)	 CHECK_##NAME
#define WHAT_LAX_CODE(NAME)	 CHECK_##NAME
#define WHAT_LAX_ABSENT(NAME)	 CHECK_##NAME
#define WHAT_STRICT(NAME)	 CHECK_##NAME
#define WHAT_STRICT_CS_RPL(NAME) CHECK_##NAME
#define WHAT_EXIT(NAME)		 EXIT_CHECK_##NAME
#define WHAT_FAULT(NAME)	 NAME
#define WHAT_FAIL(NAME)		 NAME
#define WHAT_UNJUDGED(NAME)	 NAME

#define PLATFORM(...)
#define ERRATUM(ID, PLATFORM, KIND, WHAT, from, sentence)   \
	[ERRATUM_##ID] = { .id = #ID,                       \
			   .source = from,                  \
			   .text = sentence,                \
			   .what = WHAT_##KIND(WHAT),       \
			   .platform = PLATFORM_##PLATFORM, \
			   .kind = ERRATUM_KIND_##KIND },
const struct erratum errata[ERRATUM_COUNT] = {
#include "replay/errata.def"
};
#undef ERRATUM
#undef PLATFORM

const char *errata_platform_title(enum errata_platform platform)
{
	static const char *const titles[] = {
#define PLATFORM(NAME, title) [PLATFORM_##NAME] = title,
#define ERRATUM(...)
#include "replay/errata.def"
#undef ERRATUM
#undef PLATFORM
	};

	return platform < ARRAY_SIZE(titles) ? titles[platform] : "another platform";
}

#define SELECTOR_RPL	       3
#define ACCESS_RIGHTS_TYPE     MASK(3, 0)
#define ACCESS_RIGHTS_DPL      MASK(6, 5)
#define TYPE_IS_CODE	       BIT(3)
#define TYPE_CONFORMING	       BIT(2)
#define TYPE_CODE	       11 /* readable, accessed, not conforming: no other may be in DS */
#define ACCESS_RIGHTS_L	       BIT(13)
#define ACCESS_RIGHTS_UNUSABLE BIT(16)
#define BOCHS_HIGHEST_FIELD    0x34 /* as in IA32_VMX_VMCS_ENUM */

/*
 * By IA32_VMX_BASIC: both have regions of 4 KiB, which no processor has, and revision identifiers
 * of their own.
 */
static enum errata_platform platform_of(const struct vmx_caps *caps)
{
	const u64 basic = caps->msr[VMX_CAP_BASIC];
	const u32 revision = (u32)CAP_GET(basic, REVISION);

	if (!(caps->known & BIT(VMX_CAP_BASIC)) || BITS(basic, 44, 32) != 0x1000)
		return PLATFORM_OTHER;
	switch (revision) {
	case 0x2b:
	case 4:
		return caps->msr[VMX_CAP_VMCS_ENUM] == BOCHS_HIGHEST_FIELD ? PLATFORM_BOCHS_2_7
									   : PLATFORM_OTHER;
	case 0x11e57ed0:
		return PLATFORM_KVM;
	default:
		return PLATFORM_OTHER;
	}
}

struct errata_platforms errata_platforms_of(const struct vmx_caps *real,
					    const struct vmx_caps *shown)
{
	return (struct errata_platforms){ platform_of(real), platform_of(shown) };
}

const struct erratum *erratum_find(const char *id)
{
	for (unsigned n = 0; n < ERRATUM_COUNT; n++)
		if (!strcasecmp(errata[n].id, id))
			return &errata[n];
	return NULL;
}

/* --- Entries ---------------------------------------------------------------------------------- */

/* Code whose RPL is not its DPL, or below it where it is conforming. */
static bool has_other_cs_rpl(const struct check_input *input)
{
	const unsigned rights = VMCS_IX_GUEST_CS_ACCESS_RIGHTS, cs = VMCS_IX_GUEST_CS_SELECTOR;
	const u64 rpl = input->value[cs] & SELECTOR_RPL;
	const u64 dpl = BITS(input->value[rights], 6, 5);

	if (!(input->value[rights] & TYPE_IS_CODE) ||
	    ~input->known[rights] & (ACCESS_RIGHTS_TYPE | ACCESS_RIGHTS_DPL) ||
	    ~input->known[cs] & SELECTOR_RPL)
		return false;
	return input->value[rights] & TYPE_CONFORMING ? rpl < dpl : rpl != dpl;
}

static bool has_null_ss_in_64bit_code(const struct check_input *input)
{
	const u64 null = ~(u64)SELECTOR_RPL & 0xffff;

	return input->known[VMCS_IX_VM_ENTRY_CONTROLS] & input->value[VMCS_IX_VM_ENTRY_CONTROLS] &
		       ENTRY_IA32E_MODE_GUEST &&
	       input->known[VMCS_IX_GUEST_CS_ACCESS_RIGHTS] &
		       input->value[VMCS_IX_GUEST_CS_ACCESS_RIGHTS] & ACCESS_RIGHTS_L &&
	       (input->known[VMCS_IX_GUEST_SS_SELECTOR] & null) == null &&
	       !(input->value[VMCS_IX_GUEST_SS_SELECTOR] & null);
}

/* Whether it is these segments alone, by their access rights, for which the row does not hold. */
static bool holds_without(const struct check_input *input, enum check_id id, const u16 *rights,
			  size_t count)
{
	struct check_input without = *input;
	u64 value[VMCS_FIELD_COUNT], known[VMCS_FIELD_COUNT];
	enum check_verdict verdict;

	memcpy(value, input->value, sizeof(value));
	memcpy(known, input->known, sizeof(known));
	for (size_t i = 0; i < count; i++) {
		value[rights[i]] |= ACCESS_RIGHTS_UNUSABLE;
		known[rights[i]] |= ACCESS_RIGHTS_UNUSABLE;
	}
	without.value = value;
	without.known = known;
	verdict = check_run(&without, id, NULL);
	return verdict == CHECK_PASS || verdict == CHECK_NOT_APPLICABLE;
}

static bool holds_without_ss(const struct check_input *input, enum check_id id)
{
	const u16 rights = VMCS_IX_GUEST_SS_ACCESS_RIGHTS;

	return holds_without(input, id, &rights, 1);
}

static bool holds_without_code(const struct check_input *input, enum check_id id)
{
	static const u16 all[] = {
		VMCS_IX_GUEST_DS_ACCESS_RIGHTS,
		VMCS_IX_GUEST_ES_ACCESS_RIGHTS,
		VMCS_IX_GUEST_FS_ACCESS_RIGHTS,
		VMCS_IX_GUEST_GS_ACCESS_RIGHTS,
	};
	u16 code[ARRAY_SIZE(all)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if ((input->known[all[i]] & ACCESS_RIGHTS_TYPE) == ACCESS_RIGHTS_TYPE &&
		    (input->value[all[i]] & ACCESS_RIGHTS_TYPE) == TYPE_CODE)
			code[count++] = all[i];
	return holds_without(input, id, code, count);
}

static bool is_lax(const struct erratum *erratum, const struct check_input *input)
{
	switch (erratum->kind) {
	case ERRATUM_KIND_LAX:
		return true;
	case ERRATUM_KIND_LAX_NULL_SS:
		return has_null_ss_in_64bit_code(input) &&
		       holds_without_ss(input, (enum check_id)erratum->what);
	case ERRATUM_KIND_LAX_CODE:
		return holds_without_code(input, (enum check_id)erratum->what);
	case ERRATUM_KIND_LAX_ABSENT:
		return check_list_fails_by_absence(input, (enum check_id)erratum->what,
						   MSR_DEBUGCTL);
	default:
		return false;
	}
}

/* Changes @verdicts as the erratum changes what is checked; false when it changes nothing. */
static bool apply(const struct erratum *erratum, const struct check_input *input,
		  u8 verdicts[CHECK_COUNT])
{
	u8 *const verdict = &verdicts[erratum->what];
	const bool fails = *verdict == CHECK_FAIL || *verdict == CHECK_UNKNOWN;

	if (fails && is_lax(erratum, input))
		*verdict = CHECK_NOT_APPLICABLE;
	else if (erratum->kind == ERRATUM_KIND_STRICT && *verdict == CHECK_PASS)
		*verdict = CHECK_UNKNOWN;
	else if (erratum->kind == ERRATUM_KIND_STRICT_CS_RPL && !fails && has_other_cs_rpl(input))
		*verdict = CHECK_UNKNOWN;
	else
		return false;
	return true;
}

static bool is_possible(const struct check_input *input, const u8 verdicts[CHECK_COUNT],
			const struct legal *observed)
{
	struct legal_set set;

	entry_outcome_of(input, verdicts, &set);
	return legal_judge(&set, observed, NULL) != LEGAL_DIVERGE;
}

static bool is_about_entries(const struct erratum *erratum, struct errata_platforms platforms)
{
	if (erratum->kind > ERRATUM_KIND_STRICT_CS_RPL)
		return false;
	return erratum->platform == platforms.l0 ||
	       (erratum->platform == platforms.processor &&
		(check_stage((enum check_id)erratum->what) == CHECK_STAGE_GUEST ||
		 erratum->kind == ERRATUM_KIND_LAX_ABSENT));
}

const struct erratum *errata_explain_entry(struct errata_platforms platforms,
					   const struct check_input *input,
					   const u8 verdicts[CHECK_COUNT],
					   const struct legal *observed)
{
	const struct erratum *first = NULL;
	u8 all[CHECK_COUNT];

	memcpy(all, verdicts, sizeof(all));
	for (unsigned n = 0; n < ERRATUM_COUNT; n++) {
		u8 changed[CHECK_COUNT];

		if (!is_about_entries(&errata[n], platforms))
			continue;
		memcpy(changed, verdicts, sizeof(changed));
		if (!apply(&errata[n], input, changed))
			continue;
		if (is_possible(input, changed, observed))
			return &errata[n];
		if (apply(&errata[n], input, all) &&
		    (!first ||
		     (first->kind != ERRATUM_KIND_LAX && errata[n].kind == ERRATUM_KIND_LAX)))
			first = &errata[n];
	}
	return first && is_possible(input, all, observed) ? first : NULL;
}

/* --- The rest --------------------------------------------------------------------------------- */

static const struct erratum *find(enum errata_platform platform, enum erratum_kind kind,
				  unsigned what)
{
	for (unsigned n = 0; n < ERRATUM_COUNT; n++)
		if (errata[n].platform == platform && errata[n].kind == kind &&
		    errata[n].what == what)
			return &errata[n];
	return NULL;
}

const struct erratum *errata_explain_exit(struct errata_platforms platforms, enum exit_check_id id)
{
	const bool l0 = exit_check_rows[id].when != EXIT_CHECK_AT_EXIT;

	return find(l0 ? platforms.l0 : platforms.processor, ERRATUM_KIND_EXIT, id);
}

const struct erratum *errata_explain_insn(struct errata_platforms platforms, u8 kind,
					  const struct legal_set *expected)
{
	for (unsigned i = 0; i < expected->count; i++) {
		const u8 due = expected->of[i].kind;

		if (expected->of[i].sure)
			return find(platforms.l0,
				    due == LEGAL_FAULT ? ERRATUM_KIND_FAULT : ERRATUM_KIND_FAIL,
				    kind);
	}
	return NULL;
}
