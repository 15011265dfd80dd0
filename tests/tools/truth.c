/*
 * tests/tools/truth.c - judges the VM entries that tests/guests/l1_truth.c made, on one or more
 * processors
 *
 * usage: truth [-v | -c | -t] LOG[,LOG]... LOG@N
 *
 * Each argument is a column: the texts of the guest on a bare processor, one a model, then on
 * hypervisors that run on the first model; with @N, on the hypervisor of column N. Entries that end
 * otherwise than the SDM allows, and those that the model cannot decide, are listed by the rows of
 * vmx/checks.def that fail and the outcome, with the erratum that explains them.
 *
 * -v	for every row, too: how many entries there are of which this row alone fails, and that pass
 *	it with all others, and how each column let them end
 * -c	the same, and each row must have 20 on both sides in the first column, or none of its
 *	processors what the row needs (truth_needs.def)
 * -t	nothing but a table of what each column does with each row: "right"; "lax" or "strict", and
 *	the errata that say so; "-" when it was about no entry that broke it alone
 *
 * Exit status: 0 every difference is explained, 1 some are not, or a row has too few, 2 a log
 *cannot be read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/truth_log.h"

#define MAX_COLUMNS 4
#define MAX_LOGS    8
#define ENOUGH	    20

struct column {
	struct truth_log *logs[MAX_LOGS];
	unsigned count;
	struct truth_tally tally[CHECK_COUNT];
};

static struct column columns[MAX_COLUMNS];
static unsigned column_count;

static void add(struct truth_tally *to, const struct truth_tally *from)
{
	to->refused += from->refused;
	to->refused_not += from->refused_not;
	to->entered += from->entered;
	to->entered_not += from->entered_not;
}

/* Cuts @N off; what is between the processor and this one is the first of column N. */
static const struct truth_log *split_between(char *path)
{
	char *const at = strrchr(path, '@');
	const unsigned number = at ? (unsigned)atoi(at + 1) : 0;

	if (!number || number >= column_count)
		return NULL;
	*at = 0;
	return columns[number - 1].logs[0];
}

static bool read_column(struct column *column, char *paths)
{
	for (char *path = strtok(paths, ","); path; path = strtok(NULL, ",")) {
		struct truth_log *const log = calloc(1, sizeof(*log));

		if (!log || column->count == MAX_LOGS)
			return false;
		column->logs[column->count++] = log;
		truth_log_read(log, path, column == columns ? NULL : columns[0].logs[0],
			       split_between(path));
		for (unsigned id = 0; id < CHECK_COUNT; id++)
			add(&column->tally[id], &log->tally[id]);
	}
	return column->count;
}

/* --- What a row needs ------------------------------------------------------------------------- */

enum side { SIDE_REFUSED = 1, SIDE_ACCEPTED = 2, SIDE_BOTH = 3 };
enum need_kind { NEED_ITEM, NEED_CPU, NEED_SMM };

#define CTL(WORD, NAME)	     NEED_ITEM, VMX_ITEM_OF_CTL(WORD, NAME), 0
#define BIT_OF(MSR, NAME)    NEED_ITEM, VMX_ITEM_OF_BIT(MSR, NAME), 0
#define FRED		     NEED_ITEM, VMX_ITEM_OF_CPU(FRED), 0
#define CPU(NAME)	     NEED_CPU, VMX_ITEM_OF_ANY, CPU_FEATURE_##NAME
#define SMM		     NEED_SMM, VMX_ITEM_OF_ANY, 0
#define NEED(ROW, SIDE, ...) { CHECK_##ROW, SIDE_##SIDE, __VA_ARGS__ },

static const struct need {
	u16 row;
	u8 side;
	u8 kind;
	struct vmx_item item;
	u8 feature;
} needs[] = {
#include "tests/tools/truth_needs.def"
};

static const char *title_of_item(const struct vmx_item *item)
{
	for (size_t i = 0; item->kind == VMX_ITEM_CTL && i < VMX_CONTROL_COUNT; i++)
		if (vmx_controls[i].word == item->where && BIT(vmx_controls[i].bit) == item->mask)
			return vmx_controls[i].title;
	for (size_t i = 0; item->kind == VMX_ITEM_BIT && i < VMX_CAPBIT_COUNT; i++)
		if (vmx_capbits[i].cap == item->where &&
		    MASK(vmx_capbits[i].high, vmx_capbits[i].low) == item->mask)
			return vmx_capbits[i].title;
	return "FRED";
}

static const char *title_of(const struct need *need)
{
	static const char *const features[] = {
#define FEATURE(NAME, leaf, subleaf, reg, bit, title) title,
#include "replay/cpu_features.def"
#undef FEATURE
	};

	switch (need->kind) {
	case NEED_CPU:
		return features[need->feature];
	case NEED_SMM:
		return "system-management mode";
	default:
		return title_of_item(&need->item);
	}
}

static bool has(const struct truth_log *log, const struct need *need)
{
	switch (need->kind) {
	case NEED_CPU:
		return cpu_facts_has(&log->cpu, (enum cpu_feature)need->feature) != TRI_NO;
	case NEED_SMM:
		return false;
	default:
		return vmx_caps_has(&log->caps, &need->item);
	}
}

/* Why no processor of @column can have entries on that side; NULL when one could. */
static const char *why_not(const struct column *column, unsigned row, enum side side)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		bool any = false;

		if (needs[i].row != row || !(needs[i].side & side))
			continue;
		for (unsigned l = 0; l < column->count; l++)
			any |= has(column->logs[l], &needs[i]);
		if (!any)
			return title_of(&needs[i]);
	}
	return NULL;
}

