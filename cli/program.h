/*
 * cli/program.h - other programs: finding and running them
 */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "base/base.h"

/*
 * Where program @name is on PATH; owned by the caller. Dies, naming the Debian package to install,
 * when it is nowhere.
 */
char *program_find(const char *name, const char *package);

/* Dies, naming the Debian package to install, when file @path cannot be read. */
void program_need_file(const char *path, const char *package);

/*
 * Run @argv, which ends with NULL, with stdin empty, SOURCE_DATE_EPOCH=@date and a plain locale,
 * and wait. Its output is kept from the terminal; dies with it when the program fails.
 */
void program_run(const char *const *argv, u64 date);

#endif
