/*
 * replay/check_table.h - the checks of VM entry (vmx/checks.def), judged on what is known
 *
 * Every row of the table is a predicate over a VMCS and the state of L1 around it. Values are known
 * bit by bit; no verdict but CHECK_UNKNOWN rests on an unknown bit, and where few bits are unknown
 * it is given only if they could make a difference. Written from the SDM alone.
 *
 * replay/entry_outcome.h makes of the verdicts what a VMLAUNCH or VMRESUME may end with.
 */
#ifndef REPLAY_CHECK_TABLE_H
#define REPLAY_CHECK_TABLE_H

#include "base/base.h"
#include "replay/cpu_facts.h"
#include "replay/tri.h"
#include "vmx/caps.h"

/* --- The table -------------------------------------------------------------------------------- */

enum check_id {
#define SECTION(...)
#define CHECK(ID, ...) CHECK_##ID,
#include "vmx/checks.def"
#undef CHECK
#undef SECTION
	CHECK_COUNT
};

enum check_stage {
	CHECK_STAGE_BASIC,
	CHECK_STAGE_CONTROL,
	CHECK_STAGE_HOST,
	CHECK_STAGE_GUEST,
	CHECK_STAGE_MSR_LOAD,
	CHECK_STAGE_MSR_STORE,
	CHECK_STAGE_MSR_HOST,
	CHECK_STAGE_COUNT
};

enum check_level {
	CHECK_MUST,
	CHECK_MAY, /* a processor may also let it pass */
};

#define CHECK_SET_WORDS ((CHECK_COUNT + 63) / 64)

/* A set of rows, a bit each. */
struct check_set {
	u64 bits[CHECK_SET_WORDS];
};

static inline void check_set_add(struct check_set *set, unsigned int id)
{
	set->bits[id / 64] |= BIT(id % 64);
}

/* @id is in @set from now on, or not. */
static inline void check_set_put(struct check_set *set, unsigned int id, bool in)
{
	set->bits[id / 64] = (set->bits[id / 64] & ~BIT(id % 64)) | (u64)in << id % 64;
}

static inline bool check_set_has(const struct check_set *set, unsigned int id)
{
	return set->bits[id / 64] >> id % 64 & 1;
}

static inline void check_set_unite(struct check_set *set, const struct check_set *more)
{
	for (unsigned int i = 0; i < CHECK_SET_WORDS; i++)
		set->bits[i] |= more->bits[i];
}

/* Removes the first row of @set and returns it; CHECK_COUNT when there is none. */
static inline enum check_id check_set_take(struct check_set *set)
{
	for (unsigned int i = 0; i < CHECK_SET_WORDS; i++) {
		const u64 left = set->bits[i];

		if (!left)
			continue;
		set->bits[i] = left & (left - 1);
		return (enum check_id)(64 * i + (unsigned int)__builtin_ctzll(left));
	}
	return CHECK_COUNT;
}

/* What a predicate looks at: an enum vmcs_index, or one of these plus a number. */
enum check_what {
	CHECK_WHAT_CAP = 0x100,	   /* enum vmx_cap */
	CHECK_WHAT_STATE = 0x200,  /* enum check_state */
	CHECK_WHAT_CPU = 0x300,	   /* facts of CPUID */
	CHECK_WHAT_MEMORY = 0x301, /* memory of L1 */
	CHECK_WHAT_COUNT = 0x302,
	CHECK_WHAT_NONE = 0xffff,
};

/* Of fields the bits of @mask alone, where the rule looks at few. */
struct check_read {
	u16 what; /* enum check_what */
	u64 mask;
};

struct check_row {
	const char *id;
	const char *text;		/* what must hold */
	const char *sources;		/* letters explained in vmx/checks.def */
	const struct check_read *reads; /* ended by CHECK_WHAT_NONE */
	u8 section;			/* for check_section() and check_stage() */
	u8 level;			/* enum check_level */
	u8 detail;			/* as in vmx/checks.def */
};

extern const struct check_row check_rows[CHECK_COUNT];

/* Title of the SDM's section, and when the check is made. */
const char *check_section(enum check_id id);
enum check_stage check_stage(enum check_id id);

/* Whether a source confirms the row, so that it may be the reason of an error. */
bool check_confirmed(enum check_id id);

