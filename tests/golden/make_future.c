/*
 * make_future TAPE - write the tape of a vmxtape to come
 *
 * tests/golden/1/future.vxt was made by this and stays: it must be read by every later version.
 */
#include <stdio.h>

#include "tests/golden/future_tape.h"

int main(int argc, char **argv)
{
	if (argc == 2 && future_make(argv[1], false))
		return 0;
	fprintf(stderr, "usage: make_future TAPE\n");
	return 1;
}
