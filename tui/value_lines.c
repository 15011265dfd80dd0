#include "tui/value_lines.h"

#include <stdio.h>

#define MAX_DECODED   1024
#define NAME_WIDTH    26
#define NUMBER_COLUMN 8 /* "63:12" */

void value_put_decoded(struct lines *lines, enum vmx_value_kind kind, u64 value,
		       const struct vmx_decode_context *context)
{
	char text[MAX_DECODED];

	if (kind == VMX_VALUE_HEX || kind == VMX_VALUE_DECIMAL)
		return;
	vmx_decode(text, sizeof(text), kind, value, context);
	if (strcmp(text, "0"))
		lines_put(lines, STYLE_PLAIN, "  %s", text);
}

static void put_number(struct lines *lines, enum style style, const struct vmx_part *part,
		       u64 value)
{
	const u64 number = vmx_part_get(part, value);
	const char *choice;

	switch (part->style) {
	case VMX_STYLE_FLAG:
	case VMX_STYLE_NUM:
		lines_put(lines, style, "%llu", (unsigned long long)number);
		break;
	case VMX_STYLE_LESS1:
		lines_put(lines, style, "%llu", (unsigned long long)number + 1);
		break;
	case VMX_STYLE_HEX:
		lines_put(lines, style, "0x%llx", (unsigned long long)number);
		break;
	case VMX_STYLE_PLACE:
		lines_put(lines, style, "0x%llx",
			  (unsigned long long)(value & vmx_part_mask(part)));
		break;
	case VMX_STYLE_REG:
		lines_put(lines, style, "%s", vmx_reg_name((unsigned)number));
		break;
	default:
		choice = vmx_choice_text((enum vmx_style)part->style, number);
		if (choice)
			lines_put(lines, style, "%s", choice);
		else
			lines_put(lines, style, "%llu", (unsigned long long)number);
	}
}

static void put_part(struct lines *lines, unsigned indent, const struct vmx_part *part,
		     struct known_value value, struct known_value old)
{
	const u64 mask = vmx_part_mask(part);
	const bool was = (old.known & mask) == mask;
	const bool changed = was && (old.value ^ value.value) & mask;

	lines_add(lines);
	lines_put(lines, STYLE_PLAIN, "%*s", (int)indent, "");
	if (part->high == part->low)
		lines_put(lines, STYLE_LABEL, "%u", part->low);
	else
		lines_put(lines, STYLE_LABEL, "%u:%u", part->high, part->low);
	lines_pad(lines, indent + NUMBER_COLUMN);
	lines_put(lines, changed ? STYLE_CHANGED : STYLE_PLAIN, "%s", part->name);
	lines_pad(lines, indent + NUMBER_COLUMN + NAME_WIDTH);
	if (changed) {
		put_number(lines, STYLE_CHANGED, part, old.value);
		lines_put(lines, STYLE_CHANGED, " -> ");
	}
	put_number(lines, changed ? STYLE_CHANGED : STYLE_PLAIN, part, value.value);
	if (*part->title && strcmp(part->title, part->name)) {
		lines_pad(lines, indent + NUMBER_COLUMN + NAME_WIDTH + 8);
		lines_put(lines, STYLE_LABEL, "%s", part->title);
	}
}

void value_put_parts(struct lines *lines, unsigned indent, enum vmx_value_kind kind,
		     struct known_value value, struct known_value old)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts(kind, &parts);
	u64 covered = 0;

	for (size_t i = 0; i < count; i++) {
		const u64 mask = vmx_part_mask(&parts[i]);
		const bool changed = (old.known & mask) == mask && (old.value ^ value.value) & mask;

		covered |= mask;
		if ((value.known & mask) == mask && (value.value & mask || changed))
			put_part(lines, indent, &parts[i], value, old);
	}
	if (count && value.value & value.known & ~covered) {
		lines_add(lines);
		lines_put(lines, STYLE_PLAIN, "%*s", (int)(indent + NUMBER_COLUMN), "");
		lines_put(lines, STYLE_WARNING, "reserved bits 0x%llx are 1",
			  (unsigned long long)(value.value & value.known & ~covered));
	}
}

void value_put_changes(struct lines *lines, enum vmx_value_kind kind, u64 from, u64 to)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts(kind, &parts);

	for (size_t i = 0; i < count; i++) {
		const u64 mask = vmx_part_mask(&parts[i]);

		if (parts[i].style == VMX_STYLE_FLAG && (from ^ to) & mask && *parts[i].name)
			lines_put(lines, STYLE_CHANGED, " %c%s", to & mask ? '+' : '-',
				  parts[i].name);
	}
}

struct known_value value_of_field(const struct model_region *region, int index)
{
	if (!region || index < 0)
		return (struct known_value){ 0 };
	return (struct known_value){ region->value[index], region->known[index] };
}

void value_put(struct lines *lines, enum style style, struct known_value value, u64 whole)
{
	const u64 known = value.known & whole;

	if (!known)
		lines_put(lines, style, "?");
	else if (known == whole)
		lines_put(lines, style, "0x%llx", (unsigned long long)(value.value & whole));
	else
		lines_put(lines, style, "0x%llx of 0x%llx",
			  (unsigned long long)(value.value & known), (unsigned long long)known);
}
