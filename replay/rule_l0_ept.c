/*
 * replay/rule_l0_ept.c - EPT violations, misconfigurations, and what L0 maps in EPT02
 *
 * The entries of EPT12 that L0 consulted are on the tape; the mapping that it made of them, with
 * capture=+l0. SDM, "EPT Translation Mechanism", "EPT-Induced VM Exits".
 */
#include "replay/l0_view.h"

#define LEVELS	    4
#define EPT_READ    BIT(0)
#define EPT_WRITE   BIT(1)
#define EPT_RIGHTS  MASK(2, 0)
#define EPT_LARGE   BIT(7)
#define EPT_ADDRESS MASK(51, 12)
#define CAPS_KNOWN  BIT(VMX_CAP_EPT_VPID_CAP)

struct state {
	struct l0_raw raw[MODEL_MAX_CPUS];
};

struct walk {
	u64 entry[LEVELS + 1]; /* by level */
	unsigned last;	       /* the lowest level that was read; 0: none */
};

static bool take_walk(const struct trace_event *event, struct walk *walk)
{
	walk->last = 0;
	for (unsigned level = LEVELS; level; level--) {
		if (!l0_item(event, ITEM_EPT12 + level, &walk->entry[level]))
			break;
		walk->last = level;
	}
	return walk->last;
}

static u64 page_size(unsigned level)
{
	return 4096ull << 9 * (level - 1);
}

static bool is_leaf(unsigned level, u64 entry)
{
	return level == 1 || (level <= 3 && entry & EPT_LARGE);
}

/* SDM, "EPT Misconfigurations". What depends on mode-based execute control is left out. */
static const char *misconfiguration(const struct vmx_caps *caps, unsigned level, u64 entry)
{
	const u64 cap = caps->msr[VMX_CAP_EPT_VPID_CAP], type = BITS(entry, 5, 3);
	const u64 beyond = caps->maxphyaddr ? MASK(51, 12) & ~(BIT(caps->maxphyaddr) - 1) : 0;

	if (!(entry & EPT_RIGHTS))
		return NULL;
	if (entry & EPT_WRITE && !(entry & EPT_READ))
		return "it is writable and not readable";
	if (!(entry & EPT_READ) && !(cap & CAP_EPT_EXECUTE_ONLY))
		return "it is executable and not readable, which the processor does not support";
	if (entry & beyond)
		return "its address is beyond the physical-address width";
	if (level == 4 && entry & MASK(7, 3))
		return "bits 7:3 are not 0";
	if (!is_leaf(level, entry))
		return entry & MASK(6, 3) ? "bits 6:3 are not 0" : NULL;
	if ((level == 3 && !(cap & CAP_EPT_1G)) || (level == 2 && !(cap & CAP_EPT_2M)))
		return "it maps a page of a size that the processor does not support";
	if (entry & (page_size(level) - 1) & MASK(51, 12))
		return "the low bits of its address are not 0";
	return type == 2 || type == 3 || type == 7 ? "its memory type is reserved" : NULL;
}

static void on_exit(const struct rule_run *run)
{
	const u64 reason = ((const struct ev_l2_exit *)run->event->col)->reason;
	const struct vmx_caps *const caps = &run->model->shown;
	const char *text = NULL;
	struct finding *finding;
	unsigned level, bad = 0;
	struct walk walk;

	if ((reason != EXIT_EPT_VIOLATION && reason != EXIT_EPT_MISCONFIGURATION) ||
	    (caps->known & CAPS_KNOWN) != CAPS_KNOWN || !take_walk(run->event, &walk))
		return;
	for (level = LEVELS; level >= walk.last && !text; level--) {
		text = misconfiguration(caps, level, walk.entry[level]);
		bad = level;
	}
	if ((text != NULL) == (reason == EXIT_EPT_MISCONFIGURATION))
		return;
	finding = finding_add(run->findings, FINDING_L0_EPT_MISCONFIG, reason << 8 | bad);
	if (!finding)
		return;
	if (text)
		finding_title(finding,
			      "L1 got an EPT violation; the entry of level %u is misconfigured: %s",
			      bad, text);
	else
		finding_title(finding, "L1 got an EPT misconfiguration, and no entry has any");
	finding_evidence(finding, &run->place);
	for (level = LEVELS; level >= walk.last; level--)
		finding_note(finding, "EPT12 entry of level %u = 0x%llx", level,
			     (unsigned long long)walk.entry[level]);
	finding_explain(finding,
			"L1 takes one for a missing page and the other for its own mark, of "
			"MMIO for example: it handles the wrong one, again and again.");
	finding_next(finding, "check each present entry on the way before the rights");
}

