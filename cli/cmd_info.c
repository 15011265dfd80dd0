/*
 * cli/cmd_info.c - vmxtape info: what a tape is of
 */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/tape_arg.h"
#include "replay/caps_hidden.h"
#include "replay/check.h"
#include "replay/event_json.h"
#include "trace/text.h"

#include "replay/put.h"

static struct {
	bool json, check;
} opt;

static const struct option options[] = {
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "a JSON object" },
	{ "check", 0, OPTION_FLAG, NULL, &opt.check,
	  "follow the whole tape and count the events\nthat agree with the SDM" },
};

static const struct option_spec spec = {
	.usage = "info [OPTION]... [TAPE.vxt]",
	.summary =
		"Says what a tape is of: machine, guest hypervisor, events, losses, capabilities.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

struct facts {
	const struct reader_info *info;
	const struct reader_boot *boot;
	struct vmx_caps real, shown;
	struct caps_hidden hidden[CAPS_HIDDEN_MAX];
	unsigned hidden_count;
	struct check *check; /* NULL: not asked for */
	const struct judge_counts *judged;
};

static double duration(const struct facts *facts)
{
	const struct reader_info *const info = facts->info;

	return info->tsc_hz ? (double)(info->last_tsc - info->first_tsc) / (double)info->tsc_hz : 0;
}

static double bytes_per_event(const struct facts *facts)
{
	return facts->info->counted ? (double)facts->info->bytes / (double)facts->info->counted : 0;
}

static u64 usable_memory(const struct reader_boot *boot)
{
	u64 bytes = 0;

	for (unsigned i = 0; i < boot->memory_count; i++)
		if (boot->memory[i].type == 1)
			bytes += boot->memory[i].size;
	return bytes;
}

static void gather(struct reader *reader, struct facts *facts)
{
	facts->info = reader_info(reader);
	facts->boot = reader_boot(reader, 0);
	for (unsigned i = 0; i < facts->boot->capability_count; i++) {
		const struct ev_capability *const cap = &facts->boot->capabilities[i];

		vmx_caps_set(&facts->real, (u32)cap->msr, cap->real);
		vmx_caps_set(&facts->shown, (u32)cap->msr, cap->exists ? cap->shown : 0);
	}
	facts->hidden_count = caps_hidden_list(&facts->real, &facts->shown, facts->hidden);
}

static void follow(struct reader *reader, struct facts *facts)
{
	facts->check = check_new(facts->info->path);
	if (!facts->check || check_tape(facts->check, reader, 0, facts->info->events) != ST_OK)
		die("out of memory");
	facts->judged = check_counts(facts->check);
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_text(const char *name, const char *text)
{
	if (text && *text)
		out_format("%-13s%s\n", name, text);
}

static void print_events(const struct facts *facts)
{
	const struct reader_info *const info = facts->info;

	out_format("%-13s%llu: %llu VMX instructions, L2 entries and exits, %.2f bytes each\n",
		   "events", (unsigned long long)info->events, (unsigned long long)info->counted,
		   bytes_per_event(facts));
	if (info->lost || info->gaps)
		out_format("%-13s%llu events, in %u gaps\n", "lost", (unsigned long long)info->lost,
			   info->gaps);
	else
		out_format("%-13snothing\n", "lost");
	if (info->tsc_hz)
		out_format("%-13s%.3f s at %.3f MHz\n", "time", duration(facts),
			   (double)info->tsc_hz / 1e6);
	else
		out_format("%-13s%llu ticks\n", "time",
			   (unsigned long long)(info->last_tsc - info->first_tsc));
}

/* Names, wrapped to 80 columns. */
static void print_hidden(const struct facts *facts)
{
	size_t column = 13;

	if (!facts->boot->capability_count)
		return;
	out_format("%-13s", "hidden");
	for (unsigned i = 0; i < facts->hidden_count; i++) {
		const char *const name = facts->hidden[i].name;

		if (i && column + strlen(name) + 3 > 80) {
			out_format(",\n%13s", "");
			column = 13;
		} else if (i) {
			out_text(", ");
			column += 2;
		}
		out_text(name);
		column += strlen(name);
	}
	out_text(facts->hidden_count ? "\n" : "nothing that the processor has\n");
}

static void print_all(const struct facts *facts)
{
	const struct reader_info *const info = facts->info;
	const struct reader_boot *const boot = facts->boot;

	out_format("%-13s%s, format %u, %llu bytes in %u blocks%s\n", "tape", info->path,
		   info->version, (unsigned long long)info->bytes, info->blocks,
		   info->finished ? "" : ", cut");
	print_events(facts);
	if (boot->present) {
		out_format("%-13s%u CPU%s, signature 0x%llx, microcode 0x%llx, addresses of %llu "
			   "and %llu "
			   "bits\n",
			   "processor", info->cpus, info->cpus == 1 ? "" : "s",
			   (unsigned long long)boot->processor.signature,
			   (unsigned long long)boot->processor.microcode,
			   (unsigned long long)boot->processor.physical_width,
			   (unsigned long long)boot->processor.linear_width);
		out_format("%-13s%llu MiB\n", "memory",
			   (unsigned long long)usable_memory(boot) >> 20);
	}
	print_text("L1", boot->texts[TEXT_L1_NAME]);
	print_text("command line", boot->texts[TEXT_L1_COMMAND_LINE]);
	print_text("hv", boot->hv_version);
	print_text("hv options", boot->texts[TEXT_HV_OPTIONS]);
	if (trace_text_capture(boot->processor.capture))
		out_format("%-13s%s: %s\n", "captured", trace_text_capture(boot->processor.capture),
			   trace_text_capture_title(boot->processor.capture));
	print_hidden(facts);
	if (facts->check)
		out_format("%-13s%llu judged events, %llu do not, of %llu the tape does not tell\n",
			   "agree", (unsigned long long)facts->judged->agree,
			   (unsigned long long)facts->judged->diverge,
			   (unsigned long long)facts->judged->unknown);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_text(const char *key, const char *text)
{
	char *to;

	out_format(",\"%s\":", key);
	if (!text) {
		out_text("null");
		return;
	}
	to = out_room(6 * strlen(text) + 2);
	out_took(json_string(to, text, strlen(text)));
}

static void json_caps(const struct facts *facts)
{
	out_text(",\"capabilities\":{");
	for (unsigned i = 0; i < facts->boot->capability_count; i++) {
		const struct ev_capability *const cap = &facts->boot->capabilities[i];
		const char *const name = vmx_msr_name((u32)cap->msr);

		out_format("%s\"%s\":{\"real\":\"0x%llx\",\"shown\":", i ? "," : "",
			   name ? name : "?", (unsigned long long)cap->real);
		if (cap->exists)
			out_format("\"0x%llx\"}", (unsigned long long)cap->shown);
		else
			out_text("null}");
	}
	out_text("},\"hidden\":[");
	for (unsigned i = 0; i < facts->hidden_count; i++)
		out_format("%s\"%s\"", i ? "," : "", facts->hidden[i].name);
	out_text("]");
}

static void json_all(const struct facts *facts)
{
	const struct reader_info *const info = facts->info;
	const struct reader_boot *const boot = facts->boot;

	out_format("{\"schema\":1,\"format\":%u,\"bytes\":%llu,\"events\":%llu,\"counted\":%llu,"
		   "\"bytes_per_event\":%.4f,\"lost\":%llu,\"gaps\":%u,\"finished\":%s,\"cpus\":%u",
		   info->version, (unsigned long long)info->bytes, (unsigned long long)info->events,
		   (unsigned long long)info->counted, bytes_per_event(facts),
		   (unsigned long long)info->lost, info->gaps, info->finished ? "true" : "false",
		   info->cpus);
	if (info->tsc_hz)
		out_format(",\"duration_s\":%.6f", duration(facts));
	else
		out_text(",\"duration_s\":null");
	out_format(",\"ticks\":%llu", (unsigned long long)(info->last_tsc - info->first_tsc));
	json_text("tape", info->path);
	json_text("l1", boot->texts[TEXT_L1_NAME]);
	json_text("l1_command_line", boot->texts[TEXT_L1_COMMAND_LINE]);
	json_text("hv", boot->present ? boot->hv_version : NULL);
	json_text("hv_options", boot->texts[TEXT_HV_OPTIONS]);
	json_text("capture", trace_text_capture(boot->processor.capture));
	json_caps(facts);
	if (facts->check)
		out_format(",\"agree\":%llu,\"diverge\":%llu,\"unknown\":%llu,\"explained\":%llu",
			   (unsigned long long)facts->judged->agree,
			   (unsigned long long)facts->judged->diverge,
			   (unsigned long long)facts->judged->unknown,
			   (unsigned long long)facts->judged->explained);
	out_text("}\n");
}

int cmd_info(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct reader *const reader = tape_arg_open(count, argv + 1, NULL);
	static struct facts facts;

	gather(reader, &facts);
	if (opt.check)
		follow(reader, &facts);
	if (opt.json)
		json_all(&facts);
	else
		print_all(&facts);
	check_free(facts.check);
	return tape_arg_close(reader, EXIT_CLEAN);
}
