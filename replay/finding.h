/*
 * replay/finding.h - what is wrong on a tape, with its evidence
 *
 * A finding is of a row of findings.def and a key that its rule chooses: what is found again with
 * the same key is the same finding and only counted. Every text is for people: sentences without a
 * full stop at the end of a title, values decoded and in hexadecimal.
 */
#ifndef REPLAY_FINDING_H
#define REPLAY_FINDING_H

#include "replay/model.h"

#define FINDING_MAX_EVIDENCE 8
#define FINDINGS_MAX	     1000 /* different ones; more are only counted */

enum finding_id {
#define FINDING(NAME, ...) FINDING_##NAME,
#include "replay/findings.def"
#undef FINDING
	FINDING_COUNT
};

enum finding_severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };
enum finding_fault { FAULT_L1, FAULT_L0, FAULT_NOBODY };
enum finding_confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };

struct finding_row {
	const char *rule;
	const char *section;
	const char *summary;
	u8 severity; /* enum finding_severity */
	u8 fault;    /* enum finding_fault */
};

extern const struct finding_row finding_rows[FINDING_COUNT];

struct finding {
	enum finding_id id;
	u64 key;
	u64 count;     /* how often it was found */
	u8 severity;   /* of its row, until the rule changes it */
	u8 confidence; /* enum finding_confidence, high until the rule changes it */
	unsigned evidence_count;
	struct model_place evidence[FINDING_MAX_EVIDENCE];
	/* Owned by the finding; NULL: there is none. */
	char *title;	   /* what happened, with the values */
	char *note;	   /* what stands beside the evidence; may have several lines */
	char *explanation; /* what it does */
	char *next;	   /* what to do */
	char *unknown;	   /* what the tape does not tell */
};

struct findings {
	struct finding *list[FINDINGS_MAX]; /* in the order found */
	unsigned count;
	u64 dropped; /* found when the list was full */
	bool no_memory;
};

/*
 * Note that @id was found. A new finding for the caller to fill, with its severity, fault and
 * confidence set, or NULL: it was there already, or there is no room. The findings own it.
 */
struct finding *finding_add(struct findings *findings, enum finding_id id, u64 key);

/* The finding of that key, NULL when there is none. */
struct finding *finding_find(const struct findings *findings, enum finding_id id, u64 key);

/* More evidence; nothing when @place is nowhere or there already, or the finding has enough. */
void finding_evidence(struct finding *finding, const struct model_place *place);

/* Set one of the texts; finding_note() adds a line. */
void finding_title(struct finding *finding, const char *format, ...) printf_like(2, 3);
void finding_note(struct finding *finding, const char *format, ...) printf_like(2, 3);
void finding_explain(struct finding *finding, const char *format, ...) printf_like(2, 3);
void finding_next(struct finding *finding, const char *format, ...) printf_like(2, 3);
void finding_unknown(struct finding *finding, const char *format, ...) printf_like(2, 3);

void findings_free(struct findings *findings);

/* "note", "high", "L1" ... */
const char *finding_severity_name(unsigned severity);
const char *finding_confidence_name(unsigned confidence);
const char *finding_fault_name(unsigned fault);

#endif
