#include "replay/field_use.h"

#include <stdio.h>
#include <string.h>

#include "vmx/value_text.h"

enum model_truth field_used(const struct model_region *region, int index)
{
	enum model_truth used = MODEL_YES;

	for (size_t i = 0; i < vmx_use_count; i++) {
		enum model_truth truth;

		if (vmx_uses[i].field != index)
			continue;
		truth = model_control(region, (enum vmx_word)vmx_uses[i].word, vmx_uses[i].mask);
		if (truth == MODEL_YES)
			return MODEL_YES;
		if (used != MODEL_UNKNOWN)
			used = truth;
	}
	return used;
}

const struct vmx_control *field_unused_by(const struct model_region *region, int index)
{
	if (field_used(region, index) != MODEL_NO)
		return NULL;
	for (size_t i = 0; i < vmx_use_count; i++)
		if (vmx_uses[i].field == index)
			return vmx_control_at((enum vmx_word)vmx_uses[i].word,
					      (unsigned)__builtin_ctzll(vmx_uses[i].mask));
	return NULL;
}

void field_decode(const struct model_region *region, int index, u64 value, char *to, size_t size)
{
	const enum vmx_value_kind kind = vmx_field_kind(index);
	const int info = index == VMCS_IX_IDT_VECTORING_ERROR_CODE ? VMCS_IX_IDT_VECTORING_INFO
			 : index == VMCS_IX_VM_ENTRY_EXCEPTION_ERROR_CODE
				 ? VMCS_IX_VM_ENTRY_INTERRUPTION_INFO
				 : VMCS_IX_VM_EXIT_INTERRUPTION_INFO;
	const struct vmx_decode_context context = {
		.exit_reason = (u32)region->value[VMCS_IX_EXIT_REASON],
		.interruption_info = (u32)region->value[info],
		.qualification = region->value[VMCS_IX_EXIT_QUALIFICATION],
	};
	char number[32];

	vmx_decode(to, size, kind, value, &context);
	/* What only repeats the number says nothing. */
	snprintf(number, sizeof(number), "0x%llx", (unsigned long long)value);
	if (kind == VMX_VALUE_HEX || !strcmp(to, number) || !strcmp(to, "0"))
		*to = 0;
}
