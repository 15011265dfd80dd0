/*
 * tests/stubs/stub_acpi.h - ACPI tables of a small PC, in the machine's memory
 */
#ifndef TESTS_STUBS_STUB_ACPI_H
#define TESTS_STUBS_STUB_ACPI_H

#include "base/base.h"

#define STUB_RSDP 0xf6000ull
#define STUB_RSDT 0x8000ull
#define STUB_FADT 0x8100ull
#define STUB_DSDT 0x8200ull

/*
 * RSDP, RSDT, FADT with @port as PM1a_CNT, and a DSDT with the packages of \_S3 (SLP_TYP 1), \_S4
 * (6) and \_S5 (5), all checksums right.
 */
void stub_acpi_tables(u16 port);

/* Make the checksum of the table of @size bytes at @pa right again; it stands at byte 9. */
void stub_acpi_sum(u64 pa, u32 size);

#endif
