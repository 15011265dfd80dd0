/*
 * replay/rule_l0_ept.c - EPT violations, misconfigurations, and what L0 maps in EPT02
 *
 * The entries of EPT12 that L0 consulted are on the tape; the mapping that it made of them, with
 * capture=+l0. SDM, "EPT Translation Mechanism", "EPT-Induced VM Exits".
 */
#include "replay/l0_view.h"
#include "replay/l0_walk.h"

#define EPT_RIGHTS  MASK(2, 0)
#define EPT_ADDRESS MASK(51, 12)
#define CAPS_KNOWN  BIT(VMX_CAP_EPT_VPID_CAP)

struct state {
	struct l0_raw raw[MODEL_MAX_CPUS];
};

static void on_exit(const struct rule_run *run)
{
	const u64 reason = ((const struct ev_l2_exit *)run->event->col)->reason;
	const struct vmx_caps *const caps = &run->model->shown;
	struct finding *finding;
	struct l0_walk walk;
	const char *text;
	unsigned bad;

	if ((reason != EXIT_EPT_VIOLATION && reason != EXIT_EPT_MISCONFIGURATION) ||
	    (caps->known & CAPS_KNOWN) != CAPS_KNOWN || !l0_walk_take(run->event, &walk))
		return;
	text = l0_walk_misconfigured(&walk, caps, &bad);
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
	for (unsigned level = L0_WALK_LEVELS; level >= walk.last; level--)
		finding_note(finding, "EPT12 entry of level %u = 0x%llx", level,
			     (unsigned long long)walk.entry[level]);
	finding_explain(finding,
			"L1 takes one for a missing page and the other for its own mark, of "
			"MMIO for example: it handles the wrong one, again and again.");
	finding_next(finding, "check each present entry on the way before the rights");
}

/* --- EPT02 ------------------------------------------------------------------------------------ */

/* Where EPT12 leads @gpa2 to, and with which rights; false where it does not map it. */
static bool compose(const struct l0_walk *walk, u64 gpa2, u64 *gpa1, u64 *rights)
{
	*rights = EPT_RIGHTS;
	for (unsigned level = L0_WALK_LEVELS; level >= walk->last; level--)
		*rights &= walk->entry[level];
	if (!l0_walk_is_leaf(walk->last, walk->entry[walk->last]))
		return false;
	*gpa1 = (walk->entry[walk->last] & EPT_ADDRESS & ~(l0_walk_page_size(walk->last) - 1)) |
		(gpa2 & (l0_walk_page_size(walk->last) - 1));
	return *rights;
}

static bool find_level(const struct trace_event *event, u32 first, unsigned *level, u64 *entry)
{
	for (*level = L0_WALK_LEVELS; *level; --*level)
		if (l0_item(event, first + *level, entry))
			return true;
	return false;
}

static void report(const struct rule_run *run, const struct l0_raw *raw, const struct l0_walk *walk,
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
	for (unsigned level = L0_WALK_LEVELS; level >= walk->last; level--)
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
	struct l0_walk walk;

	if (!l0_walk_take(run->event, &walk) || !compose(&walk, raw->exit.gpa2, &gpa1, &rights) ||
	    !find_level(run->event, ITEM_EPT02, &level02, &entry02))
		return;
	if (entry02 & EPT_RIGHTS & ~rights)
		report(run, raw, &walk, entry02, "with rights", entry02 & EPT_RIGHTS, rights);
	if (!find_level(run->event, ITEM_EPT01, &level01, &entry01))
		return;
	is = (entry02 & EPT_ADDRESS & ~(l0_walk_page_size(level02) - 1)) |
	     (raw->exit.gpa2 & (l0_walk_page_size(level02) - 1));
	should = (entry01 & EPT_ADDRESS & ~(l0_walk_page_size(level01) - 1)) |
		 (gpa1 & (l0_walk_page_size(level01) - 1));
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
