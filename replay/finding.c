#include "replay/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct finding_row finding_rows[FINDING_COUNT] = {
#define FINDING(NAME, rule, severity, fault, section, summary) \
	[FINDING_##NAME] = { rule, section, summary, SEVERITY_##severity, FAULT_##fault },
#include "replay/findings.def"
#undef FINDING
};

struct finding *finding_find(const struct findings *findings, enum finding_id id, u64 key)
{
	for (unsigned i = 0; i < findings->count; i++)
		if (findings->list[i]->id == id && findings->list[i]->key == key)
			return findings->list[i];
	return NULL;
}

struct finding *finding_add(struct findings *findings, enum finding_id id, u64 key)
{
	struct finding *finding = finding_find(findings, id, key);

	if (finding) {
		finding->count++;
		return NULL;
	}
	if (findings->count == FINDINGS_MAX) {
		findings->dropped++;
		return NULL;
	}
	finding = calloc(1, sizeof(*finding));
	if (!finding) {
		findings->no_memory = true;
		return NULL;
	}
	finding->id = id;
	finding->key = key;
	finding->count = 1;
	finding->severity = finding_rows[id].severity;
	finding->confidence = CONFIDENCE_HIGH;
	findings->list[findings->count++] = finding;
	return finding;
}

void finding_evidence(struct finding *finding, const struct model_place *place)
{
	for (unsigned i = 0; i < finding->evidence_count; i++)
		if (finding->evidence[i].n == place->n)
			return;
	if (model_place_is(place) && finding->evidence_count < FINDING_MAX_EVIDENCE)
		finding->evidence[finding->evidence_count++] = *place;
}

/* A text that cannot be made for lack of memory is left out. */
static void set(char **text, const char *format, va_list args)
{
	free(*text);
	if (vasprintf(text, format, args) < 0)
		*text = NULL;
}

#define SETTER(function, member)                                        \
	void function(struct finding *finding, const char *format, ...) \
	{                                                               \
		va_list args;                                           \
                                                                        \
		va_start(args, format);                                 \
		set(&finding->member, format, args);                    \
		va_end(args);                                           \
	}
SETTER(finding_title, title)
SETTER(finding_explain, explanation)
SETTER(finding_next, next)
SETTER(finding_unknown, unknown)
#undef SETTER

void finding_note(struct finding *finding, const char *format, ...)
{
	char *line = NULL, *both;
	va_list args;

	va_start(args, format);
	set(&line, format, args);
	va_end(args);
	if (!line || !finding->note) {
		finding->note = line ? line : finding->note;
		return;
	}
	if (asprintf(&both, "%s\n%s", finding->note, line) >= 0) {
		free(finding->note);
		finding->note = both;
	}
	free(line);
}

void findings_free(struct findings *findings)
{
	for (unsigned i = 0; i < findings->count; i++) {
		struct finding *const finding = findings->list[i];

		free(finding->title);
		free(finding->note);
		free(finding->explanation);
		free(finding->next);
		free(finding->unknown);
		free(finding);
	}
	findings->count = 0;
}

static const char *pick(const char *const *names, size_t count, unsigned number)
{
	return number < count ? names[number] : "unknown";
}

const char *finding_severity_name(unsigned severity)
{
	static const char *const names[] = { "note", "warning", "error" };

	return pick(names, ARRAY_SIZE(names), severity);
}

const char *finding_confidence_name(unsigned confidence)
{
	static const char *const names[] = { "low", "medium", "high" };

	return pick(names, ARRAY_SIZE(names), confidence);
}

const char *finding_fault_name(unsigned fault)
{
	static const char *const names[] = { "L1", "L0", "nobody" };

	return pick(names, ARRAY_SIZE(names), fault);
}
