/*
 * replay/errata.h - known departures of processors and hypervisors from the SDM (replay/errata.def)
 *
 * They explain divergences and nothing else: what agrees with the SDM is never looked at here.
 */
#ifndef REPLAY_ERRATA_H
#define REPLAY_ERRATA_H

#include "replay/exit_check.h"
#include "replay/legal.h"

enum errata_platform {
#define PLATFORM(NAME, title) PLATFORM_##NAME,
#define ERRATUM(...)
#include "replay/errata.def"
#undef ERRATUM
#undef PLATFORM
	PLATFORM_OTHER
};

enum erratum_id {
#define PLATFORM(...)
#define ERRATUM(ID, ...) ERRATUM_##ID,
#include "replay/errata.def"
#undef ERRATUM
#undef PLATFORM
	ERRATUM_COUNT
};

enum erratum_kind {
	ERRATUM_KIND_LAX,	  /* @what is an enum check_id that is not enforced */
	ERRATUM_KIND_LAX_NULL_SS, /* one that is not enforced for an SS of 64-bit code that is null
				   */
	ERRATUM_KIND_LAX_CODE,	  /* one that is not enforced for code in DS, ES, FS and GS */
	ERRATUM_KIND_LAX_ABSENT,  /* one that is not enforced for MSRs that there are not */
	ERRATUM_KIND_STRICT,	  /* an enum check_id that is enforced too much */
	ERRATUM_KIND_STRICT_CS_RPL, /* one that is enforced for an RPL of CS beside its DPL */
	ERRATUM_KIND_EXIT,	    /* an enum exit_check_id */
	ERRATUM_KIND_FAULT,	    /* an enum trace_kind; a fault was due */
	ERRATUM_KIND_FAIL,	    /* the same, VMfailValid or VMfailInvalid was due */
	ERRATUM_KIND_UNJUDGED,	    /* the same; explains nothing that is judged */
};

struct erratum {
	const char *id; /* in capitals */
	const char *source;
	const char *text;
	u16 what;
	u8 platform; /* enum errata_platform */
	u8 kind;     /* enum erratum_kind */
};

extern const struct erratum errata[ERRATUM_COUNT];

/* "Bochs 2.7" and the like; static, of any number. */
const char *errata_platform_title(enum errata_platform platform);

/*
 * Who judges: L0 emulates the instructions of L1, and checks controls, host state and MSR lists for
 * itself; guest state is checked, and saved, by the processor below it, which also says which MSRs
 * there are.
 */
struct errata_platforms {
	enum errata_platform processor;
	enum errata_platform l0; /* the same when nothing is between L1 and the processor */
};

/* By the capability MSRs of the processor, and those that L1 is shown. */
struct errata_platforms errata_platforms_of(const struct vmx_caps *real,
					    const struct vmx_caps *shown);

/* The row of that id, in upper or lower case; NULL when there is none. */
const struct erratum *erratum_find(const char *id);

/*
 * Why @platforms let an entry end as @observed, where @verdicts on all rows lead to something else:
 * the erratum that explains it alone, or the first of those that do together; NULL when none do.
 */
const struct erratum *errata_explain_entry(struct errata_platforms platforms,
					   const struct check_input *input,
					   const u8 verdicts[CHECK_COUNT],
					   const struct legal *observed);

/*
 * Why row @id does not hold at an exit; why instruction @kind ended otherwise than @expected. NULL:
 * no row.
 */
const struct erratum *errata_explain_exit(struct errata_platforms platforms, enum exit_check_id id);
const struct erratum *errata_explain_insn(struct errata_platforms platforms, u8 kind,
					  const struct legal_set *expected);

#endif
