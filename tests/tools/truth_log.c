#include "tests/tools/truth_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/check_memo.h"
#include "replay/entry_outcome.h"
#include "tests/guests/l1_truth_text.h"
#include "trace/event.h"

#define LINE 4096

static struct check_plan plan;
static struct check_memo memo;
static const struct vmx_caps *processor, *hypervisor;

static _Noreturn void bad(const struct truth_log *log, const char *what)
{
	fprintf(stderr, "truth: %s:%" PRIu64 ": %s\n", log->path, (uint64_t)log->line, what);
	exit(2);
}

/* --- What the entries rest on ----------------------------------------------------------------- */

static u64 take(struct truth_log *log, char **at)
{
	char *end;
	const u64 value = strtoull(*at, &end, 16);

	if (end == *at)
		bad(log, "a number is missing");
	*at = end;
	return value;
}

static void take_cap(struct truth_log *log, char *at)
{
	const u32 msr = (u32)take(log, &at);

	vmx_caps_set(&log->caps, msr, take(log, &at));
}

static void take_cpuid(struct truth_log *log, char *at)
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

static void take_word(struct truth_log *log, struct truth_word *words, unsigned *count, char *at)
{
	if (*count == TRUTH_MAX_WORDS)
		bad(log, "too many words of memory");
	words[*count].address = take(log, &at);
	words[*count].size = (unsigned)take(log, &at);
	words[*count].value = take(log, &at);
	*count += 1;
}

static void take_memory(struct truth_log *log, char *at)
{
	take_word(log, log->words, &log->word_count, at);
}

static void take_peek(struct truth_log *log, char *at)
{
	take_word(log, log->peeks, &log->peek_count, at);
}

static bool find_word(const struct truth_word *words, unsigned count, u64 gpa, unsigned size,
		      struct word *found)
{
	for (unsigned i = 0; i < count; i++)
		if (words[i].address == gpa && words[i].size == size) {
			*found = word_of(words[i].value);
			return true;
		}
	return false;
}

static void take_field(struct truth_log *log, char *at)
{
	const int index = vmcs_field_index((u32)take(log, &at));

	if (index < 0)
		bad(log, "no such field");
	log->base[log->at_base][index] = take(log, &at);
}

static void take_list(struct truth_log *log, char *at)
{
	struct truth_list *const list = &log->lists[log->list_count];

	if (log->list_count == TRUTH_MAX_LISTS)
		bad(log, "too many lists");
	log->list_count++;
	list->address = take(log, &at);
	list->count = take(log, &at);
	list->index = take(log, &at);
	list->value = take(log, &at);
}

static struct word memory(void *context, u64 gpa, unsigned int size)
{
	const struct truth_log *const log = context;
	struct word found;

	for (unsigned i = 0; i < log->list_count && size == 8; i++) {
		const struct truth_list *const list = &log->lists[i];
		const u64 offset = gpa - list->address;

		if (gpa >= list->address && offset / 16 < list->count && offset % 8 == 0)
			return word_of(offset % 16 ? list->value : list->index);
	}
	if (find_word(log->peeks, log->peek_count, gpa, size, &found) ||
	    find_word(log->words, log->word_count, gpa, size, &found))
		return found;
	return (struct word){ 0 };
}

/* --- One case --------------------------------------------------------------------------------- */

struct entry {
	struct check_input input;
	u64 value[VMCS_FIELD_COUNT];
	u64 known[VMCS_FIELD_COUNT];
	struct legal observed;
};

static void observe(struct truth_log *log, struct entry *entry, char *at)
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

static void take_state(const struct truth_log *log, struct check_input *input, u64 state)
{
	const u64 mode = BIT(MODE_PE) | BIT(MODE_VMXE) | BIT(MODE_VMX_ROOT) | BIT(MODE_PG) |
			 (state & TRUTH_32 ? 0 : BIT(MODE_LMA) | BIT(MODE_CS_L));

	input->state[CHECK_STATE_CURRENT] = word_of(state & TRUTH_NO_VMCS ? ~0ull : log->region);
	input->state[CHECK_STATE_REVISION] =
		word_partly(state & TRUTH_SHADOW ? BIT(31) : 0, BIT(31));
	input->state[CHECK_STATE_LAUNCH] = word_of((state & TRUTH_LAUNCHED ? CHECK_LAUNCHED : 0) |
						   (state & TRUTH_RESUME ? CHECK_RESUME : 0));
	input->state[CHECK_STATE_MODE] =
		word_of(mode | (state & TRUTH_MOV_SS ? BIT(MODE_MOV_SS) : 0));
	input->state[CHECK_STATE_CR3] = word_of(state & TRUTH_32 ? log->cr3_32 : log->cr3);
	input->state[CHECK_STATE_CR4] = word_of(log->cr4);
}

