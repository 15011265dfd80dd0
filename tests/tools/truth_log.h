/*
 * tests/tools/truth_log.h - the text of tests/guests/l1_truth.c, judged by the model
 */
#ifndef TESTS_TOOLS_TRUTH_LOG_H
#define TESTS_TOOLS_TRUTH_LOG_H

#include "replay/check_table.h"
#include "replay/errata.h"

#define TRUTH_MAX_BASES	      8
#define TRUTH_MAX_WORDS	      64
#define TRUTH_MAX_LISTS	      4
#define TRUTH_MAX_DIFFERENCES 256

/* What entries say about one row, of those where every other row holds. */
struct truth_tally {
	u64 refused, refused_not; /* this row alone fails: the processor refuses, or does not */
	u64 entered, entered_not; /* it passes too: the processor enters, or does not */
};

/* Entries that end as the SDM does not allow, or that the model cannot decide. */
struct truth_difference {
	char key[128]; /* rows that fail or are unknown, and what was observed */
	const struct erratum *erratum;
	u64 count;
	u64 line;    /* the first */
	u16 unknown; /* the row that the model cannot decide; CHECK_COUNT: it decided all */
};

struct truth_log {
	const char *path;
	u64 line, cases, agree, undecided, explained, unexplained;
	struct vmx_caps caps; /* what the guest is shown */
	struct cpu_facts cpu;
	u64 region, cr3, cr4, cr3_32;
	u64 base[TRUTH_MAX_BASES][VMCS_FIELD_COUNT];
	unsigned at_base;
	struct truth_word {
		u64 address, value;
		unsigned size;
	} words[TRUTH_MAX_WORDS], peeks[TRUTH_MAX_WORDS]; /* peeks hold for one case */
	struct truth_list {				  /* an MSR list of @count same entries */
		u64 address, count, index, value;
	} lists[TRUTH_MAX_LISTS];
	unsigned word_count, list_count, peek_count;
	struct truth_tally tally[CHECK_COUNT];
	struct truth_difference differences[TRUTH_MAX_DIFFERENCES];
	unsigned difference_count;
	bool ended;
};

/*
 * Reads and judges the text at @path into @log, which is all zero. @processor is the log of the
 * bare processor below, NULL when this is one; @between that of a hypervisor between it and this
 * one, NULL when there is none. Ends the program with status 2 when the text cannot be read.
 */
void truth_log_read(struct truth_log *log, const char *path, const struct truth_log *processor,
		    const struct truth_log *between);

/* Whether rows of its stage decide about entries; the others are about exits. */
bool truth_row_counts(unsigned id);

#endif