/* --- The tables ------------------------------------------------------------------------------- */

static bool print_side(const struct column *column, unsigned row, enum side side, u64 entries)
{
	const char *const lacks = why_not(column, row, side);
	const char *const name = side == SIDE_REFUSED ? "refused" : "accepted";

	if (entries >= ENOUGH)
		return true;
	if (lacks)
		printf("  none to be %s without '%s'", name, lacks);
	else
		printf("  TOO FEW to be %s", name);
	return lacks;
}

/* Returns how many rows have too few entries. */
static unsigned print_rows(void)
{
	unsigned few = 0;

	printf("%-30s", "row alone fails | all pass");
	for (unsigned c = 0; c < column_count; c++)
		printf("  refused entered | entered refused");
	printf("\n");
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		const struct truth_tally *const first = &columns[0].tally[id];
		bool enough;

		if (!truth_row_counts(id))
			continue;
		printf("%-30s", check_rows[id].id);
		for (unsigned c = 0; c < column_count; c++) {
			const struct truth_tally *const t = &columns[c].tally[id];

			printf("  %7" PRIu64 " %7" PRIu64 " | %7" PRIu64 " %7" PRIu64,
			       (uint64_t)t->refused, (uint64_t)t->refused_not, (uint64_t)t->entered,
			       (uint64_t)t->entered_not);
		}
		enough = print_side(&columns[0], id, SIDE_REFUSED,
				    first->refused + first->refused_not);
		enough &= print_side(&columns[0], id, SIDE_ACCEPTED,
				     first->entered + first->entered_not);
		few += !enough;
		printf("%s\n", check_rows[id].level == CHECK_MAY ? "  (may refuse)" : "");
	}
	return few;
}

/* What explains the difference, or NULL. */
static const char *reason_of(const struct truth_difference *d)
{
	static const struct {
		u16 row;
		const char *why;
	} open[] = {
#define OPEN(ROW, why) { CHECK_##ROW, why },
#include "tests/tools/truth_open.def"
#undef OPEN
	};

	if (d->unknown == CHECK_COUNT)
		return d->erratum ? d->erratum->id : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		if (open[i].row == d->unknown)
			return open[i].why;
	return NULL;
}

/* Returns how many entries nothing explains. */
static u64 print_differences(const struct truth_log *log, bool quiet)
{
	u64 unexplained = 0;

	if (!quiet)
		printf("\n%s: %" PRIu64 " entries, %" PRIu64 " agree, %" PRIu64
		       " undecided, %" PRIu64 " explained by errata, %" PRIu64 " not explained\n",
		       log->path, (uint64_t)log->cases, (uint64_t)log->agree,
		       (uint64_t)log->undecided, (uint64_t)log->explained,
		       (uint64_t)log->unexplained);
	for (unsigned i = 0; i < log->difference_count; i++) {
		const struct truth_difference *const d = &log->differences[i];
		const char *const reason = reason_of(d);

		unexplained += reason ? 0 : d->count;
		if (!quiet || !reason)
			printf("  %6" PRIu64 "  %-60s  %s, line %" PRIu64 "\n", (uint64_t)d->count,
			       d->key, reason ? reason : "NOT EXPLAINED", (uint64_t)d->line);
	}
	return unexplained;
}

/* The errata that explain something about @row in @column, by their numbers. */
static void mark_errata(const struct column *column, unsigned row, bool hit[ERRATUM_COUNT],
			const char **cell)
{
	for (unsigned l = 0; l < column->count; l++)
		for (unsigned i = 0; i < column->logs[l]->difference_count; i++) {
			const struct erratum *const erratum =
				column->logs[l]->differences[i].erratum;

			if (!erratum || erratum->what != row)
				continue;
			hit[erratum - errata] = true;
			*cell = erratum->kind < ERRATUM_KIND_STRICT ? "lax" : "strict";
		}
}

static void print_table(void)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		bool hit[ERRATUM_COUNT] = { false };

		if (!truth_row_counts(id))
			continue;
		printf("%-30s", check_rows[id].id);
		for (unsigned c = 0; c < column_count; c++) {
			const struct truth_tally *const t = &columns[c].tally[id];
			const char *cell = t->refused + t->refused_not ? "right" : "-";

			mark_errata(&columns[c], id, hit, &cell);
			printf(" %-8s", cell);
		}
		for (unsigned e = 0; e < ERRATUM_COUNT; e++)
			if (hit[e])
				printf(" %s: %s (%s)", errata_platform_title(errata[e].platform),
				       errata[e].id, errata[e].source);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	const char option = argc > 1 && argv[1][0] == '-' ? argv[1][1] : 0;
	const int first = option ? 2 : 1;
	unsigned wrong = 0;

	if (argc <= first || argc - first > MAX_COLUMNS || (option && !strchr("vct", option))) {
		fprintf(stderr, "usage: truth [-v | -c | -t] LOG[,LOG]...\n");
		return 2;
	}
	for (int i = first; i < argc; i++)
		if (!read_column(&columns[column_count++], argv[i])) {
			fprintf(stderr, "truth: too many logs, or none\n");
			return 2;
		}
	if (option == 'v' || option == 'c')
		wrong = print_rows();
	if (option != 'c')
		wrong = 0;
	if (option == 't')
		print_table();
	for (unsigned c = 0; c < column_count; c++)
		for (unsigned l = 0; l < columns[c].count; l++) {
			wrong += print_differences(columns[c].logs[l], option == 't') != 0;
		}
	return wrong ? 1 : 0;
}
