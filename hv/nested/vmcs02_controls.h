/*
 * hv/nested/vmcs02_controls.h - control words of VMCS02: L1's, with what hv needs
 */
#ifndef HV_NESTED_VMCS02_CONTROLS_H
#define HV_NESTED_VMCS02_CONTROLS_H

#include "hv/percpu.h"

/* Write each word whose parts in VMCS12 are dirty. VMCS02 is current, as everywhere here. */
void vmcs02_write_controls(struct nested *nested, struct nested_vmcs *vmcs);

/*
 * L2 does not use LGDT, LIDT, LLDT and LTR, nor what stores those registers, without an exit; so
 * they are as they were at its entry. An exit that hv alone wants for that ends with
 * vmcs02_open_tables(): L2 executes the instruction again, and others for some entries to come.
 */
static inline bool vmcs02_keeps_tables(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	return nested->can_keep_tables && !vmcs->tables_open;
}

void vmcs02_open_tables(struct nested *nested);

/* An entry of L1: one less of those to come. */
void vmcs02_count_open_tables(struct nested *nested, struct nested_vmcs *vmcs);

#endif
