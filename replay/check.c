#include "replay/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "replay/reader.h"
#include "replay/rule.h"

#define KINDS 64 /* that rules can ask for */

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
	/* Numbers of the rules for events of a kind: those that agree, those that do not. */
	struct wanted {
		u8 count;
		u8 rule[ARRAY_SIZE(rules)];
	} wanted[2][KINDS];
};

const char *rule_position(const struct model_place *place)
{
	static char texts[4][40];
	static unsigned turn;
	char *const text = texts[turn++ % ARRAY_SIZE(texts)];

	snprintf(text, sizeof(texts[0]), "@c%u:%llu", place->cpu, (unsigned long long)place->seq);
	return text;
}

static void want(struct wanted *wanted, size_t rule)
{
	wanted->rule[wanted->count++] = (u8)rule;
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
		for (unsigned kind = 0; kind < KINDS; kind++) {
			if (!(rules[i]->kinds >> kind & 1))
				continue;
			want(&check->wanted[true][kind], i);
			if (!rules[i]->diverging)
				want(&check->wanted[false][kind], i);
		}
	}
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

enum status check_event(struct check *check, const struct trace_event *event, u64 n)
{
	struct rule_run run = {
		.model = check->model,
		.event = event,
		.findings = &check->findings,
		.tape = check->tape,
	};
	const struct wanted *wanted;

	if (event->cpu >= MODEL_MAX_CPUS)
		return ST_OK;
	run.judged = judge_event(check->judge, check->model, event, n);
	if (!run.judged)
		return ST_NO_MEMORY;
	run.verdict = (enum verdict)run.judged->verdict;
	if (event->kind < KINDS) {
		wanted = &check->wanted[judgement_diverges(run.judged)][event->kind];
		if (wanted->count)
			run.place = model_place_of(event, n);
		for (unsigned i = 0; i < wanted->count; i++)
			rules[wanted->rule[i]]->event(&run, check->states[wanted->rule[i]]);
	}
	if (check->findings.no_memory)
		return ST_NO_MEMORY;
	return model_step(check->model, event, n);
}

enum status check_follow(struct check *check, const struct trace_event *event, u64 n)
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
		status = n < first ? check_follow(check, event, n) : check_event(check, event, n);
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
