/*
 * tests/tools/truth.c - judges the VM entries that tests/guests/l1_truth.c made, on one or more
 * processors
 *
 * usage: truth [-v] LOG...
 *
 * The first LOG is the text of the guest on a bare processor, further ones that on hypervisors that
 * run on that processor. For every row of vmx/checks.def it counts the
 * entries of which this row alone fails, and those that pass it with all others, and how each
 * processor let them end. Entries that end otherwise than the SDM allows are listed by the rows
 * that fail and the outcome, with the erratum that explains them.
 *
 * Exit status: 0 every difference is explained, 1 some are not, 2 a log cannot be read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/check_memo.h"
#include "replay/entry_outcome.h"
#include "replay/errata.h"
#include "trace/event.h"

#define MAX_LOGS	4
#define MAX_BASES	8
#define MAX_WORDS	64
#define MAX_DIFFERENCES 256
#define LINE		4096

struct tally {
	u64 refused, refused_not; /* this row alone fails: the processor refuses, or does not */
	u64 entered, entered_not; /* it passes with all others: the processor enters, or does not */
};

struct difference {
	char key[96]; /* failing rows, and what was observed */
	const struct erratum *erratum;
	u64 count;
	u64 line; /* the first */
};

struct log {
	const char *path;
	u64 line, cases, agree, unknown, explained, unexplained;
	struct vmx_caps caps;
	struct cpu_facts cpu;
	u64 region, cr3, cr4;
	u64 base[MAX_BASES][VMCS_FIELD_COUNT];
	unsigned at_base;
	struct word_at {
		u64 address, value;
		unsigned size;
	} words[MAX_WORDS];
	unsigned word_count;
	struct tally tally[CHECK_COUNT];
	struct difference differences[MAX_DIFFERENCES];
	unsigned difference_count;
	bool ended;
};

static struct check_plan plan;
static struct check_memo memo;
static const struct vmx_caps *processor; /* of the first log; the others are of hypervisors on it */

static _Noreturn void bad(const struct log *log, const char *what)
{
	fprintf(stderr, "truth: %s:%" PRIu64 ": %s\n", log->path, (uint64_t)log->line, what);
	exit(2);
}

/* --- What the entries rest on ----------------------------------------------------------------- */

static u64 take(struct log *log, char **at)
{
	char *end;
	const u64 value = strtoull(*at, &end, 16);

	if (end == *at)
		bad(log, "a number is missing");
	*at = end;
	return value;
}

static void take_cap(struct log *log, char *at)
{
	const u32 msr = (u32)take(log, &at);

	vmx_caps_set(&log->caps, msr, take(log, &at));
}

static void take_cpuid(struct log *log, char *at)
{
	u64 r[6];

	for (unsigned i = 0; i < ARRAY_SIZE(r); i++)
		r[i] = take(log, &at);
	cpu_facts_add(&log->cpu, (u32)r[0], (u32)r[1], r[2] | r[3] << 32, r[4] | r[5] << 32);
	if (r[0] == 0x80000008) {
		log->caps.maxphyaddr = (u8)BITS(r[2], 7, 0);
		log->caps.linear_width = (u8)BITS(r[2], 15, 8);
	}
}

static void take_memory(struct log *log, char *at)
{
	struct word_at *const word = &log->words[log->word_count];

	if (log->word_count == MAX_WORDS)
		bad(log, "too many words of memory");
	log->word_count++;
	word->address = take(log, &at);
	word->size = (unsigned)take(log, &at);
	word->value = take(log, &at);
}

static void take_field(struct log *log, char *at)
{
	const int index = vmcs_field_index((u32)take(log, &at));

	if (index < 0)
		bad(log, "no such field");
	log->base[log->at_base][index] = take(log, &at);
}

static struct word memory(void *context, u64 gpa, unsigned int size)
{
	const struct log *const log = context;

	for (unsigned i = 0; i < log->word_count; i++)
		if (log->words[i].address == gpa && log->words[i].size == size)
			return word_of(log->words[i].value);
	return (struct word){ 0 };
}

/* --- One case --------------------------------------------------------------------------------- */

struct entry {
	struct check_input input;
	u64 value[VMCS_FIELD_COUNT];
	u64 known[VMCS_FIELD_COUNT];
	struct legal observed;
};

