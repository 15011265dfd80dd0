#include "vmx/value_text.h"

#include "base/fmt.h"
#include "vmx/qual.h"

struct text {
	char *to;
	size_t size;
	size_t length; /* of the whole text, also of what did not fit */
};

static void printf_like(2, 3) add(struct text *text, const char *format, ...)
{
	const size_t used = MIN(text->length, text->size);
	va_list args;

	va_start(args, format);
	text->length += fmt_va(text->to + used, text->size - used, format, args);
	va_end(args);
}

static void add_space(struct text *text)
{
	if (text->length)
		add(text, " ");
}

static void add_part(struct text *text, const struct vmx_part *part, u64 value)
{
	const u64 number = vmx_part_get(part, value);
	const char *choice;

	if (part->style == VMX_STYLE_FLAG) {
		if (number && part->name[0]) {
			add_space(text);
			add(text, "%s", part->name);
		}
		return;
	}
	/*
	 * Most numbers beside flags are 0 and say nothing; a lone number or a choice always does.
	 */
	if (!number && part->style <= VMX_STYLE_PLACE && part->style != VMX_STYLE_LESS1)
		return;
	add_space(text);
	if (part->name[0])
		add(text, "%s=", part->name);
	switch (part->style) {
	case VMX_STYLE_NUM:
		add(text, "%lu", (unsigned long)number);
		return;
	case VMX_STYLE_LESS1:
		add(text, "%lu", (unsigned long)number + 1);
		return;
	case VMX_STYLE_HEX:
		add(text, "0x%lx", (unsigned long)number);
		return;
	case VMX_STYLE_PLACE:
		add(text, "0x%lx", (unsigned long)(value & vmx_part_mask(part)));
		return;
	case VMX_STYLE_REG:
		add(text, "%s", vmx_reg_name((unsigned int)number));
		return;
	default:
		choice = vmx_choice_text((enum vmx_style)part->style, number);
		if (choice)
			add(text, "%s", choice);
		else
			add(text, "%lu", (unsigned long)number);
	}
}

static void add_reserved(struct text *text, u64 bits)
{
	if (!bits)
		return;
	add_space(text);
	add(text, "reserved=0x%lx", (unsigned long)bits);
}

/* Default1 controls without a name are 1 everywhere: they are neither named nor reserved. */
static u64 silent_bits(enum vmx_value_kind kind)
{
	if (kind < VMX_VALUE_WORD_PIN || kind > VMX_VALUE_WORD_ENTRY)
		return 0;
	return vmx_control_words[kind - VMX_VALUE_WORD_PIN].default1;
}

static void add_parts(struct text *text, enum vmx_value_kind kind, u64 value)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts(kind, &parts);
	u64 reserved = value & ~silent_bits(kind);

	for (size_t i = 0; i < count; i++) {
		add_part(text, &parts[i], value);
		reserved &= ~vmx_part_mask(&parts[i]);
	}
	add_reserved(text, reserved);
}

static void add_event(struct text *text, enum vmx_value_kind kind, u64 info)
{
	const unsigned int vector = (unsigned int)(info & VMX_EVENT_VECTOR);
	const enum vmx_event_type type = vmx_event_type(info);
	const char *type_text = vmx_choice_text(VMX_STYLE_EVENT_TYPE, type);
	const char *name = NULL;
	u64 defined = VMX_EVENT_VECTOR | VMX_EVENT_TYPE | VMX_EVENT_ERROR_CODE | VMX_EVENT_NESTED |
		      VMX_EVENT_VALID;

	if (!(info & VMX_EVENT_VALID)) {
		add(text, "not_valid");
		return;
	}
	if (type_text)
		add(text, "%s", type_text);
	else
		add(text, "type=%u", (unsigned int)type);
	if (type == VMX_EVENT_OTHER)
		name = vmx_choice_text(VMX_STYLE_OTHER_EVENT, vector);
	else if (type == VMX_EVENT_HARDWARE_EXCEPTION || type > VMX_EVENT_SOFTWARE_INTERRUPT)
		name = vmx_exception_name(vector);
	if (name)
		add(text, " %s", name);
	else if (type != VMX_EVENT_NMI || vector != 2)
		add(text, " vector=0x%x", vector);
	if (info & VMX_EVENT_ERROR_CODE)
		add(text, " error_code");
	if (kind == VMX_VALUE_EVENT_EXIT) {
		defined |= VMX_EVENT_NMI_UNBLOCKING;
		if (info & VMX_EVENT_NMI_UNBLOCKING)
			add(text, " nmi_unblocking");
	}
	/* Bit 12 of the IDT-vectoring information is undefined rather than reserved. */
	if (kind == VMX_VALUE_EVENT_ORIGINAL)
		defined |= VMX_EVENT_NMI_UNBLOCKING;
	if (info & VMX_EVENT_NESTED)
		add(text, " nested");
	add_reserved(text, info & ~defined);
}

