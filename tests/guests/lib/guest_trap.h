/*
 * tests/guests/lib/guest_trap.h - the part of guest.h's exceptions that only the library uses
 */
#ifndef TESTS_GUESTS_LIB_GUEST_TRAP_H
#define TESTS_GUESTS_LIB_GUEST_TRAP_H

#include "tests/guests/lib/guest.h"

/* Loads the IDT and lets the TSS permit no port. */
void guest_trap_init(void);

/* Loads the same IDT on another processor. */
void guest_trap_load(void);

#endif
