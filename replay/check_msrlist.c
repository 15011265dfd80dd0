/*
 * replay/check_msrlist.c - the checks on the entries of MSR lists
 *
 * SDM: "Loading MSRs" of VM entries and of VM exits, "Saving MSRs". Each predicate is about one
 * entry; that it is about an MSR of its kind is its condition.
 */
#include "replay/check_register.h"

#define MEMORY	 CHECK_WHAT_MEMORY

/* In memory an entry is the MSR's index, 32 reserved bits and the value. */
#define INDEX	 MASK(31, 0)
#define RESERVED MASK(63, 32)

/* @offset bytes into the entry: 0 for its index, 8 for its value. */
static struct word entry_at(struct checking *c, unsigned int offset)
{
	const struct word list = field_bits(c, c->entry.list, 63, 0);
	const u64 at = list.value + 16 * ((u64)c->entry.number - 1) + offset;

	return get_memory(c, word_partly(at, list.known), 8);
}

static struct word index_of(struct checking *c)
{
	return word_and(entry_at(c, 0), INDEX);
}

static enum tri index_is(struct checking *c, u32 msr)
{
	return word_is(index_of(c), msr);
}

static enum tri index_between(struct checking *c, u32 first, u32 last)
{
	return tri_and(word_at_most(word_of(first), index_of(c)),
		       word_at_most(index_of(c), word_of(last)));
}

static void need_index_not(struct checking *c, enum tri is)
{
	need(c, tri_not(is), MEMORY, INDEX, 0);
}

/* --- Which MSRs ------------------------------------------------------------------------------- */

static void need_reserved_zero(struct checking *c)
{
	need(c, tri_not(word_any(entry_at(c, 0), RESERVED)), MEMORY, RESERVED, 0);
}

PREDICATE(MSR_LOAD_RESERVED)
{
	need_reserved_zero(c);
}

PREDICATE(MSR_STORE_RESERVED)
{
	need_reserved_zero(c);
}

PREDICATE(MSR_HOST_RESERVED)
{
	need_reserved_zero(c);
}

static void need_no_base(struct checking *c)
{
	need_index_not(c, tri_or(index_is(c, MSR_FS_BASE), index_is(c, MSR_GS_BASE)));
}

PREDICATE(MSR_LOAD_BASE)
{
	need_no_base(c);
}

PREDICATE(MSR_HOST_BASE)
{
	need_no_base(c);
}

static void need_no_x2apic(struct checking *c)
{
	need_index_not(c, index_between(c, 0x800, 0x8ff));
}

PREDICATE(MSR_LOAD_X2APIC)
{
	need_no_x2apic(c);
}

PREDICATE(MSR_STORE_X2APIC)
{
	need_no_x2apic(c);
}

PREDICATE(MSR_HOST_X2APIC)
{
	need_no_x2apic(c);
}

PREDICATE(MSR_LOAD_SMM)
{
	need_index_not(c, index_is(c, MSR_SMM_MONITOR_CTL));
}

PREDICATE(MSR_STORE_SMM)
{
	need_index_not(c, index_is(c, MSR_SMBASE));
}

PREDICATE(MSR_HOST_SMM)
{
	need_index_not(c, index_is(c, MSR_SMM_MONITOR_CTL));
}

PREDICATE(MSR_LOAD_MICROCODE)
{
	need_index_not(c, tri_or(index_is(c, MSR_BIOS_UPDT_TRIG), index_is(c, MSR_BIOS_SIGN_ID)));
}

PREDICATE(MSR_LOAD_COUNT)
{
	const struct word steps = word_bits(get_cap(c, VMX_CAP_MISC), 27, 25);
	const u64 least = 512 * (word_min(steps) + 1), most = 512 * (word_max(steps) + 1);
	const enum tri within = c->entry.number <= least  ? TRI_YES
				: c->entry.number <= most ? TRI_MAYBE
							  : TRI_NO;

	need(c, within, F(VM_ENTRY_MSR_LOAD_COUNT), MASK(31, 0), least);
}

/* --- Values ----------------------------------------------------------------------------------- */

