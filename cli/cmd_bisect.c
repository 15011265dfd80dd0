/*
 * cli/cmd_bisect.c - vmxtape bisect: which VMX capabilities L1 does not run without
 *
 * Records L1 again and again, each time with some capabilities hidden by hv's option caps=, and
 * looks whether it got through: whether its console said what it should, or L2 ran.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bisect_record.h"
#include "cli/bisect_search.h"
#include "cli/commands.h"
#include "cli/machine_setup.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/output.h"
#include "replay/caps_hidden.h"
#include "replay/reader.h"

static struct {
	bool bochs, quiet, json;
	struct machine machine; /* what was given: the rest is left to record */
	u64 timeout;
	const char *caps, *success, *keep;
} opt = {
	.timeout = 120,
};

static const struct option record_options[] = {
#define RECORD_GROUP(heading) { .type = OPTION_GROUP, .help = (heading) },
#define RECORD_OPTION(name, TYPE, value, member, help) \
	{ name, 0, OPTION_##TYPE, value, &opt.member, help },
#include "cli/record_options.def"
#undef RECORD_OPTION
#undef RECORD_GROUP
};

static const struct option own_options[] = {
	{ .type = OPTION_GROUP, .help = "the search:" },
	{ "caps", 0, OPTION_TEXT, "NAMES", &opt.caps,
	  "which capabilities to try, separated by commas\n"
	  "(all that L1 is shown and that can be hidden)" },
	{ "success", 0, OPTION_TEXT, "TEXT", &opt.success,
	  "L1 got through when its console says TEXT (when L2 ran)" },
	{ "timeout", 0, OPTION_NUMBER, "S", &opt.timeout,
	  "a recording that takes longer has failed (120)" },
	{ "keep", 0, OPTION_TEXT, "DIR", &opt.keep, "keep the tape of the last recording there" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "the result as a JSON object" },
	{ "quiet", 'q', OPTION_FLAG, NULL, &opt.quiet, "no progress" },
};

/* --- What is tried ---------------------------------------------------------------------------- */

struct search {
	const char *names[BISECT_MAX];
	size_t count;
	struct bisect_recording recording;
	unsigned runs;
	bool first; /* whether the first recording, with all shown, got through */
	bool tty;
};

static void add_name(struct search *search, const char *name)
{
	for (size_t i = 0; i < search->count; i++)
		if (!strcmp(search->names[i], name))
			return;
	if (search->count == BISECT_MAX)
		die("'%s' is capability %d: --caps can name %d at a time", name, BISECT_MAX + 1,
		    BISECT_MAX);
	search->names[search->count++] = name;
}

/* Whether it hides anything of what @shown has. */
static bool can_hide(const struct vmx_caps *shown, const char *name)
{
	struct vmx_caps less = *shown;

	return vmx_caps_mask(&less, name) == ST_OK &&
	       memcmp(less.msr, shown->msr, sizeof(less.msr)) != 0;
}

/* Whether some hypervisor insists on it: those are found sooner when they stand together. */
static bool is_known_need(const char *name)
{
	static const char *const needs[] = {
#define NEED(name, who) #name,
#include "replay/known_needs.def"
#undef NEED
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (!strcmp(needs[i], name))
			return true;
	return false;
}

static void add_all(struct search *search, const struct vmx_caps *shown, bool known)
{
	for (size_t i = 0; i < VMX_CONTROL_COUNT; i++) {
		const char *const name = caps_hidden_plain_name(vmx_controls[i].name);

		if (is_known_need(name) == known && can_hide(shown, name))
			add_name(search, name);
	}
	for (size_t i = 0; i < VMX_CAPBIT_COUNT; i++)
		if (is_known_need(vmx_capbits[i].name) == known &&
		    can_hide(shown, vmx_capbits[i].name))
			add_name(search, vmx_capbits[i].name);
}

static void add_named(struct search *search, const char *list)
{
	char *const copy = strdup(list);
	struct vmx_caps none = { 0 };

	if (!copy)
		die("out of memory");
	for (char *name = strtok(copy, ", "); name; name = strtok(NULL, ", ")) {
		if (vmx_caps_mask(&none, name) == ST_NOT_FOUND)
			die("'%s' is no capability; 'vmxtape explain' tells of names", name);
		add_name(search, name);
	}
	if (!search->count)
		die("'%s' names no capability: without --caps all are tried", list);
}

static bool works(void *owner, const struct bisect_set *kept)
{
	struct search *const search = owner;
	const char *hidden[BISECT_MAX];
	size_t count = 0, shown;
	bool result;

	for (size_t i = 0; i < search->count; i++)
		if (!bisect_has(kept, i))
			hidden[count++] = search->names[i];
	if (!count)
		return search->first;
	shown = search->count - count;
	search->runs++;
	if (search->tty)
		fprintf(stderr, "\r\033[Krun %u: %zu of %zu capabilities shown ...", search->runs,
			shown, search->count);
	result = bisect_record(&search->recording, hidden, count);
	if (!opt.quiet)
		fprintf(stderr, "%srun %u: %zu of %zu capabilities shown: %s\n",
			search->tty ? "\r\033[K" : "", search->runs, shown, search->count,
			result ? "L1 gets through" : "it does not");
	return result;
}

/* --- The machine ------------------------------------------------------------------------------ */

/* @hv's options without caps=: what the tape hid is what is looked for. */
static const char *without_caps(const char *hv)
{
	const char *const caps = strstr(hv, BISECT_CAPS_OPTION);
	char *rest;

	if (!caps)
		return hv;
	if (asprintf(&rest, "%.*s%s", (int)(caps - hv), hv, caps + strcspn(caps, " ")) < 0)
		die("out of memory");
	return rest;
}

/* What was not given is as on the tape, whose description says so. */
static void take_machine(const char *path)
{
	struct machine *const to = &opt.machine;
	struct machine from;
	struct reader *reader;
	const char *text;
	char error[512];
	size_t size;

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		die("%s", error);
	text = reader_machine(reader, &size);
	if (!text)
		die("'%s' does not say of what machine it is; name L1 by --kernel or --multiboot",
		    path);
	from = machine_read(text, size, path);
	if (!to->kernel && !to->multiboot) {
		to->kernel = from.kernel;
		to->initrd = from.initrd;
		to->multiboot = from.multiboot;
		to->modules = from.modules;
	}
	to->append = to->append ? to->append : from.append;
	to->hv_image = to->hv_image ? to->hv_image : from.hv_image;
	to->hv_options = to->hv_options ? to->hv_options : without_caps(from.hv_options);
	to->cpu_model = to->cpu_model ? to->cpu_model : from.cpu_model;
	to->cpus = to->cpus ? to->cpus : from.cpus;
	to->mib = to->mib ? to->mib : from.mib;
	to->ips = to->ips ? to->ips : from.ips;
	reader_close(reader);
}

/* The first recording hides nothing but what --hv hides: it tells what there is. */
static void record_first(struct search *search)
{
	const struct reader_boot *boot;
	struct vmx_caps shown = { 0 };
	struct reader *reader;
	char error[512];

	if (search->tty)
		fprintf(stderr, "\r\033[Krun 1: all capabilities shown ...");
	search->first = bisect_record(&search->recording, NULL, 0);
	search->runs = 1;
	if (!opt.quiet)
		fprintf(stderr, "%srun 1: all capabilities shown: %s\n",
			search->tty ? "\r\033[K" : "",
			search->first ? "L1 gets through" : "it does not");
	if (reader_open(search->recording.tape, &reader, error, sizeof(error)) != ST_OK)
		die("%s", error);
	boot = reader_boot(reader, 0);
	for (unsigned i = 0; i < boot->capability_count; i++)
		vmx_caps_set(&shown, (u32)boot->capabilities[i].msr,
			     boot->capabilities[i].exists ? boot->capabilities[i].shown : 0);
	reader_close(reader);
	if (opt.caps) {
		add_named(search, opt.caps);
		return;
	}
	add_all(search, &shown, true);
	add_all(search, &shown, false);
}

/* --- The result ------------------------------------------------------------------------------- */

static const char *title_of(const char *name)
{
	const struct vmx_control *const control = vmx_control_find(name, NULL);
	const struct vmx_capbit *const bit = vmx_capbit_find(name);

	return control ? control->title : bit ? bit->title : "";
}

static void print_json(const struct search *search, enum bisect_result result,
		       const struct bisect_set *needed)
{
	static const char *const results[] = { "found", "never", "unsteady" };

	json_open(NULL, '{');
	json_number("schema", 1);
	json_text("result", results[result]);
	json_open("needs", '[');
	for (size_t i = 0; i < search->count; i++)
		if (bisect_has(needed, i))
			json_text(NULL, search->names[i]);
	json_close(']');
	json_number("tried", search->count);
	json_number("runs", search->runs);
	json_close('}');
	json_end();
}

static void print_text(const struct search *search, enum bisect_result result,
		       const struct bisect_set *needed)
{
	size_t count = 0;

	for (size_t i = 0; i < search->count; i++)
		count += bisect_has(needed, i);
	if (result == BISECT_NEVER) {
		out_format("L1 does not get through with all capabilities shown: it misses "
			   "something else, or --success is wrong\n");
		return;
	}
	if (result == BISECT_UNSTEADY)
		out_format("L1 does not behave the same with more capabilities as with fewer: "
			   "this set works or not\n");
	if (!count)
		out_format("L1 needs none of the %zu capabilities that were tried\n",
			   search->count);
	else
		out_format("of the %zu capabilities that were tried, L1 insists on:\n",
			   search->count);
	for (size_t i = 0; i < search->count; i++)
		if (bisect_has(needed, i))
			out_format("  %-28s %s\n", search->names[i], title_of(search->names[i]));
}

int cmd_bisect(int argc, char **argv)
{
	static struct option options[ARRAY_SIZE(record_options) + ARRAY_SIZE(own_options)];
	const struct option_spec spec = {
		.usage = "bisect [OPTION]... T.vxt | --multiboot FILE | --kernel FILE",
		.summary =
			"Finds the VMX capabilities without which L1 gives up, by recording it "
			"again and again with\n"
			"some of them hidden: the fewest that L1 does not get through without. The "
			"machine is that\n"
			"of the tape, but for what options say.",
		.options = options,
		.count = ARRAY_SIZE(options),
	};
	static struct search search;
	struct bisect_set needed;
	enum bisect_result result;
	char *work;
	int count;

	memcpy(options, own_options, sizeof(own_options));
	memcpy(options + ARRAY_SIZE(own_options), record_options, sizeof(record_options));
	count = options_parse(&spec, argc, argv);
	if (count > 1)
		options_die_surplus(argv[2]);
	if (count)
		take_machine(argv[1]);
	if (!opt.machine.kernel == !opt.machine.multiboot)
		die("name L1 by a tape of it, or by either --kernel or --multiboot");
	work = output_work_folder(opt.keep);
	search.recording = (struct bisect_recording){
		.options = record_options,
		.option_count = ARRAY_SIZE(record_options),
		.hv_options = &opt.machine.hv_options,
		.timeout = opt.timeout,
		.success = opt.success,
	};
	if (asprintf(&search.recording.tape, "%s/bisect.vxt", work) < 0 ||
	    asprintf(&search.recording.console, "%s/console.txt", work) < 0 ||
	    asprintf(&search.recording.log, "%s/record.log", work) < 0)
		die("out of memory");
	search.tty = !opt.quiet && isatty(STDERR_FILENO);
	record_first(&search);
	result = bisect_search(search.count, works, &search, &needed);
	if (opt.json)
		print_json(&search, result, &needed);
	else
		print_text(&search, result, &needed);
	out_flush();
	return result == BISECT_FOUND ? EXIT_CLEAN : EXIT_FINDINGS;
}
