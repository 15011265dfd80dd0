#include "replay/event_text_parts.h"

#include "replay/put.h"
#include "vmx/tables.h"

char *event_text_position(char *to, u16 cpu, u64 seq)
{
	to = put_bytes(to, "@c", 2);
	to = put_dec(to, cpu);
	to = put_char(to, ':');
	return put_dec(to, seq);
}

char *event_text_bytes(char *to, const u8 *bytes, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		if (bytes[i] >= ' ' && bytes[i] < 0x7f && bytes[i] != '\\') {
			*to++ = (char)bytes[i];
			continue;
		}
		to = put_bytes(to, "\\x", 2);
		to = put_hex_digits(to, bytes[i], 2);
	}
	return to;
}

char *event_text_field(char *to, u64 encoding)
{
	const int index = vmcs_access_index(encoding);

	if (index < 0) {
		to = put_text(to, "field ");
		return put_hex(to, encoding);
	}
	to = put_text(to, vmcs_fields[index].name);
	return vmcs_encoding_is_high(encoding) ? put_text(to, "_high") : to;
}

char *event_text_msr(char *to, u64 msr)
{
	const char *const name = msr <= ~0u ? vmx_msr_name((u32)msr) : NULL;

	return name ? put_text(to, name) : put_hex(put_text(to, "msr "), msr);
}

char *event_text_known(char *to, const char *text)
{
	return put_text(to, text ? text : "unknown");
}

char *event_text_old(char *to, const struct model *model, u64 vmcs, u64 encoding)
{
	const struct model_region *const region = model ? model_region(model, vmcs) : NULL;
	const int index = vmcs_access_index(encoding);
	u64 value;

	if (!model || index < 0)
		return to;
	if (region && model_field(region, index, ~0ull, &value))
		to = put_hex(to, vmcs_encoding_is_high(encoding) ? value >> 32 : value);
	else
		to = put_char(to, '?');
	return put_bytes(to, " -> ", 4);
}
