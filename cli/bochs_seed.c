/*
 * cli/bochs_seed.c - loaded into Bochs before its own libraries, so that it repeats itself
 *
 * Bochs makes what RDRAND and RDSEED give out of rand(), which it seeds with the time of day: a
 * guest that uses them would run differently in every second. Without a seed it always is the same.
 * Built as a shared object that is part of vmxtape (Makefile).
 */
#include <stdlib.h>

void srand(unsigned seed)
{
	(void)seed;
}