/* The row of that id, in upper or lower case; CHECK_COUNT when there is none. */
enum check_id check_id_of(const char *id);

/* --- What is judged --------------------------------------------------------------------------- */

/* State of L1 that entries depend on, each a struct word: all zero is unknown. */
enum check_state {
	CHECK_STATE_CURRENT,  /* current-VMCS pointer, all ones: none */
	CHECK_STATE_REVISION, /* bytes 0-3 of the region it names */
	CHECK_STATE_LAUNCH,   /* CHECK_LAUNCHED, CHECK_RESUME */
	CHECK_STATE_MODE,     /* bits of trace/mode.def, before the instruction */
	CHECK_STATE_CR3,
	CHECK_STATE_CR4,
	CHECK_STATE_RTIT_CTL,
	CHECK_STATE_COUNT
};

#define CHECK_LAUNCHED BIT(0) /* the launch state is launched, not clear */
#define CHECK_RESUME   BIT(1) /* the instruction is VMRESUME, not VMLAUNCH */

/*
 * @size (1, 4 or 8) bytes of L1's physical memory at the time of the entry; unknown bits allowed.
 */
typedef struct word (*check_memory)(void *context, u64 gpa, unsigned int size);

struct check_input {
	const struct vmx_caps *caps; /* what L1 is shown */
	const struct cpu_facts *cpu; /* what CPUID shows to L1 */
	const u64 *value;	     /* of the current VMCS, by enum vmcs_index */
	const u64 *known;	     /* the bits of @value that are known */
	struct word state[CHECK_STATE_COUNT];
	check_memory memory; /* NULL: all of it is unknown */
	void *context;	     /* for @memory */
};

/* --- Verdicts --------------------------------------------------------------------------------- */

enum check_verdict {
	CHECK_PASS,
	CHECK_FAIL,
	CHECK_UNKNOWN,
	CHECK_NOT_APPLICABLE, /* the control or state that the rule is about is not there */
};

enum check_role {
	CHECK_BAD,     /* bits of @mask are not @want */
	CHECK_BECAUSE, /* the rule applies since bits of @mask are @want */
	CHECK_MISSING, /* the verdict would need bits of @mask */
};

struct check_item {
	u16 what; /* enum check_what */
	u8 role;  /* enum check_role */
	u8 cap;	  /* enum vmx_cap that demands @want, or CHECK_NO_CAP */
	u64 mask;
	u64 want;     /* CHECK_BAD: one way to satisfy the rule; there may be others */
	u64 cap_mask; /* the bits of the capability MSR that demand it */
};

#define CHECK_NO_CAP	0xff
#define CHECK_MAX_ITEMS 24

struct check_result {
	u8 verdict; /* enum check_verdict */
	u8 count;   /* more items than CHECK_MAX_ITEMS are dropped */
	struct check_item item[CHECK_MAX_ITEMS];
};

/*
 * Judges one row. The rows of MSR lists are judged over the whole list, and fail when one entry
 * fails.
 *
 * @result  what the verdict rests on; may be NULL
 */
enum check_verdict check_run(const struct check_input *input, enum check_id id,
			     struct check_result *result);

/* Judges all rows, those of MSR lists at VM exits as well. */
void check_run_all(const struct check_input *input, u8 verdicts[CHECK_COUNT]);

/* Judges entry @number, counted from 1, of the MSR list that @id is about. */
enum check_verdict check_run_entry(const struct check_input *input, enum check_id id, u32 number,
				   struct check_result *result);

/*
 * Whether row @id fails for entries of its list alone whose MSR the processor does not have: by
 * what CPUID tells, or because it is @lacking.
 */
bool check_list_fails_by_absence(const struct check_input *input, enum check_id id, u32 lacking);

/* Whether @eptp would pass the checks of VM entry on the EPT pointer. */
enum tri check_eptp(const struct vmx_caps *caps, const struct cpu_facts *cpu, struct word eptp);

/* Number of entries of the list of @stage. */
struct word check_list_size(const struct check_input *input, enum check_stage stage);

/* Like check_run(), and marks in @reads, a byte per enum check_what, what was looked at. */
enum check_verdict check_run_traced(const struct check_input *input, enum check_id id,
				    struct check_result *result, u8 reads[CHECK_WHAT_COUNT]);

#endif
