/*
 * Pages about what tapes are judged by: checks of VM entry and of exits, errata, rules.
 */
#include <strings.h>

#include "cli/explain_parts.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "replay/check_table.h"
#include "replay/errata.h"
#include "replay/finding.h"
#include "trace/text.h"

static const char *const stage_ends[CHECK_STAGE_COUNT] = {
	[CHECK_STAGE_BASIC] = "the instruction fails before anything is checked",
	[CHECK_STAGE_CONTROL] = "the instruction fails with error 7",
	[CHECK_STAGE_HOST] = "the instruction fails with error 8",
	[CHECK_STAGE_GUEST] = "an exit with reason 0x80000021 follows",
	[CHECK_STAGE_MSR_LOAD] = "an exit with reason 0x80000022 follows",
	[CHECK_STAGE_MSR_STORE] = "VMX abort at the exit",
	[CHECK_STAGE_MSR_HOST] = "VMX abort at the exit",
};

unsigned explain_check_pages(const char *name, bool json)
{
	const enum check_id id = check_id_of(name);
	const struct check_row *row;

	if (id == CHECK_COUNT)
		return 0;
	row = &check_rows[id];
	if (json) {
		explain_json_open("check", row->id);
		json_text("text", row->text);
		json_text("section", check_section(id));
		json_text("failing", stage_ends[check_stage(id)]);
		json_bool("confirmed", check_confirmed(id));
		explain_json_close();
		return 1;
	}
	out_format("%s: a check of VM entry\n", row->id);
	explain_paragraph("demands", row->text);
	explain_paragraph("section", check_section(id));
	explain_paragraph("else", stage_ends[check_stage(id)]);
	if (row->level == CHECK_MAY)
		explain_paragraph("", "a processor may also let it pass");
	return 1;
}

unsigned explain_exit_check_pages(const char *name, bool json)
{
	const enum exit_check_id id = exit_check_id_of(name);
	const struct exit_check_row *const row = &exit_check_rows[id];

	if (id == EXIT_CHECK_COUNT)
		return 0;
	if (json) {
		explain_json_open("exit_check", row->id);
		json_text("demands", row->text);
		json_text("section", row->section);
		explain_json_close();
		return 1;
	}
	out_format("%s: a check of what entries and exits do to the VMCS\n", row->id);
	explain_paragraph("demands", row->text);
	explain_paragraph("section", row->section);
	explain_paragraph("else", "check finds L0.exit-state");
	return 1;
}

unsigned explain_erratum_pages(const char *name, bool json)
{
	const struct erratum *const row = erratum_find(name);
	const char *platform, *what;

	if (!row)
		return 0;
	platform = errata_platform_title((enum errata_platform)row->platform);
	what = row->kind == ERRATUM_KIND_EXIT	 ? exit_check_rows[row->what].id
	       : row->kind >= ERRATUM_KIND_FAULT ? trace_text_title(row->what)
						 : check_rows[row->what].id;
	if (json) {
		explain_json_open("erratum", row->id);
		json_text("platform", platform);
		json_text("about", what);
		json_text("meaning", row->text);
		json_text("source", row->source);
		explain_json_close();
		return 1;
	}
	out_format("%s: a known departure of %s from the SDM\n", row->id, platform);
	explain_paragraph("meaning", row->text);
	explain_paragraph("about", what);
	explain_paragraph("source", row->source);
	explain_paragraph("effect", row->kind == ERRATUM_KIND_UNJUDGED
					    ? "check says nothing about it"
					    : "what it explains is a note in check, not an error");
	return 1;
}

static const struct {
	const char *meaning;
	const char *next;
} pages[FINDING_COUNT] = {
#define PAGE(NAME, meaning, next) [FINDING_##NAME] = { meaning, next },
#include "replay/finding_pages.def"
#undef PAGE
};

static void finding_page(unsigned id, bool json)
{
	const struct finding_row *const row = &finding_rows[id];

	if (json) {
		explain_json_open("rule", row->rule);
		json_text("severity", finding_severity_name(row->severity));
		json_text("fault", finding_fault_name(row->fault));
		json_text("summary", row->summary);
		json_text("meaning", pages[id].meaning);
		json_text("section", row->section);
		json_text("next", pages[id].next);
		explain_json_close();
		return;
	}
	out_format("%s: %s\n", row->rule, row->summary);
	out_format("  %-15s%s, fault %s\n", "severity", finding_severity_name(row->severity),
		   finding_fault_name(row->fault));
	explain_paragraph("meaning", pages[id].meaning);
	explain_paragraph("SDM", row->section);
	explain_paragraph("next", pages[id].next);
}

unsigned explain_finding_pages(const char *name, bool json)
{
	for (unsigned id = 0; id < FINDING_COUNT; id++)
		if (!strcasecmp(finding_rows[id].rule, name)) {
			finding_page(id, json);
			return 1;
		}
	return 0;
}
