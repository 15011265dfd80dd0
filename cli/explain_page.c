#include "cli/explain_page.h"

#include <string.h>
#include <strings.h>

#include "cli/out.h"
#include "cli/out_json.h"
#include "replay/check_table.h"
#include "replay/errata.h"
#include "replay/finding.h"
#include "replay/names.h"
#include "trace/text.h"
#include "vmx/bits.h"
#include "vmx/caps.h"

#define LABEL_WIDTH 17
#define MAX_COLUMN  100

void explain_paragraph(const char *label, const char *text)
{
	if (!text || !*text)
		return;
	while (*text) {
		size_t length = strlen(text);

		if (length > MAX_COLUMN - LABEL_WIDTH) {
			for (length = MAX_COLUMN - LABEL_WIDTH; length && text[length] != ' ';)
				length--;
			if (!length)
				length = strcspn(text, " ");
		}
		out_format("  %-*s%.*s\n", LABEL_WIDTH - 2, label, (int)length, text);
		text += length + (text[length] == ' ');
		label = "";
	}
}

/* --- VMCS fields ------------------------------------------------------------------------------ */

static const char *const kind_names[] = {
	[VMCS_KIND_CONTROL] = "control",
	[VMCS_KIND_INFO] = "VM-exit information",
	[VMCS_KIND_GUEST] = "guest state",
	[VMCS_KIND_HOST] = "host state",
};

/* The control that @mask of @word is. */
static const struct vmx_control *control_of(unsigned word, u64 mask)
{
	return vmx_control_at((enum vmx_word)word, (unsigned)__builtin_ctzll(mask));
}

static void print_uses(int index, bool json)
{
	for (size_t i = 0; i < vmx_use_count; i++) {
		const struct vmx_control *const control =
			control_of(vmx_uses[i].word, vmx_uses[i].mask);

		if (vmx_uses[i].field != index || !control)
			continue;
		if (json)
			json_text(NULL, control->name);
		else
			out_format("  %-15s%s is 1 (\"%s\")\n", "used while", control->name,
				   control->title);
	}
}

static void print_parts(enum vmx_value_kind kind, bool json)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts(kind, &parts);

	for (size_t i = 0; i < count; i++) {
		if (json) {
			json_open(NULL, '{');
			json_number("high", parts[i].high);
			json_number("low", parts[i].low);
			json_text("name", parts[i].name);
			json_text("title", parts[i].title);
			json_close('}');
		} else if (parts[i].high == parts[i].low) {
			out_format("     %2u          %-26s%s\n", parts[i].high, parts[i].name,
				   parts[i].title);
		} else {
			out_format("  %2u:%2u          %-26s%s\n", parts[i].high, parts[i].low,
				   parts[i].name, parts[i].title);
		}
	}
}

static void field_json(int index)
{
	const struct vmcs_field *const field = &vmcs_fields[index];
	const int word = vmx_word_of_field(index);

	json_open(NULL, '{');
	json_number("schema", 1);
	json_text("what", "field");
	json_text("name", field->name);
	json_text("title", field->title);
	json_hex("encoding", field->encoding);
	json_number("bits", vmcs_width_bits(field->width));
	json_bool("natural_width", field->width == VMCS_WIDTH_NATURAL);
	json_text("area", kind_names[field->kind]);
	json_bool("read_only", field->access == VMCS_ACCESS_RO);
	json_text("holds", vmx_kind_title(vmx_field_kind(index)));
	json_text("capability_msr",
		  word < 0 ? NULL : vmx_msr_name(MSR_VMX_BASIC + vmx_control_words[word].true_cap));
	json_open("used_while", '[');
	print_uses(index, true);
	json_close(']');
	json_open("parts", '[');
	print_parts(vmx_field_kind(index), true);
	json_close(']');
	json_close('}');
	json_end();
}

static void field_text(int index)
{
	const struct vmcs_field *const field = &vmcs_fields[index];
	const enum vmx_value_kind kind = vmx_field_kind(index);
	const int word = vmx_word_of_field(index);

	out_format("%s: %s\n", field->name, field->title);
	out_format("  %-15s0x%x, %u bits%s, %s%s\n", "VMCS field", field->encoding,
		   vmcs_width_bits(field->width),
		   field->width == VMCS_WIDTH_NATURAL ? " (natural width)" : "",
		   kind_names[field->kind],
		   field->access == VMCS_ACCESS_RO ? ", read-only without ia32_vmx_misc[29]" : "");
	if (field->width == VMCS_WIDTH_64)
		out_format("  %-15s0x%x, outside of 64-bit mode\n", "bits 63:32",
			   field->encoding + 1);
	if (kind != VMX_VALUE_HEX)
		out_format("  %-15s%s\n", "holds", vmx_kind_title(kind));
	if (word >= 0) {
		out_format("  %-15s%s", "ruled by",
			   vmx_msr_name(MSR_VMX_BASIC + vmx_control_words[word].true_cap));
		if (vmx_control_words[word].true_cap != vmx_control_words[word].cap)
			out_format(", or %s where ia32_vmx_basic[55] is 0",
				   vmx_msr_name(MSR_VMX_BASIC + vmx_control_words[word].cap));
		out_text("\n");
	}
	print_uses(index, false);
	print_parts(kind, false);
}

