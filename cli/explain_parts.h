/*
 * cli/explain_parts.h - shared by cli/explain_*.c
 */
#ifndef CLI_EXPLAIN_PARTS_H
#define CLI_EXPLAIN_PARTS_H

#include "cli/explain_page.h"

/* The pages of one kind: explain_pages() asks each kind. */
typedef unsigned explain_kind(const char *name, bool json);

/* cli/explain_vmx.c */
explain_kind explain_field_pages;
explain_kind explain_control_pages;
explain_kind explain_capbit_pages;
explain_kind explain_exit_pages;
explain_kind explain_msr_pages;

/* cli/explain_rule.c */
explain_kind explain_finding_pages;
explain_kind explain_check_pages;
explain_kind explain_exit_check_pages;
explain_kind explain_erratum_pages;

/* What every JSON object of a page begins and ends with. */
void explain_json_open(const char *what, const char *name);
void explain_json_close(void);

#endif
