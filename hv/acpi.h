/*
 * hv/acpi.h - where the machine is put to sleep, so that hv sees L1's power-off
 *
 * ACPI Specification 6.5: "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table
 * (FADT)", "\_Sx". The tables are the firmware's, but nothing in them is trusted to be in bounds.
 */
#ifndef HV_ACPI_H
#define HV_ACPI_H

#include "base/base.h"

/* Look for the tables; without them no sleep port is known. @rsdp is physical, 0: search as on
 * BIOS. */
void acpi_init(u64 rsdp);

/* I/O port of the PM1a (@index 0) or PM1b (1) control register; 0 when there is none. */
u16 acpi_sleep_port(unsigned index);

/* The sleeping state 0 to 5 that SLP_TYP @type asks for; 5 when the tables do not say. */
unsigned acpi_sleep_state(u8 type);

#endif