static unsigned field_pages(const char *name, bool json)
{
	const int index = vmcs_field_find(name);

	if (index < 0)
		return 0;
	if (json)
		field_json(index);
	else
		field_text(index);
	return 1;
}

/* --- controls and capabilities ---------------------------------------------------------------- */

static void fields_of_control(const struct vmx_control *control, bool json)
{
	for (size_t i = 0; i < vmx_use_count; i++) {
		if (vmx_uses[i].word != control->word || vmx_uses[i].mask != BIT(control->bit))
			continue;
		if (json)
			json_text(NULL, vmcs_fields[vmx_uses[i].field].name);
		else
			out_format("  %-15s%s\n", "uses", vmcs_fields[vmx_uses[i].field].name);
	}
}

static void control_page(const struct vmx_control *control, bool json)
{
	const struct vmx_control_word *const word = &vmx_control_words[control->word];
	const char *const msr = vmx_msr_name(MSR_VMX_BASIC + word->true_cap);
	const unsigned may = control->bit + (word->layout == VMX_LAYOUT_SPLIT ? 32 : 0);

	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "control");
		json_text("name", control->name);
		json_text("title", control->title);
		json_text("field", vmcs_fields[word->field].name);
		json_number("bit", control->bit);
		json_text("capability_msr", msr);
		json_number("may_be_1_bit", may);
		json_open("uses", '[');
		fields_of_control(control, true);
		json_close(']');
		json_close('}');
		json_end();
		return;
	}
	out_format("%s: \"%s\"\n", control->name, control->title);
	out_format("  %-15sbit %u of %s\n", "control", control->bit, vmcs_fields[word->field].name);
	out_format("  %-15s%s bit %u is 1\n", "may be 1 if", msr, may);
	if (word->by_mask)
		out_format("  %-15s%s is 1\n", "counts if",
			   control_of(word->by_word, word->by_mask)->name);
	fields_of_control(control, false);
}

static unsigned control_pages(const char *name, bool json)
{
	const struct vmx_control *control = NULL;
	unsigned pages = 0;

	while ((control = vmx_control_find(name, control))) {
		control_page(control, json);
		pages++;
	}
	return pages;
}

static unsigned capbit_pages(const char *name, bool json)
{
	const struct vmx_capbit *const bit = vmx_capbit_find(name);

	if (!bit)
		return 0;
	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "capability");
		json_text("name", bit->name);
		json_text("title", bit->title);
		json_text("capability_msr", vmx_msr_name(MSR_VMX_BASIC + bit->cap));
		json_number("high", bit->high);
		json_number("low", bit->low);
		json_close('}');
		json_end();
		return 1;
	}
	out_format("%s: %s\n", bit->name, bit->title);
	out_format("  %-15sbits %u:%u of %s\n", "capability", bit->high, bit->low,
		   vmx_msr_name(MSR_VMX_BASIC + bit->cap));
	return 1;
}

static unsigned msr_pages(const char *name, bool json)
{
	const s64 index = name_msr_find(name);

	if (index < 0)
		return 0;
	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "msr");
		json_text("name", name);
		json_text("title", vmx_msr_title((u32)index));
		json_hex("index", (u64)index);
		json_open("parts", '[');
		print_parts(vmx_msr_kind((u32)index), true);
		json_close(']');
		json_close('}');
		json_end();
		return 1;
	}
	out_format("%s: %s\n", name, vmx_msr_title((u32)index));
	out_format("  %-15s0x%llx\n", "MSR", (unsigned long long)index);
	if (vmx_msr_kind((u32)index) != VMX_VALUE_HEX)
		print_parts(vmx_msr_kind((u32)index), false);
	return 1;
}

/* --- exit reasons ----------------------------------------------------------------------------- */

static const struct {
	const char *title;
	u8 kind;
} qualifications[VMX_QUAL_COUNT] = {
#define QUALIFICATION(NAME, KIND, title) [VMX_QUAL_##NAME] = { title, VMX_VALUE_##KIND },
#include "vmx/qualifications.def"
#undef QUALIFICATION
};

enum vmx_value_kind explain_qualification(u32 reason, const char **title)
{
	const struct vmx_exit *const exit = vmx_exit_by_reason(reason);
	const u8 form = exit ? exit->qualification : VMX_QUAL_NONE;

	*title = qualifications[form].title;
	return (enum vmx_value_kind)qualifications[form].kind;
}