/* Paging is on, so that WRMSR could not change LME. */
static void need_lme(struct checking *c, enum tri lme)
{
	when(c, index_is(c, MSR_EFER), MEMORY, INDEX, MSR_EFER);
	need(c, tri_same(word_any(entry_at(c, 8), EFER_LME), lme), MEMORY, EFER_LME,
	     lme == TRI_YES ? EFER_LME : 0);
}

PREDICATE(MSR_LOAD_EFER)
{
	when_bits(c, F(GUEST_CR0), CR0_PG, CR0_PG);
	need_lme(c, is_on(c, CTL(ENTRY, IA32E_MODE_GUEST)));
}

PREDICATE(MSR_HOST_EFER)
{
	need_lme(c, is_on(c, CTL(EXIT, HOST_ADDRESS_SPACE_SIZE)));
}

enum {
	CANONICAL = 1 << 0,
	BITS = 1 << 1,
	DWORD = 1 << 2,
	TYPES = 1 << 3,
	READ_ONLY = 1 << 4,
	FREE = 0,
};

#define ALWAYS	      CPU_FEATURE_COUNT
#define MODEL	      (CPU_FEATURE_COUNT + 1)
#define FEATURE(NAME) CPU_FEATURE_##NAME
static const struct {
	u32 msr;
	u8 when;
	u8 rules;
} writes[] = {
#define WRMSR(NAME, WHEN, RULES) { MSR_##NAME, WHEN, RULES },
#include "replay/wrmsr.def"
#undef WRMSR
};
#undef FEATURE

static enum tri exists(struct checking *c, u8 when)
{
	if (when == ALWAYS)
		return TRI_YES;
	return when == MODEL ? cpu_untold(c) : cpu_has(c, (enum cpu_feature)when);
}

static enum tri value_fits(struct checking *c, u32 msr, u8 rules)
{
	const struct word data = entry_at(c, 8);
	enum tri fits = tri_of(!(rules & READ_ONLY));
	struct word may = { 0 };

	if (rules & CANONICAL)
		fits = tri_and(fits, is_canonical(c, data));
	if (rules & DWORD)
		fits = tri_and(fits, tri_not(word_any(data, MASK(1, 0))));
	if (rules & TYPES)
		fits = tri_and(fits, is_pat(data));
	if (rules & BITS) {
		cpu_facts_msr_bits(c->in->cpu, msr, &may);
		fits = tri_and(fits, word_within(data, may));
		if (!word_is_known(may))
			cpu_untold(c);
	}
	return fits;
}

enum tri list_msr_is_absent(struct checking *c, u32 lacking)
{
	if (word_is_known(index_of(c)) && index_of(c).value == lacking)
		return TRI_YES;
	for (size_t i = 0; word_is_known(index_of(c)) && i < ARRAY_SIZE(writes); i++)
		if (writes[i].msr == index_of(c).value)
			return tri_not(exists(c, writes[i].when));
	return TRI_MAYBE;
}

/* Whether WRMSR of the entry at CPL 0 would not fault. */
static enum tri can_be_written(struct checking *c)
{
	if (!word_is_known(index_of(c)))
		return TRI_MAYBE;
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
		if (writes[i].msr == index_of(c).value)
			return tri_and(exists(c, writes[i].when),
				       value_fits(c, writes[i].msr, writes[i].rules));
	return cpu_untold(c);
}

/* Whether RDMSR of the entry at CPL 0 would not fault. */
static enum tri can_be_read(struct checking *c)
{
	static const u32 write_only[] = { MSR_PRED_CMD, MSR_BIOS_UPDT_TRIG, MSR_FLUSH_CMD };

	if (!word_is_known(index_of(c)))
		return TRI_MAYBE;
	for (size_t i = 0; i < ARRAY_SIZE(write_only); i++)
		if (write_only[i] == index_of(c).value)
			return TRI_NO;
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
		if (writes[i].msr == index_of(c).value)
			return exists(c, writes[i].when);
	return cpu_untold(c);
}

PREDICATE(MSR_STORE_VALUE)
{
	need(c, can_be_read(c), MEMORY, INDEX, 0);
}

PREDICATE(MSR_LOAD_VALUE)
{
	need(c, can_be_written(c), MEMORY, ~0ull, 0);
}

PREDICATE(MSR_HOST_VALUE)
{
	need(c, can_be_written(c), MEMORY, ~0ull, 0);
}