static void observe(struct log *log, struct entry *entry, char *at)
{
	entry->observed = legal_succeed();
	if (!strncmp(at, "ok ", 3))
		return;
	if (*at == 'i') {
		entry->observed.kind = LEGAL_FAIL_INVALID;
	} else if (*at == 'v') {
		at++;
		entry->observed.kind = LEGAL_FAIL_VALID;
		entry->observed.number = (u16)take(log, &at);
	} else if (*at == 'x') {
		unsigned reason;
		u64 qualification;

		at++;
		reason = (unsigned)take(log, &at);
		qualification = take(log, &at);
		entry->observed = legal_failure(reason, qualification, qualification);
	} else {
		bad(log, "no outcome");
	}
}

static void read_case(struct log *log, struct entry *entry, char *at)
{
	const u64 base = take(log, &at), insn = take(log, &at);

	if (base >= MAX_BASES)
		bad(log, "no such base");
	memcpy(entry->value, log->base[base], sizeof(entry->value));
	memset(entry->known, 0xff, sizeof(entry->known));
	while (*at == ' ') {
		char *const equals = strchr(at + 1, '=');
		char *const space = strchr(at + 1, ' ');
		int index;

		if (!equals || (space && space < equals))
			break;
		index = vmcs_field_index((u32)take(log, &at));
		if (index < 0 || *at != '=')
			bad(log, "no such move");
		at++;
		entry->value[index] = take(log, &at);
	}
	observe(log, entry, at + 1);
	entry->input = (struct check_input){
		.caps = &log->caps,
		.cpu = &log->cpu,
		.value = entry->value,
		.known = entry->known,
		.state = { [CHECK_STATE_CURRENT] = word_of(log->region),
			   [CHECK_STATE_REVISION] = word_partly(0, BIT(31)),
			   [CHECK_STATE_LAUNCH] = word_of((insn & 1 ? CHECK_LAUNCHED : 0) |
							  (insn & 2 ? CHECK_RESUME : 0)),
			   [CHECK_STATE_MODE] =
				   word_of(BIT(MODE_PE) | BIT(MODE_LMA) | BIT(MODE_CS_L) |
					   BIT(MODE_VMXE) | BIT(MODE_VMX_ROOT) | BIT(MODE_PG)),
			   [CHECK_STATE_CR3] = word_of(log->cr3),
			   [CHECK_STATE_CR4] = word_of(log->cr4) },
		.memory = memory,
		.context = log,
	};
}

/* --- Judging ---------------------------------------------------------------------------------- */

static bool counts(unsigned id)
{
	return check_stage((enum check_id)id) < CHECK_STAGE_MSR_STORE;
}

/* How many rows that must hold do not, and one of them. */
static unsigned failing(unsigned *one)
{
	unsigned count = 0;

	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (counts(id) && memo.verdict[id] == CHECK_FAIL &&
		    check_rows[id].level == CHECK_MUST) {
			*one = id;
			count++;
		}
	return count;
}

static void tally(struct log *log, bool entered)
{
	unsigned one = 0;

	switch (failing(&one)) {
	case 0:
		for (unsigned id = 0; id < CHECK_COUNT; id++)
			if (memo.verdict[id] == CHECK_PASS) {
				log->tally[id].entered += entered;
				log->tally[id].entered_not += !entered;
			}
		break;
	case 1:
		log->tally[one].refused += !entered;
		log->tally[one].refused_not += entered;
		break;
	default:
		break;
	}
}

static void note(struct log *log, const struct entry *entry)
{
	const struct erratum *const erratum =
		errata_explain_entry(errata_platforms_of(processor, &log->caps), &entry->input,
				     memo.verdict, &entry->observed);
	struct difference *difference = log->differences;
	char key[96] = "", text[64];
	unsigned i = 0;

	*(erratum ? &log->explained : &log->unexplained) += 1;
	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (counts(id) && memo.verdict[id] == CHECK_FAIL &&
		    strlen(key) + strlen(check_rows[id].id) < 60)
			strcat(strcat(key, check_rows[id].id), " ");
	strcat(strcat(key, "-> "), legal_text(&entry->observed, text, sizeof(text)));
	while (i < log->difference_count &&
	       (strcmp(difference->key, key) || difference->erratum != erratum))
		difference = &log->differences[++i];
	if (i == MAX_DIFFERENCES)
		return;
	if (i == log->difference_count) {
		*difference = (struct difference){ .erratum = erratum, .line = log->line };
		memcpy(difference->key, key, sizeof(key));
		log->difference_count++;
	}
	difference->count++;
}

