/*
 * replay/report.h - findings for people and for programs
 */
#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

#include "replay/event_text.h"
#include "replay/finding.h"

/* What the report needs from outside. Both get @owner. */
struct report_ops {
	/* Takes text, not ended with 0. */
	void (*write)(void *owner, const char *text, size_t length);
	/*
	 * Write the event at @place as event_text() does into @to (EVENT_TEXT_MAX bytes) and return
	 * the byte behind it; @to when it cannot be read any more.
	 */
	char *(*event)(void *owner, const struct model_place *place, char *to);
};

/*
 * Finding @number of its tape, from 1, as a paragraph without an empty line around it, in at most
 * 100 columns.
 */
void report_text(const struct report_ops *ops, void *owner, const struct finding *finding,
		 unsigned number);

/*
 * The same as a JSON object on a line, with the keys schema, finding (its number), rule, severity,
 * fault, title, evidence (positions), notes, expected, explanation, next, unknown, confidence and
 * count. Texts that a finding does not have are null.
 */
void report_json(const struct report_ops *ops, void *owner, const struct finding *finding,
		 unsigned number);

#endif
