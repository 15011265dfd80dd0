#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "replay/finding.h"
#include "tests/test.h"

#define PAGE	"docs/findings.md"
#define EXPECT	"tests/guests/l1_rules.expect"
#define COLUMNS 5

static char page[65536], expect[65536];

static bool read_text(const char *path, char *to, size_t size)
{
	FILE *const file = fopen(path, "r");

	if (!file) {
		fprintf(stderr, "cannot read '%s': run this from the top of the tree\n", path);
		return false;
	}
	to[fread(to, 1, size - 1, file)] = 0;
	fclose(file);
	return true;
}

static int read_files(void **state)
{
	(void)state;
	return read_text(PAGE, page, sizeof(page)) && read_text(EXPECT, expect, sizeof(expect))
		       ? 0
		       : -1;
}

/* The rules that this page tells of. */
static bool is_here(const char *rule)
{
	return strncmp(rule, "L0.", 3) != 0;
}

/* The cells of the first row of the page that begins with @rule; false when there is none. */
static bool find_row(const char *rule, char cells[COLUMNS][512])
{
	char begin[96];
	const char *at;

	snprintf(begin, sizeof(begin), "\n| `%s` |", rule);
	at = strstr(page, begin);
	if (!at)
		return false;
	at++;
	for (unsigned i = 0; i < COLUMNS; i++) {
		const size_t length = strcspn(at + 2, "|");

		snprintf(cells[i], sizeof(cells[i]), "%.*s", (int)length - 1, at + 2);
		at += 2 + length;
	}
	return true;
}

/* Whether @word is one of the words of @text. */
static bool has_word(const char *text, size_t size, const char *word)
{
	const size_t length = strlen(word);

	for (const char *at = text; (at = memmem(at, size - (size_t)(at - text), word, length));
	     at++)
		if ((at == text || isspace((unsigned char)at[-1])) &&
		    (at + length == text + size || isspace((unsigned char)at[length])))
			return true;
	return false;
}

/* The row of @name in l1_rules.expect, NULL when it is no case. */
static const char *case_of(const char *name, size_t *size)
{
	for (const char *line = expect; *line; line += strcspn(line, "\n") + 1) {
		*size = strcspn(line, "\n");
		if (!strncmp(line, name, strlen(name)) &&
		    isspace((unsigned char)line[strlen(name)]))
			return line;
		if (!line[*size])
			break;
	}
	return NULL;
}

static void check_guest(const char *name, const char *rule, bool found)
{
	static char text[65536];
	char path[160];
	size_t size;
	const char *const line = case_of(name, &size);

	if (line) {
		if (has_word(line, size, rule) != found)
			fail_msg("%s: case '%s' of " EXPECT " says otherwise", rule, name);
		return;
	}
	snprintf(path, sizeof(path), "tests/guests/%s.expect", name);
	if (!read_text(path, text, sizeof(text)) || has_word(text, strlen(text), rule) != found)
		fail_msg("%s: '%s' is neither a case nor a guest of it", rule, name);
}

static void check_guests(char *names, const char *rule, bool found)
{
	if (!strcmp(names, "-"))
		return;
	for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
		check_guest(name, rule, found);
}

static void each_rule_has_a_row_that_is_true(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FINDING_COUNT; i++) {
		const struct finding_row *const row = &finding_rows[i];
		char cells[COLUMNS][512], path[600];

		if (!is_here(row->rule))
			continue;
		if (!find_row(row->rule, cells))
			fail_msg("%s has no row in " PAGE, row->rule);
		if (strcmp(cells[1], finding_severity_name(row->severity)))
			fail_msg("%s is '%s', not '%s'", row->rule,
				 finding_severity_name(row->severity), cells[1]);
		snprintf(path, sizeof(path), "tests/replay/%s", cells[2]);
		if (access(path, R_OK))
			fail_msg("%s: there is no '%s'", row->rule, path);
		check_guests(cells[3], row->rule, true);
		check_guests(cells[4], row->rule, false);
	}
}

static void each_case_stands_in_the_row_of_its_rules(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FINDING_COUNT; i++) {
		const char *const rule = finding_rows[i].rule;
		char cells[COLUMNS][512];

		if (!is_here(rule) || !find_row(rule, cells))
			continue;
		for (const char *line = expect; *line;) {
			const size_t size = strcspn(line, "\n"), length = strcspn(line, " \t\n");
			char name[64];

			snprintf(name, sizeof(name), "%.*s", (int)length, line);
			if (*line != '#' && has_word(line, size, rule) &&
			    !has_word(cells[3], strlen(cells[3]), name))
				fail_msg("%s: case '%s' finds it and is not in " PAGE, rule, name);
			line += size + (line[size] == '\n');
		}
	}
}

/* The next rule that the page names, from *@at on; false when there is none. */
static bool next_rule(const char **at, char *rule, size_t size)
{
	for (; **at; ++*at) {
		const size_t kind = strncmp(*at, "SUR.", 4) ? 3 : 4;
		size_t length = kind;

		if ((strncmp(*at, "L0.", 3) && strncmp(*at, "L1.", 3) && kind == 3) ||
		    (*at > page && isalnum((unsigned char)(*at)[-1])))
			continue;
		while (islower((unsigned char)(*at)[length]) ||
		       isdigit((unsigned char)(*at)[length]) || (*at)[length] == '-')
			length++;
		snprintf(rule, size, "%.*s", (int)length, *at);
		*at += length;
		if (length > kind)
			return true;
	}
	return false;
}

static bool is_found(const char *rule)
{
	for (unsigned i = 0; i < FINDING_COUNT; i++)
		if (!strcmp(finding_rows[i].rule, rule))
			return true;
	return false;
}

/* The first cells of the table under @heading name @rule. */
static bool is_in_table(const char *heading, const char *rule)
{
	const char *line = strstr(page, heading);

	assert_non_null(line);
	line = strstr(line, "\n|");
	for (; line && line[1] == '|'; line = strchr(line + 1, '\n')) {
		const char *const end = strchr(line + 2, '|'), *at = line;
		char named[64];

		while (next_rule(&at, named, sizeof(named)) && at <= end)
			if (!strcmp(named, rule))
				return true;
	}
	return false;
}

static bool is_told_to_be_unknown(const char *rule)
{
	return is_in_table("### What a tape does not tell", rule) ||
	       is_in_table("### Not decided from a tape", rule);
}

static void each_rule_that_the_page_names_is_found_or_told_to_be_unknown(void **state)
{
	const char *at = page;
	char rule[64];
	unsigned named = 0;

	(void)state;
	for (; next_rule(&at, rule, sizeof(rule)); named++)
		if (is_found(rule) == is_told_to_be_unknown(rule))
			fail_msg("%s of " PAGE " is %s", rule,
				 is_found(rule) ? "found, and told to be unknown"
						: "neither found nor told to be unknown");
	assert_true(named > FINDING_COUNT);
}

static void each_rule_is_named(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FINDING_COUNT; i++) {
		const char *at = page;
		char rule[64];

		do
			if (!next_rule(&at, rule, sizeof(rule)))
				fail_msg("%s is not in " PAGE, finding_rows[i].rule);
		while (strcmp(rule, finding_rows[i].rule));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_has_a_row_that_is_true),
		cmocka_unit_test(each_case_stands_in_the_row_of_its_rules),
		cmocka_unit_test(each_rule_that_the_page_names_is_found_or_told_to_be_unknown),
		cmocka_unit_test(each_rule_is_named),
	};

	return cmocka_run_group_tests_name("replay/findings_doc", tests, read_files, NULL);
}
