/*
 * tests/guests/lib/guest_layout.h - numbers that C and assembly share
 */
#ifndef TESTS_GUESTS_LIB_GUEST_LAYOUT_H
#define TESTS_GUESTS_LIB_GUEST_LAYOUT_H

/* Selectors; the first two are where Linux's boot protocol wants them. */
#define GUEST_CS	  0x10
#define GUEST_DS	  0x18
#define GUEST_CS32	  0x20
#define GUEST_USER_DS	  0x2b
#define GUEST_USER_CS	  0x33
#define GUEST_TR	  0x38

/* RSP0 to RSP2, ISTs, and an I/O bitmap that permits nothing. */
#define GUEST_TSS_SIZE	  104

/* The INT by which guest_try_user()'s function leaves ring 3. */
#define GUEST_USER_RETURN 0x81

#endif
