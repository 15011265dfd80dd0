#include "gdbstub/target_xml.h"

#include <stdio.h>

#include "gdbstub/gdb_regs.h"
#include "vmx/bits.h"

static const char *const feature_names[GDB_FEATURES] = {
	[GDB_CORE] = "org.gnu.gdb.i386.core",
	[GDB_SSE] = "org.gnu.gdb.i386.sse",
	[GDB_SEGMENTS] = "org.gnu.gdb.i386.segments",
	[GDB_SYSTEM] = "org.vmxtape.system",
	[GDB_TAPE] = "org.vmxtape.tape",
	[GDB_VMCS] = "org.vmxtape.vmcs",
};

/* Bytes of the flag type of a register. */
static unsigned type_size(const struct gdb_reg_info *reg)
{
	return reg->bits / 8;
}

static bool is_shown(const struct vmx_part *part, unsigned bits)
{
	return *part->name && part->high < bits;
}

/* gdb has flag types of 4 and 8 bytes, with one field at least. */
static bool has_flags(const struct gdb_reg_info *reg)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts((enum vmx_value_kind)reg->kind, &parts);

	if (type_size(reg) < 4 || type_size(reg) > 8)
		return false;
	for (size_t i = 0; i < count; i++)
		if (is_shown(&parts[i], reg->bits))
			return true;
	return false;
}

static const char *const kind_names[] = {
#define KIND(NAME, title) #NAME,
#define PART(...)
#define LIST(NAME)
#define CHOICE(value, text)
#include "vmx/bits.def"
#undef CHOICE
#undef LIST
#undef PART
#undef KIND
};

/* A type is named by what it is made from: the kind of value, and its size. */
static void type_name(const struct gdb_reg_info *reg, char *to, size_t size)
{
	snprintf(to, size, "%s_%u", kind_names[reg->kind], reg->bits);
}

static void put_field(FILE *file, const struct vmx_part *part, unsigned bits)
{
	if (!is_shown(part, bits))
		return;
	fprintf(file, "<field name=\"%s\" start=\"%u\" end=\"%u\"%s/>", part->name, part->low,
		part->high, part->high == part->low ? "" : " type=\"uint64\"");
}

/* Once for each kind and size in a feature. */
static void put_types(FILE *file, enum gdb_feature feature)
{
	bool done[VMX_VALUE_KIND_COUNT][2] = { 0 };
	char name[64];

	for (unsigned i = 0; i < GDB_REG_COUNT; i++) {
		const struct gdb_reg_info reg = gdb_reg_info(i);
		const struct vmx_part *parts;
		size_t count;

		if (reg.feature != feature || !has_flags(&reg) || done[reg.kind][reg.bits == 64])
			continue;
		done[reg.kind][reg.bits == 64] = true;
		type_name(&reg, name, sizeof(name));
		fprintf(file, "<flags id=\"%s\" size=\"%u\">", name, type_size(&reg));
		count = vmx_parts((enum vmx_value_kind)reg.kind, &parts);
		for (size_t part = 0; part < count; part++)
			put_field(file, &parts[part], reg.bits);
		fprintf(file, "</flags>\n");
	}
}

static void put_register(FILE *file, unsigned number)
{
	const struct gdb_reg_info reg = gdb_reg_info(number);
	char type[64];

	if (reg.type)
		snprintf(type, sizeof(type), "%s", reg.type);
	else if (has_flags(&reg))
		type_name(&reg, type, sizeof(type));
	else
		snprintf(type, sizeof(type), reg.feature == GDB_VMCS ? "uint%u" : "int%u",
			 reg.bits);
	fprintf(file, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"%s/>\n", reg.name,
		reg.bits, type, number,
		reg.feature == GDB_VMCS ? " group=\"vmcs\" save-restore=\"no\"" : "");
}

char *gdb_target_xml(bool (*has)(void *owner, unsigned number), void *owner)
{
	char *text = NULL;
	size_t size;
	FILE *const file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	fprintf(file, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
		      "<target version=\"1.0\">\n<architecture>i386:x86-64</architecture>\n");
	for (unsigned feature = 0; feature < GDB_FEATURES; feature++) {
		fprintf(file, "<feature name=\"%s\">\n", feature_names[feature]);
		put_types(file, (enum gdb_feature)feature);
		for (unsigned i = 0; i < GDB_REG_COUNT; i++)
			if (gdb_reg_info(i).feature == feature && (!has || has(owner, i)))
				put_register(file, i);
		fprintf(file, "</feature>\n");
	}
	fprintf(file, "</target>\n");
	return fclose(file) ? NULL : text;
}
