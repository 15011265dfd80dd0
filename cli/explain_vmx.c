/*
 * Pages about the architecture: VMCS fields, controls, capabilities, MSRs, exit reasons.
 */
#include "cli/explain_parts.h"
#include "cli/out.h"
#include "cli/out_json.h"
#include "replay/names.h"
#include "vmx/caps.h"

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

	explain_json_open("field", field->name);
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
	explain_json_close();
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

unsigned explain_field_pages(const char *name, bool json)
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
		explain_json_open("control", control->name);
		json_text("title", control->title);
		json_text("field", vmcs_fields[word->field].name);
		json_number("bit", control->bit);
		json_text("capability_msr", msr);
		json_number("may_be_1_bit", may);
		json_open("uses", '[');
		fields_of_control(control, true);
		json_close(']');
		explain_json_close();
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

unsigned explain_control_pages(const char *name, bool json)
{
	const struct vmx_control *control = NULL;
	unsigned pages = 0;

	while ((control = vmx_control_find(name, control))) {
		control_page(control, json);
		pages++;
	}
	return pages;
}

unsigned explain_capbit_pages(const char *name, bool json)
{
	const struct vmx_capbit *const bit = vmx_capbit_find(name);

	if (!bit)
		return 0;
	if (json) {
		explain_json_open("capability", bit->name);
		json_text("title", bit->title);
		json_text("capability_msr", vmx_msr_name(MSR_VMX_BASIC + bit->cap));
		json_number("high", bit->high);
		json_number("low", bit->low);
		explain_json_close();
		return 1;
	}
	out_format("%s: %s\n", bit->name, bit->title);
	out_format("  %-15sbits %u:%u of %s\n", "capability", bit->high, bit->low,
		   vmx_msr_name(MSR_VMX_BASIC + bit->cap));
	return 1;
}

unsigned explain_msr_pages(const char *name, bool json)
{
	const s64 index = name_msr_find(name);

	if (index < 0)
		return 0;
	if (json) {
		explain_json_open("msr", name);
		json_text("title", vmx_msr_title((u32)index));
		json_hex("index", (u64)index);
		json_open("parts", '[');
		print_parts(vmx_msr_kind((u32)index), true);
		json_close(']');
		explain_json_close();
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

unsigned explain_exit_pages(const char *name, bool json)
{
	const struct vmx_exit *const exit = vmx_exit_find(name);

	if (!exit)
		return 0;
	if (json) {
		explain_json_open("exit", exit->name);
		json_text("title", exit->title);
		json_number("number", exit->number);
		json_text("qualification", qualifications[exit->qualification].title);
		json_open("parts", '[');
		print_parts((enum vmx_value_kind)qualifications[exit->qualification].kind, true);
		json_close(']');
		explain_json_close();
		return 1;
	}
	out_format("%s: %s\n", exit->name, exit->title);
	out_format("  %-15s%u (0x%x)\n", "exit reason", exit->number, exit->number);
	out_format("  %-15s%s\n", "qualification", qualifications[exit->qualification].title);
	print_parts((enum vmx_value_kind)qualifications[exit->qualification].kind, false);
	return 1;
}
