/*
 * tests/fuzz/fuzz.h - what a fuzz target has, for libFuzzer and for tests/fuzz/driver.c
 *
 * A target takes any bytes, must return 0, and must neither crash nor hang. Built with the address
 * and undefined-behaviour sanitizers, errors of memory stop it.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the target: something that must hold does not. */
#define fuzz_demand(condition)            \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#endif
