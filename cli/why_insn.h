/*
 * cli/why_insn.h - what bears on the end of a VMX instruction that is no VM entry
 */
#ifndef CLI_WHY_INSN_H
#define CLI_WHY_INSN_H

#include "replay/why.h"

/*
 * Prints the facts that the SDM's checks of the instruction rest on: lines of text, or the member
 * "facts" of the JSON object that is open.
 */
void why_print_insn(const struct why *why, bool json);

#endif
