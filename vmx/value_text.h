/*
 * vmx/value_text.h - any value of the architecture as text
 */
#ifndef VMX_VALUE_TEXT_H
#define VMX_VALUE_TEXT_H

#include "base/base.h"
#include "vmx/bits.h"

/* What a value means can depend on what stands beside it. Unknown members are 0. */
struct vmx_decode_context {
	u32 exit_reason;       /* for EXIT_QUALIFICATION and INSN_INFO */
	u32 interruption_info; /* for EXIT_QUALIFICATION of exception_nmi, and ERROR_CODE */
	u64 qualification;     /* for INSN_INFO: the displacement */
	u8 ept_level;	       /* for EPT_ENTRY: 5 to 1; 1 maps 4-KByte pages */
};

/*
 * Writes @value as text in the manner of fmt(): at most @size bytes, the last of which is 0, and
 * returns the length of the whole text. @context may be NULL.
 *
 * Words are separated by one space: names of flags that are 1, name=value of numbers,
 * reserved=0x... when a reserved bit is 1; "0" when nothing is to say. Instructions read like
 * assembly language.
 */
size_t vmx_decode(char *to, size_t size, enum vmx_value_kind kind, u64 value,
		  const struct vmx_decode_context *context);

#endif
