#include "replay/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "replay/reader.h"
#include "replay/rule.h"

#define KINDS 64 /* that rules can ask for */

/* What rules ask for beside the kind, a bit each. */
enum trait { TRAIT_FAILS = 1, TRAIT_DIVERGES = 2, TRAITS = 4 };

static const struct rule *const rules[] = {
#define RULE(name) &rule_##name,
#include "replay/rules.def"
#undef RULE
};

struct check {
	struct model *model;
	struct judge *judge;
	struct findings findings;
	const char *tape;
	void *states[ARRAY_SIZE(rules)];
	bool failed[MODEL_MAX_CPUS]; /* the last instruction of the CPU */
	/* The rules that want an event of a kind, by enum trait of the event. */
	struct wanted {
		struct call {
			void (*event)(const struct rule_run *run, void *state); /* NULL: the end */
			void *state;
		} by[ARRAY_SIZE(rules) + 1];
	} wanted[TRAITS][KINDS];
};

const char *rule_position(const struct model_place *place)
{
	static char texts[4][40];
	static unsigned turn;
	char *const text = texts[turn++ % ARRAY_SIZE(texts)];

	snprintf(text, sizeof(texts[0]), "@c%u:%llu", place->cpu, (unsigned long long)place->seq);
	return text;
}

static bool wants(const struct rule *rule, unsigned traits, unsigned kind)
{
	const u64 kinds = rule->kinds | (traits & TRAIT_FAILS ? rule->failing : 0) |
			  (traits & TRAIT_DIVERGES ? rule->diverging : 0);

	return kinds >> kind & 1;
}

static void make_wanted(struct check *check, unsigned traits, unsigned kind)
{
	struct call *by = check->wanted[traits][kind].by;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (wants(rules[i], traits, kind))
			*by++ = (struct call){ rules[i]->event, check->states[i] };
}

struct check *check_new(const char *tape)
{
	struct check *const check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->tape = tape;
	check->model = model_new();
	check->judge = judge_new();
	if (!check->model || !check->judge) {
		check_free(check);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		check->states[i] = calloc(1, MAX(rules[i]->state_size, (size_t)1));
		if (!check->states[i]) {
			check_free(check);
			return NULL;
		}
	}
	for (unsigned traits = 0; traits < TRAITS; traits++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			make_wanted(check, traits, kind);
	return check;
}

void check_free(struct check *check)
{
	if (!check)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		free(check->states[i]);
	findings_free(&check->findings);
	judge_free(check->judge);
	model_free(check->model);
	free(check);
}

/* Whether @event is an instruction that fails, or follows one that did. */
static bool fails(struct check *check, const struct trace_event *event)
{
	bool *const failed = &check->failed[event->cpu];
	const bool before = *failed;

	if (!trace_event_is_insn(event))
		return false;
	*failed = ((const struct ev_insn *)event->col)->outcome != OUTCOME_SUCCEED;
	return before || *failed;
}

static const struct wanted *wanted_by(struct check *check, const struct trace_event *event,
				      const struct judgement *judged)
{
	const unsigned traits = (fails(check, event) ? TRAIT_FAILS : 0) |
				(judgement_diverges(judged) ? TRAIT_DIVERGES : 0);

	return &check->wanted[traits][event->kind];
}

enum status check_event(struct check *check, const struct trace_event *event, u64 n)
{
	struct rule_run run = {
		.model = check->model,
		.event = event,
		.place = model_place_of(event, n),
		.findings = &check->findings,
		.tape = check->tape,
	};
	const struct wanted *wanted;

	if (event->cpu >= MODEL_MAX_CPUS)
		return ST_OK;
	run.judged = judge_event(check->judge, check->model, event, &run.place);
	if (!run.judged)
		return ST_NO_MEMORY;
	run.verdict = (enum verdict)run.judged->verdict;
	if (event->kind < KINDS) {
		wanted = wanted_by(check, event, run.judged);
		for (const struct call *by = wanted->by; by->event; by++)
			by->event(&run, by->state);
	}
	if (check->findings.no_memory)
		return ST_NO_MEMORY;
	return model_step(check->model, event, n);
}

/* An event before those to be checked: only the model takes it. */
static enum status follow(struct check *check, const struct trace_event *event, u64 n)
{
	if (!judge_follow(check->judge, event, n))
		return ST_NO_MEMORY;
	return model_step(check->model, event, n);
}

void check_end(struct check *check)
{
	const struct rule_run run = {
		.model = check->model,
		.findings = &check->findings,
		.tape = check->tape,
	};

	judge_end(check->judge);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i]->end)
			rules[i]->end(&run, check->states[i]);
}

enum status check_tape(struct check *check, struct reader *reader, u64 first, u64 end)
{
	const struct trace_event *event;
	enum status status = reader_seek(reader, 0);

	while (status == ST_OK) {
		const u64 n = reader_tell(reader);

		if (n >= end || reader_next(reader, &event) != ST_OK)
			break;
		status = n < first ? follow(check, event, n) : check_event(check, event, n);
	}
	if (status == ST_OK && end == reader_info(reader)->events)
		check_end(check);
	return status == ST_RANGE ? ST_OK : status;
}

const struct findings *check_findings(const struct check *check)
{
	return &check->findings;
}

const struct model *check_model(const struct check *check)
{
	return check->model;
}

const struct judge_counts *check_counts(const struct check *check)
{
	return judge_counts(check->judge);
}
