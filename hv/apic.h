/*
 * hv/apic.h - this processor's local APIC, which is L1's: hv sends with it, and leaves it as it was
 *
 * SDM, "Advanced Programmable Interrupt Controller (APIC)". In xAPIC or x2APIC mode, as L1 has it.
 */
#ifndef HV_APIC_H
#define HV_APIC_H

#include "base/base.h"

/* Interrupt commands: level asserted, physical destination. */
#define APIC_NMI     0x4400u
#define APIC_INIT    0x4500u
#define APIC_STARTUP 0x4600u /* | page number of the first instruction */

/* The APIC ID of this processor. */
u32 apic_id(void);

/*
 * Send @command to the processor whose APIC ID is @id. False: L1 has switched its APIC off, moved
 * it out of hv's sight, xAPIC mode can't reach @id, or the APIC does not get the last command
 * delivered.
 */
bool apic_send(u32 id, u32 command);

/* What of a local APIC is lost when its processor is reset. */
#define APIC_SAVED 11
void apic_save(u32 *registers);
void apic_restore(const u32 *registers);

/*
 * What INIT does to a local APIC, as far as software can: SDM, "Local APIC State After It Has Been
 * Software Disabled". What waits in IRR stays.
 */
void apic_reset(void);

#endif
