/*
 * hv/acpi.h - where the machine is put to sleep, so that hv sees L1's power-off; its processors
 *
 * ACPI Specification 6.5: "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table
 * (FADT)", "\_Sx", "Multiple APIC Description Table (MADT)". The tables are the firmware's, but
 * nothing in them is trusted to be in bounds.
 */
#ifndef HV_ACPI_H
#define HV_ACPI_H

#include "base/base.h"

/*
 * Look for the tables; without them no sleep port and no processor is known. @rsdp is physical, 0:
 * search as on BIOS.
 */
void acpi_init(u64 rsdp);

/* I/O port of the PM1a (@index 0) or PM1b (1) control register; 0 when there is none. */
u16 acpi_sleep_port(unsigned index);

/* The sleeping state 0 to 5 that SLP_TYP @type asks for; 5 when the tables do not say. */
unsigned acpi_sleep_state(u8 type);

/* Switch the machine off, if the tables say how. */
void acpi_power_off(void);

/*
 * The processors that the firmware has enabled, in its order; none when no table names any. Those
 * from ACPI_MAX_PROCESSORS on are counted, and have no ID.
 */
#define ACPI_MAX_PROCESSORS 256
unsigned acpi_processor_count(void);
u32 acpi_processor_apic_id(unsigned index);

#endif