static void add_exit_reason(struct text *text, u64 value)
{
	static const struct {
		u64 mask;
		const char *name;
	} flags[] = {
		{ EXIT_REASON_BUSY_SHADOW_STACK, "busy_shadow_stack" },
		{ EXIT_REASON_BUS_LOCK_ASSERTED, "bus_lock_asserted" },
		{ EXIT_REASON_ENCLAVE, "enclave" },
		{ EXIT_REASON_PENDING_MTF, "pending_mtf" },
		{ EXIT_REASON_FROM_ROOT, "from_root" },
		{ EXIT_REASON_ENTRY_FAILURE, "entry_failure" },
	};
	const struct vmx_exit *row = vmx_exit_by_reason((u32)value);

	if (row)
		add(text, "%s", row->name);
	else
		add(text, "reason=%u", (unsigned int)(value & EXIT_REASON_BASIC));
	value &= ~EXIT_REASON_BASIC;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (value & flags[i].mask)
			add(text, " %s", flags[i].name);
		value &= ~flags[i].mask;
	}
	add_reserved(text, value);
}

/* --- Text of instructions --------------------------------------------------------------------- */

/* The name of the low @bits of a register: rax, eax, ax; r8, r8d, r8w. */
static void add_register(struct text *text, unsigned int reg, unsigned int bits)
{
	const char *name = vmx_reg_name(reg);

	if (bits == 64 || reg >= REG_COUNT)
		add(text, "%s", name);
	else if (reg >= REG_R8)
		add(text, "%s%s", name, bits == 32 ? "d" : "w");
	else
		add(text, "%s%s", bits == 32 ? "e" : "", name + 1);
}

