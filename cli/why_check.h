/*
 * cli/why_check.h - what why and whatif print about checks of VM entry
 */
#ifndef CLI_WHY_CHECK_H
#define CLI_WHY_CHECK_H

#include "replay/history.h"
#include "replay/why.h"

#define WHY_MAX_WRITERS 512

/* Where these come from. */
struct why_print {
	struct timeline *timeline;
	struct reader *reader; /* of the timeline */
	const struct why *why;
	bool json;
	/* The bad bits and who made them so, by why_find_evidence(); none: not asked for. */
	struct history_question writers[WHY_MAX_WRITERS];
	unsigned writer_count;
};

/* Finds who made so the bad bits of the rows that fail by @verdicts. ST_NO_MEMORY. */
enum status why_find_evidence(struct why_print *print, const u8 verdicts[CHECK_COUNT]);

/* A failing row: what it demands, the bad bits, who demands it, who wrote them. */
void why_print_check(const struct why_print *print, enum check_id id);

/* A row that the tape does not decide, and what it lacks. */
void why_print_unknown(const struct why_print *print, enum check_id id);

/* "VMfailValid(7)" or, of several, "VMfailValid(7) or VMsucceed"; into @text of @size bytes. */
char *why_legal_text(const struct legal_set *set, char *text, size_t size);

/* "agree", "diverge", "unknown". */
const char *why_verdict_name(enum legal_verdict verdict);

#endif
