/*
 * tests/scratch_path.h - a file of the test's own in /tmp, for all tests of a group:
 *
 *	cmocka_run_group_tests_name("trace/file", tests, make_scratch_path, remove_scratch_path)
 */
#ifndef TESTS_SCRATCH_PATH_H
#define TESTS_SCRATCH_PATH_H

#include <unistd.h>

#include "tests/test.h"

static char scratch_path[] = "/tmp/vmxtape-test-XXXXXX";

static inline int make_scratch_path(void **state)
{
	const int fd = mkstemp(scratch_path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static inline int remove_scratch_path(void **state)
{
	(void)state;
	return unlink(scratch_path);
}

#endif