static void add_segment(struct text *text, unsigned int segment)
{
	static const char *const names[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs" };

	if (segment < SEG_COUNT)
		add(text, "%s", names[segment]);
	else
		add(text, "%u", segment);
}

/* [base+index*scale+displacement], of which only the bits of the address size are defined. */
static void add_memory(struct text *text, const struct vmx_insn_info *insn, u64 displacement)
{
	const unsigned int bits = insn->address_size ? insn->address_size : 64;
	const u64 sign = BIT(bits - 1);
	const u64 offset = displacement & MASK(bits - 1, 0);
	const bool bare = insn->base == VMX_REG_NONE && insn->index == VMX_REG_NONE;

	add_segment(text, insn->segment);
	add(text, ":[");
	if (insn->base != VMX_REG_NONE)
		add_register(text, insn->base, bits);
	if (insn->index != VMX_REG_NONE) {
		if (insn->base != VMX_REG_NONE)
			add(text, "+");
		add_register(text, insn->index, bits);
		if (insn->scale != 1)
			add(text, "*%u", insn->scale);
	}
	if (bare)
		add(text, "0x%lx", (unsigned long)offset);
	else if (offset & sign)
		add(text, "-0x%lx", (unsigned long)(MASK(bits - 1, 0) & -offset));
	else if (offset)
		add(text, "+0x%lx", (unsigned long)offset);
	add(text, "]");
}

static void add_insn_info(struct text *text, u64 info, const struct vmx_decode_context *context)
{
	const u32 reason = context->exit_reason & (u32)EXIT_REASON_BASIC;
	const struct vmx_insn_info insn = vmx_insn_info_decode(reason, (u32)info);
	const unsigned int size = insn.operand_size ? insn.operand_size : 64;
	/* VMREAD's first operand is the destination, VMWRITE's and INVEPT's is the register. */
	const bool reg2_first = (insn.parts & VMX_INSN_REG2) && reason != EXIT_VMREAD;

	if (!insn.parts) {
		add(text, "0x%lx", (unsigned long)info);
		return;
	}
	if (insn.parts & VMX_INSN_ADDR) {
		add(text, "address_size=%u segment=", insn.address_size);
		add_segment(text, insn.segment);
		return;
	}
	add(text, "%s ", vmx_insn_name(reason, &insn));
	if (insn.parts & VMX_INSN_XMM) {
		add(text, "xmm%u, xmm%u", insn.reg1, insn.reg2);
		return;
	}
	if (reg2_first) {
		add_register(text, insn.reg2, 64);
		add(text, ", ");
	}
	if (insn.reg1 != VMX_REG_NONE)
		add_register(text, insn.reg1, size);
	else
		add_memory(text, &insn, context->qualification);
	if ((insn.parts & VMX_INSN_REG2) && !reg2_first) {
		add(text, ", ");
		add_register(text, insn.reg2, 64);
	}
}

static void add_cr_access(struct text *text, u64 qualification)
{
	const struct vmx_cr_access access = vmx_cr_access_decode(qualification);

	switch (access.type) {
	case VMX_MOV_TO_CR:
		add(text, "mov cr%u, %s", access.cr, vmx_reg_name(access.reg));
		break;
	case VMX_MOV_FROM_CR:
		add(text, "mov %s, cr%u", vmx_reg_name(access.reg), access.cr);
		break;
	case VMX_CLTS:
		add(text, "clts");
		break;
	default:
		add(text, "lmsw 0x%x%s", access.lmsw_source,
		    access.lmsw_memory ? " memory" : " register");
	}
}

static void add_dr_access(struct text *text, u64 qualification)
{
	const struct vmx_dr_access access = vmx_dr_access_decode(qualification);

	if (access.from_dr)
		add(text, "mov %s, dr%u", vmx_reg_name(access.reg), access.dr);
	else
		add(text, "mov dr%u, %s", access.dr, vmx_reg_name(access.reg));
}

static void add_io(struct text *text, u64 qualification)
{
	const struct vmx_io io = vmx_io_decode(qualification);

	add(text, "%s%s%s port=0x%x size=%u%s", io.rep ? "rep " : "", io.in ? "in" : "out",
	    io.string ? "s" : "", io.port, io.size, io.immediate ? " immediate" : "");
}

/* --- Values whose form depends on others ------------------------------------------------------ */

static bool is_exception(u32 info, unsigned int vector)
{
	const enum vmx_event_type type = vmx_event_type(info);

	return (info & VMX_EVENT_VALID) && (info & VMX_EVENT_VECTOR) == vector &&
	       (type == VMX_EVENT_HARDWARE_EXCEPTION || type > VMX_EVENT_SOFTWARE_INTERRUPT) &&
	       type != VMX_EVENT_OTHER;
}

enum { VECTOR_DB = 1, VECTOR_PF = 14 };

static void add_qualification(struct text *text, u64 value,
			      const struct vmx_decode_context *context)
{
	static const u8 kinds[VMX_QUAL_COUNT] = {
#define QUALIFICATION(NAME, KIND, title) [VMX_QUAL_##NAME] = VMX_VALUE_##KIND,
#include "vmx/qualifications.def"
#undef QUALIFICATION
	};
	const struct vmx_exit *row = vmx_exit_by_reason(context->exit_reason);
	const enum vmx_qual form = row ? (enum vmx_qual)row->qualification : VMX_QUAL_NONE;

	switch (form) {
	case VMX_QUAL_CR_ACCESS:
		add_cr_access(text, value);
		break;
	case VMX_QUAL_DR_ACCESS:
		add_dr_access(text, value);
		break;
	case VMX_QUAL_IO:
		add_io(text, value);
		break;
	case VMX_QUAL_EXCEPTION:
		if (is_exception(context->interruption_info, VECTOR_DB))
			add_parts(text, VMX_VALUE_QUAL_DEBUG, value);
		else
			add(text, "0x%lx", (unsigned long)value);
		break;
	default:
		text->length += vmx_decode(text->to, text->size, (enum vmx_value_kind)kinds[form],
					   value, NULL);
	}
}

static void add_msr(struct text *text, u64 index)
{
	const char *name = vmx_msr_name((u32)index);

	if (name && !(index >> 32))
		add(text, "%s", name);
	else
		add(text, "0x%lx", (unsigned long)index);
}

static void add_encoding(struct text *text, u64 encoding)
{
	const int index = vmcs_field_index(encoding & ~1ull);

	if (index >= 0 &&
	    (!vmcs_encoding_is_high(encoding) || vmcs_fields[index].width == VMCS_WIDTH_64))
		add(text, "%s%s", vmcs_fields[index].name,
		    vmcs_encoding_is_high(encoding) ? ":high" : "");
	else
		add(text, "0x%lx", (unsigned long)encoding);
}

static void add_insn_error(struct text *text, u64 number)
{
	const char *error = number >> 32 ? NULL : vmx_insn_error_text((u32)number);

	add(text, "%lu", (unsigned long)number);
	if (error)
		add(text, " (%s)", error);
}

static void add_ept_entry(struct text *text, u64 entry, unsigned int level)
{
	const bool maps_page = level == 1 || ((level == 2 || level == 3) && (entry & BIT(7)));

	if (level >= 1 && level <= 5)
		add_parts(text, maps_page ? VMX_VALUE_EPT_PAGE_ENTRY : VMX_VALUE_EPT_TABLE_ENTRY,
			  entry);
	else
		add(text, "0x%lx", (unsigned long)entry);
}

size_t vmx_decode(char *to, size_t size, enum vmx_value_kind kind, u64 value,
		  const struct vmx_decode_context *context)
{
	static const struct vmx_decode_context nothing;
	struct text text = { .to = to, .size = size };

	if (size)
		to[0] = 0;
	if (!context)
		context = &nothing;
	switch (kind) {
	case VMX_VALUE_DECIMAL:
		add(&text, "%lu", (unsigned long)value);
		break;
	case VMX_VALUE_EXIT_REASON:
		add_exit_reason(&text, value);
		break;
	case VMX_VALUE_EXIT_QUALIFICATION:
		add_qualification(&text, value, context);
		break;
	case VMX_VALUE_INSN_INFO:
		add_insn_info(&text, value, context);
		break;
	case VMX_VALUE_INSN_ERROR:
		add_insn_error(&text, value);
		break;
	case VMX_VALUE_EVENT_ENTRY:
	case VMX_VALUE_EVENT_EXIT:
	case VMX_VALUE_EVENT_ORIGINAL:
		add_event(&text, kind, value);
		break;
	case VMX_VALUE_ERROR_CODE:
		add_parts(&text,
			  is_exception(context->interruption_info, VECTOR_PF)
				  ? VMX_VALUE_PAGE_FAULT_CODE
				  : VMX_VALUE_SELECTOR_CODE,
			  value);
		break;
	case VMX_VALUE_EPT_ENTRY:
		add_ept_entry(&text, value, context->ept_level);
		break;
	case VMX_VALUE_ENCODING:
		add_encoding(&text, value);
		break;
	case VMX_VALUE_MSR:
		add_msr(&text, value);
		break;
	case VMX_VALUE_HEX:
		add(&text, "0x%lx", (unsigned long)value);
		break;
	default:
		if (kind < VMX_VALUE_KIND_COUNT)
			add_parts(&text, kind, value);
		else
			add(&text, "0x%lx", (unsigned long)value);
	}
	if (!text.length)
		add(&text, "0");
	return text.length;
}
