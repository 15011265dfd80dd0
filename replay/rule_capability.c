/*
 * replay/rule_capability.c - L1 read the VMX capabilities, and prepared no VM entry
 *
 * The suspects are capabilities that the processor has, L1 is not shown, and L1 could see missing
 * in an MSR that it read: those that were taken away on purpose (option caps=), and of those that
 * are always hidden the ones that a known hypervisor insists on. One is named only if it is the
 * only suspect and a known need; else all are listed, those read last first, with the command line
 * that finds out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/caps_hidden.h"
#include "replay/rule.h"

#define MAX_OPTIONS TRACE_MAX_BYTES
#define MAX_NAMES   1024 /* bytes of a list of names */

struct state {
	bool went_on; /* L1 tried a VM entry, or prepared one */
	bool vmxon;
	char options[MAX_OPTIONS];
};

struct suspect {
	const char *name;
	u64 msrs;   /* that L1 read, of those that show it */
	u64 last_n; /* its last read of one of them */
	unsigned last_cap;
	bool requested;
	const char *needed_by; /* NULL: nobody known */
};

struct suspects {
	struct suspect list[CAPS_HIDDEN_MAX];
	unsigned count;
	unsigned likely; /* the first of them are suspects, the others only hidden */
};

static const char *needed_by(const char *name)
{
	static const struct {
		const char *name, *who;
	} needs[] = {
#define NEED(name, who) { #name, who },
#include "replay/known_needs.def"
#undef NEED
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (!strcmp(needs[i].name, name))
			return needs[i].who;
	return NULL;
}

/* Whether option caps= of @options takes @name away. */
static bool is_requested(const char *options, const char *name)
{
	const char *at = strstr(options, "caps=");

	if (!at)
		return false;
	for (at += 5; *at && *at != ' ';) {
		const size_t length = strcspn(at, ", ");

		if (*at == '-' && length == strlen(name) + 1 && !strncmp(at + 1, name, length - 1))
			return true;
		at += length + (at[length] == ',');
	}
	return false;
}

static void add(const struct rule_run *run, const struct state *state, struct suspects *suspects,
		const struct caps_hidden *hidden)
{
	const char *const name = caps_hidden_plain_name(hidden->name);
	struct suspect *suspect = NULL;
	u64 msrs = 0;

	for (unsigned cap = 0; cap < VMX_CAP_COUNT; cap++)
		if (hidden->msrs >> cap & 1 && model_place_is(&run->model->cap_read[cap]))
			msrs |= BIT(cap);
	if (!msrs)
		return;
	for (unsigned i = 0; i < suspects->count; i++)
		if (!strcmp(suspects->list[i].name, name))
			suspect = &suspects->list[i];
	if (!suspect) {
		suspect = &suspects->list[suspects->count++];
		*suspect = (struct suspect){
			.name = name,
			.requested = is_requested(state->options, name) ||
				     is_requested(state->options, hidden->name),
			.needed_by = needed_by(name),
		};
	}
	suspect->msrs |= msrs;
	for (unsigned cap = 0; cap < VMX_CAP_COUNT; cap++)
		if (msrs >> cap & 1 && run->model->cap_read[cap].n >= suspect->last_n) {
			suspect->last_n = run->model->cap_read[cap].n;
			suspect->last_cap = cap;
		}
}

static bool is_likely(const struct suspect *suspect)
{
	return suspect->requested || suspect->needed_by;
}

/* Likely ones first, and among each the one read last. */
static int compare(const void *a, const void *b)
{
	const struct suspect *const left = a, *const right = b;

	if (is_likely(left) != is_likely(right))
		return is_likely(left) ? -1 : 1;
	if (left->last_n != right->last_n)
		return left->last_n > right->last_n ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void gather(const struct rule_run *run, const struct state *state, struct suspects *suspects)
{
	struct caps_hidden hidden[CAPS_HIDDEN_MAX];
	const unsigned count = caps_hidden_list(&run->model->real, &run->model->shown, hidden);

	suspects->count = suspects->likely = 0;
	for (unsigned i = 0; i < count; i++)
		add(run, state, suspects, &hidden[i]);
	qsort(suspects->list, suspects->count, sizeof(suspects->list[0]), compare);
	while (suspects->likely < suspects->count && is_likely(&suspects->list[suspects->likely]))
		suspects->likely++;
}

/* The names from @first up to @end, joined by @between. */
static void join_names(const struct suspects *suspects, unsigned first, unsigned end,
		       const char *between, char names[MAX_NAMES])
{
	size_t length = 0;

	names[0] = 0;
	for (unsigned i = first; i < end && length < MAX_NAMES; i++)
		length += (size_t)snprintf(names + length, MAX_NAMES - length, "%s%s",
					   i > first ? between : "", suspects->list[i].name);
}

static void explain_suspects(const struct rule_run *run, struct finding *finding,
			     const struct suspects *suspects)
{
	char names[MAX_NAMES];

	for (unsigned i = 0; i < suspects->likely; i++) {
		const struct suspect *const suspect = &suspects->list[i];

		finding_evidence(finding, &run->model->cap_read[suspect->last_cap]);
		finding_note(finding, "%s: not in %s, read at %s%s%s%s", suspect->name,
			     vmx_msr_name(MSR_VMX_BASIC + suspect->last_cap),
			     rule_position(&run->model->cap_read[suspect->last_cap]),
			     suspect->requested ? "; taken away by caps=" : "",
			     suspect->needed_by ? "; insisted on by " : "",
			     suspect->needed_by ? suspect->needed_by : "");
	}
	if (suspects->likely == suspects->count)
		return;
	join_names(suspects, suspects->likely, suspects->count, ", ", names);
	finding_note(finding, "hidden too, but no known hypervisor insists on it: %s", names);
}

static const struct model_place *last_read(const struct model *model)
{
	const struct model_place *last = &model->cap_read[0];

	for (unsigned cap = 1; cap < VMX_CAP_COUNT; cap++)
		if (model_place_is(&model->cap_read[cap]) &&
		    (!model_place_is(last) || model->cap_read[cap].n > last->n))
			last = &model->cap_read[cap];
	return last;
}

static void report(const struct rule_run *run, const struct suspects *suspects)
{
	const struct model_place *const last = last_read(run->model);
	const bool one = suspects->likely == 1 && suspects->list[0].needed_by;
	struct finding *const finding = finding_add(run->findings, FINDING_CAPABILITY_REJECTED, 0);
	char names[MAX_NAMES];

	if (!finding)
		return;
	if (one)
		finding_title(finding, "L1 read the VMX capabilities, did not find %s, and gave up",
			      suspects->list[0].name);
	else
		finding_title(
			finding,
			"L1 read the VMX capabilities and gave up; which one it missed is open");
	finding->confidence = one ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW;
	explain_suspects(run, finding, suspects);
	finding_evidence(finding, last);
	finding_note(
		finding,
		"last read of a capability at %s; no VMWRITE, VMLAUNCH or VMRESUME on the tape",
		rule_position(last));
	finding_explain(finding,
			"A hypervisor that misses a capability often ends without a word.");
	finding_unknown(finding, "what L1 did with the values");
	if (one && suspects->list[0].requested) {
		finding_next(finding, "record again without -%s in caps=", suspects->list[0].name);
		return;
	}
	join_names(suspects, 0, suspects->likely ? suspects->likely : suspects->count, ",", names);
	finding_next(finding, "vmxtape bisect --caps %s %s", names, run->tape);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;

	if (run->event->kind == EV_VMXON)
		state->vmxon = true;
	else if (run->event->kind != EV_OPTION)
		state->went_on = true;
	else if (((const struct ev_option *)run->event->col)->what == TEXT_HV_OPTIONS)
		snprintf(state->options, sizeof(state->options), "%.*s",
			 (int)run->event->byte_count, (const char *)run->event->bytes);
}

static void end(const struct rule_run *run, void *memory)
{
	const struct state *const state = memory;
	struct suspects suspects;

	/* What was lost might have been an entry. */
	if (state->went_on || !run->model->from_start)
		return;
	gather(run, state, &suspects);
	/* Who uses VMX and misses nothing that anybody is known to need has other reasons. */
	if (suspects.likely || (suspects.count && !state->vmxon))
		report(run, &suspects);
}

const struct rule rule_capability = {
	.kinds = RULE_KIND(VMXON) | RULE_KIND(VMWRITE) | RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME) |
		 RULE_KIND(OPTION),
	.state_size = sizeof(struct state),
	.event = event,
	.end = end,
};
