#include <sys/stat.h>
#include <unistd.h>

#include "cli/boot_image.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/output.h"
#include "tests/cli/verb_run.h"

static char folder[] = "/tmp/vmxtape-verbs-XXXXXX";

static const char *file_in(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *const file = fopen(file_in(name), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void wrong_input_is_named_and_ends_with_2(void **state)
{
	static const struct {
		int (*run)(int, char **);
		const char *argv[8];
		const char *part;
	} rows[] = {
		{ cmd_record, { "record" }, "name L1 by either --kernel or --multiboot" },
		{ cmd_record,
		  { "record", "--kernel", "a", "--multiboot", "b" },
		  "either --kernel or" },
		{ cmd_record,
		  { "record", "--kernel", "/no/such" },
		  "cannot read kernel '/no/such'" },
		{ cmd_record, { "record", "--kernel", "text" }, "is no Linux kernel" },
		{ cmd_record, { "record", "--kernel", "." }, "is not a file" },
		{ cmd_record,
		  { "record", "--multiboot", "text", "--initrd", "text" },
		  "--initrd goes with" },
		{ cmd_record,
		  { "record", "--kernel", "text", "--module", "text" },
		  "--module goes with" },
		{ cmd_record,
		  { "record", "--multiboot", "text", "--module", "none,a" },
		  "cannot read module 'none'" },
		{ cmd_record,
		  { "record", "--multiboot", "text", "--mem", "16" },
		  "too little memory" },
		{ cmd_record, { "record", "--mem", "lots" }, "wants a number, not 'lots'" },
		{ cmd_record,
		  { "record", "--mem", "18446744073709551616" },
		  "wants a number, not '18446744073709551616'" },
		{ cmd_record, { "record", "--mem" }, "wants a value: MIB" },
		{ cmd_record, { "record", "--no-such" }, "unknown option '--no-such'" },
		{ cmd_record, { "record", "--quiet=5" }, "takes no value" },
		{ cmd_record, { "record", "kernel" }, "'kernel' is too much" },
		{ cmd_record,
		  { "record", "--image", "/no/hv", "--multiboot", "text" },
		  "cannot read hypervisor image '/no/hv'" },
		{ cmd_info, { "info", "/no/such.vxt" }, "/no/such.vxt" },
		{ cmd_info, { "info", "text" }, "text" },
		{ cmd_info, { "info", "a.vxt", "b.vxt" }, "'b.vxt' is too much" },
		{ cmd_info, { "info", "@5" }, "'@5' is too much" },
		{ cmd_dump, { "dump", "text" }, "text" },
		{ cmd_dump, { "dump", "--console", "--json", "a.vxt" }, "--console goes alone" },
		{ cmd_check, { "check", "--least", "fatal", "a.vxt" }, "no severity 'fatal'" },
		{ cmd_check, { "check", "/no/such.vxt" }, "/no/such.vxt" },
	};

	(void)state;
	assert_int_equal(chdir(folder), 0);
	write_file("text", "this is no kernel, no tape, nothing\n");
	write_file("hv.elf", "neither is this a hypervisor\n");
	setenv("VMXTAPE_HV", file_in("hv.elf"), 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const int status = verb_run(rows[i].run, rows[i].argv);

		if (status != EXIT_USAGE || !strstr(verb_text, rows[i].part))
			fail_msg("row %zu ends with %d: %s", i, status, verb_text);
		if (strncmp(verb_text, "vmxtape: ", 9))
			fail_msg("row %zu says: %s", i, verb_text);
	}
	assert_int_equal(access("vmxtape.vxt", F_OK), -1);
}

static void every_verb_has_help(void **state)
{
	static int (*const verbs[])(int, char **) = {
#define COMMAND(name, summary) cmd_##name,
#include "cli/commands.def"
#undef COMMAND
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		assert_int_equal(
			verb_run(verbs[i], (const char *const[]){ "verb", "--help", NULL }),
			EXIT_CLEAN);
		assert_memory_equal(verb_text, "usage: vmxtape ", 15);
		for (const char *line = verb_text; *line; line = strchr(line, '\n') + 1)
			if (strcspn(line, "\n") > 100)
				fail_msg("help is too wide: %.*s", (int)strcspn(line, "\n"), line);
	}
}

static void a_missing_program_is_named_with_its_package(void **state)
{
	const char *const argv[] = { "record", "--multiboot", "text", NULL };
	char *const path = strdup(getenv("PATH"));
	int status;

	(void)state;
	assert_int_equal(chdir(folder), 0);
	setenv("PATH", "/no/such/folder", 1);
	status = verb_run(cmd_record, argv);
	setenv("PATH", path, 1);
	free(path);
	assert_int_equal(status, EXIT_USAGE);
	assert_non_null(strstr(verb_text, "no program '"));
	assert_non_null(strstr(verb_text, "apt-get install"));
}

static void options_mix_with_arguments(void **state)
{
	bool flag = false;
	const char *text = NULL;
	u64 number = 0;
	struct option_list list = { 0 };
	const struct option options[] = {
		{ "flag", 'f', OPTION_FLAG, NULL, &flag, "" },
		{ "text", 't', OPTION_TEXT, "TEXT", &text, "" },
		{ "number", 0, OPTION_NUMBER, "N", &number, "" },
		{ "list", 'l', OPTION_LIST, "X", &list, "" },
	};
	const struct option_spec spec = { "test", "", options, ARRAY_SIZE(options) };
	const char *argv[] = { "test", "a",  "--number=4K", "-f", "b",	"-tvalue", "--list",
			       "x",    "-l", "y",	    "--", "-f", NULL };

	(void)state;
	assert_int_equal(options_parse(&spec, 12, (char **)argv), 3);
	assert_string_equal(argv[1], "a");
	assert_string_equal(argv[2], "b");
	assert_string_equal(argv[3], "-f");
	assert_true(flag);
	assert_string_equal(text, "value");
	assert_u64(number, 4096);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.values[1], "y");
	free(list.values);
}

static void numbers_have_limits(void **state)
{
	static const struct {
		const char *text;
		bool good;
		u64 value;
	} rows[] = {
		{ "0", true, 0 },	{ "0x10", true, 16 },
		{ "2M", true, MIB(2) }, { "3G", true, GIB(3) },
		{ "", false, 0 },	{ "-1", false, 0 },
		{ "1x", false, 0 },	{ "1KK", false, 0 },
		{ "M", false, 0 },	{ "17179869184G", false, 0 },
	};
	u64 value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_row(rows[i].text, options_number(rows[i].text, &value), rows[i].good);
		if (rows[i].good)
			assert_row(rows[i].text, value, rows[i].value);
	}
}

