#include "replay/check_register.h"

void need_cr0(struct checking *c, unsigned int what, struct word free)
{
	need_fixed(c, what, VMX_CAP_CR0_FIXED0, VMX_CAP_CR0_FIXED1, word_or(free, CR0_NW | CR0_CD));
}

void need_cr4(struct checking *c, unsigned int what)
{
	need_fixed(c, what, VMX_CAP_CR4_FIXED0, VMX_CAP_CR4_FIXED1, word_of(0));
}

/* CR3.LAM_U57 and LAM_U48 are not reserved where the processor masks linear addresses. */
void need_cr3(struct checking *c, unsigned int what, struct word physical)
{
	const struct word masking = word_if(cpu_has(c, CPU_FEATURE_LAM), MASK(62, 61));

	need_within(c, what, word_or_word(physical, masking));
}

void need_wp_for_cet(struct checking *c, unsigned int cr0, unsigned int cr4)
{
	when_bits(c, cr4, CR4_CET, CR4_CET);
	need_ones(c, cr0, CR0_WP);
}

/* SDM: "Memory Types That Can Be Encoded With PAT". */
static enum tri is_memory_type(struct word byte)
{
	return word_in(byte, word_of(BIT(0) | BIT(1) | MASK(7, 4)));
}

enum tri is_pat(struct word word)
{
	enum tri fits = TRI_YES;

	for (unsigned int low = 0; low < 64; low += 8)
		fits = tri_and(fits, is_memory_type(word_bits(word, low + 7, low)));
	return fits;
}

void need_pat(struct checking *c, unsigned int what)
{
	const struct word pat = get_field(c, what);

	for (unsigned int low = 0; low < 64; low += 8)
		need(c, is_memory_type(word_bits(pat, low + 7, low)), what, MASK(low + 7, low), 0);
}

void need_s_cet(struct checking *c, unsigned int what)
{
	const u64 suppress = BIT(10), tracker = BIT(11);

	need_msr_bits(c, what, MSR_S_CET);
	when_bits(c, what, suppress, suppress);
	need_zero(c, what, tracker);
}

void need_fred_config(struct checking *c, unsigned int what)
{
	need_zero(c, what, BIT(2) | MASK(5, 4) | BIT(11));
	need_canonical(c, what);
}

void need_fred_stacks(struct checking *c, unsigned int rsp1, unsigned int ssp1)
{
	for (unsigned int level = 0; level < 3; level++) {
		need_zero(c, rsp1 + level, MASK(5, 0));
		need_canonical(c, rsp1 + level);
		need_zero(c, ssp1 + level, MASK(2, 0));
		need_canonical(c, ssp1 + level);
	}
}