static void read_case(struct truth_log *log, struct entry *entry, char *at)
{
	const u64 base = take(log, &at), state = take(log, &at);

	if (base >= TRUTH_MAX_BASES)
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
		.memory = memory,
		.context = log,
	};
	take_state(log, &entry->input, state);
}

/* --- Judging ---------------------------------------------------------------------------------- */

bool truth_row_counts(unsigned id)
{
	return check_stage((enum check_id)id) < CHECK_STAGE_MSR_STORE;
}

/* How many rows of @level do not hold, and one of them. */
static unsigned failing(enum check_level level, unsigned *one)
{
	unsigned count = 0;

	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (truth_row_counts(id) && memo.verdict[id] == CHECK_FAIL &&
		    check_rows[id].level == level) {
			*one = id;
			count++;
		}
	return count;
}

static void tally(struct truth_log *log, bool entered)
{
	unsigned one = 0;
	const unsigned may = failing(CHECK_MAY, &one);
	const unsigned must = failing(CHECK_MUST, &one);

	if (!must && !may) {
		for (unsigned id = 0; id < CHECK_COUNT; id++)
			if (memo.verdict[id] == CHECK_PASS) {
				log->tally[id].entered += entered;
				log->tally[id].entered_not += !entered;
			}
	} else if (must == 1 || (!must && may == 1)) {
		log->tally[one].refused += !entered;
		log->tally[one].refused_not += entered;
	}
}

static void name_rows(char *key, size_t size, enum check_verdict verdict, const char *mark)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (truth_row_counts(id) && memo.verdict[id] == verdict &&
		    strlen(key) + strlen(check_rows[id].id) + 2 < size)
			strcat(strcat(strcat(key, check_rows[id].id), mark), " ");
}

static void note(struct truth_log *log, const struct truth_difference *found,
		 const struct legal *observed)
{
	struct truth_difference *difference = log->differences;
	char key[sizeof(found->key)] = "", text[64];
	unsigned i = 0;

	name_rows(key, 60, CHECK_FAIL, "");
	if (found->unknown < CHECK_COUNT)
		name_rows(key, 80, CHECK_UNKNOWN, "?");
	strcat(strcat(key, "-> "), legal_text(observed, text, sizeof(text)));
	while (i < log->difference_count &&
	       (strcmp(difference->key, key) || difference->erratum != found->erratum ||
		difference->unknown != found->unknown))
		difference = &log->differences[++i];
	if (i == TRUTH_MAX_DIFFERENCES)
		return;
	if (i == log->difference_count) {
		*difference = *found;
		difference->line = log->line;
		memcpy(difference->key, key, sizeof(key));
		log->difference_count++;
	}
	difference->count++;
}

static unsigned first_unknown(void)
{
	unsigned id = 0;

	while (id < CHECK_COUNT - 1 && (memo.verdict[id] != CHECK_UNKNOWN || !truth_row_counts(id)))
		id++;
	return id;
}

static void judge_entry(struct truth_log *log, char *at)
{
	const struct vmcs_set any = vmcs_set_all();
	struct truth_difference found = { .unknown = CHECK_COUNT };
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
		return;
	case LEGAL_UNKNOWN:
		log->undecided++;
		found.unknown = (u16)first_unknown();
		break;
	case LEGAL_DIVERGE:
		found.erratum = errata_explain_entry(errata_platforms_of(processor, hypervisor),
						     &entry.input, memo.verdict, &entry.observed);
		*(found.erratum ? &log->explained : &log->unexplained) += 1;
		break;
	}
	note(log, &found, &entry.observed);
}

static void judge(struct truth_log *log, char *at)
{
	judge_entry(log, at);
	log->peek_count = 0;
}

/* --- Logs ------------------------------------------------------------------------------------- */

static void read_line(struct truth_log *log, char *line)
{
	static const struct {
		const char *word;
		void (*take)(struct truth_log *log, char *at);
	} kinds[] = {
		{ "cap ", take_cap },	  { "cpuid ", take_cpuid }, { "memory ", take_memory },
		{ "field ", take_field }, { "case ", judge },	    { "list ", take_list },
		{ "peek ", take_peek },
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
	} else if (!strncmp(line, "l1_32 ", 6)) {
		at += 5;
		log->cr3_32 = take(log, &at);
	} else if (!strncmp(line, "base ", 5)) {
		at += 4;
		log->at_base = (unsigned)take(log, &at) % TRUTH_MAX_BASES;
	} else if (!strncmp(line, "end ", 4)) {
		at += 3;
		log->ended = take(log, &at) == log->cases;
	}
}

void truth_log_read(struct truth_log *log, const char *path, const struct truth_log *below,
		    const struct truth_log *between)
{
	FILE *const file = fopen(path, "r");
	char line[LINE];

	check_plan_init(&plan);
	processor = below ? &below->caps : &log->caps;
	hypervisor = between ? &between->caps : &log->caps;
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
