/*
 * tests/stubs/stub_parts.h - shared by tests/stubs/stub_*.c
 */
#ifndef TESTS_STUBS_STUB_PARTS_H
#define TESTS_STUBS_STUB_PARTS_H

#include "tests/stubs/stub_cpu.h"
#include "vmx/caps.h"

/* What the capability MSRs, as they are set, say. */
extern struct vmx_caps stub_caps;

/* hv, or a test, did what no processor allows: fails the test that runs. */
_Noreturn void stub_misuse(const char *what, u64 value);

/* To what they are after a reset. */
void stub_reset_msrs(void);
void stub_reset_vmx(void);
void stub_reset_ports(void);

#endif