static void words_are_escaped_for_grub(void **state)
{
	static const struct {
		const char *words, *escaped;
	} rows[] = {
		{ "", "" },
		{ "console=ttyS0  quiet", " console=ttyS0 quiet" },
		{ "a=\"b c\" d", " a=b\\ c d" },
		{ "x='$y;#'", " x=\\$y\\;\\#" },
		{ "caps=-load_efer,-ept_1g", " caps=-load_efer,-ept_1g" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text;
		size_t size;
		FILE *const file = open_memstream(&text, &size);

		boot_image_write_words(file, rows[i].words);
		fclose(file);
		assert_string_equal(text, rows[i].escaped);
		free(text);
	}
}

static void an_earlier_tape_is_kept(void **state)
{
	char text[32];
	FILE *file;

	(void)state;
	assert_int_equal(chdir(folder), 0);
	for (unsigned i = 1; i <= 3; i++) {
		snprintf(text, sizeof(text), "%u", i);
		output_rotate("a.vxt");
		write_file("a.vxt", text);
	}
	output_rotate("a.vxt");
	assert_int_equal(access("a.vxt", F_OK), -1);
	for (unsigned i = 1; i <= 3; i++) {
		snprintf(text, sizeof(text), "a-%u.vxt", i);
		file = fopen(text, "r");
		assert_non_null(file);
		assert_int_equal(fgetc(file), '0' + (int)i);
		fclose(file);
	}
	output_rotate("no.such");
}

static void an_earlier_tape_stays_where_nothing_can_be_recorded(void **state)
{
	static const struct {
		const char *argv[8];
		const char *part;
	} rows[] = {
		{ { "record", "--image", "no-hv", "--multiboot", "text" },
		  "cannot read hypervisor image 'no-hv'" },
		{ { "record", "--multiboot", "no-kernel" }, "cannot read multiboot kernel" },
		{ { "record", "--kernel", "text" }, "is no Linux kernel" },
		{ { "record", "--kernel", "text", "--tui" }, "--tui needs a terminal" },
		{ { "record", "--image", "no-hv", "--multiboot", "text", "--tui" },
		  "cannot read hypervisor image 'no-hv'" },
	};

	(void)state;
	assert_int_equal(chdir(folder), 0);
	write_file("text", "this is no kernel\n");
	write_file("hv.elf", "this is no hypervisor\n");
	write_file("vmxtape.vxt", "an earlier tape\n");
	setenv("VMXTAPE_HV", file_in("hv.elf"), 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const int status = verb_run(cmd_record, rows[i].argv);

		if (status != EXIT_USAGE || !strstr(verb_text, rows[i].part))
			fail_msg("row %zu ends with %d: %s", i, status, verb_text);
		if (access("vmxtape.vxt", F_OK) || !access("vmxtape-1.vxt", F_OK))
			fail_msg("row %zu moves the earlier tape", i);
	}
	assert_int_equal(unlink("vmxtape.vxt"), 0);
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_input_is_named_and_ends_with_2),
		cmocka_unit_test(every_verb_has_help),
		cmocka_unit_test(a_missing_program_is_named_with_its_package),
		cmocka_unit_test(options_mix_with_arguments),
		cmocka_unit_test(numbers_have_limits),
		cmocka_unit_test(words_are_escaped_for_grub),
		cmocka_unit_test(an_earlier_tape_is_kept),
		cmocka_unit_test(an_earlier_tape_stays_where_nothing_can_be_recorded),
	};

	return cmocka_run_group_tests_name("cli/verbs", tests, make_folder, remove_folder);
}
