/*
 * tests/test.h - the only include a unit test needs besides what it tests
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/status.h"

/* cmocka 1.1.5 has no assert for 64-bit values that prints them in hexadecimal. */
#define assert_u64(actual, expected)                                                               \
	do {                                                                                       \
		const u64 actual_ = (actual), expected_ = (expected);                              \
		if (actual_ != expected_)                                                          \
			fail_msg("%s is 0x%llx, not 0x%llx", #actual, (unsigned long long)actual_, \
				 (unsigned long long)expected_);                                   \
	} while (0)

/* For table-driven tests: like assert_u64(), and says which row failed. */
#define assert_row(name, actual, expected)                                                    \
	do {                                                                                  \
		const u64 actual_ = (actual), expected_ = (expected);                         \
		if (actual_ != expected_)                                                     \
			fail_msg("%s: %s is 0x%llx, not 0x%llx", name, #actual,               \
				 (unsigned long long)actual_, (unsigned long long)expected_); \
	} while (0)

#endif
