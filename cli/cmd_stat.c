/*
 * cli/cmd_stat.c - vmxtape stat: what a dialogue costs, and where
 */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "cli/stat_hv_time.h"
#include "cli/tape_arg.h"
#include "replay/stat.h"
#include "replay/symbols.h"

static struct {
	u64 top;
	bool json;
} opt = { .top = 10 };

/* Not every VMREAD and VMWRITE is on the tape. */
static bool thin;

static const struct option options[] = {
	{ "top", 'n', OPTION_NUMBER, "N", &opt.top, "how many fields and call sites; 10" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "one JSON object" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "stat [OPTION]... [TAPE.vxt] [RANGE]",
	.summary = "Counts what L1 asks of L0: exits of L2 by reason with what each costs until "
		   "L2 runs again\n"
		   "(TSC ticks, split into L1's own and L0's), L0's own time by what made it run, "
		   "VMX instructions,\n"
		   "INVEPT and INVVPID, accesses to VMCS fields, and the call sites that they come "
		   "from.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

static double ratio(u64 part, u64 whole)
{
	return whole ? (double)part / (double)whole : 0;
}

/* --- what is sorted --------------------------------------------------------------------------- */

struct row {
	unsigned index;
	u64 weight;
};

static int by_weight(const void *a, const void *b)
{
	const struct row *const x = a, *const y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The first @limit of @count rows with a weight, heaviest first; returns how many. */
static unsigned pick(struct row *rows, unsigned count, u64 limit)
{
	unsigned used = 0;

	for (unsigned i = 0; i < count; i++)
		if (rows[i].weight)
			rows[used++] = rows[i];
	qsort(rows, used, sizeof(*rows), by_weight);
	return (unsigned)MIN((u64)used, limit);
}

/* --- totals ----------------------------------------------------------------------------------- */

static void print_totals(const struct stat *stat)
{
	if (opt.json) {
		json_number("events", stat->events);
		json_number("vmx_instructions", stat->vmx_insns);
		json_number("l2_entries", stat->l2_entries);
		json_number("l2_exits", stat->l2_exits);
		json_number("hidden_exits", stat->hidden_exits);
		json_ratio("instructions_per_exit", ratio(stat->vmx_insns, stat->l2_exits));
		json_number("ticks", stat->ticks);
		json_number("l2_ticks", stat->l2_ticks);
		json_number("hv_ticks", stat->hv_ticks);
		json_number("packing_ticks", stat->packing_ticks);
		json_bool("thin", thin);
		return;
	}
	out_format("%llu events, %llu VMX instructions, %llu exits of L2: %.2f VMX instructions an "
		   "exit\n",
		   (unsigned long long)stat->events, (unsigned long long)stat->vmx_insns,
		   (unsigned long long)stat->l2_exits, ratio(stat->vmx_insns, stat->l2_exits));
	out_format("%llu ticks: %.1f %% in L2, %.1f %% in L0 up to the last exit\n",
		   (unsigned long long)stat->ticks, 100 * ratio(stat->l2_ticks, stat->ticks),
		   100 * ratio(stat->hv_ticks, stat->ticks));
	if (thin)
		out_text("VMREADs, and VMWRITEs to launched VMCSs, are not on the tape: it was "
			 "recorded with\n"
			 "capture=thin, and few of them made L1 exit\n");
	if (stat->hidden_exits)
		out_format("%llu more exits of L2 were handled by L0 alone\n",
			   (unsigned long long)stat->hidden_exits);
}

static const char *kind_name(unsigned kind)
{
	const struct trace_kind_info *const info = trace_schema_kind(trace_schema_builtin(), kind);

	return info ? info->name : "?";
}

static void print_insns(const struct stat *stat)
{
	if (opt.json)
		json_open("instructions", '[');
	else
		out_format("\n%-14s%10s%10s%10s\n", "instruction", "count", "VMfail", "fault");
	for (unsigned kind = 0; kind < STAT_KINDS; kind++) {
		const struct stat_insn *const row = &stat->insns[kind];

		if (!row->count)
			continue;
		if (!opt.json) {
			out_format("%-14s%10llu%10llu%10llu\n", kind_name(kind),
				   (unsigned long long)row->count, (unsigned long long)row->failed,
				   (unsigned long long)row->faulted);
			continue;
		}
		json_open(NULL, '{');
		json_text("kind", kind_name(kind));
		json_number("count", row->count);
		json_number("failed", row->failed);
		json_number("faulted", row->faulted);
		json_close('}');
	}
	if (opt.json)
		json_close(']');
}

/* --- exits ------------------------------------------------------------------------------------ */

static void exit_row(unsigned reason, const struct stat_exit *row)
{
	const char *const name = reason < STAT_REASONS ? vmx_exit_name(reason) : "unknown";
	const u64 insns = row->reads + row->writes + row->others;

	if (opt.json) {
		json_open(NULL, '{');
		json_text("reason", name);
		json_number("count", row->count);
		json_number("entry_failures", row->entry_failures);
		json_number("rounds", row->rounds);
		json_number("ticks", row->ticks);
		json_number("split_rounds", row->split);
		json_number("l1_ticks", row->own_ticks);
		json_number("hv_ticks", row->hv_ticks);
		json_number("vmreads", row->reads);
		json_number("vmwrites", row->writes);
		json_number("other_instructions", row->others);
		json_close('}');
		return;
	}
	out_format("%-22s%9llu%10.0f", name, (unsigned long long)row->count,
		   ratio(row->ticks, row->rounds));
	if (row->split)
		out_format("%10.0f%10.0f", ratio(row->own_ticks, row->split),
			   ratio(row->hv_ticks, row->split));
	else
		out_format("%10s%10s", "?", "?");
	out_format("%9.2f%8.2f%8.2f\n", ratio(insns, row->rounds), ratio(row->reads, row->rounds),
		   ratio(row->writes, row->rounds));
}

static void print_exits(const struct stat *stat)
{
	struct row rows[STAT_REASONS + 1];
	unsigned count;

	for (unsigned i = 0; i <= STAT_REASONS; i++)
		rows[i] = (struct row){ i, stat->exits[i].count };
	count = pick(rows, ARRAY_SIZE(rows), ~0ull);
	if (opt.json)
		json_open("exits", '[');
	else if (count)
		out_format("\n%-22s%9s%10s%10s%10s%9s%8s%8s\n%-22s%9s%10s%10s%10s%9s%8s%8s\n",
			   "until L2 runs again,", "", "ticks", "of L1", "of L0", "VMX insn",
			   "VMREAD", "VMWRITE", "by exit reason", "exits", "an exit", "itself", "",
			   "an exit", "", "");
	for (unsigned i = 0; i < count; i++)
		exit_row(rows[i].index, &stat->exits[rows[i].index]);
	if (opt.json)
		json_close(']');
}

/* --- INVEPT and INVVPID ----------------------------------------------------------------------- */

static void print_inv_of(const struct stat *stat, const char *name, const struct stat_inv *types,
			 const char *const *titles)
{
	for (unsigned type = 0; type <= STAT_INV_OTHERS; type++) {
		const struct stat_inv *const row = &types[type];

		if (!row->count)
			continue;
		if (!opt.json) {
			out_format("%-10s%-30s%9llu%9.4f%9llu%9llu\n", name, titles[type],
				   (unsigned long long)row->count,
				   ratio(row->count, stat->l2_exits), (unsigned long long)row->idle,
				   (unsigned long long)row->failed);
			continue;
		}
		json_open(NULL, '{');
		json_text("kind", name);
		if (type < STAT_INV_OTHERS)
			json_number("type", type);
		else
			json_null("type");
		json_text("title", titles[type]);
		json_number("count", row->count);
		json_ratio("per_exit", ratio(row->count, stat->l2_exits));
		json_number("idle", row->idle);
		json_number("failed", row->failed);
		json_close('}');
	}
}

static void print_inv(const struct stat *stat)
{
	static const char *const ept[] = { "type 0", "single-context", "global", "type 3",
					   "other types" };
	static const char *const vpid[] = { "individual-address", "single-context", "all-context",
					    "single-context, keep globals", "other types" };

	if (opt.json)
		json_open("invalidations", '[');
	else if (stat->insns[EV_INVEPT].count + stat->insns[EV_INVVPID].count)
		out_format("\n%-40s%9s%9s%9s%9s\n", "invalidation", "count", "an exit", "again",
			   "failed");
	print_inv_of(stat, "invept", stat->invept, ept);
	print_inv_of(stat, "invvpid", stat->invvpid, vpid);
	if (opt.json)
		json_close(']');
}

/* --- fields ----------------------------------------------------------------------------------- */

static void print_fields(const struct stat *stat)
{
	struct row rows[VMCS_FIELD_COUNT];
	unsigned count;

	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		rows[i] = (struct row){ i, stat->fields[i].reads + stat->fields[i].writes };
	count = pick(rows, ARRAY_SIZE(rows), opt.top);
	if (opt.json)
		json_open("fields", '[');
	else if (count)
		out_format("\n%-36s%10s%10s%10s%10s%8s\n", "VMCS field", "VMREAD", "again",
			   "VMWRITE", "same", "failed");
	for (unsigned i = 0; i < count; i++) {
		const struct stat_field *const row = &stat->fields[rows[i].index];
		const char *const name = vmcs_fields[rows[i].index].name;

		if (!opt.json) {
			out_format("%-36s%10llu%10llu%10llu%10llu%8llu\n", name,
				   (unsigned long long)row->reads, (unsigned long long)row->reread,
				   (unsigned long long)row->writes, (unsigned long long)row->same,
				   (unsigned long long)row->failed);
			continue;
		}
		json_open(NULL, '{');
		json_text("field", name);
		json_number("reads", row->reads);
		json_number("reads_again", row->reread);
		json_number("writes", row->writes);
		json_number("writes_same", row->same);
		json_number("failed", row->failed);
		json_close('}');
	}
	if (opt.json)
		json_close(']');
}

/* --- call sites ------------------------------------------------------------------------------- */

static const char *detail_name(const struct stat_site *site)
{
	int index;

	switch (site->kind) {
	case EV_VMREAD:
	case EV_VMWRITE:
		index = vmcs_access_index(site->detail);
		return index < 0 ? "unknown field" : vmcs_fields[index].name;
	case EV_MSR_READ:
	case EV_MSR_WRITE:
		return vmx_msr_name(site->detail) ? vmx_msr_name(site->detail) : "unknown MSR";
	case EV_CR_WRITE:
		return site->detail ? "cr4" : "cr0";
	case EV_L2_EXIT:
		return vmx_exit_name(site->detail);
	default:
		return "";
	}
}

/* Columns for the address of a site, or its name, or both name and source line. */
static int site_width(const struct symbols *symbols)
{
	if (symbols_has_lines(symbols, 1) || symbols_has_lines(symbols, 2))
		return 56;
	return symbols ? 32 : 16;
}

static void print_site(const struct symbols *symbols, const struct stat_site *site)
{
	const unsigned level = site->kind == EV_L2_EXIT ? 2 : 1;
	char rip[SYMBOLS_MAX_NAME];

	if (!opt.json) {
		out_format("%-*s  %-10s%-36s%10llu%10llu\n", site_width(symbols),
			   symbols_rip(symbols, level, site->rip, rip), kind_name(site->kind),
			   detail_name(site), (unsigned long long)site->count,
			   (unsigned long long)site->failed);
		return;
	}
	json_open(NULL, '{');
	json_rip(symbols, level, site->rip);
	json_text("kind", kind_name(site->kind));
	json_text("detail", detail_name(site));
	json_number("count", site->count);
	json_number("failed", site->failed);
	json_close('}');
}

static void print_sites(const struct symbols *symbols, const struct stat *stat, bool exits,
			const char *key, const char *title)
{
	struct row *const rows = calloc(STAT_MAX_SITES, sizeof(*rows));
	unsigned count;

	if (!rows)
		die("out of memory");
	for (unsigned i = 0; i < STAT_MAX_SITES; i++) {
		const bool counts =
			stat->sites[i].kind && (stat->sites[i].kind == EV_L2_EXIT) == exits;

		rows[i] = (struct row){ i, counts ? stat->sites[i].count : 0 };
	}
	count = pick(rows, STAT_MAX_SITES, opt.top);
	if (opt.json)
		json_open(key, '[');
	else if (count)
		out_format("\n%-*s%10s%10s\n", site_width(symbols) + 48, title, "count", "failed");
	for (unsigned i = 0; i < count; i++)
		print_site(symbols, &stat->sites[rows[i].index]);
	if (opt.json)
		json_close(']');
	free(rows);
}

/* --- the verb --------------------------------------------------------------------------------- */

static void print_all(const struct symbols *symbols, const struct stat *stat)
{
	if (opt.json) {
		json_open(NULL, '{');
		json_number("schema", 1);
	}
	print_totals(stat);
	print_exits(stat);
	stat_print_hv_time(stat, opt.json);
	print_insns(stat);
	print_inv(stat);
	print_fields(stat);
	print_sites(symbols, stat, false, "l1_sites", "call sites of L1");
	print_sites(symbols, stat, true, "l2_sites", "where L2 exits");
	if (opt.json) {
		json_number("events_at_other_sites", stat->other_sites);
		json_close('}');
		json_end();
	} else if (stat->other_sites) {
		out_format("\n%llu events at more call sites than are kept\n",
			   (unsigned long long)stat->other_sites);
	}
}

int cmd_stat(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct position_range range;
	struct reader *const reader = tape_arg_open(count, argv + 1, &range);
	struct stat *const stat = stat_new();
	const struct trace_event *event;
	u64 n;

	if (!stat)
		die("out of memory");
	if (reader_seek(reader, range.first) == ST_OK)
		while ((n = reader_tell(reader)) < range.end &&
		       reader_next(reader, &event) == ST_OK)
			if (stat_event(stat, event, n) != ST_OK)
				die("out of memory");
	thin = reader_boot(reader, 0)->processor.capture == CAPTURE_THIN;
	print_all(reader_names(reader)->symbols, stat);
	stat_free(stat);
	return tape_arg_close(reader, EXIT_CLEAN);
}