static unsigned exit_pages(const char *name, bool json)
{
	const struct vmx_exit *const exit = vmx_exit_find(name);

	if (!exit)
		return 0;
	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "exit");
		json_text("name", exit->name);
		json_text("title", exit->title);
		json_number("number", exit->number);
		json_text("qualification", qualifications[exit->qualification].title);
		json_open("parts", '[');
		print_parts((enum vmx_value_kind)qualifications[exit->qualification].kind, true);
		json_close(']');
		json_close('}');
		json_end();
		return 1;
	}
	out_format("%s: %s\n", exit->name, exit->title);
	out_format("  %-15s%u (0x%x)\n", "exit reason", exit->number, exit->number);
	out_format("  %-15s%s\n", "qualification", qualifications[exit->qualification].title);
	print_parts((enum vmx_value_kind)qualifications[exit->qualification].kind, false);
	return 1;
}

/* --- checks of VM entry and findings ---------------------------------------------------------- */

static const char *const stage_ends[CHECK_STAGE_COUNT] = {
	[CHECK_STAGE_BASIC] = "the instruction fails before anything is checked",
	[CHECK_STAGE_CONTROL] = "the instruction fails with error 7",
	[CHECK_STAGE_HOST] = "the instruction fails with error 8",
	[CHECK_STAGE_GUEST] = "an exit with reason 0x80000021 follows",
	[CHECK_STAGE_MSR_LOAD] = "an exit with reason 0x80000022 follows",
	[CHECK_STAGE_MSR_STORE] = "VMX abort at the exit",
	[CHECK_STAGE_MSR_HOST] = "VMX abort at the exit",
};

static unsigned check_pages(const char *name, bool json)
{
	const enum check_id id = check_id_of(name);
	const struct check_row *row;

	if (id == CHECK_COUNT)
		return 0;
	row = &check_rows[id];
	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "check");
		json_text("name", row->id);
		json_text("text", row->text);
		json_text("section", check_section(id));
		json_text("failing", stage_ends[check_stage(id)]);
		json_bool("confirmed", check_confirmed(id));
		json_close('}');
		json_end();
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

static const struct {
	const char *meaning;
	const char *next;
} pages[FINDING_COUNT] = {
#define PAGE(NAME, meaning, next) [FINDING_##NAME] = { meaning, next },
#include "replay/finding_pages.def"
#undef PAGE
};

static unsigned erratum_pages(const char *name, bool json)
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
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "erratum");
		json_text("name", row->id);
		json_text("platform", platform);
		json_text("about", what);
		json_text("meaning", row->text);
		json_text("source", row->source);
		json_close('}');
		json_end();
		return 1;
	}
	out_format("%s: a known departure of %s from the SDM\n", row->id, platform);
	explain_paragraph("meaning", row->text);
	explain_paragraph("about", what);
	explain_paragraph("source", row->source);
	explain_paragraph("effect", "what it explains is a note in check, not an error");
	return 1;
}

static unsigned exit_check_pages(const char *name, bool json)
{
	const enum exit_check_id id = exit_check_id_of(name);
	const struct exit_check_row *const row = &exit_check_rows[id];

	if (id == EXIT_CHECK_COUNT)
		return 0;
	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "exit_check");
		json_text("name", row->id);
		json_text("demands", row->text);
		json_text("section", row->section);
		json_close('}');
		json_end();
		return 1;
	}
	out_format("%s: a check of what entries and exits do to the VMCS\n", row->id);
	explain_paragraph("demands", row->text);
	explain_paragraph("section", row->section);
	explain_paragraph("else", "check finds L0.exit-state");
	return 1;
}

static void finding_page(unsigned id, bool json)
{
	const struct finding_row *const row = &finding_rows[id];

	if (json) {
		json_open(NULL, '{');
		json_number("schema", 1);
		json_text("what", "rule");
		json_text("name", row->rule);
		json_text("severity", finding_severity_name(row->severity));
		json_text("fault", finding_fault_name(row->fault));
		json_text("summary", row->summary);
		json_text("meaning", pages[id].meaning);
		json_text("section", row->section);
		json_text("next", pages[id].next);
		json_close('}');
		json_end();
		return;
	}
	out_format("%s: %s\n", row->rule, row->summary);
	out_format("  %-15s%s, fault %s\n", "severity", finding_severity_name(row->severity),
		   finding_fault_name(row->fault));
	explain_paragraph("meaning", pages[id].meaning);
	explain_paragraph("SDM", row->section);
	explain_paragraph("next", pages[id].next);
}

static unsigned finding_pages(const char *name, bool json)
{
	for (unsigned id = 0; id < FINDING_COUNT; id++)
		if (!strcasecmp(finding_rows[id].rule, name)) {
			finding_page(id, json);
			return 1;
		}
	return 0;
}

unsigned explain_pages(const char *name, bool json)
{
	static unsigned (*const kinds[])(const char *, bool) = {
		finding_pages, field_pages, control_pages,    capbit_pages,  exit_pages,
		msr_pages,     check_pages, exit_check_pages, erratum_pages,
	};
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		count += kinds[i](name, json);
	return count;
}