static void judge(struct log *log, char *at)
{
	const struct vmcs_set any = vmcs_set_all();
	struct legal_set set;
	struct entry entry;

	read_case(log, &entry, at);
	check_memo_update(&plan, &memo, &entry.input, &any);
	entry_outcome_of(&entry.input, memo.verdict, &set);
	log->cases++;
	tally(log, entry.observed.kind == LEGAL_SUCCEED);
	switch (legal_judge(&set, &entry.observed, NULL)) {
	case LEGAL_AGREE:
		log->agree++;
		break;
	case LEGAL_UNKNOWN:
		log->unknown++;
		break;
	case LEGAL_DIVERGE:
		note(log, &entry);
		break;
	}
}

/* --- Logs ------------------------------------------------------------------------------------- */

static void read_line(struct log *log, char *line)
{
	static const struct {
		const char *word;
		void (*take)(struct log *log, char *at);
	} kinds[] = {
		{ "cap ", take_cap },	  { "cpuid ", take_cpuid }, { "memory ", take_memory },
		{ "field ", take_field }, { "case ", judge },
	};
	char *at = line;

	line[strcspn(line, "\r\n")] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const size_t length = strlen(kinds[i].word);

		if (!strncmp(line, kinds[i].word, length)) {
			/* The blank before a number stays. */
			kinds[i].take(log, line + length - 1);
			return;
		}
	}
	if (!strncmp(line, "l1 ", 3)) {
		at += 2;
		log->region = take(log, &at);
		log->cr3 = take(log, &at);
		log->cr4 = take(log, &at);
	} else if (!strncmp(line, "base ", 5)) {
		at += 4;
		log->at_base = (unsigned)take(log, &at) % MAX_BASES;
	} else if (!strncmp(line, "end ", 4)) {
		at += 3;
		log->ended = take(log, &at) == log->cases;
	}
}

static void read_log(struct log *log, const char *path)
{
	FILE *const file = fopen(path, "r");
	char line[LINE];

	log->path = path;
	if (!file)
		bad(log, "cannot be opened");
	memo.valid = false;
	while (fgets(line, sizeof(line), file)) {
		log->line++;
		read_line(log, line);
	}
	fclose(file);
	if (!log->ended)
		bad(log, "the end is missing");
}

/* --- The table -------------------------------------------------------------------------------- */

static void print_rows(const struct log *logs, unsigned count)
{
	printf("%-28s", "row alone fails / all pass");
	for (unsigned l = 0; l < count; l++)
		printf("  refused entered | entered refused");
	printf("\n");
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (!counts(id))
			continue;
		printf("%-28s", check_rows[id].id);
		for (unsigned l = 0; l < count; l++) {
			const struct tally *const t = &logs[l].tally[id];

			printf("  %7" PRIu64 " %7" PRIu64 " | %7" PRIu64 " %7" PRIu64,
			       (uint64_t)t->refused, (uint64_t)t->refused_not, (uint64_t)t->entered,
			       (uint64_t)t->entered_not);
		}
		printf("\n");
	}
}

static void print_differences(const struct log *log)
{
	printf("\n%s: %" PRIu64 " entries, %" PRIu64 " agree, %" PRIu64 " undecided, %" PRIu64
	       " explained by errata, %" PRIu64 " not explained\n",
	       log->path, (uint64_t)log->cases, (uint64_t)log->agree, (uint64_t)log->unknown,
	       (uint64_t)log->explained, (uint64_t)log->unexplained);
	for (unsigned i = 0; i < log->difference_count; i++) {
		const struct difference *const d = &log->differences[i];

		printf("  %6" PRIu64 "  %-60s  %s, line %" PRIu64 "\n", (uint64_t)d->count, d->key,
		       d->erratum ? d->erratum->id : "NOT EXPLAINED", (uint64_t)d->line);
	}
}

int main(int argc, char **argv)
{
	static struct log logs[MAX_LOGS];
	const bool rows = argc > 1 && !strcmp(argv[1], "-v");
	const int first = rows ? 2 : 1;
	u64 unexplained = 0;

	if (argc <= first || argc - first > MAX_LOGS) {
		fprintf(stderr, "usage: truth [-v] LOG...\n");
		return 2;
	}
	check_plan_init(&plan);
	processor = &logs[0].caps;
	for (int i = first; i < argc; i++)
		read_log(&logs[i - first], argv[i]);
	if (rows)
		print_rows(logs, (unsigned)(argc - first));
	for (int i = first; i < argc; i++) {
		print_differences(&logs[i - first]);
		unexplained += logs[i - first].unexplained;
	}
	return unexplained ? 1 : 0;
}