/* --- EPT02 ------------------------------------------------------------------------------------ */

/* Where EPT12 leads @gpa2 to, and with which rights; false where it does not map it. */
static bool compose(const struct walk *walk, u64 gpa2, u64 *gpa1, u64 *rights)
{
	*rights = EPT_RIGHTS;
	for (unsigned level = LEVELS; level >= walk->last; level--)
		*rights &= walk->entry[level];
	if (!is_leaf(walk->last, walk->entry[walk->last]))
		return false;
	*gpa1 = (walk->entry[walk->last] & EPT_ADDRESS & ~(page_size(walk->last) - 1)) |
		(gpa2 & (page_size(walk->last) - 1));
	return *rights;
}

static bool find_level(const struct trace_event *event, u32 first, unsigned *level, u64 *entry)
{
	for (*level = LEVELS; *level; --*level)
		if (l0_item(event, first + *level, entry))
			return true;
	return false;
}

static void report(const struct rule_run *run, const struct l0_raw *raw, const struct walk *walk,
		   u64 entry02, const char *text, u64 is, u64 should)
{
	struct finding *const finding = finding_add(run->findings, FINDING_L0_EPT02_MISMATCH,
						    (u64)text[0] << 8 | walk->last);

	if (!finding)
		return;
	finding_title(finding,
		      "EPT02 maps guest-physical 0x%llx %s 0x%llx; EPT12 and EPT01 say "
		      "0x%llx",
		      (unsigned long long)raw->exit.gpa2, text, (unsigned long long)is,
		      (unsigned long long)should);
	finding_evidence(finding, &raw->place);
	finding_evidence(finding, &run->place);
	for (unsigned level = LEVELS; level >= walk->last; level--)
		finding_note(finding, "EPT12 entry of level %u = 0x%llx", level,
			     (unsigned long long)walk->entry[level]);
	finding_note(finding, "EPT02 entry = 0x%llx", (unsigned long long)entry02);
	finding_explain(finding,
			"L2 reaches memory that is not its own, or in a way that L1 forbids.");
	finding_next(finding, "AND the rights of all levels, and take the offset from the "
			      "guest-physical address");
}

static void on_mapped(const struct rule_run *run, const struct l0_raw *raw)
{
	u64 entry02, entry01, gpa1, rights, is, should;
	unsigned level02, level01;
	struct walk walk;

	if (!take_walk(run->event, &walk) || !compose(&walk, raw->exit.gpa2, &gpa1, &rights) ||
	    !find_level(run->event, ITEM_EPT02, &level02, &entry02))
		return;
	if (entry02 & EPT_RIGHTS & ~rights)
		report(run, raw, &walk, entry02, "with rights", entry02 & EPT_RIGHTS, rights);
	if (!find_level(run->event, ITEM_EPT01, &level01, &entry01))
		return;
	is = (entry02 & EPT_ADDRESS & ~(page_size(level02) - 1)) |
	     (raw->exit.gpa2 & (page_size(level02) - 1));
	should = (entry01 & EPT_ADDRESS & ~(page_size(level01) - 1)) |
		 (gpa1 & (page_size(level01) - 1));
	if (is != should)
		report(run, raw, &walk, entry02, "to", is, should);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct l0_raw *const raw = &state->raw[run->event->cpu];

	if (run->event->kind == EV_L0_EXIT) {
		l0_raw_keep(raw, run);
		return;
	}
	if (run->event->kind == EV_L2_EXIT)
		on_exit(run);
	else if (l0_is_resumed(run->event) && l0_raw_is(raw))
		on_mapped(run, raw);
	raw->place.kind = 0;
}

const struct rule rule_l0_ept = {
	.kinds = RULE_KIND(L2_EXIT) | RULE_KIND(L0_EXIT) | RULE_KIND(L0_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
