/*
 * cli/explain_page.h - what is known of a name: VMCS field, control, capability, exit reason, MSR,
 * check of VM entry or of exits, finding, erratum
 */
#ifndef CLI_EXPLAIN_PAGE_H
#define CLI_EXPLAIN_PAGE_H

#include "vmx/bits.h"

/*
 * Prints a page for everything that @name names, in upper or lower case (fields by encoding too),
 * as text or as a JSON object a line. Returns how many pages there were.
 */
unsigned explain_pages(const char *name, bool json);

/* Prints @text after @label, wrapped, with later lines beneath its first. */
void explain_paragraph(const char *label, const char *text);

/* The kind that the exit qualification for @reason has, and what it holds. */
enum vmx_value_kind explain_qualification(u32 reason, const char **title);

#endif
